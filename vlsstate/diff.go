package vlsstate

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

// Order says what the second of two states is to the first.
type Order uint8

// The orders.
const (
	Same Order = iota
	// Newer: the second is newer.
	Newer
	// Older: the first is newer.
	Older
	// Diverged: each has something that the other lacks, or two values have
	// one version, or versions and commitment numbers contradict each other.
	Diverged
)

// String returns the stable name.
func (o Order) String() string {
	switch o {
	case Same:
		return "same"
	case Newer:
		return "newer"
	case Older:
		return "older"
	case Diverged:
		return "diverged"
	}
	return fmt.Sprintf("Order(%d)", uint8(o))
}

func (o Order) and(other Order) Order {
	switch {
	case o == Same || o == other:
		return other
	case other == Same:
		return o
	}
	return Diverged
}

// Presence says what one state holds for a channel's key.
type Presence uint8

// The presences.
const (
	// Absent: no entry.
	Absent Presence = iota
	// Deleted: a tombstone.
	Deleted
	// Unreadable: an entry without a readable static part.
	Unreadable
	// Opened: an opening without setup.
	Opened
	// Present: a channel.
	Present
)

// String returns the stable name.
func (p Presence) String() string {
	names := [...]string{"absent", "deleted", "unreadable", "opening", "channel"}
	if int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("Presence(%d)", uint8(p))
}

// Change is one fact that differs. Field is a stable name; A and B are texts
// for people.
type Change struct{ Field, A, B string }

// ChannelDiff is one channel that differs.
type ChannelDiff struct {
	channel.Key
	// Order is that of the channel's entries.
	Order Order
	A, B  Presence
	// VersionA and VersionB are the entries' versions, 0 where absent.
	VersionA, VersionB uint64
	// Changes are empty where only the entry's version, its signature or
	// something outside the channel's description differs.
	Changes []Change
}

// PeerDiff is one peer whose entry differs.
type PeerDiff struct {
	ID channel.PubKey
	// A and B are nil where the state has no entry.
	A, B *Peer
}

// Difference is what two states of one node do not share.
type Difference struct {
	// Order is that of all entries together, B against A.
	Order    Order
	Channels []ChannelDiff
	Peers    []PeerDiff
	// Other counts the other entries that differ, by kind.
	Other map[Kind]int
}

// Diff compares two states of one node. Which one is newer is told by the
// entries' versions, never by the files' dates. The error has the name
// wrong_node where they are of two nodes.
func Diff(a, b *Backup) (*Difference, error) {
	if a.NodeID != b.NodeID {
		return nil, failure.New(failure.WrongNode, "Give two states of one node",
			"the first is of node %s, the second of node %s", a.NodeID, b.NodeID)
	}
	d := &Difference{Other: make(map[Kind]int)}
	va, vb := viewOf(a), viewOf(b)
	for _, key := range keysOf(a, b) {
		ea, eb := a.Entries.Get(key), b.Entries.Get(key)
		order := orderOf(ea, eb)
		kind, rest := splitKey(key)
		_, ck, reason := parseChannelKey(rest)
		switch {
		case kind == KindChannel && reason == "":
			cd := channelDiff(ck, va, vb, ea, eb)
			cd.Order = order.and(numbersOrder(va.channels[ck], vb.channels[ck]))
			order = cd.Order
			if order != Same || len(cd.Changes) > 0 {
				d.Channels = append(d.Channels, cd)
			}
		case order == Same:
		case kind == KindPeer:
			d.peer(rest, a, b)
		default:
			d.Other[kind]++
		}
		d.Order = d.Order.and(order)
	}
	return d, nil
}

