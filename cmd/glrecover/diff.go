package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/vlsstate"
)

var diffCommand = command{
	name:    "diff",
	args:    "[--json] A B",
	summary: "show what changed between two backups, and which one is newer",
	help: `A and B are signer backups or dumps of vlsd's storage of one node; one of them may
be - for standard input. The entries' versions and the commitment
numbers tell which one is newer; the files' dates do not. Like diff, it exits with 0
if both hold the same state and with 1 if not. Differences in dates, strategies and
signatures do not count. What cannot be read cannot be compared; it is listed on
standard error, and the exit code is then 1 as well.

  --json
      for programs; amounts in msat
`,
	run: diff,
}

// difference is --json of diff.
type difference struct {
	NodeID channel.PubKey `json:"node_id"`
	// Same is false where a part of either could not be read.
	Same bool `json:"same"`
	// Order is what B is to A: same, newer, older or diverged.
	Order    string          `json:"order"`
	A        fileFacts       `json:"a"`
	B        fileFacts       `json:"b"`
	Channels []channelChange `json:"channels"`
	Peers    []peerChange    `json:"peers"`
	Other    map[string]int  `json:"other"`

	changes [][]vlsstate.Change // of Channels, for the text
	nothing bool                // differs of what could be read
}

type fileFacts struct {
	Source    string `json:"source"`
	CreatedAt string `json:"created_at,omitempty"`
	Strategy  string `json:"strategy"`
	Channels  int    `json:"channels"`
	// Problems are the entries that could not be read; some are not compared.
	Problems []problemFacts `json:"problems"`

	created time.Time
}

type channelChange struct {
	PeerID channel.PubKey `json:"peer_id"`
	DBID   uint64         `json:"dbid"`
	Order  string         `json:"order"`
	A      channelSide    `json:"a"`
	B      channelSide    `json:"b"`
	// Fields names what differs; empty where only the entry's version does, or
	// something that no field shows.
	Fields []string `json:"fields"`
}

type channelSide struct {
	Presence string        `json:"presence"`
	Version  uint64        `json:"version"`
	Channel  *channelFacts `json:"channel"`
}

type peerChange struct {
	PeerID channel.PubKey `json:"peer_id"`
	A      *peerSide      `json:"a"`
	B      *peerSide      `json:"b"`
}

type peerSide struct {
	Address   string `json:"address"`
	Direction string `json:"direction"`
}

func diff(c *cli, args []string) error {
	fs := flags("diff")
	asJSON := fs.Bool("json", false, "")
	files, err := parse(fs, args, "A", "B")
	if err != nil {
		return err
	}
	if files[0] == "-" && files[1] == "-" {
		return usagef("only one of A and B can come from standard input")
	}
	a, err := c.load(files[0])
	if err != nil {
		return err
	}
	b, err := c.load(files[1])
	if err != nil {
		return err
	}
	d, err := vlsstate.Diff(a, b)
	if err != nil {
		return err
	}
	for i, side := range []*vlsstate.Backup{a, b} {
		for _, line := range vlsstate.Lines(side.Problems) {
			c.complain(fmt.Sprintf("%c: %s", 'A'+i, line))
		}
	}
	out := differenceOf(a, b, d)
	if *asJSON {
		err = c.writeJSON(out)
	} else {
		err = c.write([]byte(out.text()))
	}
	if err == nil && !out.Same {
		err = errProblem
	}
	return err
}

func differenceOf(a, b *vlsstate.Backup, d *vlsstate.Difference) *difference {
	out := &difference{
		NodeID: a.NodeID, Order: d.Order.String(), A: fileOf(a), B: fileOf(b),
		nothing:  d.Order == vlsstate.Same && len(d.Channels)+len(d.Peers)+len(d.Other) == 0,
		Channels: []channelChange{}, Peers: []peerChange{}, Other: make(map[string]int),
	}
	out.Same = out.nothing && problems(a) == nil && problems(b) == nil
	inA, inB := channelsOf(a), channelsOf(b)
	for i := range d.Channels {
		cd := &d.Channels[i]
		change := channelChange{
			PeerID: cd.Peer, DBID: cd.DBID, Order: cd.Order.String(), Fields: []string{},
			A: channelSide{cd.A.String(), cd.VersionA, inA[cd.Key]},
			B: channelSide{cd.B.String(), cd.VersionB, inB[cd.Key]},
		}
		for _, ch := range cd.Changes {
			change.Fields = append(change.Fields, ch.Field)
		}
		out.Channels = append(out.Channels, change)
		out.changes = append(out.changes, cd.Changes)
		for i := range cd.Changes {
			if ch := &cd.Changes[i]; ch.Field == shareField {
				ch.A, ch.B = shareText(change.A.Channel), shareText(change.B.Channel)
			}
		}
	}
	for _, p := range d.Peers {
		out.Peers = append(out.Peers, peerChange{p.ID, peerSideOf(p.A), peerSideOf(p.B)})
	}
	for kind, n := range d.Other {
		out.Other[string(kind)] = n
	}
	return out
}

