package claims

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/sweep"
)

// Feerates by name, which every SweepBuilder knows.
const (
	// NormalFeerate is for what can wait, UrgentFeerate for what somebody else can take.
	NormalFeerate = "normal"
	UrgentFeerate = "urgent"
)

// SweepBuilder makes transactions that claim outputs, for whatever wallet is
// behind it.
type SweepBuilder struct {
	// Address makes an address of the wallet; where the user gave a destination it
	// is asked for the change of HTLC transactions only.
	Address func(ctx context.Context) (string, error)
	// Feerate is the estimate of that name now, in sat per 1000 weight.
	Feerate func(ctx context.Context, name string) (uint32, error)
	// Wallet pays for HTLC transactions that pay no fee themselves; nil where
	// there is none.
	Wallet sweep.Wallet

	mu   sync.Mutex
	made string
}

// address makes one address, however often a claim is tried or shown before one is
// on record: the wallet counts its addresses, and a coin far beyond those that were
// used is not found when it is restored.
func (b *SweepBuilder) address(ctx context.Context) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made == "" {
		made, err := b.Address(ctx)
		if err != nil {
			return "", err
		}
		b.made = made
	}
	return b.made, nil
}

// SweepRequest asks for a transaction that claims outputs of one close.
type SweepRequest struct {
	Case sweep.Case
	Keys sweep.Keys
	// OutPoints are the outputs, Height is the chain's.
	OutPoints []wire.OutPoint
	Height    uint32
	// Destination gets the coins; "" for an address of the wallet.
	Destination string
	// Change gets what is left of the wallet's coins; "" for an address of the
	// wallet.
	Change string
	// Feerate is the user's as typed, "" for the estimate.
	Feerate string
	Network *chaincfg.Params
	Avoid   func(wire.OutPoint) bool
	// Replaces is an earlier transaction of the same outputs, PaidPerKW what it pays
	// in sat per 1000 weight.
	Replaces  *wire.MsgTx
	PaidPerKW uint32
}

// SweepTx is a transaction that was not sent.
type SweepTx struct {
	*sweep.Tx
	// PerKW is what it pays in sat per 1000 weight, Deadline the earliest of its
	// claims, 0 for none.
	PerKW    uint32
	Deadline uint32
	// Second says that it is an HTLC transaction.
	Second bool
	// Destination and Change are the addresses that it was made with, "" where none
	// was needed.
	Destination, Change string
}

// ErrNoWallet says that nothing here can pay for an HTLC transaction that pays no fee
// itself.
var ErrNoWallet = errors.New("no_wallet: the HTLC transaction pays no fee itself, and there is no wallet here to add a coin from; the plugin in a lightningd with this secret has one")

// errGone says that an output is not among the claims any more.
var errGone = errors.New("the output can no longer be claimed")

// Make makes one. The errors are sweep.Build's, and Address's and Feerate's.
func (b *SweepBuilder) Make(ctx context.Context, r SweepRequest) (*SweepTx, error) {
	all, err := sweep.Claims(r.Case)
	if err != nil {
		return nil, err
	}
	var take []sweep.Claim
	for _, op := range r.OutPoints {
		i := slices.IndexFunc(all, func(c sweep.Claim) bool { return c.Output.OutPoint == op })
		if i < 0 {
			return nil, errGone
		}
		take = append(take, all[i])
	}
	order := sweep.Order{
		Claims: take, Network: r.Network, Height: r.Height, Avoid: r.Avoid, Replaces: r.Replaces,
		Destination: r.Destination, Wallet: b.Wallet,
	}
	second := len(take) == 1 && take[0].HTLCTransaction()
	if order.FeeratePerKW, err = b.price(ctx, r, take); err != nil {
		return nil, err
	}
	out := &SweepTx{Second: second, Destination: r.Destination, Change: r.Change}
	switch {
	case second && take[0].Needs == sweep.NeedFeeInput && b.Wallet == nil:
		return nil, ErrNoWallet
	case second && r.Case.Channel.Type.HasAnchors(): // coins may be added
		if out.Change == "" {
			if out.Change, err = b.address(ctx); err != nil {
				return nil, err
			}
		}
		order.Change = out.Change
	case second:
	case r.Replaces == nil && r.Destination == "":
		if out.Destination, err = b.address(ctx); err != nil {
			return nil, err
		}
		order.Destination = out.Destination
	}
	if out.Tx, err = sweep.Build(ctx, r.Keys, order); err != nil {
		return nil, err
	}
	out.PerKW = out.Paid.FeeratePerKW()
	for i := range out.Claims {
		if d := out.Claims[i].Deadline; d > 0 && (out.Deadline == 0 || d < out.Deadline) {
			out.Deadline = d
		}
	}
	return out, nil
}

