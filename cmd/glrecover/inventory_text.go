package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// text is the inventory for a person.
func (inv *inventory) text(now time.Time) string {
	var b strings.Builder
	head := table{}
	head.row("Node", inv.NodeID.String())
	head.row("Network", orUnknown(inv.Network))
	if inv.Backup.created.IsZero() {
		head.row("Written", "unknown")
	} else {
		head.row("Written", fmt.Sprintf("%s UTC (%s)", inv.Backup.created.UTC().Format(time.DateTime), age(now.Sub(inv.Backup.created))))
	}
	head.row("Strategy", inv.Backup.strategyText())
	head.row("Channels", inv.channelsText())
	if n := len(inv.Openings); n > 0 {
		head.row("Openings", count(n, "opening that came", "openings that came")+" to nothing: there is nothing to recover in it")
	}
	if n := len(inv.Problems); n > 0 {
		head.row("Problems", count(n, "problem", "problems")+" with this file, listed at the end")
	}
	b.WriteString(head.String())

	for i := range inv.Channels {
		c := &inv.Channels[i]
		fmt.Fprintf(&b, "\nChannel %d of %d\n", i+1, len(inv.Channels))
		b.WriteString(c.table().String())
	}
	if len(inv.Problems) > 0 {
		b.WriteString("\nProblems\n")
		for _, p := range inv.Problems {
			b.WriteString("  " + plain(p.text) + "\n")
		}
	}
	b.WriteString("\nThis is what the file says of the time when it was written. Only the chain and the peers\n" +
		"know what is true now. Nothing was sent anywhere and nothing was changed.\n")
	return b.String()
}

func (inv *inventory) channelsText() string {
	t := inv.Totals
	if t.Channels == 0 {
		return "none that can be recovered"
	}
	s := fmt.Sprintf("%s with %s in all; your last known share is %s", count(t.Channels, "channel", "channels"),
		sat(t.CapacityMsat/1000), sat(t.LastKnownShareMsat/1000))
	switch {
	case t.ShareUnknown == t.Channels:
		s += "\n(from the opening: this file knows of nothing later)"
	case t.ShareUnknown > 0:
		s += fmt.Sprintf("\n(for %d of them from the opening: this file knows of nothing later)", t.ShareUnknown)
	}
	if t.SignerClosed > 0 {
		s += fmt.Sprintf("\n(%s of it in %s that the signer believes closed)", sat(t.SignerClosedMsat/1000),
			count(t.SignerClosed, "channel", "channels"))
	}
	return s
}

// noStrategy stands where a strategy would: vlsd writes by none.
const noStrategy = "none: this is a dump of vlsd's storage"

func (f *backupFacts) strategyText() string {
	switch {
	case f.source == vlsstate.FromDump:
		return noStrategy
	case f.source == vlsstate.FromMerge:
		return "several inputs; of each entry the newest counts"
	case f.strategy.Kind == vlsstate.Periodic:
		return "periodic: up to date to within " + count(int(f.strategy.Updates), "change", "changes")
	case f.strategy.Kind == vlsstate.NewChannelsOnly:
		return "new channels only: written when a channel is opened, it shows no payment made since"
	}
	return f.strategy.String()
}

func (c *channelFacts) table() *table {
	t := &table{indent: "  "}
	t.row("Peer", c.PeerID.String())
	t.row("Address", c.addressText())
	t.row("Capacity", sat(c.CapacityMsat/1000))
	if c.ShareFrom == "birth" {
		t.row("Your share", sat(c.LastKnownShareMsat/1000)+" when the channel was opened; not known since")
	} else {
		t.row("Your share", sat(c.LastKnownShareMsat/1000)+" when the file was written")
	}
	t.row("Pending", c.pendingText())
	t.row("State", c.stateText())
	opener := "you"
	if c.Opener == "remote" {
		opener = "the peer"
	}
	t.row("Opened by", opener)
	t.row("Type", c.ChannelType)
	t.row("Funding", fmt.Sprintf("%s:%d", c.FundingTxid, c.FundingOutnum))
	t.row("Channel id", c.ChannelID.String())
	t.row("Dbid", fmt.Sprint(c.DBID))
	return t
}

func (c *channelFacts) addressText() string {
	switch {
	case c.AddressSource == scbconv.FromParameter:
		return c.Address.String() + " (yours)"
	case c.AddressSource == scbconv.FromBackup:
		return c.Address.String() + " (from the backup)"
	case c.addressError != nil:
		return "the backup's cannot be read: " + c.addressError.Error()
	case c.Inbound:
		return "unknown; the peer called from " + c.BackupAddress + ", where nobody answers"
	}
	return "unknown; the backup has none"
}

func (c *channelFacts) pendingText() string {
	if c.Proves == provesNothing || c.Proves == provesUnread {
		return "not known"
	}
	if c.HTLCsOffered+c.HTLCsReceived == 0 {
		return "no payment"
	}
	var parts []string
	if n := c.HTLCsOffered; n > 0 {
		parts = append(parts, fmt.Sprintf("%s out, %s", count(n, "payment", "payments"), sat(c.HTLCsOfferedMsat/1000)))
	}
	if n := c.HTLCsReceived; n > 0 {
		parts = append(parts, fmt.Sprintf("%s in, %s", count(n, "payment", "payments"), sat(c.HTLCsReceivedMsat/1000)))
	}
	return strings.Join(parts, "; ")
}

func (c *channelFacts) stateText() string {
	var s string
	switch c.Proves {
	case provesUnread:
		s = "could not be read: see the problems at the end"
	case provesNothing:
		s = "written before the first payment could be made: this proves nothing\nabout what happened since"
	case provesBirth:
		s = "not used when the file was written; it may have been since"
	case provesUse:
		s = fmt.Sprintf("in use: your commitment %d, the peer's %d", last(c.NextHolderCommitNum), last(c.NextCounterpartyCommitNum))
	}
	if c.SignerClosed {
		s += "\nCLOSED according to the signer; only the chain can say"
	}
	return s
}

// last turns the number of the next commitment into that of the current one.
func last(next uint64) uint64 {
	if next == 0 {
		return 0
	}
	return next - 1
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
