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
		// 660,000 of ours and 272,000 of theirs, whichever way each payment
		// went, less one commitment's fee and anchors.
		var got uint64
		for _, f := range []h.Outpoint{ours, theirs} {
			got += recovered(t, n, me, n.WaitSpent(f))
			wantCredited(t, me, answer.Of(f).ChannelID)
		}
		if got < 920_000 || got > 932_000 {
			t.Errorf("%d sat came back of 932,000", got)
		}
	})
}
