package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/page"
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
		head.row("Openings", page.Count(n, "opening that came", "openings that came")+" to nothing: there is nothing to recover in it")
	}
	if n := len(inv.Problems); n > 0 {
		head.row("Problems", page.Count(n, "problem", "problems")+" with this file, listed at the end")
	}
	b.WriteString(head.String())

	for i := range inv.Channels {
		c := &inv.Channels[i]
		fmt.Fprintf(&b, "\nChannel %d of %d\n", i+1, len(inv.Channels))
		b.WriteString(c.table().String())
	}
	if len(inv.Problems) > 0 {
		b.WriteString("\nProblems\n")
		for _, line := range inv.problemLines {
			b.WriteString("  " + plain(line) + "\n")
		}
	}
	b.WriteString("\nThis is what was true when the file was written. Only the chain and the peers\n" +
		"know what is true now. Nothing was sent and nothing was changed.\n")
	return b.String()
}

func (inv *inventory) channelsText() string {
	t := inv.Totals
	if t.Channels == 0 {
		return "none that can be recovered"
	}
	share := page.Sat(t.LastKnownShareMsat / 1000)
	if t.SharesUnknown == t.Channels {
		share = "unknown"
	}
	s := fmt.Sprintf("%s holding %s; your last known share is %s", page.Count(t.Channels, "channel", "channels"),
		page.Sat(t.CapacityMsat/1000), share)
	switch {
	case t.SharesFromBirth == t.Channels:
		s += "\n(from the opening: this file knows of nothing later)"
	case t.SharesFromBirth > 0:
		s += fmt.Sprintf("\n(for %d of them from the opening: this file knows of nothing later)", t.SharesFromBirth)
	}
	if t.SharesUnknown > 0 {
		s += "\n" + unknownShares(t.SharesUnknown)
	}
	if t.SignerClosed > 0 {
		s += fmt.Sprintf("\n(%s of it in %s that the signer believes closed)", page.Sat(t.SignerClosedMsat/1000),
			page.Count(t.SignerClosed, "channel", "channels"))
	}
	return s
}

// shareSat is a share for a person, "unknown" where there is none.
func shareSat(msat *uint64) string {
	if msat == nil {
		return "unknown"
	}
	return page.Sat(*msat / 1000)
}

// unknownShares says what a total leaves out.
func unknownShares(n int) string {
	return "(the share in " + page.Count(n, "channel", "channels") + " is unknown, because that part of the file could not be read, and not counted)"
}

// noStrategy stands where a strategy would: vlsd writes by none.
const noStrategy = "none: this is a dump of vlsd's storage"

func (f *backupFacts) strategyText() string {
	switch {
	case f.source == vlsstate.FromDump:
		return noStrategy
	case f.source == vlsstate.FromMerge:
		return "several inputs; the newest version of each entry counts"
	case f.strategy.Kind == vlsstate.Periodic:
		return "periodic: up to date to within " + page.Count(int(f.strategy.Updates), "change", "changes")
	case f.strategy.Kind == vlsstate.NewChannelsOnly:
		return "new channels only: written when a channel is opened; payments made since are not in it"
	}
	return f.strategy.String()
}

func (c *channelFacts) table() *table {
	t := &table{indent: "  "}
	if !c.Recoverable {
		t.row("LOST", "it cannot be recovered: "+c.NotRecoverable)
	}
	if c.Older {
		t.row("OLDER", "this channel is older than the file: its newest entry was damaged")
	}
	t.row("Peer", c.PeerID.String())
	t.row("Address", c.addressText())
	t.row("Capacity", page.Sat(c.CapacityMsat/1000))
	switch c.ShareFrom {
	case channel.FromBirth:
		t.row("Your share", shareSat(c.LastKnownShareMsat)+" when the channel was opened; unknown since then")
	case channel.FromCommitment:
		t.row("Your share", shareSat(c.LastKnownShareMsat)+" when the file was written")
	case channel.ShareUnknown:
		t.row("Your share", "unknown, because that part of the file could not be read")
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
	t.row("Channel id", c.ChannelID)
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
	case c.AddressSource == scbconv.FromInbound:
		return "unknown; the peer called from " + c.BackupAddress + "; " + c.Address.String() + " is tried"
	case c.Inbound:
		return "unknown; the peer called from " + c.BackupAddress + ", where nobody answers"
	}
	return "unknown; the backup has none"
}

func (c *channelFacts) pendingText() string {
	if c.noCommitment {
		return "not known"
	}
	if c.HTLCsOffered+c.HTLCsReceived == 0 {
		return "no payment"
	}
	var parts []string
	if n := c.HTLCsOffered; n > 0 {
		parts = append(parts, fmt.Sprintf("%s out, %s", page.Count(n, "payment", "payments"), page.Sat(c.HTLCsOfferedMsat/1000)))
	}
	if n := c.HTLCsReceived; n > 0 {
		parts = append(parts, fmt.Sprintf("%s in, %s", page.Count(n, "payment", "payments"), page.Sat(c.HTLCsReceivedMsat/1000)))
	}
	return strings.Join(parts, "; ")
}

func (c *channelFacts) stateText() string {
	var s string
	switch c.Proves {
	case provesUnread:
		s = "could not be read: see the problems at the end"
	case provesNothing:
		s = "written before the first payment was possible: this proves nothing\nabout what happened since"
	case provesBirth:
		s = "not used when the file was written; it may have been since"
	case provesUse:
		s = fmt.Sprintf("in use: your commitment %d, the peer's %d", last(c.NextHolderCommitNum), last(c.NextCounterpartyCommitNum))
	}
	if c.SignerClosed {
		s += "\nCLOSED according to the signer; only the chain can confirm it"
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
