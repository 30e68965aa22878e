package integration

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	h "github.com/glrecover/glrecover/integration/harness"
)

// TestWhateverIsKilledAtWhateverStateEveryChannelGoesOn: at each state in turn
// the plugin is killed, then lightningd, then both at once, and glrecover is
// called again. Nothing is lost, nothing happens twice.
func TestWhateverIsKilledAtWhateverStateEveryChannelGoesOn(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD, h.GLSigner)
	// plain goes through every state, htlcs ends in outputs_waiting, hidden
	// begins with needs_address.
	c := gather(t, "plain", "htlcs", "hidden")
	n := c.n
	backup := c.heir(t)

	c.killDuringTheCall(t, backup)
	answer := c.me.Recover(backup)
	for _, name := range c.names {
		c.id[name] = answer.Of(c.lane[name].Funding).ChannelID
	}
	stubs := c.me.StaticBackup()
	if len(stubs) != len(c.names) {
		t.Fatalf("%d stubs, want %d: %s", len(stubs), len(c.names), answer.Raw)
	}
	same := func(t *testing.T) {
		t.Helper()
		again := c.me.Recover(backup)
		for _, name := range c.names {
			if a := again.Of(c.lane[name].Funding); a.Result != "already_imported" && a.Result != "already_resolved" {
				t.Errorf("%s: a second call says %s: %s", name, a.Result, a.Reason)
			}
		}
		now := c.me.StaticBackup()
		for _, s := range now {
			if !slices.Contains(stubs, s) {
				t.Errorf("a new stub: %s", s)
			}
		}
	}

	// imported, and needs_address.
	c.kills(t, same, map[string]string{"plain": "imported", "htlcs": "imported", "hidden": "needs_address"})
	c.untouched(t, time.Second)

	// close_requested: somebody takes the request and does nothing.
	held := c.held["plain"]
	deaf := c.peer["plain"].Impersonate(c.says("plain", held.Counterparty, held.Holder-1))
	c.kills(t, same, map[string]string{"plain": "close_requested", "htlcs": "imported", "hidden": "needs_address"})
	c.untouched(t, time.Second)
	deaf.Leave()

	// close_seen.
	h.Together(t,
		func() { c.peer["plain"].Start() }, func() { c.peer["htlcs"].Start() }, func() { c.peer["hidden"].Start() },
	)
	if _, err := c.me.Glrecover(h.Params{
		"backup": backup.Path, "decommissioned": true,
		"addresses": map[string]string{c.peer["hidden"].ID: c.peer["hidden"].Address()},
	}); err != nil {
		t.Fatal(err)
	}
	c.kills(t, same, map[string]string{"plain": "close_seen", "htlcs": "close_seen", "hidden": "close_seen"})
	closing := map[string]string{}
	for _, name := range c.names {
		closing[name] = n.WaitSpent(c.lane[name].Funding)
		if now := c.me.Status().Of(c.id[name]); now.ClosingTxid != closing[name] {
			t.Errorf("%s: closed by %s, the status says %s", name, closing[name], now.ClosingTxid)
		}
	}
	if mempool := n.Bitcoind.Mempool(); len(mempool) != len(c.names) {
		t.Errorf("the mempool has %d transactions, want the %d closes: %v", len(mempool), len(c.names), mempool)
	}

	// credited, and outputs_waiting.
	n.Mine(1, c.me)
	c.kills(t, same, map[string]string{"plain": "credited", "htlcs": "outputs_waiting", "hidden": "credited"})
	received := map[string]uint64{}
	for _, name := range c.names {
		received[name] = c.me.Received(closing[name])
		if s := c.me.Status().Of(c.id[name]); s.Recovered.Sat() != received[name] || received[name] == 0 {
			t.Errorf("%s: %d sat in the wallet, the status says %d", name, received[name], s.Recovered.Sat())
		}
	}

	// resolved, and forgotten by lightningd.
	n.Mine(100, c.me)
	c.kills(t, same, map[string]string{"plain": "resolved", "htlcs": "outputs_waiting", "hidden": "resolved"})
	for _, name := range c.names {
		s := c.me.Status().Of(c.id[name])
		if s.Recovered.Sat() != received[name] || c.me.Received(closing[name]) != received[name] {
			t.Errorf("%s: %d sat before, now %d in the wallet and %d in the status",
				name, received[name], c.me.Received(closing[name]), s.Recovered.Sat())
		}
	}
}

// killDuringTheCall kills the plugin, or lightningd, at some moments of the
// call itself. Whatever happened until then, the next call goes on from there.
func (c *crowd) killDuringTheCall(t *testing.T, backup h.Backup) {
	t.Helper()
	for i, after := range []time.Duration{20, 100, 200, 400, 800} {
		var called sync.WaitGroup
		called.Add(1)
		go func() {
			defer called.Done()
			// It may succeed; most often the answer never comes.
			_, _ = c.me.Glrecover(h.Params{"backup": backup.Path, "decommissioned": true})
		}()
		// The moment is what is tried here.
		time.Sleep(after * time.Millisecond)
		if i%2 == 0 {
			c.me.KillPlugin()
			called.Wait()
			c.me.StartPluginAgain()
		} else {
			c.me.Kill()
			called.Wait()
			c.me.Start()
		}
	}
}

// kills waits for the states, kills what there is to kill, one after the other,
// and waits for the states again each time.
func (c *crowd) kills(t *testing.T, same func(*testing.T), states map[string]string) {
	t.Helper()
	wait := func(when string) {
		t.Helper()
		err := h.Poll(h.Timeout, func() error {
			for name, state := range states {
				if err := stateIs(c.me, c.id[name], state); err != nil {
					return fmt.Errorf("%s: want %s, is %w", name, state, err)
				}
			}
			return nil
		})
		if err != nil {
			c.log(t)
			t.Fatalf("%s: %v", when, err)
		}
	}
	wait("before the kills")
	c.me.KillPlugin()
	c.me.StartPluginAgain()
	wait("after the plugin was killed")
	c.me.KillAlone()
	c.me.Start()
	wait("after lightningd was killed")
	c.me.Kill()
	c.me.Start()
	wait("after both were killed")
	same(t)
	wait("after another call")
}
