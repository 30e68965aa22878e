package core

import (
	"slices"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/stubs"
)

func isImport(f model.Effect) bool { _, is := f.(model.Import); return is }

// TestARecordThatCannotBeWrittenIsNoStopOfLightningds: an import that was held
// back for its record was never given to lightningd, however often.
func TestARecordThatCannotBeWrittenIsNoStopOfLightningds(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	c := simChannel(1, 1)
	p := planned(c, decision.AwaitFunding)
	w.created[c.Funding] = w.tip
	w.begin(model.Planned{Channels: []model.PlannedChannel{p}})
	w.want(c, model.FundingUnconfirmed)
	w.mine(decision.MinFundingConfs, true)
	for !slices.ContainsFunc(w.open, func(f model.Effect) bool { _, is := f.(model.ReadReestablish); return is }) {
		w.answer(0)
	}
	w.failSaves = true
	w.settle()
	for range 2 * stubs.MaxTries {
		w.now = w.now.Add(state.SaveRetry)
		w.step(model.Tick{Now: w.now})
	}
	w.want(c, model.ImportDeferred)
	w.failSaves = false
	w.now = w.now.Add(state.SaveRetry)
	w.rest()
	w.want(c, model.CloseRequested)
}

// TestAnImportUnderWayOutlivesItsCall: the record fails while lightningd makes the
// stubs. They will be there: so must be the guard and the record of their channels.
func TestAnImportUnderWayOutlivesItsCall(t *testing.T) {
	for _, second := range []bool{false, true} {
		w := newSim(t, state.Config{Stubs: true})
		if second {
			// An earlier import, and a restart since: the guard had nothing to fear.
			w.begin(model.Planned{Channels: []model.PlannedChannel{planned(simChannel(9, 9), decision.Import)}})
			w.boot()
			w.step(model.Started{Restarted: true})
			w.settle()
		}
		c := simChannel(1, 1)
		w.plan(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
		for !slices.ContainsFunc(w.open, isImport) {
			w.answer(0)
		}
		w.failSaves = true
		w.mine(1, true)
		if got := w.replies[len(w.replies)-1]; got.Trouble == "" {
			t.Errorf("the call was not told: %+v", got)
		}
		if w.Run == nil || w.Run.Imported.IsZero() || w.Run.Restarted {
			t.Fatalf("the guard is down while lightningd makes stubs: %+v", w.Run)
		}
		w.failSaves = false
		w.now = w.now.Add(state.SaveRetry)
		w.rest()
		w.want(c, model.CloseRequested)
		if w.run == nil || w.run.Imported.IsZero() || w.run.Restarted || w.store[c.Key].State != model.CloseRequested {
			t.Errorf("on record: %+v %+v", w.run, w.store[c.Key])
		}
	}
}

// TestAForgetThatCannotBeWrittenIsNotCalledDone: a restart would bring it back.
func TestAForgetThatCannotBeWrittenIsNotCalledDone(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	p := planned(simChannel(1, 1), decision.Refused)
	p.Decision = decision.NothingOurs
	kept := simChannel(2, 2)
	w.begin(model.Planned{Channels: []model.PlannedChannel{p, planned(kept, decision.Import)}})
	w.failSaves = true
	w.mine(1, true)
	if w.SaveTrouble == "" {
		t.Fatal("the record was written")
	}
	w.replies = nil
	w.step(model.ForgetSaid{Call: 77, Keys: []channel.Key{p.Channel.Key}})
	if len(w.replies) != 1 || w.replies[0].Trouble == "" {
		t.Errorf("replies %+v", w.replies)
	}
}

// TestALightningdThatRefusesToListIsLeftAlone for a while: it is asked again at an
// idle pace, and not twenty times a second.
func TestALightningdThatRefusesToListIsLeftAlone(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(simChannel(1, 1), decision.Import)}})
	asked := 0
	for range 100 {
		for i := 0; i < len(w.open); i++ {
			if l, is := w.open[i].(model.ListNode); is {
				asked++
				w.end(i)
				w.step(model.EffectFailed{Effect: l, Reason: "lightningd is busy"})
				break
			}
		}
		w.now = w.now.Add(2 * listPause)
		w.step(model.NodeChanged{})
	}
	if asked > 3 {
		t.Errorf("asked %d times in 10 s", asked)
	}
}

// TestNoBlockGoesByWithoutAnOutputThatTheRecordCallsLookedAt: the program was killed when a
// channel was left out, before the record said that it is not watched any more.
func TestNoBlockGoesByWithoutAnOutputThatTheRecordCallsLookedAt(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	c := simChannel(1, 1)
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import), planned(simChannel(2, 2), decision.Import)}})
	w.see()
	r := w.store[c.Key]
	if len(r.Seen) != 1 || r.Seen[0].LookBack == 0 {
		t.Fatalf("%+v", r.Seen)
	}
	r.State = model.LeftOut
	w.store[c.Key] = r
	w.boot()
	w.mine(1, false) // the cursor is saved with that; sim checks it
	if got := w.store[c.Key].Seen; got[0].LookBack != 0 {
		t.Errorf("%+v", got)
	}
}
