package core

import (
	"slices"
	"testing"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/sessions"
	"github.com/glrecover/glrecover/recovery/state"
)

// number answers the reading of a peer's numbers that waits.
func (w *sim) number(c *channel.Channel, n *judge.Reestablish) {
	w.t.Helper()
	w.read(model.ReestablishRead{
		Peer: c.Peer, Asked: []channel.Key{c.Key}, Result: string(peer.Read), Reestablish: map[channel.Key]*judge.Reestablish{c.Key: n},
	})
}

// read answers the reading that waits of the peer that e names.
func (w *sim) read(e model.ReestablishRead) {
	w.t.Helper()
	i := slices.IndexFunc(w.open, func(f model.Effect) bool {
		r, reads := f.(model.ReadReestablish)
		return reads && r.Peer == e.Peer
	})
	if i < 0 {
		w.t.Fatalf("nobody reads numbers: %v", w.openNames())
	}
	w.end(i)
	w.step(e)
}

// readExtra reads the numbers of a used channel while its peer awaits one that only a copy
// has, and that was not asked for.
func (w *sim) readExtra(used, extra *channel.Channel) {
	w.t.Helper()
	w.plan(model.Planned{Channels: []model.PlannedChannel{planned(used, decision.Import)}})
	w.untilRead()
	w.read(model.ReestablishRead{
		Peer: used.Peer, Asked: []channel.Key{used.Key}, Result: string(peer.Read), Reestablish: map[channel.Key]*judge.Reestablish{used.Key: goodReestablish()},
		Extra: []model.PlannedChannel{planned(extra, decision.NotAsked)}, Awaits: []channel.ID{extra.ID()},
	})
	w.settle()
}

// untilRead ends all effects but the reading of numbers.
func (w *sim) untilRead() {
	w.t.Helper()
	other := func() int {
		return slices.IndexFunc(w.open, func(f model.Effect) bool { _, reads := f.(model.ReadReestablish); return !reads })
	}
	for i := other(); i >= 0; i = other() {
		w.answer(i)
	}
}

// TestAStalePeerThatMayForgetIsAskedFirstWithTheOverrideToo (money rule 4b): the
// operator allows the request, and not that lightningd meets the peer before it.
func TestAStalePeerThatMayForgetIsAskedFirstWithTheOverrideToo(t *testing.T) {
	behind := &judge.Reestablish{NextCommitment: 1, Verdict: peer.PeerStale, Reason: "behind"}
	for _, later := range []bool{false, true} {
		w := newSim(t, state.Config{Stubs: true})
		c := simChannel(1, 1)
		p := model.Planned{OverrideStale: !later, Channels: []model.PlannedChannel{planned(c, decision.Import)}}
		w.plan(p)
		w.untilRead()
		w.number(c, behind)
		if later {
			w.want(c, model.PeerStale)
			p.OverrideStale = true
			w.plan(p)
		}
		w.want(c, model.AskFirst)
		w.settle()
		if w.want(c, model.CloseRequested); w.stubs[c.Key] {
			t.Errorf("later %v: lightningd has the stub before the close", later)
		}
	}
}

// TestTheOverrideOfAStalePeerIsForTheCallsOwnChannels, and not for what is read
// meanwhile of others.
func TestTheOverrideOfAStalePeerIsForTheCallsOwnChannels(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	mine, other := simChannel(1, 1), simChannel(2, 2)
	w.plan(model.Planned{Channels: []model.PlannedChannel{planned(other, decision.Import)}})
	w.untilRead()
	// The first call is given up while the other's peer is slow.
	w.step(model.CallEnded{Call: w.calls})
	w.plan(model.Planned{OverrideStale: true, Channels: []model.PlannedChannel{planned(mine, decision.Import)}})
	w.number(other, &judge.Reestablish{NextCommitment: 2, NextRevocation: 1, Verdict: peer.PeerStale, Reason: "behind"})
	w.want(other, model.PeerStale)
}

