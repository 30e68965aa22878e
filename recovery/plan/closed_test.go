package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/plan"
)

// TestAChannelThatIsClosedAlreadyIsFollowedAndNotImported: its to_remote is for
// our own sweep, since no stub was there when it confirmed.
func TestAChannelThatIsClosedAlreadyIsFollowedAndNotImported(t *testing.T) {
	for name, pending := range map[string]bool{"used-both-ways": false, "htlc-in-flight": true} {
		w := newWorld(t, name)
		c := w.backup.Channels[0]
		w.fund(c)
		tx := w.theirCommitment(c)
		w.chain.Mine(tx.Tx)
		height := w.chain.Height()
		w.chain.MineN(5)
		p := w.plan()
		got := p.Channels[0]
		if got.Decision != decision.FollowClosed || got.Decision.Imports() || !got.Decision.Follows() || got.Close.Kind != judge.Theirs {
			t.Fatalf("%s: %s (%s), %+v", name, got.Decision, got.Reason, got.Close)
		}
		i := slices.IndexFunc(got.Outputs, func(o plan.Coin) bool { return o.What == "to_remote" })
		if i < 0 {
			t.Fatalf("%s: to_remote is not among %+v", name, got.Outputs)
		}
		o := got.Outputs[i]
		if o.By != judge.BySweep || o.Height != height || o.AmountMsat != 1000*c.State.CounterpartyCommit.ToCountersignerSat ||
			!strings.HasPrefix(o.OutPoint, tx.Tx.TxHash().String()) {
			t.Errorf("%s: %+v", name, o)
		}
		if p.Rescan != nil {
			t.Errorf("%s: a rescan that brings nothing: %+v", name, p.Rescan)
		}
		// What we sent is a payment that we sent, although the peer's commitment has
		// received it (BOLT 3 names HTLCs by the publisher).
		var sent, received uint64
		for _, o := range got.Outputs {
			switch o.What {
			case judge.PaymentSent:
				sent += o.AmountMsat
			case judge.PaymentReceived:
				received += o.AmountMsat
			case "to_remote":
			default:
				t.Errorf("%s: an output is called %q", name, o.What)
			}
		}
		var wantSent, wantReceived uint64
		for _, h := range c.State.CounterpartyCommit.Received {
			wantSent += 1000 * h.ValueSat
		}
		for _, h := range c.State.CounterpartyCommit.Offered {
			wantReceived += 1000 * h.ValueSat
		}
		if sent != wantSent || received != wantReceived || (sent+received > 0) != pending {
			t.Errorf("%s: sent %d, received %d; want %d and %d", name, sent, received, wantSent, wantReceived)
		}
	}
}

// TestACloseToTheWalletIsForTheOneRescan, and the rescan begins one block below:
// lightningd does not look at its first block.
func TestACloseToTheWalletIsForTheOneRescan(t *testing.T) {
	w := newWorld(t, "used-both-ways")
	c := w.backup.Channels[0]
	w.fund(c)
	wallet, _, _ := w.keys.Wallet()
	script, _, err := wallet.Scripts(7)
	if err != nil {
		t.Fatal(err)
	}
	w.chain.Mine(chaintest.SpendTo(100_000, script, c.Funding))
	height := w.chain.Height()
	p := w.plan()
	got := p.Channels[0]
	if got.Decision != decision.FollowClosed || len(got.Outputs) != 1 || got.Outputs[0].By != judge.ByRescan {
		t.Fatalf("%s: %+v", got.Decision, got.Outputs)
	}
	if p.Rescan == nil || p.Rescan.Height != height-1 || len(p.Rescan.Brings) != 1 || p.Rescan.Brings[0] != got.Outputs[0].OutPoint {
		t.Errorf("rescan %+v, the close is at %d", p.Rescan, height)
	}
	// Once the wallet lists it, nothing is left to rescan for.
	w.node.wallet = []api.WalletOutput{{OutPoint: c.Funding}, {OutPoint: got.Close.Owed[0].OutPoint}}
	if p := w.plan(); p.Rescan != nil || p.Channels[0].Outputs[0].By != judge.Listed {
		t.Errorf("listed: rescan %+v, %+v", p.Rescan, p.Channels[0].Outputs)
	}
}

