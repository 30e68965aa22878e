package plan_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/decision"
)

// coin puts a coin of the lost node's wallet on the chain.
func (w *world) coin(s *set, index uint32, taproot bool, height uint32) wire.OutPoint {
	w.t.Helper()
	wallet, _, err := w.keys.Wallet()
	if err != nil {
		w.t.Fatal(err)
	}
	script, p2tr, err := wallet.Scripts(index)
	if err != nil {
		w.t.Fatal(err)
	}
	if taproot {
		script = p2tr
	}
	return s.add(script, uint64(1000+index), height)
}

// TestTheOldWalletsCoinsAreNamedWithTheOneRescan: over both address types, with
// index and height, what is listed already, and the newaddr calls that lightningd
// needs before it can see a late key.
func TestTheOldWalletsCoinsAreNamedWithTheOneRescan(t *testing.T) {
	type coin struct {
		index   uint32
		taproot bool
		height  uint32
		listed  bool
	}
	for _, x := range []struct {
		what    string
		coins   []coin
		rescan  uint32 // 0: none
		brings  int
		newaddr uint32
	}{
		{"no coin", nil, 0, 0, 0},
		{"the first key", []coin{{0, false, 90, false}}, 89, 1, 0},
		{"within the gap", []coin{{1, true, 90, false}, {49, false, 80, false}, {50, true, 95, false}}, 79, 3, 0},
		{"the first beyond the gap", []coin{{51, true, 90, false}}, 89, 1, 1},
		{"far beyond", []coin{{0, false, 70, false}, {49, true, 80, false}, {170, false, 90, false}}, 69, 3, 120},
		// lightningd learns of key 49 in block 80, and then sees up to key 99.
		{"an earlier coin opens the way", []coin{{49, false, 80, false}, {99, true, 90, false}}, 79, 2, 0},
		{"a later coin does not", []coin{{99, true, 80, false}, {49, false, 90, false}}, 79, 2, 49},
		{"nor does one of the same block", []coin{{49, false, 80, false}, {99, true, 80, false}}, 79, 2, 49},
		{"one is listed", []coin{{7, false, 60, true}, {8, false, 90, false}}, 89, 1, 0},
		{"a listed one opens the way", []coin{{60, false, 90, true}, {110, false, 80, false}}, 79, 1, 0},
		{"all are listed", []coin{{7, false, 60, true}, {170, false, 90, true}}, 0, 0, 0},
		{"beyond the keys that are looked for first", []coin{{900, false, 70, false}, {1099, true, 90, false}}, 69, 2, 1049},
	} {
		w := newWorld(t, "fresh-outbound")
		s := &set{}
		w.in.Set = s
		for _, c := range x.coins {
			op := w.coin(s, c.index, c.taproot, c.height)
			if c.listed {
				w.node.wallet = append(w.node.wallet, api.WalletOutput{OutPoint: op, Status: "confirmed"})
			}
		}
		s.add([]byte{0x51}, 5, 10) // somebody else's
		p := w.plan()
		if !p.Wallet.Looked || len(p.Wallet.Coins) != len(x.coins) {
			t.Errorf("%s: %+v", x.what, p.Wallet)
			continue
		}
		if !slices.IsSortedFunc(p.Wallet.Coins, func(a, b find.OldCoin) int { return int(a.Height) - int(b.Height) }) {
			t.Errorf("%s: not by height: %+v", x.what, p.Wallet.Coins)
		}
		for _, c := range p.Wallet.Coins {
			i := slices.IndexFunc(x.coins, func(want coin) bool { return want.index == c.Index })
			typ := map[bool]string{false: "p2wpkh", true: "p2tr"}[x.coins[max(i, 0)].taproot]
			if i < 0 || c.Type != typ || c.Height != x.coins[i].height || c.Listed != x.coins[i].listed || !c.Visible || c.AmountMsat != 1000*uint64(1000+c.Index) {
				t.Errorf("%s: %+v", x.what, c)
			}
		}
		switch {
		case (p.Rescan == nil) != (x.rescan == 0):
			t.Errorf("%s: rescan %+v", x.what, p.Rescan)
		case p.Rescan != nil && (p.Rescan.Height != x.rescan || len(p.Rescan.Brings) != x.brings):
			t.Errorf("%s: rescan %+v, want %d with %d", x.what, p.Rescan, x.rescan, x.brings)
		}
		if p.Wallet.NewAddresses != x.newaddr {
			t.Errorf("%s: %d newaddr calls, want %d", x.what, p.Wallet.NewAddresses, x.newaddr)
		}
	}
}

// TestAWalletOnWordsDoesNotSeeTheOldCoins, with a rescan too.
func TestAWalletOnWordsDoesNotSeeTheOldCoins(t *testing.T) {
	w := newWorld(t, "fresh-outbound")
	w.keys.words = true
	s := &set{}
	w.in.Set = s
	w.coin(s, 170, false, 90)
	p := w.plan()
	if len(p.Wallet.Coins) != 1 || p.Wallet.Coins[0].Visible || p.Wallet.NewAddresses != 0 {
		t.Errorf("%+v", p.Wallet)
	}
	if p.Rescan != nil {
		t.Errorf("a rescan that brings nothing: %+v", p.Rescan)
	}
	for _, want := range []string{"32-byte file", "newaddr all 120 times", "rescan=-89"} {
		if !strings.Contains(p.Wallet.Cure, want) {
			t.Errorf("%q is missing in %q", want, p.Wallet.Cure)
		}
	}
}

// failingSet cannot be looked through.
type failingSet struct{ err error }

func (f failingSet) ScanTxOutSet(context.Context, []chain.Descriptor, func(float64)) (*chain.SetScan, error) {
	return nil, f.err
}

// TestWhyTheOldWalletWasNotLookedForIsSaid, and it stops no channel.
func TestWhyTheOldWalletWasNotLookedForIsSaid(t *testing.T) {
	for _, x := range []struct {
		what   string
		change func(w *world)
		reason string
	}{
		{"no bitcoind", func(*world) {}, "scantxoutset"},
		{"no secret", func(w *world) { w.in.Set, w.in.Keys, w.in.KeysError = &set{}, nil, errors.New("locked") }, "without the hsm_secret"},
		{"a scan of somebody else's", func(w *world) { w.in.Set = failingSet{chain.ErrScanBusy} }, "call again when it is done"},
		{"a failure", func(w *world) { w.in.Set = failingSet{errors.New("disk is full")} }, "disk is full"},
	} {
		w := newWorld(t, "fresh-outbound")
		x.change(w)
		p := w.plan()
		if p.Wallet.Looked || !strings.Contains(p.Wallet.Reason, x.reason) || p.Channels[0].Decision != decision.Import {
			t.Errorf("%s: %+v, %s", x.what, p.Wallet, p.Channels[0].Decision)
		}
	}
}