// TestASpliceStaysTheOperatorsWhateverLightningdSays of the import under way.
func TestASpliceStaysTheOperatorsWhateverLightningdSays(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	c := simChannel(1, 1)
	w.plan(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
	isImport := func(f model.Effect) bool { _, is := f.(model.Import); return is }
	for !slices.ContainsFunc(w.open, isImport) {
		w.answer(0)
	}
	w.spend(w.simClose(c, judge.Splice, false, 0))
	w.see()
	w.answer(slices.IndexFunc(w.open, func(f model.Effect) bool { _, is := f.(model.Classify); return is }))
	w.want(c, model.NeedsOperator)
	w.end(slices.IndexFunc(w.open, isImport))
	w.step(model.ImportDone{Results: []model.ImportResult{{Key: c.Key, Result: model.DBIDTaken, Reason: "taken"}}})
	w.want(c, model.NeedsOperator)
}

// TestACloseThatOnlyThePlanKnowsIsNotCredited while the Watcher has not found it:
// nothing of it is in the wallet.
func TestACloseThatOnlyThePlanKnowsIsNotCredited(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	c := simChannel(1, 1)
	tx := w.simClose(c, judge.Theirs, false, 0)
	p := planned(c, decision.FollowClosed)
	p.Spend = &chain.Spend{OutPoint: c.Funding, Tx: tx, TxID: tx.TxHash(), Height: w.tip - 50}
	p.Verdict, p.WithKeys = w.verdicts[tx.TxHash()], true
	w.plan(model.Planned{Channels: []model.PlannedChannel{p}})
	w.step(model.ChainSeen{Update: chain.Update{Tip: chain.Tip{Height: w.tip}, Changed: []chain.Sighting{{OutPoint: c.Funding}}}})
	w.step(model.NodeListed{Height: w.tip})
	w.want(c, model.OutputsWaiting)
	w.spends[c.Funding] = &simSpend{tx: tx, height: w.tip - 50, firstSeen: w.tip}
	w.rest()
	w.want(c, model.OutputsWaiting)
}

// TestAPeerThatWasNotHeardMayForgetANewChannel (money rule 4b): it is away, or
// nobody can read the secret, while the import is under way. When it is back our
// own session must come before lightningd's.
func TestAPeerThatWasNotHeardMayForgetANewChannel(t *testing.T) {
	for _, secret := range []string{"", "permission denied"} {
		w := newSim(t, state.Config{Stubs: true})
		w.secret = secret
		c, used := simChannel(1, 1), simChannel(2, 2)
		c.State.NextHolderCommitNum, c.State.NextCounterpartyCommitNum = 1, 1
		w.plan(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import), planned(used, decision.Import)}})
		if w.untilRead(); secret == "" {
			w.number(c, nil)
		}
		for i := 0; i < len(w.open); i++ {
			if f, asks := w.open[i].(model.AskClose); asks && f.Channel.Key == c.Key {
				w.end(i)
				w.step(model.SessionEnded{Key: c.Key, Result: string(peer.Unreachable), Address: f.Address})
			}
		}
		w.settle()
		if w.stubs[c.Key] || !w.stubs[used.Key] {
			t.Fatalf("secret %q: stubs %v", secret, w.stubs)
		}
		if secret != "" {
			w.want(c, model.NeedsSecret)
			w.secret, w.now = "", w.now.Add(sessions.SecretRetry)
		}
		w.now = w.now.Add(sessions.LastRetry)
		w.rest()
		w.want(c, model.CloseRequested)
		if w.stubs[c.Key] {
			t.Error("lightningd has the stub before the close")
		}
		w.spend(w.simClose(c, judge.Theirs, false, 0))
		w.see()
		w.settle()
		if !w.stubs[c.Key] {
			t.Error("lightningd has no stub for the close")
		}
	}
	// Nobody reaches it for a day: then lightningd may.
	w := newSim(t, state.Config{Stubs: true})
	w.secret = "permission denied"
	c := simChannel(1, 1)
	c.State.NextHolderCommitNum, c.State.NextCounterpartyCommitNum = 0, 0
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
	w.now = w.now.Add(state.HoldTime)
	w.rest()
	if !w.stubs[c.Key] {
		t.Error("it is held for ever")
	}
}

