package offline

import (
	"context"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/seedkeys"
)

// Wallet is the lost node's own on-chain wallet, as far as its first 1,000 keys go:
// it pays the fee of HTLC transactions, and can be swept itself. It implements
// sweep.Wallet for one run; its reservations end with it.
type Wallet struct {
	keys     *seedkeys.Keys
	address  string
	coins    []sweep.Coin
	spent    []sweep.Coin
	reserved map[wire.OutPoint]bool
}

var _ sweep.Wallet = (*Wallet)(nil)

// OpenWallet looks for the wallet's coins in bitcoind's UTXO set, which takes
// minutes on the main chain. Errors are bitcoind's and the keys'.
func OpenWallet(ctx context.Context, node *chain.Bitcoind, keys *seedkeys.Keys, network *chaincfg.Params, progress func(percent float64)) (*Wallet, error) {
	w := &Wallet{keys: keys, reserved: map[wire.OutPoint]bool{}}
	descriptors, last, first, err := keys.Wallet()
	if err != nil {
		return nil, err
	}
	address, err := btcutil.NewAddressWitnessPubKeyHash(first[2:], network)
	if err != nil {
		return nil, fmt.Errorf("address of the wallet: %w", err)
	}
	w.address = address.EncodeAddress()
	var want []chain.Descriptor
	for _, d := range descriptors {
		want = append(want, chain.Descriptor{Desc: d, Last: last})
	}
	scan, err := node.ScanTxOutSet(ctx, want, progress)
	if err != nil {
		return nil, err
	}
	for _, o := range scan.Outputs {
		if o.Coinbase || !keys.InWallet(o.Script) {
			continue
		}
		// The set does not count the mempool.
		now, err := node.TxOut(ctx, o.OutPoint, true)
		if err != nil {
			return nil, err
		}
		coin := sweep.Coin{OutPoint: o.OutPoint, ValueSat: o.ValueSat, PkScript: o.Script, Confirmed: true}
		if now == nil {
			w.spent = append(w.spent, coin)
			continue
		}
		w.coins = append(w.coins, coin)
	}
	return w, nil
}

// Address is the wallet's first one: where change goes, and a coin for the fee
// can be sent to.
func (w *Wallet) Address() string { return w.address }

// Spent are the coins that a transaction in bitcoind's mempool spends.
func (w *Wallet) Spent() []sweep.Coin { return w.spent }

// Sweep makes the transactions that pay all coins to order's destination; its Claims
// are ignored.
func (w *Wallet) Sweep(ctx context.Context, order sweep.Order) []Built {
	var built []Built
	for _, batch := range sweep.Divide(sweep.WalletClaims(w.coins)) {
		built = append(built, build(ctx, w.keys, order, batch))
	}
	return built
}

// Coins implements sweep.Wallet.
func (w *Wallet) Coins(context.Context) ([]sweep.Coin, error) {
	coins := make([]sweep.Coin, 0, len(w.coins))
	for _, c := range w.coins {
		c.Reserved = w.reserved[c.OutPoint]
		coins = append(coins, c)
	}
	return coins, nil
}

// Reserve implements sweep.Wallet: two transactions of one run never share a
// coin.
func (w *Wallet) Reserve(_ context.Context, text string, _ bool, _ uint32) ([]wire.OutPoint, error) {
	return w.mark(text, true)
}

// Release implements sweep.Wallet.
func (w *Wallet) Release(_ context.Context, text string, _ uint32) error {
	_, err := w.mark(text, false)
	return err
}

func (w *Wallet) mark(text string, reserved bool) ([]wire.OutPoint, error) {
	p, err := psbt.NewFromRawBytes(strings.NewReader(text), true)
	if err != nil {
		return nil, fmt.Errorf("psbt: %w", err)
	}
	var marked []wire.OutPoint
	for _, in := range p.UnsignedTx.TxIn {
		w.reserved[in.PreviousOutPoint] = reserved
		marked = append(marked, in.PreviousOutPoint)
	}
	return marked, nil
}

// Sign implements sweep.Wallet.
func (w *Wallet) Sign(_ context.Context, text string, inputs []uint32) (string, error) {
	p, err := psbt.NewFromRawBytes(strings.NewReader(text), true)
	if err != nil {
		return "", fmt.Errorf("psbt: %w", err)
	}
	prevouts := map[wire.OutPoint]*wire.TxOut{}
	for i, in := range p.UnsignedTx.TxIn {
		if p.Inputs[i].WitnessUtxo == nil {
			return "", fmt.Errorf("psbt: input %d without its output", i)
		}
		prevouts[in.PreviousOutPoint] = p.Inputs[i].WitnessUtxo
	}
	fetcher := txscript.NewMultiPrevOutFetcher(prevouts)
	hashes := txscript.NewTxSigHashes(p.UnsignedTx, fetcher)
	for _, i := range inputs {
		if int(i) >= len(p.Inputs) {
			return "", fmt.Errorf("psbt: no input %d", i)
		}
		if err := w.sign(p, int(i), hashes, fetcher); err != nil {
			return "", fmt.Errorf("wallet key: %w", err)
		}
	}
	return p.B64Encode()
}

func (w *Wallet) sign(p *psbt.Packet, i int, hashes *txscript.TxSigHashes, fetcher txscript.PrevOutputFetcher) error {
	out := p.Inputs[i].WitnessUtxo
	witness, err := sweep.SignWallet(w.keys, p.UnsignedTx, i, out.PkScript, hashes, fetcher)
	if err != nil {
		return err
	}
	if len(witness) == 1 {
		p.Inputs[i].TaprootKeySpendSig = witness[0]
		return nil
	}
	p.Inputs[i].PartialSigs = []*psbt.PartialSig{{Signature: witness[0], PubKey: witness[1]}}
	return nil
}

// NewAddress implements sweep.Wallet.
func (w *Wallet) NewAddress(context.Context) (string, error) { return w.address, nil }
