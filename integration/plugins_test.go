package integration

import (
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// What users install has more plugins than a scenario needs, some of them in
// Rust and one that lightningd dies of: all of them run with ours, in two
// nodes of one machine.
func TestLostNodeGetsItsCoinBackBesideEveryPluginOfLightningd(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		peer := n.CLN("peer", h.CLNConfig{AllPlugins: true})
		node := n.CLN("node", src.Config())
		funding := n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
		n.Use(node, peer, funding, 1_000_000)
		backup := src.Lose(node)

		me := node.Heir("heir", h.CLNConfig{Plugin: true, AllPlugins: true})
		me.Start()
		answer := me.Recover(backup)
		wantImported(t, me, answer, funding)
		if got := recovered(t, n, me, n.WaitSpent(funding)); got < 650_000 || got > 660_000 {
			t.Errorf("%d sat came back of 660,000", got)
		}
		wantCredited(t, me, answer.Of(funding).ChannelID)
		running := me.Plugins()
		for _, want := range []string{"glrecover", "commando", "sql"} {
			if !running[want] {
				t.Errorf("%s does not run: %v", want, running)
			}
		}
		for _, rust := range []string{"cln-grpc", "clnrest", "wss-proxy"} {
			if !running[rust] {
				h.Say("NOT RUN: %s with %s: this lightningd has none", t.Name(), rust)
			} else if !peer.Plugins()[rust] {
				t.Errorf("%s runs in one node only", rust)
			}
		}
	})
}
