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
	// StateLost: the channel is in Backup.Channels with a zero State; its
	// static part is good, so it is still recoverable.
	StateLost
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
	// KindUnknown stands for every other kind; its name is not echoed.
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

// Error returns one line: which entry, which field, why, and what it costs.
func (e *EntryError) Error() string {
	var what string
	switch {
	case e.Channel != nil:
		what = fmt.Sprintf("channel %s", e.Channel)
	case e.Peer != nil:
		what = fmt.Sprintf("peer %s", e.Peer)
	case e.Kind == KindUnknown && e.Position == 0:
		what = "the input"
	case e.Position == 0:
		what = fmt.Sprintf("%s entry", e.Kind)
	default:
		what = fmt.Sprintf("%s entry (number %d in the file)", e.Kind, e.Position)
	}
	if e.Field != "" {
		what += ", field " + e.Field
	}
	return fmt.Sprintf("%s: %s (%s)", what, e.Reason, e.Effect)
}
