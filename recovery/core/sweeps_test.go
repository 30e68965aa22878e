package core

import (
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// closedBefore are channels whose closes, each with an HTLC that is claimed in this
// way, are in a block before lightningd could get a stub.
func (w *sim) closedBefore(how byte, channels ...*channel.Channel) {
	w.t.Helper()
	p := model.Planned{}
	for _, c := range channels {
		salt := uint32(0)
		tx := w.simClose(c, judge.Theirs, true, salt)
		for ; variant(tx) != how; salt++ {
			tx = w.simClose(c, judge.Theirs, true, salt)
		}
		w.spend(tx)
		p.Channels = append(p.Channels, planned(c, decision.FollowClosed))
	}
	w.mine(1, true)
	w.plan(p)
}

// but ends all effects but those of a kind, and returns these.
func (w *sim) but(is func(model.Effect) bool) (left []model.Effect) {
	w.t.Helper()
	other := func() int { return slices.IndexFunc(w.open, func(f model.Effect) bool { return !is(f) }) }
	for n, i := 0, other(); i >= 0; n, i = n+1, other() {
		if n > 1000 {
			w.t.Fatalf("no rest: %v", w.openNames())
		}
		w.answer(i)
	}
	return slices.Clone(w.open)
}

func isBuildSweep(f model.Effect) bool { _, is := f.(model.BuildSweep); return is }

// TestADestinationThatComesWhileASweepIsMade gets that sweep too: it is made again.
func TestADestinationThatComesWhileASweepIsMade(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true, Sweeps: true})
	c := simChannel(1, 1)
	w.closedBefore(0, c)
	if left := w.but(isBuildSweep); len(left) != 1 || left[0].(model.BuildSweep).Destination != "" {
		t.Fatalf("%+v", left)
	}
	w.given = "bcrt1quser"
	w.plan(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.FollowClosed)}})
	w.settle()
	w.mine(1, false)
	w.rest()
	if len(w.Channels[c.Key].Sweeps) != 2 {
		t.Errorf("%d sweeps", len(w.Channels[c.Key].Sweeps))
	}
	for _, x := range w.Channels[c.Key].Sweeps {
		if w.sweeps[x.Txid].destination != w.given { // sim.mayClaim looks at what is sent
			t.Errorf("a sweep to %q", w.sweeps[x.Txid].destination)
		}
	}
}

// TestACoinThatPaysForAnHTLCTransactionIsNotLost: lightningd does not know that a
// transaction which it has not sent is its own.
func TestACoinThatPaysForAnHTLCTransactionIsNotLost(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true, Sweeps: true})
	first, second := simChannel(1, 1), simChannel(2, 2)
	w.closedBefore(0, first, second)
	w.settle()
	w.mine(1, true)
	w.rest()
	w.credit()
	w.rest()
	w.want(first, model.Credited)
	coin, err := wire.NewOutPointFromString(w.Channels[first.Key].Recovered[0])
	if err != nil {
		t.Fatal(err)
	}
	x := w.wallet[*coin]
	x.Status = claims.StatusSpent
	w.wallet[*coin] = x
	w.gone[*coin] = claims.Spend{Txid: "5e"}
	other := w.Channels[second.Key]
	other.Sweeps = append(slices.Clone(other.Sweeps), model.Sweep{
		Txid: "6e", Second: true, Coins: []string{coin.String()}, Earlier: []model.EarlierSweep{{Txid: "5e"}},
	})
	w.rest()
	w.want(first, model.Credited)
	other.Sweeps = other.Sweeps[:len(other.Sweeps)-1]
	w.rest()
	w.want(first, model.LostTo)
}

// TestOneTransactionAtATimeChoosesCoins: two would choose the same, and the one that
// comes second would have to wait for the next block.
func TestOneTransactionAtATimeChoosesCoins(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true, Sweeps: true})
	w.given = "bcrt1quser"
	w.closedBefore(1, simChannel(1, 1), simChannel(2, 2), simChannel(3, 3))
	second := func(f model.Effect) bool {
		b, is := f.(model.BuildSweep)
		return is && b.OutPoints[0].Index == 1
	}
	if left := w.but(second); len(left) != 1 {
		t.Errorf("%d at once", len(left))
	}
	w.settle()
	for k, c := range w.Channels {
		if len(c.Sweeps) != 2 {
			t.Errorf("channel %s has %d sweeps", k, len(c.Sweeps))
		}
	}
}

