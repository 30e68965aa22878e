package integration

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	h "github.com/glrecover/glrecover/integration/harness"
)

// crowd are the peers of the scenario, each with one used channel.
type crowd struct {
	n     *h.Net
	lost  *h.CLN
	me    *h.CLN
	names []string
	peer  map[string]*h.CLN
	lane  map[string]*h.Lane
	held  map[string]h.Held
	id    map[string]string
}

// TestPeersThatAreAwayOrHostileGetANameAndLoseNothing: nobody of six peers is
// there as it should be. Each channel says in glrecover-status what is the
// matter, nothing is published, and when the real peers come back, some at new
// addresses, every coin does.
func TestPeersThatAreAwayOrHostileGetANameAndLoseNothing(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD, h.GLSigner)
	c := gather(t, "stale", "liar", "silent", "garbage", "away", "mover")
	n := c.n

	// What is said to whoever dials.
	stale := c.peer["stale"].Impersonate(c.says("stale", 1, 0))
	held := c.held["liar"]
	liar := c.peer["liar"].Impersonate(c.says("liar", held.Counterparty, held.Holder-1))
	silent := c.peer["silent"].Impersonate(func(x *h.Caller) { x.Drain() })
	garbage := c.peer["garbage"].Impersonate(func(x *h.Caller) {
		x.Init()
		// A channel_reestablish (136) that ends after three bytes.
		x.SendRaw([]byte{0, 136, 1, 2, 3})
		x.Drain()
	})

	backup := c.heir(t)
	answer := c.me.Recover(backup)
	for _, name := range c.names {
		c.id[name] = answer.Of(c.lane[name].Funding).ChannelID
	}
	if a := answer.Of(c.lane["stale"].Funding); a.Result != "peer_stale" {
		t.Errorf("stale: result %s: %s", a.Result, a.Reason)
	}
	c.wait(t, "stale", "peer_stale", "revoked", "operator")
	c.wait(t, "liar", "close_requested", "was asked to close", "peer")
	c.wait(t, "silent", "imported", "says nothing", "peer")
	c.wait(t, "garbage", "imported", "not a Lightning message", "peer")
	c.wait(t, "away", "imported", "cannot be reached", "peer")
	c.wait(t, "mover", "imported", "cannot be reached", "peer")
	if s := c.me.Status().Of(c.id["liar"]); s.Freshness != "not_refuted" {
		t.Errorf("liar: freshness %q", s.Freshness)
	}
	if c.me.Channel(c.lane["stale"].Funding) != nil {
		t.Error("the channel of the stale peer was imported, and lightningd's stub asks by itself")
	}
	calls := stale.Calls()
	// None of this is forgotten when everything is killed.
	c.me.Kill()
	c.me.Start()
	c.wait(t, "stale", "peer_stale", "revoked", "operator")
	c.wait(t, "liar", "close_requested", "was asked to close", "peer")
	c.untouched(t, 3*time.Second)
	if now := stale.Calls(); now != calls {
		t.Errorf("the stale peer was called %d times more", now-calls)
	}

	// The liar's numbers move on: somebody else uses the channel.
	liar.Turn(c.says("liar", held.Counterparty+1, held.Holder))
	c.wait(t, "liar", "hosted_node_alive", "moved", "operator")
	s := c.me.Status()
	if !slices.ContainsFunc(s.Alarms, func(a string) bool { return strings.Contains(a, "ALIVE") }) {
		t.Errorf("alarms %q", s.Alarms)
	}
	c.me.KillPlugin()
	c.me.StartPluginAgain()
	for _, name := range []string{"liar", "silent", "garbage", "away", "mover"} {
		c.wait(t, name, "hosted_node_alive", "moved", "operator")
	}
	if s := c.me.Status(); len(s.Alarms) == 0 {
		t.Error("the alarm is gone after the plugin was killed")
	}
	c.untouched(t, time.Second)

	// All come back, two of them somewhere else: one address is found in
	// gossip, the other is given. The operator says that nothing is alive.
	for _, i := range []*h.Impostor{stale, liar, silent, garbage} {
		i.Leave()
	}
	for _, name := range []string{"silent", "mover"} {
		c.peer[name].Port = h.FreePort(t)
	}
	mover := c.peer["mover"]
	mover.Config.Options = append(mover.Config.Options, "announce-addr="+mover.Address())
	var starts []func()
	for _, name := range c.names {
		starts = append(starts, func() { c.peer[name].Start() })
	}
	h.Together(t, starts...)
	again, err := c.me.Glrecover(h.Params{
		"backup": backup.Path, "decommissioned": true, "override": []string{"hosted_node_alive"},
		"addresses": map[string]string{c.peer["silent"].ID: c.peer["silent"].Address()},
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := again.Of(c.lane["stale"].Funding); a.Result != "imported" {
		t.Errorf("the peer that was stale has its state back: result %s: %s", a.Result, a.Reason)
	}
	// A fresh node has no gossip until it knows anybody.
	c.me.Connect(c.peer["away"])
	var outputs []h.Outpoint
	for _, name := range c.names {
		outputs = append(outputs, c.lane[name].Funding)
	}
	closing := map[h.Outpoint]string{}
	if err := h.Poll(h.Timeout, func() error {
		closing = n.Bitcoind.MempoolSpenders(outputs...)
		if len(closing) < len(outputs) {
			return fmt.Errorf("%d of %d peers closed", len(closing), len(outputs))
		}
		return nil
	}); err != nil {
		c.log(t)
		t.Fatal(err)
	}
	n.Mine(1, c.me)
	for _, name := range c.names {
		c.wait(t, name, "credited", "in the wallet", "blocks")
		// 700,000 less 245,000 paid, plus 21,000 received, less the fee.
		got := c.me.Received(closing[c.lane[name].Funding])
		if got < 473_000 || got > 476_000 {
			t.Errorf("%s: %d sat came back of 476,000", name, got)
		}
	}
}

// gather opens and uses a channel with each peer and stops the peers.
func gather(t *testing.T, names ...string) *crowd {
	t.Helper()
	n := h.New(t)
	c := &crowd{
		n: n, names: names, peer: map[string]*h.CLN{}, lane: map[string]*h.Lane{},
		held: map[string]h.Held{}, id: map[string]string{},
	}
	starts := []func(){func() { c.lost = n.CLN("lost", h.CLNConfig{Signer: &h.Signer{}}) }}
	nodes := make([]*h.CLN, len(names))
	for i, name := range names {
		starts = append(starts, func() {
			nodes[i] = n.CLN(name, h.CLNConfig{Options: []string{"dev-allow-localhost"}, Hold: name == "htlcs"})
		})
	}
	h.Together(t, starts...)
	var lanes []*h.Lane
	for i, name := range names {
		c.peer[name] = nodes[i]
		// A payment that is held outlives the 100 blocks until the closes are final.
		c.lane[name] = &h.Lane{From: c.lost, To: nodes[i], Sat: 700_000, Delay: 300}
		lanes = append(lanes, c.lane[name])
	}
	if hidden := c.peer["hidden"]; hidden != nil {
		c.lost.OmitPeer(hidden.ID)
	}
	// What carries the gossip.
	if c.peer["mover"] != nil {
		lanes = append(lanes, &h.Lane{From: c.peer["mover"], To: c.peer["away"], Sat: 300_000, Announce: true})
	}
	n.OpenLanes(lanes...)
	var uses, stops []func()
	for _, name := range names {
		uses = append(uses, func() { n.UseLane(c.lane[name]) })
		stops = append(stops, func() { c.peer[name].Stop() })
	}
	h.Together(t, uses...)
	if holder := c.peer["htlcs"]; holder != nil {
		holder.HoldHTLCs()
		n.OfferOver(c.lane["htlcs"], c.lost, weOffered*1000)
		waitPending(t, c.lost, c.lane["htlcs"].Funding, 1)
	}
	backup := c.lost.GenuineBackup()
	for _, name := range names {
		c.held[name] = backup.Held(t, c.lost, c.peer[name])
	}
	h.Together(t, stops...)
	return c
}

// heir ends the lost node and starts its heir.
func (c *crowd) heir(t *testing.T) h.Backup {
	t.Helper()
	backup := h.Source{Genuine: true}.Lose(c.lost)
	c.me = c.lost.Heir("heir", h.CLNConfig{Plugin: true, Options: []string{"dev-allow-localhost"}})
	c.me.Start()
	return backup
}

// says is a peer that names its numbers at once, takes no notice of errors and
// never closes.
func (c *crowd) says(name string, nextCommitment, nextRevocation uint64) func(*h.Caller) {
	r := c.lost.Reestablish(c.held[name], nextCommitment, nextRevocation)
	return func(x *h.Caller) {
		x.Init()
		x.Send(r)
		x.Drain()
	}
}

// wait waits until a channel's status is in this state for this reason.
func (c *crowd) wait(t *testing.T, name, state, reason, waitsFor string) {
	t.Helper()
	err := h.Poll(h.Timeout, func() error {
		s := c.me.Status().Of(c.id[name])
		if s == nil {
			return errors.New("not in the status")
		}
		if s.State != state || !strings.Contains(s.Reason, reason) || s.WaitsFor != waitsFor {
			return fmt.Errorf("%s (waits for %s): %s", s.State, s.WaitsFor, s.Reason)
		}
		return nil
	})
	if err != nil {
		c.log(t)
		t.Fatalf("%s: want %s (waits for %s): %s; got %v", name, state, waitsFor, reason, err)
	}
}

func (c *crowd) log(t *testing.T) {
	t.Helper()
	for name, id := range c.id {
		if s := c.me.Status().Of(id); s != nil {
			t.Logf("%s, in the backup %+v: %+v", name, c.held[name], *s)
		}
	}
}

// untouched checks for a while that no funding output is spent.
func (c *crowd) untouched(t *testing.T, d time.Duration) {
	t.Helper()
	h.Holds(t, d, "every channel open on the chain", func() error {
		for _, name := range c.names {
			if err := c.n.StillUnspent(c.lane[name].Funding); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
}
