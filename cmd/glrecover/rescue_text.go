package main

import (
	"fmt"
	"strings"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/rescue"
)

// rescueText is an event for people: lines, and the new bar of the chain, "" where it
// stays.
func rescueText(e rescue.Event) (text, bar string) {
	clock := e.At.Local().Format("15:04:05")
	switch {
	case e.Plan != nil:
		return planText(e.Plan), ""
	case e.Channel != nil:
		l := e.Channel
		return fmt.Sprintf("%s  %s  %s  %s\n", clock, l.Channel.String()[:12], l.State, told(l.Text)), ""
	case e.Chain != nil:
		return "", chainBar(e.Chain)
	case e.End != nil:
		return endText(e.End), " "
	}
	return fmt.Sprintf("%s  %s\n", clock, told(e.Text)), ""
}

// troubleText says what is the matter with the chain, or that nothing is any more.
func troubleText(e rescue.Event) string {
	text := "the chain answers again"
	if e.Chain.Trouble != "" {
		text = "the chain: " + plain(e.Chain.Trouble)
	}
	return fmt.Sprintf("%s  %s\n", e.At.Local().Format("15:04:05"), text)
}

// barWidth is how many characters the bar has.
const barWidth = 24

// chainBar says how far the chain was looked at.
func chainBar(c *rescue.Chain) string {
	bar := fmt.Sprintf("block %s", page.Thousands(uint64(c.Height)))
	if c.Left > 0 && c.Total > 0 {
		done := int(uint64(barWidth) * uint64(c.Total-min(c.Left, c.Total)) / uint64(c.Total))
		bar += fmt.Sprintf("  old blocks [%s%s] %s left", strings.Repeat("#", done), strings.Repeat(".", barWidth-done), page.Thousands(uint64(c.Left)))
	}
	if c.Trouble != "" {
		bar += "  " + plain(c.Trouble)
	}
	return bar
}

// lineName names a line of the plan: two peers may say that a channel is theirs.
type lineName struct {
	channel string
	peer    channel.PubKey
}

// planText is what would be done, before anything of it is.
func planText(a *answer.Answer) string {
	var s strings.Builder
	fmt.Fprintf(&s, "\nThe plan for node %s on %s:\n", a.NodeID, a.Network)
	known := map[lineName]string{}
	for i := range a.Extra {
		x := &a.Extra[i]
		from := string(x.Source)
		if x.From != nil {
			from += " of peer " + x.From.String()[:12]
		}
		known[lineName{x.ChannelID.String(), x.PeerID}] = from
	}
	for i := range a.Channels {
		ch := &a.Channels[i]
		what := map[answer.Result]string{
			answer.WouldAsk: "its peer will be asked to close", answer.WouldImport: "its peer will be asked to close",
			answer.FollowedClosed: "already closed: its outputs will be claimed",
		}[ch.Result]
		if what == "" {
			what = strings.ReplaceAll(string(ch.Result), "_", " ")
		}
		name := ch.ChannelID
		if name == "" {
			name = ch.FundingTxid
		}
		fmt.Fprintf(&s, "  %.12s  peer %.12s  %s  %s\n", name, ch.PeerID.String(), page.Sat(ch.CapacityMsat/1000), what)
		if from := known[lineName{ch.ChannelID, ch.PeerID}]; from != "" {
			fmt.Fprintf(&s, "      not in a backup; known from %s\n", plain(from))
		}
		if ch.LastKnownShareMsat != nil {
			fmt.Fprintf(&s, "      your last known share: %s\n", page.Sat(*ch.LastKnownShareMsat/1000))
		}
		for _, text := range append(append([]string{}, ch.Reason, ch.Cure), ch.Warnings...) {
			if text != "" {
				s.WriteString(wrapTo(88, "      ", "      ", told(text)))
			}
		}
	}
	if len(a.Channels) == 0 {
		s.WriteString("  no channel is known\n")
	}
	for _, w := range a.Warnings {
		s.WriteString(wrapTo(88, "! ", "  ", told(w)))
	}
	s.WriteString(oldWalletText(a.OldWallet))
	s.WriteString("\n")
	return s.String()
}

// oldWalletText names the lost node's own on-chain coins.
func oldWalletText(w *find.OldWallet) string {
	switch {
	case w == nil:
		return ""
	case !w.Looked:
		return wrapTo(88, "! ", "  ", "The lost node's own on-chain wallet was not looked at: "+plain(w.Reason)+
			". glrecover sweep --wallet does, from the words and a bitcoind (docs/rescue.md, 6)")
	case len(w.Coins) == 0:
		return ""
	}
	var s strings.Builder
	total := uint64(0)
	for _, c := range w.Coins {
		total += c.AmountMsat / 1000
	}
	s.WriteString(wrapTo(88, "! ", "  ", fmt.Sprintf("The lost node's own on-chain wallet has %s in %s. This command does not move them; "+
		"glrecover sweep --wallet does, from the words and a bitcoind (docs/rescue.md, 6):", page.Sat(total), page.Count(len(w.Coins), "coin", "coins"))))
	for _, c := range w.Coins {
		fmt.Fprintf(&s, "    %s  %s  %s, key %d, block %d\n", c.OutPoint, page.Sat(c.AmountMsat/1000), c.Type, c.Index, c.Height)
	}
	return s.String()
}

// endText is what came of it.
func endText(e *rescue.End) string {
	var s strings.Builder
	s.WriteString("\n")
	for i := range e.Channels {
		l := &e.Channels[i]
		fmt.Fprintf(&s, "  %s  %-18s %s\n", l.Channel.String()[:12], l.State, told(l.Text))
	}
	fmt.Fprintf(&s, "%s at %s, 6 blocks deep or more; %s of fees.\n", page.Sat(e.PaidSat), plain(e.Destination), page.Sat(e.FeeSat))
	for _, u := range e.Unheard {
		fmt.Fprintf(&s, "Peer %s at %s could not be reached (%s): channels that only this peer knows are missing here. Run the command again later, or give another address with --peer.\n",
			u.Peer, u.Address, plain(u.Result))
	}
	waits := false
	for i := range e.Channels {
		waits = waits || e.Channels[i].NeedsYou
	}
	switch {
	case waits:
		s.WriteString("Some channels wait for a decision of yours: read their lines.\n")
	case e.NeedsYou:
	case e.Done && len(e.Channels) > 0:
		s.WriteString("Every channel is done. Coins that the lost node had on chain come with glrecover sweep --wallet. " +
			"Never run a Lightning node with these words again, and keep the words and the backup.\n")
	}
	return s.String()
}
