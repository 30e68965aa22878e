package main

import (
	"errors"
	"fmt"
	"strings"

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

	s.step("Without a statement about the hosted node, glrecover refuses")
	s.command("lightning-cli glrecover backup=%s", backup.Path)
	_, err := me.Glrecover(h.Params{"backup": backup.Path})
	if err == nil {
		t.Fatalf("it was not refused")
	}
	s.say("%s", wrap(message(err), 90))

	s.step("A dry run shows what would be done, and does nothing")
	s.command("lightning-cli -k glrecover backup=%s dry_run=true", backup.Path)
	dry, err := me.Glrecover(h.Params{"backup": backup.Path, "dry_run": true})
	if err != nil {
		t.Fatalf("dry run: %v", err)
	}
	show(s, dry)

	s.step("The recovery")
	s.command("lightning-cli -k glrecover backup=%s decommissioned=true", backup.Path)
	answer := me.Recover(backup)
	show(s, answer)
	for i, step := range answer.NextSteps {
		s.say("%s", wrap(fmt.Sprintf("next (%d): %s", i+1, step), 90))
	}

	s.step("The peer is asked to close, in the order that loses nothing")
	closing := n.WaitSpent(funding)
	s.say("closing transaction %s", closing)
	n.Mine(1, me, peer)

	s.step("The coin is in the wallet")
	h.Wait(t, "the coin", func() error { return me.HasOutputOf(closing) })
	channelID := answer.Of(funding).ChannelID
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
	s.command("lightning-cli glrecover-status")
	for _, c := range me.Status().Channels {
		s.say("%s  %s  %s", short(c.ChannelID), c.State, sats(c.Recovered.Sat()))
		s.say("%s", wrap(c.Reason, 90))
	}
	got := me.Received(closing)
	s.say("%s of %s; the rest is the fee and the anchors of the closing transaction.", sats(got), sats(share))

	t.Logf("\nDone: the lost node's %s are in the new node's own wallet. Backup: %s.", sats(got), backup.Label)
}

// show prints an answer of glrecover.
func show(s *teller, a *h.Answer) {
	for _, c := range a.Channels {
		s.say("%s  %s: capacity %s, ours %s, funding %s", short(c.ChannelID), c.Result, sats(c.Capacity.Sat()), sats(c.Share.Sat()), c.Funding.State)
		if c.Reason != "" {
			s.say("%s", wrap(c.Reason, 90))
		}
	}
	for _, w := range a.Warnings {
		s.say("%s", wrap("warning: "+w, 90))
	}
}

// message is an error's own text, without the method and the code.
func message(err error) string {
	if e := h.AsRPCError(err); e != nil {
		return e.Message
	}
	return err.Error()
}

// wrap breaks text into lines of at most width bytes where it has spaces.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
