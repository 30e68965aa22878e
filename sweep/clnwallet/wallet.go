package clnwallet

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/sweep"
)

// Client is what is used of *lightningd.Client.
type Client interface {
	ListFunds(ctx context.Context, spent bool) (*lightningd.Funds, error)
	ReserveInputs(ctx context.Context, psbt string, exclusive bool, blocks uint32) ([]lightningd.Reservation, error)
	UnreserveInputs(ctx context.Context, psbt string, blocks uint32) ([]lightningd.Reservation, error)
	SignPSBT(ctx context.Context, psbt string, only ...uint32) (signed string, err error)
	NewAddr(ctx context.Context) (*lightningd.NewAddress, error)
}

// Wallet implements sweep.Wallet. Errors are the client's.
type Wallet struct{ client Client }

var _ sweep.Wallet = (*Wallet)(nil)

// New returns the wallet behind a client.
func New(client Client) *Wallet { return &Wallet{client} }

// Coins is listfunds without spent outputs and without nested P2WPKH.
func (w *Wallet) Coins(ctx context.Context) ([]sweep.Coin, error) {
	funds, err := w.client.ListFunds(ctx, false)
	if err != nil {
		return nil, err
	}
	var coins []sweep.Coin
	for i := range funds.Outputs {
		o := &funds.Outputs[i]
		if o.Status == "spent" || len(o.RedeemScript) > 0 {
			continue
		}
		place, err := o.Outpoint()
		if err != nil {
			return nil, err
		}
		coins = append(coins, sweep.Coin{
			OutPoint: place, ValueSat: o.Amount.Sat(), PkScript: o.Script,
			Confirmed: o.Status == "confirmed", Reserved: o.Reserved,
		})
	}
	return coins, nil
}

// Reserve is reserveinputs. lightningd skips inputs that are not its own
// without a word, hence the answer.
func (w *Wallet) Reserve(ctx context.Context, psbt string, exclusive bool, blocks uint32) ([]wire.OutPoint, error) {
	list, err := w.client.ReserveInputs(ctx, psbt, exclusive, blocks)
	if err != nil {
		return nil, err
	}
	var reserved []wire.OutPoint
	for _, r := range list {
		hash, err := chainhash.NewHashFromStr(r.Txid)
		if err != nil || len(r.Txid) != 2*chainhash.HashSize {
			return nil, fmt.Errorf("reserveinputs: txid is not a hash")
		}
		if r.Reserved {
			reserved = append(reserved, wire.OutPoint{Hash: *hash, Index: r.Vout})
		}
	}
	return reserved, nil
}

// Release is unreserveinputs.
func (w *Wallet) Release(ctx context.Context, psbt string, blocks uint32) error {
	_, err := w.client.UnreserveInputs(ctx, psbt, blocks)
	return err
}

// Sign is signpsbt with signonly.
func (w *Wallet) Sign(ctx context.Context, psbt string, inputs []uint32) (string, error) {
	return w.client.SignPSBT(ctx, psbt, inputs...)
}

// NewAddress is newaddr: P2TR where lightningd makes one.
func (w *Wallet) NewAddress(ctx context.Context) (string, error) {
	a, err := w.client.NewAddr(ctx)
	if err != nil {
		return "", err
	}
	if a.P2TR != "" {
		return a.P2TR, nil
	}
	return a.Bech32, nil
}