func fileOf(b *vlsstate.Backup) fileFacts {
	f := fileFacts{
		Source: b.Source.String(), Strategy: b.Strategy.String(), Channels: len(b.Channels),
		Problems: problemsOf(b), created: b.CreatedAt,
	}
	if !b.CreatedAt.IsZero() {
		f.CreatedAt = b.CreatedAt.UTC().Format(time.RFC3339)
	}
	return f
}

// channelsOf are the facts of each channel, without an address.
func channelsOf(b *vlsstate.Backup) map[channel.Key]*channelFacts {
	out := make(map[channel.Key]*channelFacts)
	inv := takeInventory(b, nil, time.Time{})
	for i := range inv.Channels {
		c := &inv.Channels[i]
		out[channel.Key{Peer: c.PeerID, DBID: c.DBID}] = c
	}
	return out
}

func peerSideOf(p *vlsstate.Peer) *peerSide {
	if p == nil {
		return nil
	}
	return &peerSide{p.Addr, string(p.Direction)}
}

// text is the difference for a person.
func (d *difference) text() string {
	var s strings.Builder
	head := table{}
	head.row("Node", d.NodeID.String())
	head.row("A", d.A.text())
	head.row("B", d.B.text())
	verdict := orderText(d.Order)
	switch {
	case d.Same:
		verdict = "the same state"
	case d.nothing:
		verdict = "no difference in what could be read, but not everything could be read: see the problems"
	}
	head.row("Result", verdict)
	s.WriteString(head.String())
	for i := range d.Channels {
		c := &d.Channels[i]
		fmt.Fprintf(&s, "\nChannel %d with %s: %s\n", c.DBID, c.PeerID, orderText(c.Order))
		t := table{indent: "  "}
		for _, ch := range d.changes[i] {
			t.row(fieldText(ch.Field), ch.A+" -> "+ch.B)
		}
		if len(d.changes[i]) == 0 {
			t.row("Version of the entry", fmt.Sprintf("%s -> %s", versionText(c.A), versionText(c.B)))
		}
		s.WriteString(t.String())
	}
	if len(d.Peers) > 0 {
		s.WriteString("\nPeers\n")
		t := table{indent: "  "}
		for _, p := range d.Peers {
			t.row(p.PeerID.String(), p.A.text()+"\n-> "+p.B.text())
		}
		s.WriteString(t.String())
	}
	if len(d.Other) > 0 {
		s.WriteString("\nOther entries that differ\n")
		t := table{indent: "  "}
		var kinds []string
		for kind := range d.Other {
			kinds = append(kinds, kind)
		}
		slices.Sort(kinds)
		for _, kind := range kinds {
			t.row(kind, fmt.Sprint(d.Other[kind]))
		}
		s.WriteString(t.String())
	}
	return s.String()
}

func (f *fileFacts) text() string {
	created := "without date"
	if !f.created.IsZero() {
		created = "written " + f.created.UTC().Format(time.DateTime) + " UTC"
	}
	return fmt.Sprintf("%s, %s (%s)", created, page.Count(f.Channels, "channel", "channels"), f.Source)
}

func orderText(order string) string {
	switch order {
	case vlsstate.Newer.String():
		return "B is newer"
	case vlsstate.Older.String():
		return "A is newer"
	case vlsstate.Diverged.String():
		return "each has something that the other lacks, or they contradict one another"
	}
	return "equally old, but not the same"
}

func fieldText(field string) string {
	switch field {
	case "presence":
		return "In the state as"
	case "setup":
		return "What never changes"
	case "closed":
		return "Closed according to the signer"
	case "next_holder_commit_num":
		return "Your next commitment"
	case "next_counterparty_commit_num":
		return "The peer's next commitment"
	case "next_counterparty_revoke_num":
		return "Revoked by the peer"
	case shareField:
		return "Your share"
	case "pending_htlcs":
		return "Pending payments"
	}
	return field
}

// shareField is vlsstate's name of our balance.
const shareField = "last_known_share"

func shareText(f *channelFacts) string {
	s := shareSat(f.LastKnownShareMsat)
	if f.ShareFrom == channel.FromBirth {
		s += " at the opening"
	}
	return s
}

func versionText(c channelSide) string {
	if c.Presence == vlsstate.Absent.String() {
		return "none"
	}
	return fmt.Sprint(c.Version)
}

func (p *peerSide) text() string {
	switch {
	case p == nil:
		return "no entry"
	case p.Address == "":
		return "no address"
	case p.Direction == string(vlsstate.In):
		return "called from " + p.Address
	}
	return p.Address
}