// TestWhatGoesWrongInGlrecoverItselfIsTriedOnceABlock, not without a pause.
func TestWhatGoesWrongInGlrecoverItselfIsTriedOnceABlock(t *testing.T) {
	for name, is := range map[string]func(model.Effect) bool{
		"classify": func(f model.Effect) bool { _, is := f.(model.Classify); return is },
		"sweep":    isBuildSweep,
	} {
		w := newSim(t, state.Config{Stubs: true, Sweeps: true})
		w.closedBefore(0, simChannel(1, 1))
		for range 3 {
			left := w.but(is)
			if len(left) > 2 || len(left) == 0 {
				t.Fatalf("%s: %d", name, len(left))
			}
			for len(left) > 0 {
				w.step(model.EffectFailed{Effect: w.end(0), Reason: "an error in glrecover itself"})
				left = left[1:]
			}
			for n := 0; slices.ContainsFunc(w.open, is); n++ {
				// The payment and the rest are two transactions.
				if n > 0 {
					t.Fatalf("%s: again at the same block", name)
				}
				w.step(model.EffectFailed{Effect: w.end(slices.IndexFunc(w.open, is)), Reason: "an error in glrecover itself"})
			}
			w.mine(1, false)
		}
	}
}

// TestABackupThatIsWorseTakesNothingAway: its secrets are not enough for a penalty.
func TestABackupThatIsWorseTakesNothingAway(t *testing.T) {
	day := func(n int) time.Time { return simEpoch.AddDate(0, 0, n) }
	good := model.Run{BackupSHA256: "aa", BackupPath: "/b/new", BackupCreated: day(0)}
	for name, c := range map[string]struct {
		next model.Run
		sha  string
		path string
	}{
		"older":                {model.Run{BackupSHA256: "bb", BackupPath: "/b/old", BackupCreated: day(-1)}, "aa", "/b/new"},
		"newer":                {model.Run{BackupSHA256: "bb", BackupPath: "/b/newer", BackupCreated: day(1)}, "bb", "/b/newer"},
		"without a date":       {model.Run{BackupSHA256: "bb", BackupPath: "/b/other"}, "bb", "/b/other"},
		"none":                 {model.Run{}, "aa", "/b/new"},
		"the same, moved":      {model.Run{BackupSHA256: "aa", BackupPath: "/c/new", BackupCreated: day(0)}, "aa", "/c/new"},
		"the same, as JSON":    {model.Run{BackupSHA256: "aa", BackupCreated: day(0)}, "aa", "/b/new"},
		"another one, as JSON": {model.Run{BackupSHA256: "bb", BackupCreated: day(1)}, "bb", ""},
	} {
		s := state.New(state.Config{}, &good, nil)
		Step(s, model.CallBegun{Call: 1})
		Step(s, model.Planned{Call: 1, Run: c.next})
		if s.Run.BackupSHA256 != c.sha || s.Run.BackupPath != c.path {
			t.Errorf("%s: %q at %q", name, s.Run.BackupSHA256, s.Run.BackupPath)
		}
	}
}

// TestAnOldHTLCTransactionIsFollowedBeforeAChannelIsResolved: it spends the last output
// that was waited for, deep below the tip. What it pays is a claim of its own, which is
// known only when the close is classified with it.
func TestAnOldHTLCTransactionIsFollowedBeforeAChannelIsResolved(t *testing.T) {
	w := newSim(t, state.Config{Sweeps: true})
	w.given = "bcrt1quser"
	c := simChannel(1, 1)
	tx := w.simClose(c, judge.Ours, true, 0)
	w.spend(tx)
	w.mine(1, true)
	// The lost node's own, of which nothing is on record.
	htlc := wire.NewMsgTx(2)
	op := wire.OutPoint{Hash: tx.TxHash(), Index: 1}
	htlc.AddTxIn(&wire.TxIn{PreviousOutPoint: op})
	htlc.AddTxOut(wire.NewTxOut(50_000, []byte{0x53}))
	w.sweeps[htlc.TxHash().String()] = &simSweep{Sweep: model.Sweep{Second: true, OutPoints: []string{op.String()}}, tx: htlc}
	w.spend(htlc)
	w.mine(1, true)
	w.mine(2*model.FinalConfs, false)
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.FollowClosed)}})
	w.rest()
	if w.stateOf(c) == model.Resolved || len(w.Channels[c.Key].Sweeps) != 1 {
		t.Fatalf("%s, with %d sweeps", w.stateOf(c), len(w.Channels[c.Key].Sweeps))
	}
	w.mine(1, true)
	w.mine(claims.SweptConfs, false)
	w.rest()
	w.want(c, model.Resolved)
	if got := w.Channels[c.Key].RecoveredMsat; got == 0 {
		t.Error("nothing is recovered")
	}
}

// TestARevokedCommitmentThatPaysThePeerNothingComesToRest: there is nothing to punish.
func TestARevokedCommitmentThatPaysThePeerNothingComesToRest(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true, Sweeps: true})
	c := simChannel(1, 1)
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
	w.spend(w.simClose(c, judge.Revoked, false, 0))
	w.see()
	w.settle()
	w.want(c, model.Cheated)
	w.mine(1, true)
	w.credit()
	w.rest()
	w.want(c, model.Credited)
	w.mine(model.FinalConfs, false)
	w.rest()
	w.want(c, model.Resolved)
}
