package main

import (
	"errors"
	"fmt"

	"github.com/glrecover/glrecover/failure"
	h "github.com/glrecover/glrecover/integration/harness"
)

const channelSat = 1_000_000

// onRegtest plays the story on real daemons.
func onRegtest(t h.TB) {
	s := &teller{t: t}
	src := h.AnySource()
	t.Logf("The story of a lost node, on regtest with real bitcoind and lightningd. Takes about a minute.")
	n := h.New(t)

	s.step("A hosted node, and a peer")
	peer := n.CLN("peer", h.CLNConfig{})
	node := n.CLN("hosted", src.Config())
	s.say("hosted  %s", node.ID)
	s.say("peer    %s", peer.ID)
	if src.Genuine {
		s.say("The hosted node's keys are with the genuine Greenlight signer (gl-client), which writes the backup.")
	} else {
		s.say("No genuine Greenlight signer is at hand here: the backup will be SYNTHETIC, written from the")
		s.say("node's database in the signer's format. To have it: go run ./integration/cmd/glr-build glsigner")
	}

	s.step("It opens a channel of %s and uses it", sats(channelSat))
	funding := n.Open(node, peer, h.OpenOptions{Sat: channelSat})
	n.Use(node, peer, funding, channelSat)
	share := node.Channel(funding).ToUs.Sat()
	s.say("funded by %s", funding)
	s.say("three payments both ways; the hosted node now has %s of it", sats(share))

	s.step("The service is gone: the node is lost, and all it knew")
	backup := src.Lose(node)
	s.say("What is left: the secret (the twelve words), and the signer's backup (%s, %d bytes).", backup.Label, len(backup.Bytes(t)))

	s.step("A new lightningd with the same secret, and plugin=glrecover in its config")
	me := node.Heir("new", h.CLNConfig{Plugin: true})
	me.Start()
	s.say("node id %s: the same", me.ID)
	s.say("channels: %d, wallet: %s (on-chain change in the last blocks, which lightningd looks through by itself)", len(me.Channels()), sats(me.Balance()))

	s.say("Below, lightning-cli stands for lightning-cli --lightning-dir=%s --network=regtest.", me.Dir)

	s.step("Without a statement about the hosted node, glrecover refuses")
	refused := s.cli(me, 1, "glrecover", "backup="+backup.Path)
	_, err := refused.Answer("glrecover")
	if e := h.AsRPCError(err); e == nil || !e.Refuses(failure.NotDecommissioned) {
		t.Fatalf("it was not refused with %s (%d)", failure.NotDecommissioned, failure.NotDecommissioned.Code())
	}
	s.say("(exit code 1)")

	s.step("A dry run shows what would be done, and does nothing")
	s.cli(me, 0, "-k", "glrecover", "backup="+backup.Path, "dry_run=true")
	if got := len(me.Channels()); got != 0 {
		t.Fatalf("the dry run imported %d channels", got)
	}

	s.step("The recovery")
	s.cli(me, 0, "-k", "glrecover", "backup="+backup.Path, "decommissioned=true")

	s.step("The peer is asked to close, in the order that loses nothing")
	closing := n.WaitSpent(funding)
	s.say("closing transaction %s", closing)
	channelID := me.Channel(funding).ChannelID
	h.Wait(t, "the close in the status", func() error {
		if c := me.Status().Of(channelID); c == nil || c.ClosingTxid != closing {
			return fmt.Errorf("the status is %+v", c)
		}
		return nil
	})
	s.status(me)
	n.Mine(1, me, peer)

	s.step("The coin is in the wallet")
	h.Wait(t, "the coin", func() error { return me.HasOutputOf(closing) })
	h.Wait(t, "the status", func() error {
		c := me.Status().Of(channelID)
		if c == nil {
			return errors.New("not in the status")
		}
		if c.Recovered == 0 {
			return fmt.Errorf("%s: %s", c.State, c.Reason)
		}
		return nil
	})
	s.status(me)
	got := me.Received(closing)
	s.say("%s of %s; the rest is the fee and the anchors of the closing transaction.", sats(got), sats(share))

	t.Logf("\nDone: the lost node's %s are in the new node's own wallet. Backup: %s.", sats(got), backup.Label)
}
