package vlsstate

import (
	"fmt"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
)

// Version is the version of the backup format that this package reads and
// writes.
const Version = 1

// NativeKeyDerivation is VLS's KeyDerivationStyle::Native, the only style that
// gives CLN's keys.
const NativeKeyDerivation = 1

// Source says what a Backup was read from.
type Source uint8

// The inputs that this package reads.
const (
	// FromBackup is a backup file of version 1.
	FromBackup Source = iota
	// FromDump is the text of vlsd --dump-storage or --dump-lss.
	FromDump
	// FromMerge is more than one input.
	FromMerge
)

// String returns the stable name.
func (s Source) String() string {
	switch s {
	case FromBackup:
		return "backup"
	case FromDump:
		return "dump"
	case FromMerge:
		return "merge"
	}
	return fmt.Sprintf("Source(%d)", uint8(s))
}

// Backup is one signer backup, or a merge of several states.
type Backup struct {
	Source Source
	// CreatedAt is when the signer wrote the snapshot, in UTC; zero where the
	// input was no backup file.
	CreatedAt time.Time
	NodeID    channel.PubKey
	Strategy  Strategy

	// Network is bitcoin's name as VLS writes it ("bitcoin", "testnet",
	// "signet", "regtest"), "" where the node's entry is missing; then
	// KeyDerivationStyle is 0.
	Network            string
	KeyDerivationStyle uint8

	// Channels have a good static part, in the file's order of keys.
	Channels []*channel.Channel
	// Openings came to nothing, or had not yet: no setup, nothing to recover.
	Openings []Opening
	Peers    map[channel.PubKey]Peer
	// TrackerHeight is the signer's chain height in blocks. Greenlight feeds
	// its signer no blocks: it is 0 and Heights has no numbers.
	TrackerHeight uint32
	// Heights are what the signer saw on the chain, by funding outpoint.
	Heights map[wire.OutPoint]Heights
	// Preimages are those that the signer kept of incoming payments.
	Preimages []Preimage

	// Problems are the bad entries and the remarks, in the file's order.
	Problems []*EntryError
	// Entries are all well-formed entries in the order of their keys,
	// tombstones and those with a problem in their value included.
	Entries Entries
}

// StrategyKind says when a signer writes its backup.
type StrategyKind uint8

// The strategies of gl-client's SignerBackupStrategy.
const (
	Never StrategyKind = iota
	NewChannelsOnly
	Periodic
	// UnknownStrategy is one that this version does not know. No recovery needs it.
	UnknownStrategy
)

// Strategy is a strategy with its parameter.
type Strategy struct {
	Kind StrategyKind
	// Updates is after how many recoverable updates a periodic backup is
	// written, at least 1; 0 for the other kinds.
	Updates uint32
}

// String returns "never", "new_channels_only" or "periodic:N".
func (s Strategy) String() string {
	switch s.Kind {
	case Never:
		return "never"
	case NewChannelsOnly:
		return "new_channels_only"
	case Periodic:
		return fmt.Sprintf("periodic:%d", s.Updates)
	case UnknownStrategy:
		return "unknown"
	}
	return fmt.Sprintf("StrategyKind(%d)", uint8(s.Kind))
}

// Opening is a channel entry without channel_setup.
type Opening struct {
	channel.Key
	// BlockHeight is when the opening began, by the signer's height; nil where
	// the file has none.
	BlockHeight *uint32
}

// Direction says who dialled the last connection with a peer.
type Direction string

// The directions that CLN reports.
const (
	// Out: we dialled, the address is the peer's own.
	Out Direction = "out"
	// In: the peer dialled, the port is ephemeral and not to be dialled.
	In Direction = "in"
)

// Peer is one peers/ entry.
type Peer struct {
	// Addr is host:port as CLN prints it, "" where the signer knew none. It is
	// printable ASCII; nothing else about it is checked.
	Addr      string
	Direction Direction
	Features  []byte
}

// Heights are block heights that the signer saw, nil where it saw nothing.
type Heights struct {
	Funding            *uint32
	FundingDoubleSpent *uint32
	MutualClose        *uint32
	UnilateralClose    *uint32
	ClosingSwept       *uint32
	OurOutputSwept     *uint32
}

// Preimage claims an HTLC. It never prints.
type Preimage [32]byte

// String hides the value.
func (Preimage) String() string { return "[preimage]" }

// GoString hides the value.
func (Preimage) GoString() string { return "[preimage]" }

// MarshalText hides the value.
func (Preimage) MarshalText() ([]byte, error) { return []byte("[preimage]"), nil }
