package sweep

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/onchain"
)

// The most that fees may take of what is claimed, in percent, where an Order
// does not say.
const (
	DefaultMaxFeePercent    = 10
	DefaultUrgentFeePercent = 90
)

// MaxFeeratePerKW is the most that Build pays, in sat per 1000 weight, whatever an
// Order wants: 8,000 sat per virtual byte. bitcoind's sendrawtransaction refuses
// everything above 10,000 (node/transaction.h, DEFAULT_MAX_RAW_TX_FEE_RATE), and a
// claim that it refuses is worse than one that is cheaper.
const MaxFeeratePerKW = 2_000_000

// Order describes one transaction.
type Order struct {
	// Claims are Ready ones: one that is Alone, or several of the others.
	Claims []Claim
	// Destination is any address of Network. It may be "" with Replaces, whose
	// destination is then kept.
	Destination string
	Network     *chaincfg.Params
	// FeeratePerKW is what the transaction shall pay, in sat per 1000 weight, up to
	// MaxFeeratePerKW.
	FeeratePerKW uint32
	// Height is the chain's. Claims that the next block cannot hold are
	// refused; 0 builds them all the same, to be shown.
	Height uint32
	// MaxFeePercent of the amount is the most that the fee may be,
	// UrgentFeePercent for claims that are Urgent; 0 is the default.
	MaxFeePercent, UrgentFeePercent uint8
	// Replaces is an earlier transaction of the same claims, as Build signed
	// it: all its inputs are spent again, and it pays more.
	Replaces *wire.MsgTx

	// Wallet pays the fee of a claim that needs a fee input, and gets the
	// change at Change (Destination where that is ""), a P2WPKH or P2TR address.
	// Its coins are reserved for ReserveBlocks, 0 is DefaultReserveBlocks; Avoid
	// names those to leave alone.
	Wallet        Wallet
	Change        string
	Avoid         func(wire.OutPoint) bool
	ReserveBlocks uint32
}

// Tx is a signed transaction that was not sent.
type Tx struct {
	Tx   *wire.MsgTx
	Txid chainhash.Hash
	Paid Paid
	// Claims are those that it takes, in the order of its inputs.
	Claims []Claim
	// Uneconomic are those that were left out.
	Uneconomic []Uneconomic
	// Destination gets OutputSat. Both are empty for an HTLC transaction: its
	// output waits for the delay and is then a claim of its own.
	Destination string
	OutputSat   uint64
	// WalletInputs are reserved for it. Release them if it is given up.
	WalletInputs []wire.OutPoint
}

// Uneconomic is a claim that costs more than its share at this feerate.
type Uneconomic struct {
	Claim Claim
	Err   *UneconomicError
}

// maxClaims keeps a transaction below what nodes relay, which is 400,000 weight units.
const maxClaims = 400

// Divide divides claims that may go together among transactions of about equal size: a
// small one alone in the last would not be worth its fee.
func Divide(claims []Claim) [][]Claim {
	count := (len(claims) + maxClaims - 1) / maxClaims
	if count == 0 {
		return nil
	}
	return slices.Collect(slices.Chunk(claims, (len(claims)+count-1)/count))
}

// Batches groups the claims that can be in a block at the next height, those
// that are Alone by themselves and the others together as far as nodes relay it, in the
// order of their deadlines.
func Batches(claims []Claim, height uint32) [][]Claim {
	var alone [][]Claim
	var together []Claim
	for _, c := range claims {
		switch {
		case !c.Ready() || c.From == 0 || c.From > height+1:
		case c.Alone():
			alone = append(alone, []Claim{c})
		default:
			together = append(together, c)
		}
	}
	slices.SortStableFunc(alone, func(a, b []Claim) int { return cmp.Compare(a[0].Deadline, b[0].Deadline) })
	return append(alone, Divide(together)...)
}

