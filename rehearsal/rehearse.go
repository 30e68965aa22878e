package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/plan"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// Input is what a rehearsal looks at.
type Input struct {
	Backup *vlsstate.Backup
	// Now is when the node is lost.
	Now time.Time
	// MaxAge is how old the backup may be; 0 allows any age.
	MaxAge time.Duration

	// Proof is what the secret proves, nil without a secret; Commitments are
	// OurCommitments and SecretWarnings what the user must know about it.
	Proof          *proof.Report
	Commitments    Commitments
	SecretWarnings []string

	// Node is nil without a running node, and where it did not answer;
	// NodeError says then why.
	Node      *Node
	NodeError error
}

const (
	doSnapshot = "Write a new backup: glrecover snapshot"
	doVerify   = "See what glrecover verify says about it"
	doAddress  = "Add it: glrecover snapshot with --addresses or --node"
)

// Rehearse says what the backup would bring back.
func Rehearse(in Input) *Report {
	b := in.Backup
	r := &rehearsal{in: in, report: &Report{
		NodeID: b.NodeID, Network: b.Network,
		Backup: Backup{
			Source: b.Source.String(), Strategy: b.Strategy.String(), Openings: len(b.Openings),
			MaxAgeSeconds: int64(in.MaxAge / time.Second),
		},
		Findings: []Finding{}, Channels: []Channel{},
	}}
	r.file()
	r.age()
	r.secret()
	r.node()
	r.channels()
	r.report.Findings = sorted(r.report.Findings)
	r.report.Good = r.report.Count(Problem) == 0
	return r.report
}

// rehearsal is one run.
type rehearsal struct {
	in     Input
	report *Report
	// running is set where the running node is the backup's.
	running *running
}

func (r *rehearsal) add(l Level, n Name, do, format string, args ...any) {
	r.report.Findings = append(r.report.Findings, Finding{Level: l, Name: n, Text: fmt.Sprintf(format, args...), Do: do})
}

// about adds a finding of one channel; dbid 0 makes it the peer's.
func (r *rehearsal) about(key channel.Key, l Level, n Name, do, format string, args ...any) {
	r.add(l, n, do, format, args...)
	f := &r.report.Findings[len(r.report.Findings)-1]
	f.PeerID, f.DBID = &key.Peer, key.DBID
}

// file reports what could not be read, and what the strategy cannot show.
func (r *rehearsal) file() {
	b := r.in.Backup
	for _, p := range b.Problems {
		level, do := Problem, doSnapshot
		if p.Effect == vlsstate.Noted {
			level, do = Note, ""
		}
		r.add(level, EntryUnreadable, do, "%s", p.Error())
	}
	if n := len(b.Openings); n > 0 {
		r.add(Note, OpeningOnly, "", "%s without a channel: an opening that failed, or had only begun", plural(n, "entry is", "entries are"))
	}
	if b.Source == vlsstate.FromBackup && b.Strategy.Kind == vlsstate.NewChannelsOnly {
		r.add(Loss, NewChannelsOnly, "Have the signer write periodic backups",
			"the file is written only when a channel is opened: it has neither payments that were pending later nor what it takes to punish a peer that cheats with a later state")
	}
}

func (r *rehearsal) age() {
	b, in := r.in.Backup, r.in
	if b.CreatedAt.IsZero() {
		level := Note
		if in.MaxAge > 0 {
			level = Problem
		}
		r.add(level, AgeUnknown, "", "the input has no date, so its age is unknown")
		return
	}
	at := b.CreatedAt.UTC()
	r.report.Backup.CreatedAt = &at
	age := in.Now.Sub(at)
	r.report.Backup.AgeSeconds = int64(age / time.Second)
	switch {
	// A signer's clock may be a little ahead of this machine's.
	case age < -10*time.Minute:
		r.add(Problem, DateInFuture, "Check the clocks of this machine and of the signer's", "the backup is dated in the future")
	case in.MaxAge > 0 && age > in.MaxAge:
		r.add(Problem, TooOld, doSnapshot, "the backup is older than %s", span(in.MaxAge))
	}
}

// span writes a duration in days where it is some days.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return plural(int(d/day), "day", "days")
	}
	return d.String()
}

func plural(n int, one, many string) string { return plural64(uint64(n), one, many) }

