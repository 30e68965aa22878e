package sweep

import (
	"testing"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// FakeWallet is fakeWallet for the tests that import packages above this one.
type FakeWallet struct{ *fakeWallet }

// NewFakeWallet returns an empty one.
func NewFakeWallet(t testing.TB) FakeWallet { return FakeWallet{newWallet(t)} }

// PkScript is what its coins pay to.
func (w FakeWallet) PkScript() []byte { return w.p2wpkh() }

// Put adds a confirmed coin.
func (w FakeWallet) Put(op wire.OutPoint, sat uint64) {
	w.coins = append(w.coins, Coin{OutPoint: op, ValueSat: sat, PkScript: w.p2wpkh(), Confirmed: true})
}

// Take removes a coin that was spent.
func (w FakeWallet) Take(op wire.OutPoint) {
	if at := w.find(op); at >= 0 {
		w.coins = append(w.coins[:at], w.coins[at+1:]...)
	}
	delete(w.reserved, op)
}

// Reserved counts reserved coins.
func (w FakeWallet) Reserved() int { return len(w.reserved) }

// SignAnyoneCanPay makes it sign so that others can add inputs.
func (w FakeWallet) SignAnyoneCanPay() {
	w.hashType = txscript.SigHashAll | txscript.SigHashAnyOneCanPay
}
