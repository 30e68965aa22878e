package core

import (
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// TestAReplacedCloseIsNotCreditedForWhatTheFirstPaid: not even while nobody has
// said yet what the other one is (seen on real lightningd: "credited", with nothing
// in the wallet).
func TestAReplacedCloseIsNotCreditedForWhatTheFirstPaid(t *testing.T) {
	w := newSim(t, state.Config{Stubs: true})
	c := simChannel(1, 1)
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(c, decision.Import)}})
	confirm := func(tx *wire.MsgTx) {
		delete(w.spends, c.Funding)
		w.spend(tx)
		w.tip++
		w.spends[c.Funding].height = w.tip
	}
	first := w.simClose(c, judge.Theirs, false, 1)
	confirm(first)
	op := wire.OutPoint{Hash: first.TxHash()}
	w.wallet[op] = api.WalletOutput{OutPoint: op, Sat: 600_000, Status: "confirmed", Height: w.tip}
	w.see()
	w.now = w.now.Add(IdlePace)
	w.rest()
	w.want(c, model.Credited)

	delete(w.wallet, op)
	w.fork++
	confirm(w.simClose(c, judge.Theirs, false, 2))
	w.see() // nobody has classified it
	if got := w.Channels[c.Key]; got.Verdict != nil || got.RecoveredMsat > 0 {
		t.Fatalf("%+v", got)
	}
	w.want(c, model.OutputsWaiting)
}