// TestAPeerThatMayForgetAChannelMeetsNoStub: all of its channels wait, since
// lightningd connects to the peer for any of them; the other peers' go on.
func TestAPeerThatMayForgetAChannelMeetsNoStub(t *testing.T) {
	for _, x := range []struct {
		what    string
		numbers *judge.Reestablish
		result  peer.Result
		missing bool
		awaits  func(known channel.ID) channel.ID
		held    bool
	}{
		{"1/0", &judge.Reestablish{NextCommitment: 1, Verdict: peer.NotRefuted}, peer.Read, false, nil, true},
		{"1/1", &judge.Reestablish{NextCommitment: 1, NextRevocation: 1, Verdict: peer.NotRefuted}, peer.Read, false, nil, false},
		{"not reached", nil, peer.Silent, false, nil, false},
		{"1/0 of a channel that nobody knows", nil, peer.Silent, false, func(channel.ID) channel.ID { return channel.ID{7} }, true},
		{"1/0 of a known one that was not asked for", nil, peer.Silent, false, func(known channel.ID) channel.ID { return known }, false},
		{"not spoken of, and the funding is there", nil, peer.Read, false, nil, true},
		{"not spoken of, and nobody knows of the funding", nil, peer.Read, true, nil, false},
	} {
		w := newSim(t, state.Config{Stubs: true})
		first, second, other := simChannel(1, 1), simChannel(1, 2), simChannel(2, 3)
		one := planned(first, decision.Import)
		one.FundingMissing = x.missing
		w.plan(model.Planned{Channels: []model.PlannedChannel{one, planned(second, decision.Import), planned(other, decision.Import)}})
		w.untilRead()
		e := model.ReestablishRead{Peer: first.Peer, Asked: []channel.Key{first.Key}, Result: string(x.result), Reestablish: map[channel.Key]*judge.Reestablish{}}
		if x.numbers != nil {
			e.Reestablish[first.Key] = x.numbers
		}
		if x.awaits != nil {
			e.Awaits = []channel.ID{x.awaits(second.ID())}
		}
		w.read(e)
		for _, c := range []*channel.Channel{first, second} {
			if got := !w.Channels[c.Key].Held.IsZero(); got != x.held {
				t.Errorf("%s: channel %d held %v", x.what, c.DBID, got)
			}
		}
		if !w.Channels[other.Key].Held.IsZero() {
			t.Errorf("%s: another peer's channel is held", x.what)
		}
	}
}

// TestAnOpeningThatNeverCameHoldsNoOtherChannel for long: its peer awaited it, and forgets
// it, or calls it closed, when it is asked. Nobody will ever see a close of it.
func TestAnOpeningThatNeverCameHoldsNoOtherChannel(t *testing.T) {
	for said, most := range map[peer.Result]time.Duration{peer.NoReestablish: 2 * time.Minute, peer.ClosedSaid: state.HoldTime + time.Minute} {
		w := newSim(t, state.Config{Stubs: true, Sweeps: true})
		used, never := simChannel(1, 1), simChannel(1, 2)
		never.State.NextHolderCommitNum, never.State.NextCounterpartyCommitNum = 1, 1
		p := planned(never, decision.Import)
		p.FundingMissing, p.WatchFrom, w.noFunding = true, 0, never.Funding
		w.plan(model.Planned{Channels: []model.PlannedChannel{planned(used, decision.Import), p}})
		w.untilRead()
		w.read(model.ReestablishRead{
			Peer: used.Peer, Asked: []channel.Key{used.Key, never.Key}, Result: string(peer.Read),
			Reestablish: map[channel.Key]*judge.Reestablish{used.Key: goodReestablish(), never.Key: {NextCommitment: 1, Verdict: peer.NotRefuted}},
		})
		for w.now.Before(simEpoch.Add(2*state.HoldTime)) && !w.stubs[used.Key] {
			for len(w.open) > 0 {
				f, asks := w.open[0].(model.AskClose)
				if asks && f.Channel.Key == never.Key && w.asked[never.Key] > 0 {
					w.end(0)
					w.step(model.SessionEnded{Key: never.Key, Result: string(said), Address: f.Address})
					continue
				}
				w.answer(0)
				if w.asked[used.Key] == 1 && w.spends[used.Funding] == nil {
					w.spend(w.simClose(used, judge.Theirs, false, 0))
					w.see()
				}
			}
			w.now = w.now.Add(IdlePace)
			w.step(model.NoEvent{})
		}
		if took := w.now.Sub(simEpoch); took > most || w.asked[never.Key] == 0 {
			t.Errorf("%s: the used channel, which closes, gets its stub after %v (%v)", said, took, w.stubs[used.Key])
		}
		w.want(used, model.CloseSeen)
	}
}

