package claims

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/sweep"
)

// priceTimes bounds what is paid without a higher estimate, as a multiple of the
// estimate or of what the close pays itself.
const priceTimes = 4

// ChildRequest asks for a child that pays for a close.
type ChildRequest struct {
	Channel *channel.Channel
	Funding sweep.Signer
	Parent  *wire.MsgTx
	// PaidPerKW is what the last child reached in vain, in sat per 1000 weight.
	PaidPerKW uint32
	MaxFeeSat uint64
	// Address is the wallet's that it pays to, "" for a new one.
	Address  string
	Avoid    func(wire.OutPoint) bool
	Replaces *wire.MsgTx
	Network  *chaincfg.Params
}

// ChildBuilder makes children; it asks the wallet for coins and signatures, and
// nobody else for anything. Feerate is what a close should pay now, in sat per
// 1000 weight.
type ChildBuilder struct {
	Build   func(ctx context.Context, r sweep.Request) (*sweep.Child, error)
	Feerate func(ctx context.Context) (uint32, error)
}

// Make makes a child that was not sent. The errors are sweep.BuildChild's.
func (b *ChildBuilder) Make(ctx context.Context, r ChildRequest) (*sweep.Child, error) {
	estimate, err := b.Feerate(ctx)
	if err != nil {
		return nil, err
	}
	return b.Build(ctx, sweep.Request{
		Parent: r.Parent, Channel: r.Channel, Funding: r.Funding, FundingSat: r.Channel.CapacitySat,
		FeeratePerKW: price(estimate, r.PaidPerKW, r.Channel.CapacitySat, r.Parent), MaxFeeSat: r.MaxFeeSat,
		Destination: r.Address, Network: r.Network, Avoid: r.Avoid, Replaces: r.Replaces,
	})
}

// price is what the close and its child shall pay together, in sat per 1000
// weight: the estimate, or a quarter more than what did not help. A bitcoind that
// was set up for the recovery has no estimate of its own yet; one that relays
// nothing makes any price look too low, and to_remote can wait: hence the bound.
func price(estimate, paid uint32, capacitySat uint64, parent *wire.MsgTx) uint32 {
	left := capacitySat
	for _, o := range parent.TxOut {
		left -= min(left, uint64(o.Value))
	}
	weight := uint64(3*parent.SerializeSizeStripped() + parent.SerializeSize()) // BIP 141
	alone := sweep.Paid{FeeSat: left, VSize: sweep.VSize(weight)}.FeeratePerKW()
	vain := max(alone, paid)
	return min(max(estimate, vain+vain/4), priceTimes*max(estimate, alone))
}

// Trouble is why there is no child.
type Trouble struct {
	Text string
	// NeedsSat is the coin that the wallet lacks, at Address.
	NeedsSat uint64
	Address  string
	// InputsSpent says that the last child's inputs are spent.
	InputsSpent bool
}

// TroubleOf says what an error of Make means.
func TroubleOf(err error) Trouble {
	var coin *sweep.NeedsFeeInputError
	var spent *sweep.InputsSpentError
	switch {
	case errors.Is(err, sweep.ErrFeeSufficient):
		return Trouble{Text: fmt.Sprintf("the fee already is %d times lightningd's estimate or more, and glrecover adds nothing while the estimate stays the same; does bitcoind have peers?", priceTimes)}
	case errors.As(err, &spent):
		return Trouble{Text: err.Error(), InputsSpent: true}
	case errors.As(err, &coin):
		return Trouble{Text: err.Error(), NeedsSat: coin.AmountSat, Address: coin.Address}
	}
	return Trouble{Text: err.Error()}
}

// Network are the address parameters of a network by lightningd's name.
func Network(name string) *chaincfg.Params {
	switch name {
	case "bitcoin":
		return &chaincfg.MainNetParams
	case "regtest":
		return &chaincfg.RegressionNetParams
	case "signet":
		return &chaincfg.SigNetParams
	}
	return &chaincfg.TestNet3Params
}
