package recovery

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// told keeps what the user is told while a call is under way.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (p *told) Message(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, text)
}

func (p *told) Step(done, total uint32) { p.Message(fmt.Sprintf("step %d of %d", done, total)) }

// TestTheUserIsToldHowManyChannelsAreImported while the call is under way, also
// of a backup with one channel.
func TestTheUserIsToldHowManyChannelsAreImported(t *testing.T) {
	for name, channels := range map[string]int{"used-both-ways": 1, "three-peers": 5} {
		w := newWorld(t, name, true)
		w.start()
		p := &told{}
		if _, err := w.Recover(t.Context(), pathOf(t, name), p); err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		if want := fmt.Sprintf("%d of %d channels imported", channels, channels); !slices.Contains(p.lines, want) {
			t.Errorf("%q is not in %q", want, p.lines)
		}
		p.mu.Unlock()
	}
}
