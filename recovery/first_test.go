package recovery

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// firstStory is a channel that was never used, of a peer that says 1/0: it may
// still await our channel_ready. The world's clock can be put forward.
func firstStory(t *testing.T) (s *story, commit *bolt3.CommitTx, skip *atomic.Int64) {
	t.Helper()
	s = newStory(t, "fresh-outbound")
	skip = new(atomic.Int64)
	real := s.deps.Now
	s.deps.Now = func() time.Time { return real().Add(time.Duration(skip.Load())) }
	s.start()
	s.peers.numbers[s.ch.ID()] = peer.Reestablish{Channel: s.ch.ID(), NextCommitment: 1}
	ours, err := s.keys.Basepoints(s.ch.Key)
	if err != nil {
		t.Fatal(err)
	}
	commit, err = bolt3.BuildCommitment(s.ch, ours, &channel.Commitment{Broadcaster: channel.Remote, ToCountersignerSat: s.ch.CapacitySat - 2000}, 0, s.ch.Remote.Payment)
	if err != nil {
		t.Fatal(err)
	}
	return s, commit, skip
}

// answers makes the peer end each session so, after it said 1/0.
func (s *story) answers(result peer.Result, then func()) {
	s.peers.mu.Lock()
	defer s.peers.mu.Unlock()
	s.peers.ask = func(_ peer.Target, a peer.Ask) *peer.Outcome {
		o := &peer.Outcome{Result: result, Reason: "so it is"}
		if result == peer.Asked {
			r := peer.Reestablish{Channel: a.Channel, NextCommitment: 1}
			if ok, why := a.Decide(r); !ok {
				return &peer.Outcome{Result: peer.Withheld, Reason: why}
			}
			o.Before, o.Sent = &r, peer.SentError
		}
		if then != nil {
			then()
		}
		return o
	}
}

func (s *story) stubs() int {
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	return len(s.node.channels)
}

