package core

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/stubs"
)

// TestTheOperatorGivesAHeldChannelToLightningd with all others of its peer, and
// with no other peer's: he does not want to wait for a day.
func TestTheOperatorGivesAHeldChannelToLightningd(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	w.secret = "permission denied" // so that nobody is heard
	first, second, other := simChannel(1, 1), simChannel(1, 2), simChannel(2, 3)
	for _, c := range []*channel.Channel{first, second, other} {
		c.State.NextHolderCommitNum, c.State.NextCounterpartyCommitNum = 1, 1
	}
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(first, decision.Import), planned(second, decision.Import), planned(other, decision.Import)}})
	w.step(model.RetrySaid{Keys: []channel.Key{first.Key}, Named: true})
	w.rest()
	if len(w.stubs) > 0 {
		t.Fatalf("a retry alone ends a hold: %v", w.stubs)
	}
	w.step(model.RetrySaid{Keys: []channel.Key{first.Key}, Named: true, GoOn: true})
	w.rest()
	if !w.stubs[first.Key] || !w.stubs[second.Key] || w.stubs[other.Key] {
		t.Errorf("stubs %v", w.stubs)
	}
	w.boot() // the decision is on record
	w.rest()
	if w.stubs[other.Key] {
		t.Error("another peer's channel is imported after a restart")
	}
}

// TestAReservationThatEndedMakesNoLaterSpendOurs: the wallet once set the coin
// aside, let it go, and somebody else spent it then.
func TestAReservationThatEndedMakesNoLaterSpendOurs(t *testing.T) {
	for _, ended := range []bool{false, true} {
		w := newSim(t, state.Config{Stubs: true})
		c := simChannel(1, 1)
		w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
		tx := w.simClose(c, judge.Theirs, false, 1)
		w.spend(tx)
		w.tip++
		w.spends[c.Funding].height = w.tip
		op := wire.OutPoint{Hash: tx.TxHash()}
		list := func(status string, reserved bool) {
			w.wallet[op] = api.WalletOutput{OutPoint: op, Sat: 600_000, Status: status, Height: w.tip, Reserved: reserved}
			w.see()
			w.now = w.now.Add(IdlePace)
			w.rest()
		}
		list("confirmed", true)
		w.want(c, model.Credited)
		want := model.Credited
		if ended {
			list("confirmed", false)
			want = model.LostTo
		}
		w.gone[op] = claims.Spend{Txid: "ab"}
		list(claims.StatusSpent, false)
		w.want(c, want)
		w.boot()
		w.now = w.now.Add(IdlePace)
		w.rest()
		w.want(c, want)
	}
}

// TestARescanThatWasDoneIsNotNamedAgain, and one from too high up, or that is not
// at its end, is none.
func TestARescanThatWasDoneIsNotNamedAgain(t *testing.T) {
	for _, x := range []struct {
		told, height uint32
		want         uint32
	}{
		{0, 1000, 500},
		{500, 1000, 0},
		{400, 1000, 0},
		{501, 1000, 500},
		{500, 700, 500},
	} {
		w := newSim(t, state.Config{Stubs: true})
		w.begin(model.Planned{Run: model.Run{RescanFrom: 500}, Channels: []model.PlannedChannel{planned(simChannel(1, 1), decision.Import)}})
		w.tip = 1000
		w.see()
		w.step(model.NodeListed{RescanFrom: x.told, Height: x.height})
		if got := w.Run.RescanFrom; got != x.want {
			t.Errorf("rescan=-%d, processed up to %d: %d is named", x.told, x.height, got)
		}
	}
}

// TestAPlanIsCarriedOutWhateverAPeerReturnsMeanwhile: a copy of the lost node's own backup
// comes while a call is planned, and the plan itself may have no channel that can be read.
func TestAPlanIsCarriedOutWhateverAPeerReturnsMeanwhile(t *testing.T) {
	for _, channels := range [][]model.PlannedChannel{nil, {planned(simChannel(2, 2), decision.Import)}} {
		w := newSim(t, state.Config{Stubs: true})
		w.begin(model.Planned{Channels: []model.PlannedChannel{planned(simChannel(1, 1), decision.Import)}})
		w.replies = nil
		w.step(model.CallBegun{Call: 99})
		w.step(model.ReestablishRead{Peer: simChannel(3, 3).Peer, Extra: []model.PlannedChannel{planned(simChannel(3, 3), decision.NotAsked)}})
		if len(w.replies) != 1 || w.Call == nil {
			t.Fatalf("the call was answered before its plan was there: %+v", w.replies)
		}
		w.step(model.Planned{Call: 99, Run: *w.Run, Channels: channels})
		w.settle()
		for _, p := range channels {
			w.want(p.Channel, model.CloseRequested)
		}
		if len(w.replies) != 2 || w.Call != nil {
			t.Errorf("replies %+v, the call: %+v", w.replies, w.Call)
		}
	}
}

