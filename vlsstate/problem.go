package vlsstate

import (
	"fmt"

	"github.com/glrecover/glrecover/channel"
)

// Effect says what one bad entry costs.
type Effect uint8

// The effects, worst first.
const (
	// EntryLost: the entry could not be used at all. A channel is not in
	// Backup.Channels, a peer not in Backup.Peers.
	EntryLost Effect = iota
	// StateLost: the channel is in Backup.Channels with an empty State; its
	// static part is good, so it is still recoverable.
	StateLost
	// FieldLost: one field of the channel's State could not be read; State.Unread
	// names it, and what depends on it is empty. All else is there.
	FieldLost
	// OlderTaken: of several inputs an older one was taken, because the newest
	// cannot be read or what is newer cannot be told: the entry is whole and may
	// be out of date.
	OlderTaken
	// Noted: everything known was read; something else was ignored.
	Noted
)

// String returns the stable name.
func (e Effect) String() string {
	switch e {
	case EntryLost:
		return "entry_lost"
	case StateLost:
		return "state_lost"
	case FieldLost:
		return "field_lost"
	case OlderTaken:
		return "older_taken"
	case Noted:
		return "noted"
	}
	return fmt.Sprintf("Effect(%d)", uint8(e))
}

// Kind is the part of an entry's key before the first slash.
type Kind string

// The kinds of entries that gl-client 0.7.0 writes.
const (
	KindNode      Kind = "nodes"
	KindNodeState Kind = "nodestates"
	KindAllowlist Kind = "allowlists"
	KindTracker   Kind = "trackers"
	KindPeer      Kind = "peers"
	KindChannel   Kind = "channels"
	// KindSplice holds a session of a splice, from a later signer.
	KindSplice Kind = "splices"
	// KindOlder holds a mark of this program: the channel's entry is older than the
	// file, because the newer one was damaged.
	KindOlder Kind = "older"
	// KindFile stands for what is around the entries.
	KindFile Kind = "file"
	// KindUnknown stands for every other kind.
	KindUnknown Kind = "unknown"
)

// EntryError is what is wrong with one entry of a backup. It names the entry
// and the field, never a value that stands there.
type EntryError struct {
	Kind Kind
	// Position is the entry's place in the file, from 1; 0 where the entry is
	// missing.
	Position int
	// Channel names the channel, nil where the entry is of another kind or its
	// key is unreadable.
	Channel *channel.Key
	// Peer names the peer of a peers/ entry, nil where its key is unreadable.
	Peer *channel.PubKey
	// Field is the path inside the entry's value, such as
	// "channel_setup.funding_outpoint.txid"; "" means the entry as a whole.
	Field  string
	Reason string
	Effect Effect

	// key is the entry's whole key.
	key string
	// merged says that the complaint is about how inputs were joined, and does
	// not follow from the entry that was taken.
	merged bool
}

// Where names the entry: its channel, its peer, or its place in the file.
func (e *EntryError) Where() string {
	switch {
	case e.Channel != nil:
		return fmt.Sprintf("channel %s", e.Channel)
	case e.Peer != nil:
		return fmt.Sprintf("peer %s", e.Peer)
	case e.Kind == KindFile:
		return "the file"
	case e.Kind == KindUnknown && e.Position == 0:
		return "the input"
	case e.Position == 0:
		return fmt.Sprintf("%s entry", e.Kind)
	}
	return fmt.Sprintf("%s entry (number %d in the file)", e.Kind, e.Position)
}

// Error returns one line: which entry, which field, why, and what it costs.
func (e *EntryError) Error() string {
	what := e.Where()
	if e.Field != "" {
		what += ", field " + e.Field
	}
	return fmt.Sprintf("%s: %s (%s)", what, e.Reason, e.Effect)
}