// TestAPeerThatMayAwaitChannelReadyIsAskedBeforeLightningdMeetsIt: lightningd
// gets the channel when the close is in the mempool, and not before, whatever is
// restarted or called again.
func TestAPeerThatMayAwaitChannelReadyIsAskedBeforeLightningdMeetsIt(t *testing.T) {
	s, commit, _ := firstStory(t)
	var closes atomic.Bool
	s.answers(peer.Asked, func() {
		if closes.Load() {
			s.chain.AddMempool(commit.Tx)
		}
	})
	a := s.begin()
	if c := a.Channels[0]; c.Result != answer.AskedFirst || (c.State != model.AskFirst && c.State != model.CloseRequested) || a.Totals.Waiting != 1 {
		t.Errorf("result %s, state %s", c.Result, c.State)
	}
	if !strings.Contains(strings.Join(a.NextSteps, "\n"), "offline") {
		t.Errorf("next steps %q", a.NextSteps)
	}
	s.untilState(model.CloseRequested)
	if c := s.status().Channels[0]; c.WaitsFor != "peer" || !strings.Contains(c.Todo, "offline") {
		t.Errorf("waits for %s, todo %q", c.WaitsFor, c.Todo)
	}
	// It may have closed meanwhile, or be away: the record counts, not what can
	// be read now.
	s.peers.mu.Lock()
	delete(s.peers.numbers, s.ch.ID())
	s.peers.mu.Unlock()
	if again := s.begin().Channels[0]; again.Result != answer.AskedFirst {
		t.Errorf("the second call: %s", again.Result)
	}
	s.start()
	s.looked()
	if n := s.stubs(); n != 0 {
		t.Fatalf("%d stubs before the close", n)
	}
	stranger := readCorpus(t, "three-peers").Channels[0].Peer
	if err := s.OpeningAllowed(t.Context(), &stranger, "fundchannel"); failure.NameOf(err) != failure.OpeningRefused {
		t.Errorf("a channel with a stranger takes the dbid: %v", err)
	}
	closes.Store(true)
	if _, err := s.Retry(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	s.untilState(model.CloseSeen)
	s.until("the stub before the block", func() bool { s.look(); return s.stubs() == 1 })
	s.mine(1)
	s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
	s.untilState(model.Credited)
}

// TestAllChannelsOfThePeerAreHeldBack: lightningd meets the peer for any of them,
// and answers an error to the one that it does not know.
func TestAllChannelsOfThePeerAreHeldBack(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	b := readCorpus(t, "three-peers")
	of := map[channel.PubKey][]*channel.Channel{}
	for _, c := range b.Channels {
		of[c.Peer] = append(of[c.Peer], c)
	}
	p := pathOf(t, "three-peers")
	p.Addresses = map[channel.PubKey]string{}
	var shared channel.PubKey
	for id, channels := range of {
		p.Addresses[id] = "192.0.2.1:9735"
		if len(channels) == 2 {
			shared = id
			x := channels[0]
			w.peers.numbers[x.ID()] = peer.Reestablish{Channel: x.ID(), NextCommitment: 1}
			x = channels[1]
			w.peers.numbers[x.ID()] = peer.Reestablish{Channel: x.ID(), NextCommitment: x.State.NextCounterpartyCommitNum, NextRevocation: max(x.State.NextHolderCommitNum, 1) - 1}
		}
	}
	p.Override = []string{"peer_stale"}
	a, err := w.recover(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range a.Channels {
		want := answer.DidImport
		if c.PeerID == shared {
			want = answer.AskedFirst
		}
		if c.Result != want {
			t.Errorf("channel %d: %s, want %s: %s", c.DBID, c.Result, want, c.Reason)
		}
	}
}

// TestAPeerThatNobodyReachesIsLeftToLightningdInTheEnd: after the time that the
// status names.
func TestAPeerThatNobodyReachesIsLeftToLightningdInTheEnd(t *testing.T) {
	s, _, skip := firstStory(t)
	s.answers(peer.Unreachable, nil)
	s.begin()
	s.until("a try", func() bool { s.look(); return s.peers.asked() > 0 })
	want := s.deps.Now().Add(state.HoldTime).UTC().Format("2006-01-02T15")
	if c := s.status().Channels[0]; c.State != model.AskFirst || !strings.Contains(c.Todo, want) {
		t.Errorf("%s, todo %q, want %s", c.State, c.Todo, want)
	}
	s.peers.mu.Lock()
	delete(s.peers.numbers, s.ch.ID())
	s.peers.mu.Unlock()
	skip.Store(int64(state.HoldTime - time.Hour))
	s.lookTwice()
	if n := s.stubs(); n != 0 {
		t.Fatalf("%d stubs an hour before the time", n)
	}
	skip.Store(int64(state.HoldTime + time.Hour))
	s.until("the stub", func() bool { s.look(); return s.stubs() == 1 })
	s.until("the end of the hold", func() bool { s.look(); return s.state() == model.Imported })
}

// TestWithoutAMempoolToLookIntoTheStubComesWhenTheFundingOutputIsGone: else it
// would come after the block.
func TestWithoutAMempoolToLookIntoTheStubComesWhenTheFundingOutputIsGone(t *testing.T) {
	s, commit, skip := firstStory(t)
	s.deps.Bitcoind = nil
	s.start()
	s.answers(peer.Asked, func() {
		s.chain.AddMempool(commit.Tx)
		delete(s.peers.numbers, s.ch.ID()) // it says error from now on
	})
	s.begin()
	s.lookTwice()
	if n := s.stubs(); n != 0 {
		t.Errorf("%d stubs on the first null", n)
	}
	s.answers(peer.ClosedSaid, nil)
	skip.Store(int64(time.Minute))
	s.until("the stub", func() bool { s.look(); return s.stubs() == 1 })
}

// TestABusyBitcoindReleasesNothing: it says neither that the output is there nor
// that it is not.
func TestABusyBitcoindReleasesNothing(t *testing.T) {
	s, _, _ := firstStory(t)
	s.answers(peer.Asked, nil)
	s.begin()
	s.untilState(model.CloseRequested)
	node := s.chain.Node()
	node.SetDown(true)
	s.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return node }
	s.start()
	for range 2 * 3 {
		s.lookTwice()
	}
	if n := s.stubs(); n != 0 {
		t.Errorf("%d stubs", n)
	}
}

// TestAPeerThatHasForgottenTheChannelIsNamedInCapitals: and it goes on being
// asked; when it knows the channel again, all goes on.
func TestAPeerThatHasForgottenTheChannelIsNamedInCapitals(t *testing.T) {
	s, commit, _ := firstStory(t)
	s.answers(peer.NoReestablish, nil)
	s.begin()
	s.until("the state", func() bool {
		if _, err := s.Retry(t.Context(), "", nil); err != nil {
			t.Fatal(err)
		}
		return s.state() == model.Forgotten
	})
	if n := s.peers.asked(); n < 3 {
		t.Errorf("after %d sessions", n)
	}
	st := s.status()
	if c := st.Channels[0]; !strings.Contains(c.Reason, "THE PEER HAS FORGOTTEN THIS CHANNEL") || c.WaitsFor != "peer" || len(st.Alarms) != 1 {
		t.Errorf("%+v, alarms %q", c, st.Alarms)
	}
	if n := s.stubs(); n != 0 {
		t.Errorf("%d stubs", n)
	}
	s.answers(peer.Asked, func() { s.chain.AddMempool(commit.Tx) })
	s.until("the close", func() bool {
		if _, err := s.Retry(t.Context(), "", nil); err != nil {
			t.Fatal(err)
		}
		return s.state() == model.CloseSeen
	})
	s.until("the stub", func() bool { s.look(); return s.stubs() == 1 })
}

// TestAPeerThatForgetsAClosedChannelIsNotBlamed: the funding output is spent.
func TestAPeerThatForgetsAClosedChannelIsNotBlamed(t *testing.T) {
	s, _, _ := firstStory(t)
	s.answers(peer.NoReestablish, nil)
	s.begin()
	s.chain.Mine(spendAll(s.ch.Funding))
	s.untilState(model.OutputsWaiting)
	for range 6 {
		s.send(model.SessionEnded{Key: s.ch.Key, Result: string(peer.NoReestablish)})
	}
	s.lookTwice()
	if got := s.state(); got != model.OutputsWaiting {
		t.Errorf("a closed channel counts as forgotten: %s", got)
	}
}

// spendAll is a transaction that classifies as nothing.
func spendAll(op wire.OutPoint) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&op, nil, nil))
	tx.AddTxOut(wire.NewTxOut(1000, []byte{0x51}))
	return tx
}
