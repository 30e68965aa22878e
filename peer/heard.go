package peer

import (
	"fmt"
	"io"
	"slices"

	"github.com/glrecover/glrecover/channel"
)

// Secret is one of our own revoked per-commitment secrets as the peer returned
// it. It shows nothing of itself when printed.
type Secret [32]byte

// Format writes a placeholder for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(secret)") }

// MarshalText writes the same placeholder, for encoders and loggers.
func (Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }

// Reestablish is a peer's channel_reestablish (BOLT 2), without TLVs.
type Reestablish struct {
	Channel channel.ID
	// NextCommitment is the number of the next commitment that the peer
	// expects us to sign, NextRevocation of the next one of ours that it
	// expects us to revoke. Both count up from 0.
	NextCommitment uint64
	NextRevocation uint64
	// DataLossProtection is false for the short form of old nodes, which has
	// neither of the following.
	DataLossProtection bool
	// YourLastSecret is our secret number NextRevocation-1 as the peer knows
	// it, zeros at 0.
	YourLastSecret Secret
	// MyCurrentPoint is the point of the peer's unrevoked commitment on lnd.
	// CLN echoes a point of ours: never derive from it.
	MyCurrentPoint channel.PubKey
}

// SaidKind names the message in which a peer said something.
type SaidKind string

// Messages that are kept in Heard.Said.
const (
	SaidWarning       SaidKind = "warning"
	SaidError         SaidKind = "error"
	SaidShutdown      SaidKind = "shutdown"
	SaidClosingSigned SaidKind = "closing_signed"
)

// Said is one message of a peer for its operator's or our eyes.
type Said struct {
	Kind SaidKind
	// Channel is zero where the peer meant the whole connection.
	Channel channel.ID
	// Text is printable ASCII of at most 400 bytes; empty for the closing
	// messages.
	Text string
}

// about reports whether the peer meant this channel or the whole connection.
func (s *Said) about(id channel.ID) bool { return s.Channel == id || s.Channel == channel.ID{} }

// fails reports whether by BOLT 1 the sender fails the channel that it names.
// shutdown and closing_signed only offer a mutual close, which a node without
// its state can't take part in.
func (s *Said) fails() bool { return s.Kind == SaidError }

// Heard is what a peer said in one session, whatever became of the session.
type Heard struct {
	// Channels are the peer's first channel_reestablish for each channel, in
	// order of arrival. A channel that the backup does not have was opened
	// after it.
	Channels []Reestablish
	// Said are warnings, errors and closing messages in order of arrival; at
	// most 64 are kept.
	Said []Said
	// PeerStorage is the blob that the peer kept for our node, nil if it
	// returned none. It is encrypted by whoever made it and not interpreted
	// here.
	PeerStorage []byte
}

const (
	maxSaid = 64
	// maxChannels is more than CLN or lnd allow with one peer.
	maxChannels = 10_000
)

// For returns the peer's numbers for one channel.
func (h *Heard) For(id channel.ID) (Reestablish, bool) {
	for _, r := range h.Channels {
		if r.Channel == id {
			return r, true
		}
	}
	return Reestablish{}, false
}

// note keeps a message and reports whether there was anything to keep.
func (h *Heard) note(in inbound) bool {
	switch {
	case in.reestablish != nil:
		_, known := h.For(in.reestablish.Channel)
		if !known && len(h.Channels) < maxChannels {
			h.Channels = append(h.Channels, *in.reestablish)
		}
	case in.said != nil:
		if len(h.Said) < maxSaid {
			h.Said = append(h.Said, *in.said)
		}
	case in.storage != nil:
		h.PeerStorage = in.storage
	default:
		return false
	}
	return true
}

// Result names how a session ended. The names are stable: they are stored and
// shown.
type Result string

// Results of Read and AskClose.
const (
	// Read is Read's success: the peer said what it had to say, and hung
	// up on nothing. It may have said nothing about some channels.
	Read Result = "read"
	// ClosedSaid: the peer sent error for the channel, and by BOLT 1 closes it;
	// only the chain shows that.
	ClosedSaid Result = "closed_said"
	// Asked: the whole order was sent, and the peer answered or hung up without
	// a word that it closes. It may have hung up before it read the error: if
	// the chain does not show the close, ask again.
	Asked Result = "asked"
	// NoReestablish: the peer is there and did not send channel_reestablish
	// for the channel: it does not know the channel, or has forgotten it.
	NoReestablish Result = "no_reestablish"
	// Withheld: Decide said no; nothing was sent on the channel.
	Withheld Result = "withheld"
	// Evicted: the connection ended before the session was complete. Mostly
	// another session of our node id took its place; also a peer that hangs up
	// because of another channel. Try again.
	Evicted Result = "evicted"
	// Refused: the peer refused the whole connection with an error.
	Refused Result = "refused"
	// Silent: the peer accepted the connection and then said nothing.
	Silent Result = "silent"
	// Garbage: the peer sent what no peer sends, or without end.
	Garbage Result = "garbage"
	// WrongKey: what listens there can't prove to be this node.
	WrongKey Result = "wrong_key"
	// Unreachable: no connection: address, network, name lookup or proxy.
	Unreachable Result = "unreachable"
)

// SpokeOf reports whether the peer said anything of this channel, if only that
// it has failed it.
func (h *Heard) SpokeOf(id channel.ID) bool {
	_, there := h.For(id)
	return there || slices.ContainsFunc(h.Said, func(s Said) bool { return s.Channel == id })
}
