package recovery

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
)

// timeless is a bitcoind that does not give the times of its blocks.
type timeless struct{ *chaintest.Node }

func (timeless) HeaderAt(context.Context, uint32) (*wire.BlockHeader, error) {
	return nil, context.DeadlineExceeded
}

// TestTheWholeChainIsNotReadWhereAHeightIsUnknown, nor nothing of it.
func TestTheWholeChainIsNotReadWhereAHeightIsUnknown(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	w.chain.MineN(500)
	w.node.info.Height = w.chain.Height()
	w.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return timeless{w.chain.Node()} }
	w.start()
	if _, err := w.recover(pathOf(t, "used-both-ways")); err != nil {
		t.Fatal(err)
	}
	w.until("the end of the look-back", func() bool {
		l := w.seen.Load().LookBack
		return l.To > 0 && l.Left == 0
	})
	l, want := w.seen.Load().LookBack, w.chain.Height()-chain.KeptBlocks+1
	if l.From != want || l.To != w.chain.Height() {
		t.Errorf("the blocks are looked at from %d to %d, want %d (%s)", l.From, l.To, want, l.Reason)
	}
	if text := w.status().Chain.LookBack; !strings.Contains(text, "height on 2026-11-24 is unknown") || !strings.Contains(text, "newest 288 blocks") {
		t.Errorf("status does not say it: %q", text)
	}
}

// TestMadeUpNumbersOfOnePeerStopNobodyElse: it alone is not asked, whatever it
// makes up each time.
func TestMadeUpNumbersOfOnePeerStopNobodyElse(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	b := readCorpus(t, "three-peers")
	evil := b.Channels[0].ID()
	keys, err := w.deps.OpenKeys(w.facts, w.node.info.ID)
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Uint64
	var asked [8]atomic.Bool
	w.peers.ask = func(_ peer.Target, a peer.Ask) *peer.Outcome {
		for i, c := range b.Channels {
			if c.ID() != a.Channel {
				continue
			}
			s := &story{world: w, ch: c, keys: keys}
			r := s.current()
			if a.Channel == evil {
				r.NextCommitment += 10 + n.Add(1) // claims, and proves nothing
			}
			if ok, why := a.Decide(r); !ok {
				return &peer.Outcome{Result: peer.Withheld, Reason: why, Heard: peer.Heard{Channels: []peer.Reestablish{r}}, Before: &r}
			}
			if n.Load() > 1 {
				asked[i].Store(true) // the first session only gives the first numbers
			}
			return &peer.Outcome{Result: peer.Evicted, Reason: "it hung up", Before: &r}
		}
		return &peer.Outcome{Result: peer.NoReestablish}
	}
	p := pathOf(t, "three-peers")
	p.Addresses = map[channel.PubKey]string{}
	for _, c := range b.Channels {
		p.Addresses[c.Peer] = "127.0.0.1:9735"
	}
	if _, err := w.recover(p); err != nil {
		t.Fatal(err)
	}
	w.until("the others to be asked after the peer made up numbers", func() bool {
		w.look()
		if _, err := w.Retry(t.Context(), "", nil); err != nil {
			t.Fatal(err)
		}
		others := 0
		for i := range b.Channels {
			if asked[i].Load() && i > 0 {
				others++
			}
		}
		return n.Load() > 1 && others == len(b.Channels)-1
	})
	w.until("its own channel to be told apart", func() bool {
		for _, c := range w.status().Channels {
			if c.ChannelID == evil.String() {
				return strings.Contains(c.Reason, "shows nothing that only this node's key can make")
			}
		}
		return false
	})
	if alarms := w.status().Alarms; len(alarms) > 0 {
		t.Errorf("alarms: %q", alarms)
	}
}

// TestAYoungFundingIsImportedADayLaterWhereBitcoindStaysAway: it can be named
// and never reached. Status says why it waits, and what helps.
func TestAYoungFundingIsImportedADayLaterWhereBitcoindStaysAway(t *testing.T) {
	s := newStory(t, "used-both-ways")
	created := readCorpus(t, "used-both-ways").CreatedAt
	begun := time.Now()
	var skip atomic.Int64
	s.deps.Now = func() time.Time { return created.Add(time.Hour + time.Since(begun) + time.Duration(skip.Load())) }
	node := s.chain.Node()
	node.SetDown(true)
	s.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return node }
	s.start()
	a := s.begin()
	if c := a.Channels[0]; c.Result != answer.NotYetConfirmed || !strings.Contains(c.Reason, "bitcoind itself cannot be asked") || !strings.Contains(c.Cure, "bitcoind must run") {
		t.Fatalf("%s: %s; %s", c.Result, c.Reason, c.Cure)
	}
	s.looked()
	if c := s.status().Channels[0]; c.State != model.FundingUnconfirmed || !strings.Contains(c.Reason, "Make sure that bitcoind runs") {
		t.Errorf("status: %s (%s)", c.State, c.Reason)
	}
	skip.Store(int64(24 * time.Hour))
	s.until("the import", func() bool { s.look(); return count(s.node.calls(), "recoverchannel") == 1 })
}
