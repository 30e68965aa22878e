//go:build linux

package peer

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/lightningnetwork/lnd/lnwire"
)

// A recovery holds a session every few minutes with each peer, for weeks: none may
// leave a descriptor or a goroutine behind, however it ends.
func TestSessionsLeaveNothingBehind(t *testing.T) {
	ours := lnwire.NewInitMessage(lnwire.NewRawFeatureVector(), lnwire.NewRawFeatureVector(lnwire.DataLossProtectRequired))
	good := perform(t, func(a *actor) { a.send(ours); a.send(reestablish(chanA, 1, 0)); a.drain() })
	rude := perform(t, func(a *actor) { a.send(ours) })
	mute := perform(t, func(a *actor) { a.drain() })
	c := client(t, func(c *Config) {
		c.Timeouts.Quiet, c.Timeouts.Answer, c.Timeouts.Closing, c.Timeouts.Init = time.Millisecond, 20*time.Millisecond, 20*time.Millisecond, 100*time.Millisecond
	})
	wrong := good.target
	wrong.Node[1] ^= 1
	round := func() {
		for _, target := range []Target{good.target, rude.target, mute.target, wrong} {
			_, _ = c.Read(t.Context(), target, chanA)
			_, _ = c.AskClose(t.Context(), target, Ask{Channel: chanA, Decide: yes})
		}
		// One that is given up in the middle of the handshake.
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, _ = c.Read(ctx, mute.target, chanA)
		cancel()
	}
	count := func() (descriptors, goroutines int) {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(open), runtime.NumGoroutine()
	}
	round()
	for _, st := range []*stage{good, rude, mute} {
		st.told()
	}
	descriptors, goroutines := count()
	for range 10 {
		round()
	}
	// The other ends hang up when they notice.
	deadline := time.Now().Add(30 * time.Second)
	for {
		d, g := count()
		if d <= descriptors && g <= goroutines {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 90 sessions %d descriptors and %d goroutines, before %d and %d", d, g, descriptors, goroutines)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
