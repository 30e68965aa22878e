package recovery

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
)

// TestAPeerThatTookOurErrorAndSaysNothingWasAsked: whether it closes, the chain
// says.
func TestAPeerThatTookOurErrorAndSaysNothingWasAsked(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.peers.ask = func(peer.Target, peer.Ask) *peer.Outcome {
		return &peer.Outcome{Result: peer.Silent, Sent: peer.SentError, Reason: "no answer"}
	}
	s.begin()
	s.untilState(model.CloseRequested)
	if st := s.status().Channels[0]; st.Asked == "" || st.WaitsFor != "peer" {
		t.Errorf("asked at %q, waits for %q", st.Asked, st.WaitsFor)
	}
}

// TestWhatTheChainSaysStandsAgainstASessionThatEndsLater: the close is seen
// while the session is still under way.
func TestWhatTheChainSaysStandsAgainstASessionThatEndsLater(t *testing.T) {
	s := newStory(t, "used-both-ways")
	commit := s.theirCommitment()
	ended := make(chan struct{})
	s.peers.ask = func(peer.Target, peer.Ask) *peer.Outcome {
		defer close(ended)
		s.chain.AddMempool(commit.Tx)
		s.untilState(model.CloseSeen)
		return &peer.Outcome{Result: peer.Unreachable, Reason: "reset by peer"}
	}
	s.begin()
	<-ended
	s.until("the end of the session", func() bool {
		return s.seen.Load().Channels[s.ch.Key].Heard.Result == string(peer.Unreachable)
	})
	if st := s.status().Channels[0]; st.State != model.CloseSeen || strings.Contains(st.Reason, "reset") {
		t.Errorf("%s: %s", st.State, st.Reason)
	}
}

// TestAPeerThatMovedIsFoundByGossip: the address in the backup is not given up,
// the others are tried in turn with it.
func TestAPeerThatMovedIsFoundByGossip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t, "used-both-ways")
		defer func() { s.stop() }()
		const moved = "192.0.2.7:9736"
		commit := s.theirCommitment()
		dialled := map[string]int{}
		s.peers.ask = func(at peer.Target, a peer.Ask) *peer.Outcome {
			dialled[at.Address.String()]++
			if at.Address.String() != moved {
				return &peer.Outcome{Result: peer.Unreachable, Reason: "connection refused"}
			}
			if ok, why := a.Decide(s.current()); !ok {
				return &peer.Outcome{Result: peer.Withheld, Reason: why}
			}
			s.chain.AddMempool(commit.Tx)
			return &peer.Outcome{Result: peer.Asked, Reason: "it hung up after our error"}
		}
		s.begin()
		time.Sleep(time.Minute)
		if s.state() != model.Imported || len(dialled) != 1 {
			t.Fatalf("%s, dialled %v", s.state(), dialled)
		}
		s.node.mu.Lock()
		s.node.gossip[s.ch.Peer] = &api.GossipNode{Addresses: []string{moved}}
		s.node.mu.Unlock()
		time.Sleep(5 * time.Minute)
		if s.state() != model.CloseSeen {
			t.Errorf("%s, dialled %v", s.state(), dialled)
		}
		if got := s.status().Channels[0].Address; got != moved {
			t.Errorf("the address on record is %s", got)
		}
	})
}
