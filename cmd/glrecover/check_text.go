package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	proofs "github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/rehearsal"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// mostLines is how many channels a page lists; those without a problem are only
// counted beyond it.
const mostLines = 30

// checkText is the rehearsal's page for a person.
func checkText(r *rehearsal.Report) string {
	var s strings.Builder
	s.WriteString(verdictText(r) + "\n\n")
	head := table{}
	head.row("Node", r.NodeID.String())
	head.row("Network", orUnknown(r.Network))
	written := "unknown"
	if at := r.Backup.CreatedAt; at != nil {
		written = fmt.Sprintf("%s UTC (%s)", at.Format(time.DateTime), age(time.Duration(r.Backup.AgeSeconds)*time.Second))
	}
	head.row("Written", written)
	head.row("Strategy", strategyText(&r.Backup))
	head.row("Channels", totalsText(r.Totals))
	if r.Secret != nil {
		head.row("Secret", secretText(r.Secret))
	}
	if r.Node != nil {
		head.row("Running node", fmt.Sprintf("%s at block %s", page.Count(r.Node.Channels, "channel", "channels"), page.Thousands(uint64(r.Node.Height))))
	}
	s.WriteString(head.String())
	for _, part := range []struct {
		level rehearsal.Level
		title string
	}{
		{rehearsal.Problem, "Problems"},
		{rehearsal.Loss, "What would be lost today"},
		{rehearsal.Note, "Notes"},
	} {
		if r.Count(part.level) > 0 {
			s.WriteString("\n" + part.title + "\n" + findingsText(r, part.level))
		}
	}
	if len(r.Channels) > 0 {
		s.WriteString("\n" + channelsText(r))
	}
	s.WriteString("\nThis was only a check: no peer was contacted and nothing was changed. On-chain coins are\n" +
		"not in a signer backup: they come back from the secret and a rescan.\n")
	if r.Node == nil {
		s.WriteString("Without --node, glrecover cannot tell whether this file is the latest.\n")
	}
	return s.String()
}

func strategyText(b *rehearsal.Backup) string {
	if b.Source == vlsstate.FromDump.String() {
		return noStrategy
	}
	return strings.ReplaceAll(b.Strategy, "_", " ")
}

func verdictText(r *rehearsal.Report) string {
	if r.Good {
		return "GOOD: no problem was found with this backup"
	}
	return "PROBLEM: " + page.Count(r.Count(rehearsal.Problem), "problem was", "problems were") + " found"
}

func totalsText(t rehearsal.Totals) string {
	if t.Channels+t.Closed == 0 {
		return "none"
	}
	s := fmt.Sprintf("%d of %s can be recovered", t.Recoverable, page.Count(t.Channels, "channel", "channels"))
	if t.SharesUnknown > 0 && t.SharesUnknown == t.Channels {
		s += "; your last known share is unknown"
	} else {
		s += fmt.Sprintf(": %s of your last known share of %s", page.Sat(t.RecoverableShareMsat/1000), page.Sat(t.LastKnownShareMsat/1000))
	}
	if t.SharesUnknown > 0 {
		s += "\n" + unknownShares(t.SharesUnknown)
	}
	if t.SharesFromBirth > 0 {
		s += fmt.Sprintf("\nfor %d of them the share is the one from the opening: nothing later is known", t.SharesFromBirth)
	}
	if t.NoAddress > 0 {
		s += fmt.Sprintf("\n%s, with %s, only once the peer has been found", page.Count(t.NoAddress, "of these", "of these"), page.Sat(t.NoAddressShareMsat/1000))
	}
	if t.Closed > 0 {
		s += fmt.Sprintf("\n%s closed", page.Count(t.Closed, "more is", "more are"))
	}
	return s
}

func secretText(x *rehearsal.Secret) string {
	if !x.ThisNode {
		return "of another node: " + x.NodeID.String()
	}
	s := "this node's; " + page.Count(x.Proven, "check", "checks") + " proven"
	for _, n := range []struct {
		n    int
		what string
	}{{x.Wrong, "WRONG"}, {x.Missing, "missing"}, {x.NotProvable, "not provable"}} {
		if n.n > 0 {
			s += fmt.Sprintf(", %d %s", n.n, n.what)
		}
	}
	return s
}

// findingsText lists the findings of a level; those with one text are one.
func findingsText(r *rehearsal.Report, level rehearsal.Level) string {
	type same struct {
		text, do string
		where    []string
	}
	var list []*same
	at := make(map[[2]string]*same)
	for _, f := range r.Findings {
		if f.Level != level {
			continue
		}
		key := [2]string{f.Text, f.Do}
		if at[key] == nil {
			at[key] = &same{text: f.Text, do: f.Do}
			list = append(list, at[key])
		}
		if f.PeerID != nil {
			at[key].where = append(at[key].where, whereText(*f.PeerID, f.DBID))
		}
	}
	var s strings.Builder
	for _, f := range list {
		text := f.text
		if len(f.where) > 0 {
			const most = 10
			more := ""
			if extra := len(f.where) - most; extra > 0 {
				f.where, more = f.where[:most], fmt.Sprintf(" and %d more", extra)
			}
			text = strings.Join(f.where, ", ") + more + ": " + text
		}
		if f.do != "" {
			text += ". " + f.do
		}
		s.WriteString(wrapped("  - ", "    ", plain(text)+"."))
	}
	return s.String()
}