// Build makes, pays for, signs and checks one transaction, without sending it.
// The same order gives the same transaction. Errors are ErrClaims, ErrAddress,
// ErrDestination, ErrNotOurSweep, ErrFeeSufficient, ErrFeeFixed,
// ErrReservation, ErrSelfCheck, *NotReadyError, *UneconomicError,
// *NeedsFeeInputError, *InputsSpentError, or the wallet's and the keys' own.
// After an error nothing stays reserved.
func Build(ctx context.Context, keys Keys, o Order) (*Tx, error) {
	o.Claims, o.FeeratePerKW = slices.Clone(o.Claims), min(o.FeeratePerKW, MaxFeeratePerKW)
	slices.SortFunc(o.Claims, func(a, b Claim) int { return compareOutPoints(a.Output.OutPoint, b.Output.OutPoint) })
	if o.MaxFeePercent == 0 {
		o.MaxFeePercent = DefaultMaxFeePercent
	}
	if o.UrgentFeePercent == 0 {
		o.UrgentFeePercent = DefaultUrgentFeePercent
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Claims[0].second != nil {
		return o.htlcTransaction(ctx, keys)
	}
	return o.sweep(keys)
}

func compareOutPoints(a, b wire.OutPoint) int {
	return cmp.Or(bytes.Compare(a.Hash[:], b.Hash[:]), cmp.Compare(a.Index, b.Index))
}

func (o *Order) check() error {
	if len(o.Claims) == 0 || o.Network == nil || o.MaxFeePercent > 100 || o.UrgentFeePercent > 100 {
		return ErrClaims
	}
	for i := range o.Claims {
		c := &o.Claims[i]
		switch {
		case !c.Ready():
			return &NotReadyError{OutPoint: c.Output.OutPoint, Needs: c.Needs}
		case o.Height > 0 && (c.From == 0 || c.From > o.Height+1):
			return &NotReadyError{OutPoint: c.Output.OutPoint, From: c.From}
		case c.spend == nil && c.second == nil, c.second != nil && len(o.Claims) > 1,
			i > 0 && c.Output.OutPoint == o.Claims[i-1].Output.OutPoint, c.Output.ValueSat > maxMoney:
			return ErrClaims
		}
		for j := range o.Claims {
			// A commitment or a close of ours is never made here.
			if c.Output.OutPoint == o.Claims[j].funding {
				return ErrClaims
			}
		}
	}
	return nil
}

// maxFee is the most that a claim may cost, in sat.
func (o *Order) maxFee(c *Claim) uint64 {
	percent := o.MaxFeePercent
	if c.Urgent(o.Height) {
		percent = max(percent, o.UrgentFeePercent)
	}
	return c.Output.ValueSat * uint64(percent) / 100
}

// destination is the output script of the sweep.
func (o *Order) destination() (address string, pkScript []byte, err error) {
	address = o.Destination
	if address == "" && o.Replaces != nil && len(o.Replaces.TxOut) == 1 {
		_, found, _, err := txscript.ExtractPkScriptAddrs(o.Replaces.TxOut[0].PkScript, o.Network)
		if err != nil || len(found) != 1 {
			return "", nil, ErrNotOurSweep
		}
		address = found[0].EncodeAddress()
	}
	pkScript, err = anyScriptOf(address, o.Network)
	return address, pkScript, err
}

// sweep is one output and any number of inputs of ours.
func (o *Order) sweep(keys Keys) (*Tx, error) {
	address, pkScript, err := o.destination()
	if err != nil {
		return nil, err
	}
	old, err := o.replaced()
	if err != nil {
		return nil, err
	}
	t := &Tx{Claims: o.Claims, Destination: address}
	if old == nil {
		t.Claims, t.Uneconomic = o.worthwhile()
		if len(t.Claims) == 0 {
			return nil, t.Uneconomic[0].Err
		}
	}
	tx := unsigned(t.Claims, pkScript)
	weight := weightOf(tx)
	total, most, urgent := uint64(0), uint64(0), true
	for i := range t.Claims {
		total += t.Claims[i].Output.ValueSat
		most += o.maxFee(&t.Claims[i])
		urgent = urgent && t.Claims[i].Urgent(o.Height)
	}
	most = min(most, total-min(total, dustLimit(len(pkScript))))
	vsize := VSize(weight)
	fee, least := FeeFor(o.FeeratePerKW, vsize), vsize*MinRelaySatPerVB
	if old != nil {
		if old.Reaches(o.FeeratePerKW) {
			return nil, ErrFeeSufficient
		}
		least = old.ReplacementFee(vsize)
	}
	if fee = max(fee, least); fee > most {
		// An urgent claim goes out with what it may pay: waiting loses it.
		if !urgent || least > most {
			return nil, &UneconomicError{FeeratePerKW: o.FeeratePerKW, FeeSat: fee, MaxFeeSat: most}
		}
		fee = most
	}
	t.OutputSat = total - fee
	tx.TxOut[0].Value = int64(t.OutputSat)
	if err := sign(keys, tx, t.Claims, weight); err != nil {
		return nil, err
	}
	t.Tx, t.Txid, t.Paid = tx, tx.TxHash(), Paid{FeeSat: fee, VSize: VSize(weightOf(tx))}
	return t, nil
}

// worthwhile sorts out the claims whose own input costs more than they may
// pay.
func (o *Order) worthwhile() (take []Claim, leave []Uneconomic) {
	for _, c := range o.Claims {
		perKW, most := o.FeeratePerKW, o.maxFee(&c)
		if c.Urgent(o.Height) {
			perKW = 0 // it goes out with what it may pay
		}
		vsize := VSize(bareInputWeight + uint64(c.spend.largest().SerializeSize()))
		if fee := max(FeeFor(perKW, vsize), vsize*MinRelaySatPerVB); fee > most {
			leave = append(leave, Uneconomic{c, &UneconomicError{FeeratePerKW: o.FeeratePerKW, FeeSat: fee, MaxFeeSat: most}})
			continue
		}
		take = append(take, c)
	}
	return take, leave
}

// replaced is what the transaction to replace pays, or nil.
func (o *Order) replaced() (*Paid, error) {
	if o.Replaces == nil {
		return nil, nil
	}
	var total uint64
	if len(o.Replaces.TxIn) != len(o.Claims) || len(o.Replaces.TxOut) != 1 || !o.Replaces.HasWitness() {
		return nil, ErrNotOurSweep
	}
	for i, c := range o.Claims {
		if o.Replaces.TxIn[i].PreviousOutPoint != c.Output.OutPoint {
			return nil, ErrNotOurSweep
		}
		total += c.Output.ValueSat
	}
	out := o.Replaces.TxOut[0].Value
	if out < 0 || uint64(out) > total {
		return nil, ErrNotOurSweep
	}
	return &Paid{FeeSat: total - uint64(out), VSize: VSize(weightOf(o.Replaces))}, nil
}

// unsigned has witnesses of the largest size, to be weighed.
func unsigned(claims []Claim, pkScript []byte) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	for _, c := range claims {
		tx.LockTime = max(tx.LockTime, c.spend.lockTime)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: c.Output.OutPoint, Sequence: c.spend.sequence, Witness: c.spend.largest()})
	}
	tx.AddTxOut(wire.NewTxOut(0, pkScript))
	return tx
}