func (r *rehearsal) secret() {
	p := r.in.Proof
	if p == nil {
		r.add(Note, SecretUnchecked, "Give it with --hsm-secret", "no secret was given, so whether yours belongs to this backup was not checked")
		return
	}
	s := &Secret{NodeID: p.SecretNode, ThisNode: !p.WrongNode()}
	r.report.Secret = s
	if p.WrongNode() {
		r.add(Problem, SecretOfAnotherNode, "Find the right one: glrecover verify tells you the likely mistake",
			"the secret belongs to another node than the backup's: with this secret nothing comes back")
		return
	}
	unsigned := 0
	for _, c := range p.Entries {
		if c.Kind == proof.PeerAddress {
			unsigned++
		}
	}
	s.Proven, s.NotProvable = p.Count(proof.Proven), p.Count(proof.NotProvable)
	s.Missing, s.Wrong = p.Count(proof.Missing), p.Count(proof.Wrong)
	if unsigned > 0 {
		r.add(Note, UnsignedAddress, "", "%s not signed by the signer, as glrecover snapshot adds them", plural(unsigned, "peer's address is", "peers' addresses are"))
	}
	wrong, missing := 0, 0
	for _, c := range p.Entries {
		// What could not be read is a finding already.
		switch {
		case c.Kind == proof.WatchedChannels && c.Status == proof.Missing:
			r.add(Problem, NotProven, doVerify, "%s", c.Text)
		case c.Kind == proof.EntrySignature && c.Status == proof.Wrong:
			wrong++
		case c.Kind == proof.EntrySignature && c.Status == proof.Missing:
			missing++
		}
	}
	if wrong > 0 {
		r.add(Problem, NotProven, doVerify, "%s not the signer's: the file was changed", plural(wrong, "signature is", "signatures are"))
	}
	if missing > 0 {
		r.add(Problem, NotProven, doVerify, "%s no signature, and others have", plural(missing, "entry has", "entries have"))
	}
	for i := range p.Channels {
		for _, c := range p.Channels[i].Checks {
			if c.Status == proof.Wrong {
				r.about(p.Channels[i].Channel, Problem, NotProven, doVerify, "%s", c.Text)
			}
		}
	}
	for _, w := range r.in.SecretWarnings {
		r.add(Note, SecretWarning, "", "%s", w)
	}
}

// channels looks at each channel of the backup, then at the peers.
func (r *rehearsal) channels() {
	b := r.in.Backup
	if len(b.Channels) == 0 {
		r.add(Note, NotRecoverable, "", "there is no channel in this backup")
	}
	for _, c := range r.plan() {
		ch := c.Channel
		if ch == nil {
			continue // an entry that cannot be read, or an opening: a finding already
		}
		out := Channel{
			Description: c.Description, Recoverable: c.Decision.Imports(), Closed: ch.State.Closed, Used: ch.Used(),
			Address: c.Address.Address, AddressSource: c.Address.Source,
		}
		if p := r.in.Proof; p != nil && len(r.report.Channels) < len(p.Channels) {
			out.Keys = p.Channels[len(r.report.Channels)].Status()
		}
		r.channel(ch, &out, c.Err)
		r.report.Channels = append(r.report.Channels, out)
		r.count(&out)
	}
	r.addresses()
	r.lacking()
}

func (r *rehearsal) count(c *Channel) {
	t := &r.report.Totals
	if c.Closed {
		t.Closed++
		return
	}
	t.Channels++
	t.CapacityMsat = channel.Sum(t.CapacityMsat, c.CapacityMsat)
	var share uint64
	if c.LastKnownShareMsat != nil {
		share = *c.LastKnownShareMsat
	}
	t.LastKnownShareMsat = channel.Sum(t.LastKnownShareMsat, share)
	switch c.ShareFrom {
	case channel.FromBirth:
		t.SharesFromBirth++
	case channel.ShareUnknown:
		t.SharesUnknown++
	case channel.FromCommitment:
	}
	if !c.Recoverable {
		return
	}
	t.Recoverable++
	t.RecoverableShareMsat = channel.Sum(t.RecoverableShareMsat, share)
	if c.AddressSource.Guessed() {
		t.NoAddress++
		t.NoAddressShareMsat = channel.Sum(t.NoAddressShareMsat, share)
	}
}

// plan is what a real run on a fresh node would do, as far as the backup says: the
// same function decides.
func (r *rehearsal) plan() []*plan.Channel {
	in := plan.Inputs{Backup: &backup.Loaded{Backup: r.in.Backup}, Now: r.in.Now}
	if r.in.Node != nil {
		in.Gossip = r.in.Node.Gossip
	}
	p, err := plan.Make(context.Background(), in)
	if err != nil {
		r.add(Problem, NotRecoverable, "", "cannot make a plan from this backup: %s", err)
		return nil
	}
	return p.Channels
}

// addresses reports each peer once that a recovery could not find.
func (r *rehearsal) addresses() {
	var seen []channel.PubKey
	for i := range r.report.Channels {
		c := &r.report.Channels[i]
		if c.Closed || c.AddressSource == scbconv.FromBackup || slices.Contains(seen, c.PeerID) {
			continue
		}
		seen = append(seen, c.PeerID)
		key := channel.Key{Peer: c.PeerID}
		p := r.in.Backup.Peers[c.PeerID]
		if c.AddressSource == scbconv.FromGossip {
			r.about(key, Note, AddressFromGossip, "Keep it: glrecover snapshot with --node",
				"the backup has no usable address for this peer; the running node knows one from gossip, but a fresh node may not")
			continue
		}
		switch {
		case p.Addr == "":
			r.about(key, Problem, AddressUnknown, doAddress, "the backup has no address for this peer: a fresh node could not find it")
		case p.Direction == vlsstate.In:
			r.about(key, Problem, AddressInbound, doAddress, "the backup only has the address that this peer connected from, which is seldom the one it listens on")
		default:
			r.about(key, Problem, AddressUnreadable, doAddress, "the backup's address for this peer is not usable")
		}
	}
}