func whereText(peer channel.PubKey, dbid uint64) string {
	if dbid == 0 {
		return "peer " + shortKey(peer)
	}
	return fmt.Sprintf("channel %d with %s", dbid, shortKey(peer))
}

// shortKey is enough of a node id to tell peers apart.
func shortKey(k channel.PubKey) string { return k.String()[:16] + ".." }

// wrapped breaks a text at spaces.
func wrapped(first, rest, text string) string { return wrapTo(88, first, rest, text) }

func wrapTo(width int, first, rest, text string) string {
	var s strings.Builder
	line := first
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && len(line)+1+len(word) > width {
			s.WriteString(line + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	s.WriteString(line + "\n")
	return s.String()
}

// channelsText has one line for each channel.
func channelsText(r *rehearsal.Report) string {
	rows := [][]string{{"", "peer", "your share"}}
	if r.Node != nil {
		rows[0] = append(rows[0], "in the node")
	}
	rows[0] = append(rows[0], "recoverable", "address", "state")
	left := 0
	for i := range r.Channels {
		c := &r.Channels[i]
		if len(r.Channels) > mostLines && !troubled(r, c) {
			left++
			continue
		}
		row := []string{fmt.Sprint(c.DBID), shortKey(c.PeerID), shareCell(c.LastKnownShareMsat)}
		switch {
		case c.Node != nil:
			row = append(row, page.Thousands(c.Node.ToUsMsat/1000))
		case r.Node != nil:
			row = append(row, "-")
		}
		rows = append(rows, append(row, recoverableWord(c), plain(addressWord(c)), stateWord(c)))
	}
	s := columns(rows)
	if left > 0 {
		s += page.Count(left, "channel", "channels") + " without a problem are not listed; see --json.\n"
	}
	return s
}

func troubled(r *rehearsal.Report, c *rehearsal.Channel) bool {
	for _, f := range r.Findings {
		if f.Level == rehearsal.Problem && f.PeerID != nil && *f.PeerID == c.PeerID && (f.DBID == 0 || f.DBID == c.DBID) {
			return true
		}
	}
	return false
}

func recoverableWord(c *rehearsal.Channel) string {
	switch {
	case c.Closed:
		return "closed"
	case !c.Recoverable:
		return "NO"
	case c.AddressSource.Guessed():
		return "if found"
	}
	return "yes"
}

func addressWord(c *rehearsal.Channel) string {
	switch c.AddressSource {
	case scbconv.FromBackup:
		return c.Address.String()
	case scbconv.FromGossip:
		return "in gossip"
	case scbconv.FromInbound:
		return "a guess"
	}
	return "none"
}

func stateWord(c *rehearsal.Channel) string {
	var words []string
	switch {
	case c.ShareFrom == channel.ShareUnknown:
		words = append(words, "not readable")
	case c.ShareFrom == channel.FromBirth:
		words = append(words, "opening only")
	case !c.Used:
		words = append(words, "not used")
	default:
		words = append(words, "used")
	}
	switch c.Keys {
	case proofs.Proven:
		words = append(words, "keys proven")
	case proofs.Wrong:
		words = append(words, "PROOF FAILS")
	}
	if c.Node != nil {
		words = append(words, relationWord(c.Node))
	}
	return strings.Join(words, ", ")
}

func shareCell(msat *uint64) string {
	if msat == nil {
		return "unknown"
	}
	return page.Thousands(*msat / 1000)
}

func relationWord(c *rehearsal.Comparison) string {
	switch c.Relation {
	case rehearsal.Current:
		return "just as in the node"
	case rehearsal.SameNumbers:
		return "numbers as in the node"
	case rehearsal.Moving:
		return "in motion"
	case rehearsal.BackupBehind:
		if c.NodeRevoked != nil {
			return fmt.Sprintf("behind the node by %d", *c.NodeRevoked-c.BackupRevoked)
		}
		return "behind the node"
	case rehearsal.AheadOfNode:
		return "AHEAD OF THE NODE"
	}
	return "not compared"
}

// columns aligns rows; all but the last column are padded.
func columns(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len(cell))
		}
	}
	var s strings.Builder
	for _, row := range rows {
		line := " "
		for i, cell := range row {
			line += " " + pad(cell, width[i])
			if i < len(row)-1 {
				line += " "
			}
		}
		s.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return s.String()
}
