package core

import (
	"slices"
	"testing"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/follow"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// TestTheLookBackGoesFurtherForAFundingThatIsGone: step by step, no further than
// is useful, and it goes on there after a restart. bitcoind itself cannot be asked.
func TestTheLookBackGoesFurtherForAFundingThatIsGone(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	w.tip = 200_000
	c := simChannel(1, 1)
	p := planned(c, decision.Import)
	p.WatchFrom, p.FundingMissing = 0, true
	w.plan(model.Planned{Channels: []model.PlannedChannel{p}})
	seen := func(l chain.LookBack, x chain.Sighting) {
		t.Helper()
		x.OutPoint = c.Funding
		w.step(model.ChainSeen{Update: chain.Update{Tip: chain.Tip{Height: w.tip}, Changed: []chain.Sighting{x}, LookBack: l, Trouble: "the mempool cannot be asked"}})
	}
	want := func(heights ...uint32) {
		t.Helper()
		if !slices.Equal(w.lookBacks, heights) {
			t.Fatalf("looked back from %d, want %d", w.lookBacks, heights)
		}
	}
	gone := chain.Sighting{Place: chain.Unknown, Searched: true}
	const first = 150_000
	seen(chain.LookBack{From: first, To: w.tip, Left: 5}, gone)
	want() // the blocks since the backup's date come first
	seen(chain.LookBack{From: first, To: w.tip, Done: true, Missing: 7, MissingTo: first - 1}, gone)
	want() // below them all is pruned
	seen(chain.LookBack{From: first, To: w.tip, Done: true}, gone)
	want(first - follow.LookBackStep)
	seen(chain.LookBack{From: first, To: w.tip, Done: true}, gone)
	want(first - follow.LookBackStep) // the Watcher has not begun
	second := uint32(first - follow.LookBackStep)
	seen(chain.LookBack{From: second, To: first - 1, Done: true}, gone)
	want(first-follow.LookBackStep, first-2*follow.LookBackStep)
	if got := w.run.LookBackFrom; got != first-2*follow.LookBackStep {
		t.Errorf("%d is on record", got)
	}
	w.lookBacks = nil
	w.boot()
	want(first - 2*follow.LookBackStep)
	w.lookBacks = nil
	// The rest of the last step has been looked at, down to the end.
	w.Run.LookBackFrom = w.LookBackEnd() + 5
	seen(chain.LookBack{Done: true}, gone)
	want(w.LookBackEnd())
	end := w.LookBackEnd()
	w.tip++
	seen(chain.LookBack{From: end, Done: true}, gone)
	want(end)
}

// TestTheLookBackGoesNoFurther where nothing is to be found there.
func TestTheLookBackGoesNoFurther(t *testing.T) {
	for name, x := range map[string]chain.Sighting{
		"unspent": {Place: chain.Unspent},
		"closed":  {Place: chain.InBlock, Height: 990},
	} {
		w := newSim(t, state.Config{Stubs: true})
		c := simChannel(1, 1)
		p := planned(c, decision.Import)
		p.WatchFrom = 0
		w.plan(model.Planned{Channels: []model.PlannedChannel{p}})
		x.OutPoint = c.Funding
		if x.Place == chain.InBlock {
			x.Tx = w.simClose(c, judge.Theirs, false, 0)
			x.TxID = x.Tx.TxHash()
		}
		w.step(model.ChainSeen{Update: chain.Update{Tip: chain.Tip{Height: w.tip}, Changed: []chain.Sighting{x}, LookBack: chain.LookBack{From: 900, Done: true}}})
		if len(w.lookBacks) > 0 {
			t.Errorf("%s: looked back from %d", name, w.lookBacks)
		}
	}
}
