package core

import (
	"slices"
	"testing"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// TestNoChildGoesOutWhileABlockIsUnread (money rule 4a): the child was put on
// record, the program was killed before it was sent, and the block that it comes
// back to cannot be read yet: it may have the close.
func TestNoChildGoesOutWhileABlockIsUnread(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	c := simChannel(1, 1)
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
	w.spend(w.simClose(c, judge.Theirs, false, 0))
	w.see()
	w.settle()
	for range model.StuckBlocks {
		w.mine(1, false)
		w.settle()
	}
	if w.store[c.Key].Fee.Child == nil {
		t.Fatal("there is no child on record")
	}
	tx := w.sighting(c.Funding)
	for _, u := range []chain.Update{{Behind: 1}, {Trouble: "bitcoind does not answer"}} {
		w.boot()
		u.Tip, u.MempoolSeen, u.Changed = w.Tip, true, []chain.Sighting{tx}
		w.settle()
		w.Channels[c.Key].Resent, w.open = 0, nil // as before the first broadcast
		w.apply(model.ChainSeen{Update: u})
		if sent := w.sendsChild(); sent {
			t.Errorf("a child is sent: behind %d, trouble %q", u.Behind, u.Trouble)
		}
	}
	w.see()
	w.mine(1, false)
	if !w.sendsChild() {
		t.Error("the child is not sent when it is certain again")
	}
}

func (w *sim) sendsChild() bool {
	return slices.ContainsFunc(w.open, func(f model.Effect) bool {
		b, is := f.(model.Broadcast)
		return is && b.What == model.SendChild && len(b.Txs) == 2
	})
}
