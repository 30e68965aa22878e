package integration

import (
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

func TestLostNodeWithUsedChannelsOfAnLNDPeerGetsItsCoinsBack(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		h.Need(t, h.LND)
		peer := n.LND("lnd")
		node := n.CLN("node", src.Config())
		ours := n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
		n.Use(node, peer, ours, 1_000_000)
		theirs := n.Open(peer, node, h.OpenOptions{Sat: 800_000})
		n.Use(peer, node, theirs, 800_000)
		backup := src.Lose(node)

		me := heir(node)
		answer := me.Recover(backup)
		wantImported(t, me, answer, ours, theirs)
		// Ours: 660,000 less fee and anchors. Theirs: 280,000 and 24,000 in,
		// 32,000 out; the opener pays the fee.
		for f, want := range map[h.Outpoint][2]uint64{ours: {640_000, 660_000}, theirs: {272_000, 272_000}} {
			if got := recovered(t, n, me, n.WaitSpent(f)); got < want[0] || got > want[1] {
				t.Errorf("%d sat came back, want %d to %d", got, want[0], want[1])
			}
			wantCredited(t, me, answer.Of(f).ChannelID)
		}
	})
}