// TestAnOverrideIsForNoAlarmThatComesWhileItIsPlanned: the user has accepted a sign of life,
// and cannot know what a peer proves meanwhile.
func TestAnOverrideIsForNoAlarmThatComesWhileItIsPlanned(t *testing.T) {
	for _, before := range []bool{true, false} {
		w := newSim(t, state.Config{Sweeps: true})
		c, other := simChannel(1, 1), simChannel(2, 2)
		w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
		alarm := func() {
			w.step(model.SessionEnded{Key: c.Key, Result: string(peer.Withheld), Withheld: model.WithheldAlive, Reason: "it moved"})
			w.want(c, model.HostedAlive)
		}
		if before {
			alarm()
		}
		w.step(model.CallBegun{Call: 99})
		if !before {
			alarm()
		}
		w.step(model.Planned{Call: 99, Run: *w.Run, OverrideAlive: true, Channels: []model.PlannedChannel{planned(c, decision.Import), planned(other, decision.Import)}})
		if (w.Run.Alive == "") != before {
			t.Errorf("alarm before the call: %v, the alarm: %q", before, w.Run.Alive)
		}
		if !before {
			w.want(c, model.HostedAlive)
			w.want(other, model.HostedAlive)
		}
		w.settle()
		for _, x := range []*channel.Channel{c, other} {
			if got := w.Channels[x.Key]; (got.State == model.CloseRequested) != before || (x == other && got.Asked.IsZero() == before) {
				t.Errorf("alarm before the call: %v, channel %s is %s", before, x.ID(), got.State)
			}
		}
	}
}

// TestAYoungChannelStaysYoungWhenAnAlarmIsOverridden: its peer may still forget it.
func TestAYoungChannelStaysYoungWhenAnAlarmIsOverridden(t *testing.T) {
	for _, stubs := range []bool{true, false} {
		w := newSim(t, state.Config{Sweeps: true, Stubs: stubs})
		young, c := simChannel(1, 1), simChannel(2, 2)
		w.created[young.Funding] = w.tip
		plan := model.Planned{OverrideAlive: true, Channels: []model.PlannedChannel{planned(young, decision.AwaitFunding), planned(c, decision.Import)}}
		w.begin(plan)
		w.want(young, model.FundingUnconfirmed)
		w.step(model.SessionEnded{Key: c.Key, Result: string(peer.Withheld), Withheld: model.WithheldAlive, Reason: "it moved"})
		w.want(young, model.HostedAlive)
		w.begin(plan)
		w.want(young, model.FundingUnconfirmed)
		w.want(c, model.CloseRequested)
		w.mine(decision.MinFundingConfs, true)
		w.rest()
		w.want(young, model.CloseRequested)
	}
}

// TestASecondCallAsksThePeersAtOnce, however long the pause after the last session was to
// be.
func TestASecondCallAsksThePeersAtOnce(t *testing.T) {
	for _, stubs := range []bool{true, false} {
		w := newSim(t, state.Config{Sweeps: true, Stubs: stubs})
		c := simChannel(1, 1)
		plan := model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}}
		w.begin(plan)
		w.want(c, model.CloseRequested)
		asked, now := w.asked[c.Key], w.now
		if !w.Channels[c.Key].Next.After(now) {
			t.Fatal("the next session is due already, and the test shows nothing")
		}
		w.begin(plan)
		if w.asked[c.Key] != asked+1 || !w.now.Equal(now) {
			t.Errorf("stubs %v: asked %d times before the second call, %d after it, %s later", stubs, asked, w.asked[c.Key], w.now.Sub(now))
		}
	}
}

// TestAnAlarmDoesNotShortenTheWaitForTheClose: two days pass until the operator overrides
// it. lightningd must not meet the peer before our own session all the same (money rule
// 4b).
func TestAnAlarmDoesNotShortenTheWaitForTheClose(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	c, other := simChannel(1, 1), simChannel(2, 2)
	plan := model.Planned{OverrideAlive: true, Channels: []model.PlannedChannel{planned(c, decision.AskFirst), planned(other, decision.HasStub)}}
	w.plan(plan)
	w.step(model.SessionEnded{Key: other.Key, Result: string(peer.Withheld), Withheld: model.WithheldAlive, Reason: "it moved"})
	w.want(c, model.HostedAlive)
	w.step(model.CallEnded{Call: w.calls})
	w.now = w.now.Add(48 * time.Hour)
	w.see()
	w.plan(plan)
	w.want(c, model.AskFirst)
	w.step(model.SessionEnded{Key: c.Key, Result: string(peer.Unreachable), Reason: "no route"})
	if now := w.Channels[c.Key]; now.Importing || now.Stub != state.NoStub || !stubs.Held(w.State, now) {
		t.Errorf("lightningd gets the channel before its peer was asked: importing %v, stub %v", now.Importing, now.Stub)
	}
}

// TestACopysChannelsAreStoppedWhileAnAlarmStands, as those of a plan are.
func TestACopysChannelsAreStoppedWhileAnAlarmStands(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	c, extra := simChannel(1, 1), simChannel(3, 3)
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
	w.step(model.SessionEnded{Key: c.Key, Result: string(peer.Withheld), Withheld: model.WithheldAlive, Reason: "it moved"})
	w.step(model.ReestablishRead{Peer: extra.Peer, Extra: []model.PlannedChannel{planned(extra, decision.Import)}})
	w.want(extra, model.HostedAlive)
}