// TestACloseInTheMempoolIsImported: the stub is there when it confirms.
func TestACloseInTheMempoolIsImported(t *testing.T) {
	w := newWorld(t, "used-both-ways")
	c := w.backup.Channels[0]
	w.fund(c)
	w.chain.MineN(5)
	w.chain.AddMempool(w.theirCommitment(c).Tx)
	if got := w.plan().Channels[0]; got.Decision != decision.Import || got.Close == nil || got.Close.Kind != judge.Theirs {
		t.Errorf("%s, %+v", got.Decision, got.Close)
	}
}

// TestACloseWithNothingOfOursIsLeftOut.
func TestACloseWithNothingOfOursIsLeftOut(t *testing.T) {
	w := newWorld(t, "used-both-ways")
	c := w.backup.Channels[0]
	w.fund(c)
	none := *c.State.CounterpartyCommit
	none.ToCountersignerSat = 0
	c.State.CounterpartyCommit = &none
	w.chain.Mine(w.theirCommitment(c).Tx)
	if got := w.plan().Channels[0]; got.Decision != decision.NothingOurs || got.Decision.Follows() {
		t.Errorf("%s (%s)", got.Decision, got.Reason)
	}
}

// TestAnOldCloseIsFoundThroughItsCoin: the blocks since the backup do not have
// it, the unspent outputs have to_remote. On a pruned node the coin itself is
// what is known.
func TestAnOldCloseIsFoundThroughItsCoin(t *testing.T) {
	for _, pruned := range []bool{false, true} {
		w := newWorld(t, "used-both-ways")
		c := w.backup.Channels[0]
		w.fund(c)
		tx := w.theirCommitment(c)
		w.chain.Mine(tx.Tx)
		height := w.chain.Height()
		// Long before the backup was written.
		w.chain.MineN(3000)
		w.chain.SetTime(w.backup.CreatedAt)
		w.chain.MineN(20)
		w.node.info.Height = w.chain.Height()
		if pruned {
			w.chain.Prune(height + 100)
		}
		if got := w.plan().Channels[0]; got.Decision != decision.Import {
			t.Fatalf("without a look at the unspent outputs: %s", got.Decision)
		}
		vout := bolt3test.Output(tx, bolt3.ToRemoteOutput)
		out := tx.Tx.TxOut[vout]
		s := &set{}
		s.add(out.PkScript, uint64(out.Value), height)
		s.outputs[0].OutPoint.Hash, s.outputs[0].OutPoint.Index = tx.Tx.TxHash(), uint32(vout)
		w.in.Set = s
		got := w.plan().Channels[0]
		if got.Decision != decision.FollowClosed || len(got.Outputs) != 1 || got.Outputs[0].Height != height || got.Outputs[0].By != judge.BySweep ||
			got.Outputs[0].OutPoint != s.outputs[0].OutPoint.String() {
			t.Errorf("pruned %v: %s, %+v", pruned, got.Decision, got.Outputs)
		}
		if known := got.Evidence.State == chain.FundingSpent; known == pruned {
			t.Errorf("pruned %v: evidence %s", pruned, got.Evidence.State)
		}
		if len(s.asked) != 1 {
			t.Errorf("the unspent outputs were looked through %d times", len(s.asked))
		}
	}
}

// TestAnOldCloseToTheWalletIsFoundThroughItsCoin, whatever the backup's date.
func TestAnOldCloseToTheWalletIsFoundThroughItsCoin(t *testing.T) {
	w := newWorld(t, "used-both-ways")
	c := w.backup.Channels[0]
	w.fund(c)
	wallet, _, _ := w.keys.Wallet()
	script, _, err := wallet.Scripts(7)
	if err != nil {
		t.Fatal(err)
	}
	tx := chaintest.SpendTo(100_000, script, c.Funding)
	w.chain.Mine(tx)
	height := w.chain.Height()
	w.chain.MineN(3000)
	w.chain.SetTime(w.backup.CreatedAt)
	w.chain.MineN(20)
	w.node.info.Height = w.chain.Height()
	s := &set{}
	s.add(script, 100_000, height)
	s.outputs[0].OutPoint.Hash = tx.TxHash()
	w.in.Set = s
	p := w.plan()
	got := p.Channels[0]
	if got.Decision != decision.FollowClosed || len(got.Outputs) != 1 || got.Outputs[0].By != judge.ByRescan || got.Outputs[0].Height != height {
		t.Fatalf("%s: %+v", got.Decision, got.Outputs)
	}
	if p.Rescan == nil || p.Rescan.Height != height-1 || len(p.Rescan.Brings) != 1 {
		t.Errorf("rescan %+v, the close is at %d", p.Rescan, height)
	}
}