// sign signs every input and runs every script.
func sign(keys Keys, tx *wire.MsgTx, claims []Claim, weight uint64) error {
	prevouts := map[wire.OutPoint]*wire.TxOut{}
	for _, c := range claims {
		prevouts[c.Output.OutPoint] = wire.NewTxOut(int64(c.Output.ValueSat), c.Output.PkScript)
	}
	fetcher := txscript.NewMultiPrevOutFetcher(prevouts)
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i, c := range claims {
		witness, err := c.spend.sign(keys, tx, i, hashes, fetcher)
		if err != nil {
			return err
		}
		tx.TxIn[i].Witness = witness
	}
	return lastLook(tx, prevouts, weight)
}

// lastLook runs every script; the weight is what was paid for.
func lastLook(tx *wire.MsgTx, prevouts map[wire.OutPoint]*wire.TxOut, weight uint64) error {
	if err := runScripts(tx, prevouts); err != nil {
		return fmt.Errorf("%w: %w", ErrSelfCheck, err)
	}
	if got := weightOf(tx); got > weight {
		return fmt.Errorf("%w: weight %d, at most %d was paid for", ErrSelfCheck, got, weight)
	}
	return nil
}

// hurrySteps is how often the feerate doubles before a deadline.
const hurrySteps = 6

// Feerate is what a transaction of these claims should pay with the chain at a
// height, in sat per 1000 weight: the node's estimate, and from HurryBlocks
// before a deadline on twice as much every six blocks, 64 times at the end.
// Build bounds it by what the claims may cost. An HTLC that we sent has no
// deadline of its own: whether the peer has the preimage does not depend on
// time.
func Feerate(claims []Claim, height, estimatePerKW uint32) uint32 {
	doubled := uint32(0)
	for i := range claims {
		c := &claims[i]
		if c.Deadline == 0 || c.Output.Path != onchain.PathPenalty && c.Output.Path != onchain.PathSuccess {
			continue
		}
		// The blocks from the next one on that are before the deadline.
		left := uint32(0)
		if c.Deadline > height+1 {
			left = min(c.Deadline-height-1, HurryBlocks)
		}
		doubled = max(doubled, (HurryBlocks-left)*hurrySteps/HurryBlocks)
	}
	return uint32(min(uint64(estimatePerKW)<<doubled, math.MaxUint32))
}