func keysOf(a, b *Backup) []string {
	var out []string
	for _, list := range []Entries{a.Entries, b.Entries} {
		for i := range list {
			out = append(out, list[i].Key)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// orderOf compares two entries of one key. A missing one is the older: a
// signer's file leaves tombstones out, but no signer deletes before the chain
// has buried a channel.
func orderOf(a, b *Entry) Order {
	switch {
	case a == nil || b != nil && a.Version < b.Version:
		return Newer
	case b == nil || a.Version > b.Version:
		return Older
	case !bytes.Equal(a.Value, b.Value):
		return Diverged
	}
	return Same
}

// numbersOrder compares the commitment numbers, which never go back.
func numbersOrder(ca, cb *channel.Channel) Order {
	if ca == nil || cb == nil {
		return Same
	}
	out := Same
	for _, n := range numbersOf(ca, cb) {
		switch {
		case ca.State.Lacks(n.field) || cb.State.Lacks(n.field):
		case n.a < n.b:
			out = out.and(Newer)
		case n.a > n.b:
			out = out.and(Older)
		}
	}
	return out
}

// number is one commitment number in two states.
type number struct {
	field string
	a, b  uint64
}

func numbersOf(a, b *channel.Channel) []number {
	return []number{
		{"next_holder_commit_num", a.State.NextHolderCommitNum, b.State.NextHolderCommitNum},
		{"next_counterparty_commit_num", a.State.NextCounterpartyCommitNum, b.State.NextCounterpartyCommitNum},
		{"next_counterparty_revoke_num", a.State.NextCounterpartyRevokeNum, b.State.NextCounterpartyRevokeNum},
	}
}

// view finds what a backup holds of a channel.
type view struct {
	channels map[channel.Key]*channel.Channel
	openings map[channel.Key]bool
}

func viewOf(b *Backup) view {
	v := view{make(map[channel.Key]*channel.Channel), make(map[channel.Key]bool)}
	for _, c := range b.Channels {
		v.channels[c.Key] = c
	}
	for _, o := range b.Openings {
		v.openings[o.Key] = true
	}
	return v
}

func (v view) presence(key channel.Key, e *Entry) Presence {
	switch {
	case e == nil:
		return Absent
	case e.Tombstone():
		return Deleted
	case v.channels[key] != nil:
		return Present
	case v.openings[key]:
		return Opened
	}
	return Unreadable
}

func channelDiff(key channel.Key, a, b view, ea, eb *Entry) ChannelDiff {
	d := ChannelDiff{Key: key, A: a.presence(key, ea), B: b.presence(key, eb)}
	if ea != nil {
		d.VersionA = ea.Version
	}
	if eb != nil {
		d.VersionB = eb.Version
	}
	if d.A != d.B {
		d.add("presence", d.A, d.B)
	}
	if d.A == Present && d.B == Present {
		d.compare(a.channels[key], b.channels[key])
	}
	return d
}

func (d *ChannelDiff) add(field string, a, b any) {
	d.Changes = append(d.Changes, Change{field, fmt.Sprint(a), fmt.Sprint(b)})
}

// compare lists the facts that a person asks for.
func (d *ChannelDiff) compare(a, b *channel.Channel) {
	sa, sb := *a, *b
	sa.State, sb.State = channel.State{}, channel.State{}
	if !reflect.DeepEqual(sa, sb) {
		d.add("setup", "one", "another")
	}
	if a.State.Closed != b.State.Closed {
		d.add("closed", a.State.Closed, b.State.Closed)
	}
	for _, n := range numbersOf(a, b) {
		if n.a != n.b {
			d.add(n.field, n.a, n.b)
		}
	}
	if x, y := share(a), share(b); x != y {
		d.add("last_known_share", x, y)
	}
	if x, y := pending(a), pending(b); x != y {
		d.add("pending_htlcs", x, y)
	}
}

func share(c *channel.Channel) string {
	switch s := c.LastKnownShare(); s.From {
	case channel.ShareUnknown:
		return "unknown"
	case channel.FromBirth:
		return fmt.Sprintf("%d sat at birth", s.Sat)
	default:
		return fmt.Sprintf("%d sat", s.Sat)
	}
}

func pending(c *channel.Channel) string {
	offered, received, offeredSat, receivedSat := c.PendingHTLCs()
	return fmt.Sprintf("%d offered (%d sat), %d received (%d sat)", offered, offeredSat, received, receivedSat)
}

func (d *Difference) peer(rest string, a, b *Backup) {
	id, reason := parsePubKey(rest)
	if reason != "" {
		d.Other[KindPeer]++
		return
	}
	pd := PeerDiff{ID: id}
	if p, ok := a.Peers[id]; ok {
		pd.A = &p
	}
	if p, ok := b.Peers[id]; ok {
		pd.B = &p
	}
	d.Peers = append(d.Peers, pd)
}
