package recovery

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glrecover/glrecover/peer"
)

// TestAPeerThatTookOurErrorAndSaysNothingWasAsked: whether it closes, the chain
// says.
func TestAPeerThatTookOurErrorAndSaysNothingWasAsked(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.peers.ask = func(peer.Target, peer.Ask) *peer.Outcome {
		return &peer.Outcome{Result: peer.Silent, Sent: peer.SentError, Reason: "no answer"}
	}
	s.begin()
	s.untilState(CloseRequested)
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
		s.untilState(CloseSeen)
		return &peer.Outcome{Result: peer.Unreachable, Reason: "reset by peer"}
	}
	s.begin()
	<-ended
	s.until("the end of the session", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.tracks[s.ch.Key].asking
	})
	if st := s.status().Channels[0]; st.State != CloseSeen || strings.Contains(st.Reason, "reset") {
		t.Errorf("%s: %s", st.State, st.Reason)
	}
}

func TestWhatHasBeenOvercomeIsNotToldAnyMore(t *testing.T) {
	asked := time.Unix(1, 0)
	for _, c := range []struct {
		was     track
		reached bool
		want    State
	}{
		{track{State: NeedsSecret}, false, Imported},
		{track{State: NeedsSecret, Asked: asked}, false, CloseRequested},
		{track{State: NeedsAddress}, false, NeedsAddress},
		{track{State: NeedsAddress}, true, Imported},
		{track{State: NeedsAddress, Asked: asked}, true, CloseRequested},
		{track{State: CloseRequested}, true, CloseRequested},
	} {
		if got := c.was.still(c.reached); got != c.want {
			t.Errorf("%s, reached %v: %s, want %s", c.was.State, c.reached, got, c.want)
		}
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
		if s.state() != Imported || len(dialled) != 1 {
			t.Fatalf("%s, dialled %v", s.state(), dialled)
		}
		s.node.mu.Lock()
		s.node.gossip[s.ch.Peer] = &GossipNode{Addresses: []string{moved}}
		s.node.mu.Unlock()
		time.Sleep(5 * time.Minute)
		if s.state() != CloseSeen {
			t.Errorf("%s, dialled %v", s.state(), dialled)
		}
		if got := s.status().Channels[0].Address; got != moved {
			t.Errorf("the address on record is %s", got)
		}
	})
}
