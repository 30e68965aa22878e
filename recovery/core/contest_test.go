package core

import (
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// contest is a channel that two peers say is theirs: of the honest one's nothing but the
// id is known, full is what its close shows. The liar shows a secret of another channel.
func contest() (lie, honest, full *channel.Channel) {
	honest, full = byID(2, 7)
	full.Remote.Funding = channel.PubKey{2, 9}
	lied := *honest
	lied.Peer, lied.DBID = simChannel(1, 1).Peer, 5
	return &lied, honest, full
}

// wantWinner demands that the honest peer's channel goes on, and the liar's does not.
func (w *sim) wantWinner(lie, full *channel.Channel, state model.ChannelState) {
	w.t.Helper()
	w.want(full, state)
	c := w.Channels[lie.Key]
	if c == nil || c.State != model.LeftOut || !w.Finished(c) || c.Reason == "" {
		w.t.Errorf("the liar's channel: %+v", c)
	}
	for op, k := range w.Watched {
		if k == lie.Key {
			w.t.Errorf("%v is watched for the liar", op)
		}
	}
	if !w.watches[full.Funding] {
		w.t.Error("the funding output is not watched")
	}
}

// TestTheCloseShowsWhoseAChannelIs: both peers are in one plan, or the liar comes first
// and the other with a later call, before the close or after it; and the program may be
// started again in between.
func TestTheCloseShowsWhoseAChannelIs(t *testing.T) {
	lie, honest, full := contest()
	first, second := model.Planned{Channels: []model.PlannedChannel{planned(lie, decision.Import)}}, model.Planned{Channels: []model.PlannedChannel{planned(honest, decision.Import)}}
	both := model.Planned{Channels: append(append([]model.PlannedChannel{}, first.Channels...), second.Channels...)}
	for _, x := range []struct {
		name  string
		steps func(w *sim, closes func())
	}{
		{"together", func(w *sim, closes func()) { w.begin(both); closes() }},
		{"the liar first", func(w *sim, closes func()) { w.begin(first); w.begin(second); closes() }},
		{"the liar first, and the close before the other", func(w *sim, closes func()) { w.begin(first); closes(); w.begin(second) }},
		{"the close before a start", func(w *sim, closes func()) { w.begin(both); w.boot(); closes(); w.boot() }},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newSim(t, state.Config{Sweeps: true})
			w.whose = full
			tx := w.simClose(full, judge.Theirs, false, 0)
			x.steps(w, func() { w.spend(tx); w.see() })
			w.settle()
			w.wantWinner(lie, full, model.CloseSeen)
			w.boot()
			w.mine(1, true)
			w.see()
			w.settle()
			if got := w.Channels[full.Key].Close.Height; got == 0 {
				t.Error("the block of the close is not seen")
			}
			w.begin(first) // the liar says it again
			w.wantWinner(lie, full, w.Channels[full.Key].State)
		})
	}
}

// shown answers a Classify: the close has a key of ours with one peer only.
func (w *sim) shown(f model.Classify, full *channel.Channel) {
	w.t.Helper()
	e := model.Classified{Key: f.Channel.Key, Basis: model.Basis{Txid: f.Tx.TxHash(), Height: f.Height, WithKeys: true}, Verdict: &judge.Verdict{Kind: judge.Unknown}}
	if f.Channel.Peer == full.Peer {
		e.Identified, e.Verdict = full, w.verdicts[f.Tx.TxHash()]
	}
	w.step(e)
}

// TestABackupsChannelIsNobodyElses: the backup, or a copy, proves whose it is at once.
func TestABackupsChannelIsNobodyElses(t *testing.T) {
	lie, _, full := contest()
	full.ByID = false
	w := newSim(t, state.Config{Sweeps: true})
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(lie, decision.Import)}})
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(full, decision.Import)}})
	w.wantWinner(lie, full, model.CloseRequested)
}

// TestAStartKeepsBothOfTwoPeersChannels: only one peer's own double is dropped.
func TestAStartKeepsBothOfTwoPeersChannels(t *testing.T) {
	lie, honest, _ := contest()
	w := newSim(t, state.Config{Sweeps: true})
	w.begin(model.Planned{Channels: []model.PlannedChannel{planned(lie, decision.Import), planned(honest, decision.Import)}})
	w.boot()
	if w.Channels[lie.Key] == nil || w.Channels[honest.Key] == nil {
		t.Errorf("channels: %v", w.Keys())
	}
	if !w.watches[wire.OutPoint{Hash: honest.Funding.Hash}] {
		t.Error("the funding output is not watched")
	}
}