// price is what the transaction shall pay, in sat per 1000 weight: the user's
// feerate or the estimate, more as a deadline nears, and a quarter more than what
// did not help.
func (b *SweepBuilder) price(ctx context.Context, r SweepRequest, take []sweep.Claim) (uint32, error) {
	perKW, name, err := ParseFeerate(r.Feerate)
	if err != nil {
		return 0, err
	}
	if perKW == 0 {
		if name == "" {
			name = NormalFeerate
			if slices.ContainsFunc(take, func(c sweep.Claim) bool { return c.Deadline > 0 }) {
				name = UrgentFeerate
			}
		}
		if perKW, err = b.Feerate(ctx, name); err != nil {
			return 0, err
		}
	}
	return max(sweep.Feerate(take, r.Height, perKW), r.PaidPerKW+r.PaidPerKW/4), nil
}

// Release gives the wallet's coins free that were set aside for a transaction that
// will never be sent again.
func (b *SweepBuilder) Release(ctx context.Context, coins []wire.OutPoint) error {
	if b.Wallet == nil {
		return nil
	}
	return sweep.Release(ctx, b.Wallet, coins)
}

// feerateForm is CLN's: a number, per 1000 virtual bytes ("perkb") or weight units
// ("perkw"), or a name.
var feerateForm = regexp.MustCompile(`^(?:([0-9]{1,9})(perkw|perkb)?|(minimum|slow|normal|urgent|opening|mutual_close|unilateral_close|penalty|[1-9][0-9]{0,3}blocks))$`)

// minPerKW is the lowest feerate that CLN takes, in sat per 1000 weight: 1 sat per
// virtual byte, with the rounding of witnesses.
const minPerKW = 253

// ParseFeerate reads a feerate as CLN's commands do: a number is per 1000 virtual
// bytes without suffix. Either perKW, in sat per 1000 weight, or the name is set;
// neither for "".
func ParseFeerate(text string) (perKW uint32, name string, err error) {
	if text == "" {
		return 0, "", nil
	}
	m := feerateForm.FindStringSubmatch(text)
	if m == nil {
		return 0, "", fmt.Errorf("%.40q is not a feerate: give a number of sat per 1000 virtual bytes, one with the suffix perkw or perkb, or slow, normal or urgent", text)
	}
	if m[1] == "" {
		return 0, m[3], nil
	}
	n, err := strconv.ParseUint(m[1], 10, 32)
	if err != nil {
		return 0, "", err
	}
	if m[2] != "perkw" {
		n = (n + 3) / 4
	}
	return uint32(max(n, minPerKW)), "", nil
}

// SweepTrouble is why there is no sweep of outputs, or no dearer one.
type SweepTrouble struct {
	Text string
	// NeedsSat is the coin that the wallet lacks, at Address.
	NeedsSat uint64
	Address  string
	// Enough says that the transaction on record pays all that it may, or needs to.
	Enough bool
	// InputsSpent says that coins of the wallet are spent that the transaction on
	// record needs.
	InputsSpent bool
	// Stuck says that time alone does not help: the fee costs too much, or there is no
	// wallet that could pay it.
	Stuck bool
}

// SweepTroubleOf says what an error of Make means.
func SweepTroubleOf(err error) SweepTrouble {
	var coin *sweep.NeedsFeeInputError
	var spent *sweep.InputsSpentError
	switch {
	case errors.Is(err, sweep.ErrFeeSufficient), errors.Is(err, sweep.ErrFeeFixed):
		return SweepTrouble{Text: err.Error(), Enough: true}
	case errors.As(err, &spent):
		return SweepTrouble{Text: err.Error(), InputsSpent: true}
	case errors.As(err, &coin):
		return SweepTrouble{Text: err.Error(), NeedsSat: coin.AmountSat, Address: coin.Address}
	case errors.Is(err, ErrNoWallet), errors.As(err, new(*sweep.UneconomicError)):
		return SweepTrouble{Text: err.Error(), Stuck: true}
	}
	return SweepTrouble{Text: err.Error()}
}
