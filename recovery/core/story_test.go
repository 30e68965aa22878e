package core

import (
	"testing"
	"time"

	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// TestAChannelComesHome is the main story: numbers, import, request to close,
// close, credit, a hundred blocks.
func TestAChannelComesHome(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	c := simChannel(1, 1)
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
	w.want(c, model.CloseRequested)
	if len(w.replies) != 2 || w.replies[1].Trouble != "" || w.replies[1].Refused {
		t.Fatalf("replies %+v", w.replies)
	}
	w.spend(w.simClose(c, judge.Theirs, false, 0))
	w.see()
	w.settle()
	w.want(c, model.CloseSeen)
	w.mine(1, true)
	w.rest()
	w.want(c, model.OutputsWaiting)
	w.credit()
	w.rest()
	w.want(c, model.Credited)
	if got := w.Channels[c.Key].RecoveredMsat; got != 600_000_000 {
		t.Errorf("recovered %d msat", got)
	}
	w.mine(model.FinalConfs, true)
	w.rest()
	w.want(c, model.Resolved)
	if w.asked[c.Key] != 1 {
		t.Errorf("asked %d times", w.asked[c.Key])
	}
	w.boot()
	w.settle()
	w.want(c, model.Resolved)
	if got := w.Channels[c.Key].RecoveredMsat; got != 600_000_000 {
		t.Errorf("after a restart: recovered %d msat", got)
	}
}

// TestNoFeeIsPaidOnOldNews: the record can be written again, and in the same
// moment the Watcher says that the close is in a block. The child that was held
// back is not sent.
func TestNoFeeIsPaidOnOldNews(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	c := simChannel(1, 1)
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
	w.spend(w.simClose(c, judge.Theirs, false, 0))
	w.see()
	w.settle()
	w.mine(1, false)
	w.settle()
	w.mine(model.StuckBlocks, false)
	w.settle()
	if w.Channels[c.Key].Fee.Child == nil {
		t.Fatal("the close is not paid for, and the test shows nothing")
	}
	w.failSaves = true
	w.mine(1, false) // both are due again, and cannot be sent
	if len(w.sent) == 0 {
		t.Fatal("nothing was ever sent")
	}
	w.failSaves, w.sent = false, nil
	w.now = w.now.Add(state.SaveRetry + time.Second)
	w.mine(1, true)
	w.settle()
	if len(w.sent) > 0 {
		t.Errorf("sent after the close confirmed: %+v", w.sent)
	}
}
