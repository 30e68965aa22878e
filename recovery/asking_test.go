package recovery

import (
	"strings"
	"testing"
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