// TestAYoungChannelKeepsLightningdFromItsPeer, which lightningd would tell that it knows of
// no such channel: the peer's other channels are asked for by our own session, and what
// closes meanwhile is swept.
func TestAYoungChannelKeepsLightningdFromItsPeer(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true, Sweeps: true})
	used, young, other := simChannel(1, 1), simChannel(1, 2), simChannel(2, 3)
	w.created[young.Funding] = w.tip + 1
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(used, decision.Import), planned(young, decision.AwaitFunding), planned(other, decision.Import)}})
	w.rest()
	w.want(young, model.FundingUnconfirmed)
	w.want(used, model.CloseRequested)
	if w.stubs[used.Key] || !w.stubs[other.Key] || w.Channels[used.Key].First == nil || w.Channels[used.Key].FirstLater {
		t.Fatalf("stubs %v, numbers %+v", w.stubs, w.Channels[used.Key].First)
	}
	w.spend(w.simClose(used, judge.Theirs, false, 0))
	w.mine(2, true)
	w.rest()
	if w.stubs[used.Key] || len(w.Channels[used.Key].Sweeps) != 1 {
		t.Errorf("stubs %v, %d sweeps", w.stubs, len(w.Channels[used.Key].Sweeps))
	}
	w.mine(decision.MinFundingConfs, true)
	w.now = w.now.Add(sessions.LastRetry)
	w.rest()
	if !w.stubs[young.Key] {
		t.Errorf("%s, and lightningd has no stub", w.stateOf(young))
	}
	// Of one whose funding is nowhere, nobody waits for ever.
	w = newSim(t, state.Config{Stubs: true, Sweeps: true})
	w.noFunding = young.Funding
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(used, decision.Import), planned(young, decision.AwaitFunding)}})
	w.spend(w.simClose(used, judge.Theirs, false, 0))
	w.see()
	w.rest()
	if w.stubs[used.Key] {
		t.Error("lightningd meets the peer at once")
	}
	w.now = w.now.Add(state.HoldTime)
	w.rest()
	if !w.stubs[used.Key] {
		t.Error("a funding that is nowhere keeps lightningd away for ever")
	}
}

// TestAYoungChannelDoesNotHoldWhatLightningdHas, also after a restart before lightningd's
// first list, when nobody knows what it has.
func TestAYoungChannelDoesNotHoldWhatLightningdHas(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true, Sweeps: true})
	used, young := simChannel(1, 1), simChannel(1, 2)
	later := func(f model.Effect) bool {
		switch f.(type) {
		case model.AskClose:
			return true
		case model.ListNode:
			return w.booted > 1
		}
		return false
	}
	w.plan(model.Planned{Channels: []model.PlannedChannel{planned(used, decision.Import)}})
	w.but(later)
	w.want(used, model.Imported)
	w.created[young.Funding] = w.tip + 1
	w.plan(model.Planned{Channels: []model.PlannedChannel{planned(young, decision.AwaitFunding)}})
	w.but(later)
	w.want(used, model.Imported)
	w.boot()
	w.but(later)
	w.want(used, model.Imported)
	if w.want(young, model.FundingUnconfirmed); w.Listed {
		t.Error("lightningd was listed")
	}
}

// TestAFundingThatIsThereAfterAllIsNotCalledMissing: bitcoin-cli failed while it was
// planned, and a null looks like an output that is gone.
func TestAFundingThatIsThereAfterAllIsNotCalledMissing(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true, Sweeps: true})
	c := simChannel(1, 1)
	p := planned(c, decision.Import)
	p.FundingMissing, p.WatchFrom = true, 0
	w.plan(model.Planned{Channels: []model.PlannedChannel{p}})
	for range sessions.MissingAfter {
		w.but(isAskClose)
		w.want(c, model.Imported)
		w.end(0)
		w.step(model.SessionEnded{Key: c.Key, Result: string(peer.NoReestablish), Address: p.Address})
		w.now = w.now.Add(sessions.LastRetry)
		w.step(model.NoEvent{})
	}
	w.want(c, model.Forgotten)
}

