package main

import (
	"fmt"
	"strings"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/recovery/page"
)

// findText is the report for a person.
func findText(network string, r *find.Report, problems []error, warnings []string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "Searched: every unspent output on %s at block %d, wallet keys 0 to %d.\n", network, r.Height, r.Indexes)
	if !r.MempoolSeen {
		s.WriteString("The mempool was not searched for spends (it takes bitcoind 24.0 or later).\n")
	}
	s.WriteString("\nChannels\n")
	for i := range r.Fundings {
		f := &r.Fundings[i]
		t := &table{indent: "    "}
		fmt.Fprintf(&s, "  %d with %s\n", f.Channel.DBID, f.Channel.Peer)
		t.row("funding", fmt.Sprintf("%s, %s", f.Channel.Funding, page.Sat(f.Channel.CapacitySat)))
		t.row("state", fundingText(f))
		s.WriteString(t.String())
	}
	if len(r.Fundings) == 0 {
		s.WriteString("  none in this backup\n")
	}
	for _, part := range []struct {
		kind  find.Kind
		title string
	}{
		{find.ToRemote, "Paid to you by a peer's commitment (to_remote)"},
		{find.ToLocal, "Paid to you by your own commitment (to_local)"},
		{find.Multisig, "In a channel's 2-of-2, but not its funding output"},
		{find.Wallet, "On-chain wallet"},
	} {
		var lines []string
		for i := range r.Coins {
			if c := &r.Coins[i]; c.Kind == part.kind {
				lines = append(lines, coinText(c))
			}
		}
		if len(lines) > 0 || part.kind == find.ToRemote || part.kind == find.Wallet {
			fmt.Fprintf(&s, "\n%s\n", part.title)
		} else {
			continue
		}
		for _, line := range lines {
			s.WriteString("  " + plain(line) + "\n")
		}
		if len(lines) == 0 {
			s.WriteString("  none found\n")
		} else {
			fmt.Fprintf(&s, "  together %s in %s\n", page.Sat(r.Totals()[part.kind]), page.Count(len(lines), "output", "outputs"))
		}
	}
	s.WriteString("\n" + findSteps(r))
	for _, err := range problems {
		s.WriteString("PROBLEM: " + plain(err.Error()) + ".\n")
	}
	for _, w := range warnings {
		s.WriteString("WARNING: " + plain(w) + ".\n")
	}
	return s.String()
}

// fundingText says what became of a funding output.
func fundingText(f *find.Funding) string {
	var s string
	switch f.State {
	case chain.FundingUnspent:
		s = "unspent: the channel is open"
		if f.Height > 0 {
			s += fmt.Sprintf(" (funded in block %d)", f.Height)
		}
	case chain.FundingUnconfirmed:
		s = "unconfirmed, in the mempool"
	case chain.FundingSpent:
		s = fmt.Sprintf("spent by %s, which is unconfirmed, in the mempool", f.Close)
		if f.CloseHeight > 0 {
			s = fmt.Sprintf("spent by %s in block %d", f.Close, f.CloseHeight)
		}
	default:
		s = "not among the unspent outputs: spent by an unknown transaction, or never confirmed"
	}
	if f.Problem != "" {
		s += "; THIS IS NOT THE OUTPUT IN THE BACKUP (" + f.Problem + ")"
	}
	return s
}

// coinText is a coin in a line or two.
func coinText(c *find.Coin) string {
	s := fmt.Sprintf("%s  %s", c.OutPoint, page.Sat(c.ValueSat))
	if c.Height > 0 {
		s += fmt.Sprintf(", block %d", c.Height)
	} else {
		s += ", in the mempool"
	}
	switch c.Kind {
	case find.Wallet:
		s += fmt.Sprintf(", %s key %d", c.AddressType, c.Index)
		if c.Wallet == find.MnemonicWallet {
			s += " of the wallet made from the words themselves"
		}
	case find.ToLocal:
		s += fmt.Sprintf(", channel %d, your commitment %d", c.Channel.DBID, c.Commitment)
		if c.SpendableFrom > 0 {
			s += fmt.Sprintf(", can be spent from block %d on", c.SpendableFrom)
		}
	default:
		s += fmt.Sprintf(", channel %d", c.Channel.DBID)
	}
	switch {
	case c.SpentBy != nil:
		s += fmt.Sprintf("; BEING SPENT by %s in the mempool", c.SpentBy)
	case c.Height > 0 && (c.Kind == find.Wallet || c.Kind == find.ToRemote):
		s += fmt.Sprintf("; rescan=-%d", c.Rescan())
	}
	return s
}

// findSteps says what brings the coins.
func findSteps(r *find.Report) string {
	var s strings.Builder
	if calls := r.NewAddressCalls(); calls > 0 {
		fmt.Fprintf(&s, "Before the rescan call lightning-cli newaddr all %s on a fresh node: lightningd\nwatches 50 keys past the highest one that it knows. Do not leave out\nthe word all: without it lightningd watches a key for one address type only.\n", page.Count(int(calls), "time", "times"))
	}
	if height, ok := r.Rescan(); ok {
		fmt.Fprintf(&s, "Restart lightningd once with rescan=-%d: it then finds what its wallet can see, which\nis the wallet's coins, and to_remote of channels that were imported before.\n", height)
	}
	for _, c := range r.Coins {
		if c.Wallet == find.MnemonicWallet {
			s.WriteString("Only a lightningd whose hsm_secret holds the words sees the coins of the wallet made\nfrom the words themselves; one with the 32-byte file does not.\n")
			break
		}
	}
	for _, c := range r.Coins {
		if c.Kind == find.ToLocal {
			s.WriteString("lightningd cannot claim to_local of a lost node's commitment.\n")
			break
		}
	}
	return s.String()
}
