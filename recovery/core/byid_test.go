package core

import (
	"slices"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/sessions"
	"github.com/glrecover/glrecover/recovery/state"
)

// byID is a channel of which only the id is known, and the same with its dbid.
func byID(peerN, dbid int) (spoken, full *channel.Channel) {
	full = simChannel(peerN, dbid)
	full.ByID, full.State = true, channel.State{}
	c := *full
	c.DBID = channel.UnknownDBID(c.ID())
	return &c, full
}

// classifiedAs answers the one Classify that is open with what the close shows.
func (w *sim) classifiedAs(full *channel.Channel) {
	w.t.Helper()
	i := slices.IndexFunc(w.open, func(f model.Effect) bool { _, is := f.(model.Classify); return is })
	if i < 0 {
		w.t.Fatalf("nobody classifies: %v", w.openNames())
	}
	f := w.open[i].(model.Classify)
	w.end(i)
	w.step(model.Classified{Key: f.Channel.Key, Basis: model.Basis{Txid: f.Tx.TxHash(), Height: f.Height, WithKeys: true}, Verdict: w.verdicts[f.Tx.TxHash()], Identified: full})
}

// TestACloseShowsWhichChannelItIs: from then on the channel goes by its right key,
// in the state and on record, and what was watched goes on.
func TestACloseShowsWhichChannelItIs(t *testing.T) {
	for _, stubs := range []bool{false, true} {
		w := newSim(t, state.Config{Stubs: stubs, Sweeps: true})
		c, full := byID(1, 7)
		w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
		w.spend(w.simClose(full, judge.Theirs, false, 0))
		w.see()
		w.classifiedAs(full)
		if w.Channels[c.Key] != nil || w.Channels[full.Key] == nil {
			t.Fatalf("channels: %v", w.Keys())
		}
		w.want(full, model.CloseSeen)
		if _, old := w.store[c.Key]; old || w.store[full.Key].Channel.DBID != 7 {
			t.Errorf("on record: %v", w.store)
		}
		if w.stubs[c.Key] || w.stubs[full.Key] {
			t.Error("lightningd has a stub")
		}
		w.mine(1, true)
		w.see()
		w.classifiedAs(full)
		if got := w.Channels[full.Key].Close.Height; got == 0 {
			t.Error("the block of the close is not seen")
		}
	}
}

// TestAKillBetweenTheTwoWritingsLeavesOneChannel: the right key's record is there and
// the other one's is not deleted yet.
func TestAKillBetweenTheTwoWritingsLeavesOneChannel(t *testing.T) {
	w := newSim(t, state.Config{})
	c, full := byID(1, 7)
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
	kept := w.store[c.Key]
	w.spend(w.simClose(full, judge.Theirs, false, 0))
	w.see()
	w.classifiedAs(full)
	w.store[c.Key] = kept
	w.boot()
	if len(w.Channels) != 1 || w.Channels[full.Key] == nil {
		t.Errorf("channels: %v", w.Keys())
	}
	if _, old := w.store[c.Key]; old {
		t.Error("the double is still on record")
	}
}

// TestTwoChannelsNeverShareAKey: one of the two peers' channels is not what it says.
func TestTwoChannelsNeverShareAKey(t *testing.T) {
	w := newSim(t, state.Config{})
	c, full := byID(1, 7)
	other := simChannel(1, 7)
	other.Funding.Index = 3
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(other, decision.Import), planned(c, decision.Import)}})
	w.spend(w.simClose(full, judge.Theirs, false, 0))
	w.see()
	w.classifiedAs(full)
	if len(w.Channels) != 2 || w.Channels[other.Key].Channel.Funding != other.Funding {
		t.Errorf("channels: %v", w.Keys())
	}
}

// TestTheFundingOutputIsWhicheverOfTheTransactionIsSpent: nobody could be asked which
// output of the funding transaction the channel has.
func TestTheFundingOutputIsWhicheverOfTheTransactionIsSpent(t *testing.T) {
	w := newSim(t, state.Config{Sweeps: true})
	c, full := byID(1, 7)
	full.Funding = channel.V1Funding(c.ID(), 1)
	p := planned(c, decision.Import)
	p.FundingMissing = true
	w.begin(model.Planned{Channels: []model.PlannedChannel{p}})
	w.spend(w.simClose(full, judge.Theirs, false, 0))
	w.see()
	w.classifiedAs(full)
	w.want(full, model.CloseSeen)
	if got := w.Channels[full.Key].Channel.Funding; got != full.Funding {
		t.Errorf("the funding output is %v, want %v", got, full.Funding)
	}
	for op, k := range w.Watched {
		if k == full.Key && op != full.Funding && op.Hash != w.Channels[full.Key].Spend.TxID {
			t.Errorf("%v is still watched", op)
		}
	}
}

// TestAPeerThatClosedIsNotTakenForOneThatForgot: where the chain shows neither funding
// outputs nor a mempool, nothing but the next block has the close, and the peer does not
// speak of the channel until then.
func TestAPeerThatClosedIsNotTakenForOneThatForgot(t *testing.T) {
	for asked, want := range map[bool]model.ChannelState{true: model.CloseRequested, false: model.NeedsOperator} {
		w := newSim(t, state.Config{Sweeps: true})
		c, _ := byID(1, 7)
		p := planned(c, decision.Import)
		p.FundingMissing, p.WatchFrom = true, 0
		w.plan(model.Planned{Channels: []model.PlannedChannel{p}})
		w.open = nil
		end := func(r peer.Result) {
			w.step(model.SessionEnded{Key: c.Key, Result: string(r), Address: p.Address})
			w.open = nil
		}
		if asked {
			end(peer.Asked)
		}
		for range 2 * sessions.MissingAfter {
			end(peer.NoReestablish)
		}
		if got := w.stateOf(c); got != want {
			t.Errorf("asked %v: %s, want %s", asked, got, want)
		}
	}
}
