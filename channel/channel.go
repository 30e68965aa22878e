package channel

import (
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/wire"
)

// MaxDBID is the largest dbid that lightningd's recoverchannel stores whole.
// Larger ones are truncated and zero aborts lightningd (measured on v26.06.6).
const MaxDBID = 1<<31 - 1

// Key names one channel the way CLN and VLS derive its keys: by peer and dbid.
// A dbid cannot be changed without changing every key of the channel.
type Key struct {
	Peer PubKey
	DBID uint64
}

// String returns "peer/dbid".
func (k Key) String() string { return fmt.Sprintf("%s/%d", k.Peer, k.DBID) }

// Side says who did something: we (the node of the backup) or the peer.
type Side uint8

// The two sides of a channel.
const (
	Local Side = iota
	Remote
)

// String returns "local" or "remote", as CLN's listpeerchannels names an
// opener.
func (s Side) String() string {
	if s == Local {
		return "local"
	}
	return "remote"
}

// Type is the commitment format of a channel (BOLT 3; VLS CommitmentType).
type Type uint8

// Commitment types that VLS knows. Only StaticRemoteKey and AnchorsZeroFeeHTLC
// occur on CLN nodes since v23.
const (
	Legacy Type = iota
	StaticRemoteKey
	Anchors
	AnchorsZeroFeeHTLC
)

// String returns VLS's own name of the type.
func (t Type) String() string {
	switch t {
	case Legacy:
		return "Legacy"
	case StaticRemoteKey:
		return "StaticRemoteKey"
	case Anchors:
		return "Anchors"
	case AnchorsZeroFeeHTLC:
		return "AnchorsZeroFeeHtlc"
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// HasAnchors reports whether commitments of this type carry anchor outputs.
func (t Type) HasAnchors() bool { return t == Anchors || t == AnchorsZeroFeeHTLC }

// Basepoints are one side's public keys of a channel (BOLT 2 open_channel).
type Basepoints struct {
	// Funding is the zero value where a static channel backup is all that is
	// known of a channel, and so are the others where only its id is.
	Funding    PubKey `json:",omitzero"`
	Revocation PubKey `json:",omitzero"`
	Payment    PubKey `json:",omitzero"`
	HTLC       PubKey `json:",omitzero"`
	Delayed    PubKey `json:",omitzero"`
}

// Channel is what the signer backup says of one channel. The fields above
// State never change in a channel's life; a channel without splices has one
// funding outpoint for ever.
type Channel struct {
	Key

	// Funding is the 2-of-2 output; its hash is in internal byte order.
	Funding wire.OutPoint
	// CapacitySat is the value of the funding output.
	CapacitySat uint64
	// PushMsat is what the opener gave the other side at birth.
	PushMsat uint64
	Opener   Side
	Type     Type
	// Remote are the counterparty's basepoints and funding key.
	Remote Basepoints

	// HolderDelay is VLS holder_selected_contest_delay: the blocks that WE
	// impose on the counterparty's to_local. It is what SCB TLV 7 wants.
	HolderDelay uint16
	// CounterpartyDelay is the blocks that the counterparty imposes on OUR
	// to_local and HTLC outputs.
	CounterpartyDelay uint16

	// HolderShutdownScript and CounterpartyShutdownScript are the upfront
	// shutdown scripts, nil where none was agreed.
	HolderShutdownScript       []byte
	CounterpartyShutdownScript []byte

	// ByID says that neither a backup nor a copy describes the channel: its id is
	// all that its peer has said. Until the close is seen, DBID may be UnknownDBID's,
	// Type is a guess and Remote is empty; then Remote.Funding is right, and the
	// peer's other keys hold a stand-in, since nobody can tell them.
	ByID bool `json:",omitempty"`

	State State
}

// ID is a BOLT 2 channel_id.
type ID [32]byte

// String returns 64 lower-case hex digits, as every CLN answer prints it.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns the hex form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// V1ID is the channel id of a channel opened with open_channel: the funding
// txid with its last two bytes XORed with the output index (BOLT 2).
func V1ID(funding wire.OutPoint) ID {
	id := ID(funding.Hash)
	id[30] ^= byte(funding.Index >> 8)
	id[31] ^= byte(funding.Index)
	return id
}

// ID is the channel's id under the assumption that it was opened with
// open_channel (v1); the backup does not say, and Greenlight opens no other.
func (c *Channel) ID() ID { return V1ID(c.Funding) }

// Capacity returns CapacitySat as an amount in sat.
func (c *Channel) Capacity() btcutil.Amount { return btcutil.Amount(c.CapacitySat) }

// Used reports whether the snapshot proves that the channel went past its
// first commitment. False proves nothing: a snapshot from birth looks the same
// whatever happened since.
func (c *Channel) Used() bool {
	s := &c.State
	return s.NextHolderCommitNum > 1 || s.NextCounterpartyCommitNum > 1 ||
		s.NextCounterpartyRevokeNum > 0
}

// ShareSource says how a snapshot knows our share.
type ShareSource string

// The sources.
const (
	// FromCommitment: by the amounts of a commitment.
	FromCommitment ShareSource = "commitment"
	// FromBirth: the snapshot holds no commitment; it is the share from the opening.
	FromBirth ShareSource = "birth"
	// ShareUnknown: neither could be read. No number stands for it, least of all 0.
	ShareUnknown ShareSource = "unknown"
)

// Share is our balance at the snapshot, without pending HTLCs.
type Share struct {
	// Sat is 0 where From is ShareUnknown.
	Sat  uint64
	From ShareSource
}

// Msat is the share in msat, nil where it is unknown.
func (s Share) Msat() *uint64 {
	if s.From == ShareUnknown {
		return nil
	}
	msat := Msat(s.Sat)
	return &msat
}

// LastKnownShare is our balance at the snapshot. Fee and anchors are already
// taken from the opener's part of a commitment.
func (c *Channel) LastKnownShare() Share {
	switch s := &c.State; {
	case s.HolderCommit != nil:
		return Share{s.HolderCommit.ToBroadcasterSat, FromCommitment}
	case s.CommitShareSat != nil:
		return Share{*s.CommitShareSat, FromCommitment}
	case s.CounterpartyCommit != nil:
		return Share{s.CounterpartyCommit.ToCountersignerSat, FromCommitment}
	case s.Lacks("initial_holder_value"):
		return Share{From: ShareUnknown}
	default:
		return Share{s.InitialHolderValueSat, FromBirth}
	}
}

// PendingHTLCs returns the number and the sum (sat) of HTLCs that we offered
// and that we were offered, on our current commitment or, without it, on the
// counterparty's. Trimmed ones are not in the backup.
func (c *Channel) PendingHTLCs() (offered, received int, offeredSat, receivedSat uint64) {
	var ours, theirs []HTLC
	switch s := &c.State; {
	case s.HolderCommit != nil:
		ours, theirs = s.HolderCommit.Offered, s.HolderCommit.Received
	case s.CounterpartyCommit != nil:
		ours, theirs = s.CounterpartyCommit.Received, s.CounterpartyCommit.Offered
	}
	for _, h := range ours {
		offeredSat += h.ValueSat
	}
	for _, h := range theirs {
		receivedSat += h.ValueSat
	}
	return len(ours), len(theirs), offeredSat, receivedSat
}