// TestAChannelThatWasNotAskedForIsNotForgotten: only a copy has it, and its peer awaits it.
// For a day lightningd does not meet that peer, so that the user can ask for it.
func TestAChannelThatWasNotAskedForIsNotForgotten(t *testing.T) {
	for _, later := range []bool{false, true} {
		w := newSim(t, state.Config{Stubs: true, Sweeps: true})
		used, extra := simChannel(1, 1), simChannel(1, 2)
		w.readExtra(used, extra)
		w.want(used, model.CloseRequested)
		w.spend(w.simClose(used, judge.Theirs, false, 0))
		w.see()
		w.rest()
		w.boot()
		w.rest()
		if w.stubs[used.Key] {
			t.Fatal("lightningd meets a peer that awaits a channel")
		}
		if later {
			w.now = w.now.Add(state.HoldTime)
			w.rest()
			if !w.stubs[used.Key] {
				t.Error("it is waited for longer than a day")
			}
			continue
		}
		w.plan(model.Planned{Channels: []model.PlannedChannel{planned(extra, decision.Import)}})
		w.settle()
		if w.want(extra, model.CloseRequested); w.stubs[extra.Key] || w.stubs[used.Key] {
			t.Errorf("stubs %v before its close", w.stubs)
		}
		w.spend(w.simClose(extra, judge.Theirs, false, 0))
		w.see()
		w.rest()
		if !w.stubs[extra.Key] || !w.stubs[used.Key] {
			t.Errorf("stubs %v when all is closing", w.stubs)
		}
	}
}

// TestAChannelThatComesOfAgeIsAskedFor, although its peer answers for another one and
// never closes that.
func TestAChannelThatComesOfAgeIsAskedFor(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true, Sweeps: true})
	used, young := simChannel(1, 1), simChannel(1, 2)
	w.created[young.Funding] = w.tip + 1
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(used, decision.Import), planned(young, decision.AwaitFunding)}})
	w.rest()
	w.want(young, model.FundingUnconfirmed)
	w.mine(2*decision.MinFundingConfs, true)
	for range 5 {
		w.now = w.now.Add(sessions.LastRetry)
		w.rest()
	}
	w.want(used, model.CloseRequested)
	w.want(young, model.CloseRequested)
	if w.stubs[used.Key] || w.stubs[young.Key] {
		t.Errorf("stubs %v before a close", w.stubs)
	}
}

// TestAHoldThatRanOutWhileAChannelWasLeftOutBeginsAnew: its peer awaits it still, since
// lightningd has not met that peer.
func TestAHoldThatRanOutWhileAChannelWasLeftOutBeginsAnew(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true, Sweeps: true})
	used, extra := simChannel(1, 1), simChannel(1, 2)
	w.readExtra(used, extra)
	w.spend(w.simClose(used, judge.Theirs, false, 0))
	w.mine(1, true) // in a block before lightningd may have it: it is swept
	w.rest()
	w.now = w.now.Add(3 * state.HoldTime)
	w.rest()
	if w.stubs[used.Key] {
		t.Fatal("lightningd has met the peer")
	}
	w.plan(model.Planned{Channels: []model.PlannedChannel{planned(extra, decision.Import)}})
	w.awayOnce(extra)
	if w.want(extra, model.AskFirst); w.stubs[extra.Key] {
		t.Error("lightningd meets a peer that awaits the channel")
	}
}

// TestAHoldThatRanOutWhileThePeerWasStaleBeginsAnew with the override.
func TestAHoldThatRanOutWhileThePeerWasStaleBeginsAnew(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true, Sweeps: true})
	c := simChannel(1, 1)
	p := model.Planned{Channels: []model.PlannedChannel{planned(c, decision.AskFirst)}}
	w.plan(p)
	w.but(isAskClose)
	w.end(0)
	w.step(model.SessionEnded{Key: c.Key, Result: string(peer.Withheld), Withheld: model.WithheldStale, Reason: "behind"})
	w.want(c, model.PeerStale)
	w.now = w.now.Add(3 * state.HoldTime)
	p.OverrideStale = true
	w.plan(p)
	w.awayOnce(c)
	if w.want(c, model.AskFirst); w.stubs[c.Key] {
		t.Error("lightningd meets a peer that was to be asked first")
	}
}

func isAskClose(f model.Effect) bool { _, is := f.(model.AskClose); return is }

// awayOnce lets the peer be away when it is asked to close, and answers all else.
func (w *sim) awayOnce(c *channel.Channel) {
	w.t.Helper()
	w.but(isAskClose)
	w.end(slices.IndexFunc(w.open, isAskClose))
	w.step(model.SessionEnded{Key: c.Key, Result: string(peer.Unreachable)})
	w.but(isAskClose)
}
