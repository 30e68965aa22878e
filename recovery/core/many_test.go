package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// crowd is a recovery of channels that are imported and whose peers are away, and
// of channels that are resolved; block gives it one block and lightningd's answer.
func crowd(working, resolved int) (block func()) {
	var records []model.Record
	var listed model.NodeListed
	for i := range working + resolved {
		r := model.Record{Channel: *simChannel(i/2+1, i+1), State: model.Resolved, ImportedAt: 1, Address: "192.0.2.1:9735"}
		if i < working {
			r.State = model.Imported
			listed.Channels = append(listed.Channels, api.PeerChannel{ID: r.Channel.ID(), Peer: r.Channel.Peer, State: "CHANNELD_NORMAL", Stub: true})
		}
		records = append(records, r)
	}
	s := state.New(state.Config{Stubs: true}, &model.Run{Network: "regtest", Imported: time.Unix(1, 0), Restarted: true}, records)
	tip := chain.Tip{Height: 100}
	step := func(e model.Event) {
		Step(s, e)
		s.Snapshot()
	}
	step(model.Tick{Now: time.Unix(1_700_000_000, 0)})
	step(model.Started{})
	step(model.SecretTried{})
	block = func() {
		tip.Height++
		tip.Hash = chainhash.DoubleHashH([]byte{byte(tip.Height), byte(tip.Height >> 8)})
		step(model.ChainSeen{Update: chain.Update{Tip: tip, MempoolSeen: true, LookBack: chain.LookBack{Done: true}}})
		listed.Height = tip.Height
		step(listed)
	}
	block()
	return block
}

// Ten thousand channels that are resolved cost a block no more than none: what
// is allocated counts, since it does not depend on how busy the machine is.
func TestABlockCostsNothingForResolvedChannels(t *testing.T) {
	few, many := testing.AllocsPerRun(10, crowd(50, 0)), testing.AllocsPerRun(10, crowd(50, 10_000))
	// The copy of a large map takes more pieces than that of a small one.
	if many > few+500 {
		t.Errorf("%.0f allocations with 50 channels at work, %.0f with 10,000 resolved ones with them", few, many)
	}
}

func BenchmarkBlock(b *testing.B) {
	for _, n := range []struct{ working, resolved int }{{100, 0}, {100, 1000}, {100, 10_000}, {1000, 0}, {1000, 10_000}} {
		b.Run(fmt.Sprintf("working=%d/resolved=%d", n.working, n.resolved), func(b *testing.B) {
			block := crowd(n.working, n.resolved)
			b.ReportAllocs()
			for b.Loop() {
				block()
			}
		})
	}
}

// BenchmarkBlockOfOnePeer is of a peer with which 999 channels are closing and one does not.
func BenchmarkBlockOfOnePeer(b *testing.B) {
	now, records := time.Unix(1_700_000_000, 0), []model.Record(nil)
	for i := range 1000 {
		r := model.Record{Channel: *simChannel(1, i+1), State: model.CloseSeen, Held: now}
		if i == 999 {
			r.State = model.AskFirst
		}
		records = append(records, r)
	}
	s := state.New(state.Config{Stubs: true, Sweeps: true}, &model.Run{Network: "regtest"}, records)
	for _, e := range []model.Event{model.Tick{Now: now}, model.Started{}, model.SecretTried{}} {
		Step(s, e)
	}
	for b.Loop() {
		Step(s, model.NodeListed{Height: 100})
	}
}
