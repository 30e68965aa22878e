package integration

import (
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// The heir and one of the peers run other releases of lightningd, the oldest
// and the newest that is supported before all.
func TestLostNodeGetsItsCoinsBackOnEachReleaseOfLightningd(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	for _, release := range h.Releases(t) {
		t.Run(release.Version, func(t *testing.T) {
			story(t, func(t *testing.T, n *h.Net, src h.Source) {
				var node, peer, same *h.CLN
				h.Together(t,
					func() { node = n.CLN("node", src.Config()) },
					func() { peer = n.CLN("peer", h.CLNConfig{}) },
					func() { same = n.CLN("same", h.CLNConfig{Release: release.Dir}) },
				)
				lanes := []*h.Lane{
					{From: node, To: peer, Sat: 1_000_000},
					{From: node, To: same, Sat: 800_000},
				}
				n.OpenLanes(lanes...)
				h.Together(t, func() { n.UseLane(lanes[0]) }, func() { n.UseLane(lanes[1]) })
				backup := src.Lose(node)

				me := node.Heir("heir", h.CLNConfig{Plugin: true, Release: release.Dir})
				me.Start()
				if v := me.Version(); !strings.Contains(release.Version, v) {
					t.Fatalf("the heir is lightningd %s, want %s", v, release.Version)
				}
				wantTypedRefusal(t, me.CLI("glrecover", "backup="+backup.Path), "not_decommissioned")
				wantTyped(t, me.CLI("-k", "glrecover", "backup="+backup.Path, "dry_run=true"), `"result": "would_import"`, "# 2/2 |")
				answer := me.Recover(backup)
				wantImported(t, me, answer, lanes[0].Funding, lanes[1].Funding)
				for _, l := range lanes {
					wantCoin(t, n, me, answer, l)
				}
				// The guard against openings works there, too.
				err := me.Call("fundchannel", h.Params{"id": peer.ID, "amount": 100_000}, nil)
				wantRefusal(t, err, "opening_refused", 3120)
				if !me.Running() {
					t.Error("lightningd died")
				}
			})
		})
	}
}
