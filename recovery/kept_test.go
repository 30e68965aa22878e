package recovery

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/model"
)

// keptNote is the note about what withdraw leaves in the wallet, "" for none.
func keptNote(s *story) string {
	notes := s.status().Notes
	if i := slices.IndexFunc(notes, func(n string) bool { return strings.Contains(n, "min-emergency-msat") }); i >= 0 {
		return notes[i]
	}
	return ""
}

// TestTheStatusSaysWhatWithdrawAllLeaves: lightningd keeps min-emergency-msat
// until it has forgotten the stub of a channel with anchors.
func TestTheStatusSaysWhatWithdrawAllLeaves(t *testing.T) {
	s, _, _, _ := creditedStory(t)
	if s.ch.Type != channel.AnchorsZeroFeeHTLC {
		t.Fatalf("the story's channel is %s", s.ch.Type)
	}
	s.looked()
	height := s.status().Channels[0].ClosingHeight
	for _, want := range []string{"keeps 25000 sat", fmt.Sprintf("until block %d", height+model.FinalConfs-1), "min-emergency-msat=546sat"} {
		if n := keptNote(s); !strings.Contains(n, want) {
			t.Errorf("no %q in %q", want, n)
		}
	}

	set := func(configs map[string]string, forgotten bool) {
		s.node.mu.Lock()
		s.node.configs = configs
		if forgotten {
			s.node.closed = append(s.node.closed, s.node.channels[0].ID)
			s.node.channels = nil
		}
		s.node.mu.Unlock()
		s.looked()
	}
	set(map[string]string{"min-emergency-msat": "40000000"}, false)
	if n := keptNote(s); !strings.Contains(n, "keeps 40000 sat") {
		t.Errorf("with 40,000 sat kept: %q", n)
	}
	set(map[string]string{"min-emergency-msat": "546000"}, false)
	if n := keptNote(s); n != "" {
		t.Errorf("with the least kept: %q", n)
	}
	set(nil, true)
	if n := keptNote(s); n != "" {
		t.Errorf("after lightningd forgot the stub: %q", n)
	}
}

// TestNothingIsSaidOfWithdrawBeforeACoinIsThere.
func TestNothingIsSaidOfWithdrawBeforeACoinIsThere(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	if _, err := w.recover(pathOf(t, "used-both-ways")); err != nil {
		t.Fatal(err)
	}
	for _, n := range w.status().Notes {
		if strings.Contains(n, "withdraw") {
			t.Errorf("note %q", n)
		}
	}
}
