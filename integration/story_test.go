package integration

import (
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// story runs a scenario with backups of the genuine signer where it is at
// hand, else with synthetic ones; the subtest's name says which.
func story(t *testing.T, run func(t *testing.T, n *h.Net, src h.Source)) {
	t.Helper()
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	src := h.AnySource()
	if !src.Genuine {
		if h.Required(h.GLSigner) {
			h.Need(t, h.GLSigner)
		}
		h.Say("SYNTHETIC: %s has no genuine signer at hand", t.Name())
	}
	t.Run(src.Label(), func(t *testing.T) { run(t, h.New(t), src) })
}

// lostNode is a node that is lost with one channel of 1,000,000 sat that was used.
func lostNode(n *h.Net, src h.Source) (node, peer *h.CLN, funding h.Outpoint, backup h.Backup) {
	peer = n.CLN("peer", h.CLNConfig{})
	node = n.CLN("node", src.Config())
	funding = n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
	n.Use(node, peer, funding, 1_000_000)
	return node, peer, funding, src.Lose(node)
}

// heir starts a node with the lost node's secret and the product.
func heir(n *h.CLN) *h.CLN {
	node := n.Heir("heir", h.CLNConfig{Plugin: true})
	node.Start()
	return node
}

// recovered waits until the wallet has what the channel's close owes it, and
// returns that in sat.
func recovered(t *testing.T, n *h.Net, node *h.CLN, closing string) uint64 {
	t.Helper()
	n.Mine(1, node)
	h.Wait(t, "the coin in the wallet", func() error { return node.HasOutputOf(closing) })
	return node.Received(closing)
}
