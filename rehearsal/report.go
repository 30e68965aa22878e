package rehearsal

import (
	"slices"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/scbconv"
)

// Level says what a finding means.
type Level string

// The levels, worst first.
const (
	// Problem: the backup does not do what it is for, and somebody can mend it.
	Problem Level = "problem"
	// Loss: this would be lost or could not be claimed, as things are.
	Loss Level = "loss"
	// Note: good to know, nothing is lost by it.
	Note Level = "note"
)

// Name is the stable name of a kind of finding.
type Name string

// The findings.
const (
	EntryUnreadable     Name = "entry_unreadable"
	TooOld              Name = "too_old"
	AgeUnknown          Name = "age_unknown"
	DateInFuture        Name = "date_in_future"
	NewChannelsOnly     Name = "new_channels_only"
	OpeningOnly         Name = "opening_only"
	NotRecoverable      Name = "not_recoverable"
	AddressUnknown      Name = "address_unknown"
	AddressInbound      Name = "address_inbound"
	AddressUnreadable   Name = "address_unreadable"
	AddressFromGossip   Name = "address_from_gossip"
	SignerClosed        Name = "closed_according_to_signer"
	BirthSnapshot       Name = "birth_snapshot"
	HTLCsPending        Name = "htlcs_pending"
	SecretsMissing      Name = "secrets_missing"
	SecretUnchecked     Name = "secret_unchecked"
	SecretOfAnotherNode Name = "secret_of_another_node"
	SecretWarning       Name = "secret_warning"
	NotProven           Name = "not_proven"
	UnsignedAddress     Name = "unsigned_address"
	NodeUnreachable     Name = "node_unreachable"
	AnotherNode         Name = "another_node"
	AnotherNetwork      Name = "another_network"
	NodeRecovers        Name = "node_recovers"
	NodeLostState       Name = "node_lost_state"
	NodeBehind          Name = "node_behind"
	NumbersUnknown      Name = "numbers_unknown"
	NotInBackup         Name = "not_in_backup"
	FundingChanged      Name = "funding_changed"
	Behind              Name = "backup_behind"
	InMotion            Name = "in_motion"
	HTLCsUnknown        Name = "htlcs_unknown"
	ClosedByNode        Name = "closed_by_node"
	UnknownToNode       Name = "unknown_to_node"
)

// Finding is one thing that a user should know.
type Finding struct {
	Level Level `json:"level"`
	Name  Name  `json:"name"`
	// PeerID and DBID say which peer or channel it is about; both are empty
	// for the backup as a whole.
	PeerID *channel.PubKey `json:"peer_id,omitempty"`
	DBID   uint64          `json:"dbid,omitempty"`
	// Text says what was found, Do what the user can do, "" for nothing. No
	// trailing full stops.
	Text string `json:"text"`
	Do   string `json:"do,omitempty"`
}

// Report is the outcome. Amounts are in msat.
type Report struct {
	// Good says that there is no finding of level Problem.
	Good    bool           `json:"good"`
	NodeID  channel.PubKey `json:"node_id"`
	Network string         `json:"network"`
	Backup  Backup         `json:"backup"`
	// Secret is nil where no secret was at hand, Node where no node was.
	Secret   *Secret   `json:"secret"`
	Node     *NodeView `json:"node"`
	Findings []Finding `json:"findings"`
	Channels []Channel `json:"channels"`
	Totals   Totals    `json:"totals"`
}

// Backup are the facts of the file as a whole.
type Backup struct {
	Source string `json:"source"`
	// CreatedAt is nil where the input has no date.
	CreatedAt     *time.Time `json:"created_at"`
	AgeSeconds    int64      `json:"age_seconds,omitempty"`
	MaxAgeSeconds int64      `json:"max_age_seconds,omitempty"`
	Strategy      string     `json:"strategy"`
	// Openings came to nothing, or had not yet.
	Openings int `json:"openings"`
}

// Secret is what the proof says.
type Secret struct {
	NodeID channel.PubKey `json:"node_id"`
	// ThisNode says that the secret makes the backup's node.
	ThisNode    bool `json:"this_node"`
	Proven      int  `json:"proven"`
	NotProvable int  `json:"not_provable"`
	Missing     int  `json:"missing"`
	Wrong       int  `json:"wrong"`
}

// NodeView is what the running node says of itself.
type NodeView struct {
	NodeID  channel.PubKey `json:"node_id"`
	Network string         `json:"network"`
	// Height is in blocks.
	Height uint32 `json:"height"`
	// Channels counts those with a funding output, stubs left out.
	Channels int `json:"channels"`
}

// Channel is one channel of the backup, as a plan describes it.
type Channel struct {
	backup.Description
	// Recoverable says that an entry for recoverchannel can be made of it.
	Recoverable bool `json:"recoverable"`
	// Closed is what the signer or the running node says.
	Closed        bool            `json:"closed"`
	Used          bool            `json:"used"`
	Address       scbconv.Address `json:"address"`
	AddressSource scbconv.Source  `json:"address_source"`
	// Keys is "" without a secret.
	Keys proof.Status `json:"keys,omitempty"`
	Node *Comparison  `json:"node,omitempty"`
}

// Relation says how the backup's state of a channel stands to the node's.
type Relation string

// The relations.
const (
	// Current: our commitment in the backup is the node's, bit by bit.
	Current Relation = "current"
	// SameNumbers: the peer has revoked as many commitments in both.
	SameNumbers Relation = "same_numbers"
	// Moving: as many, but our commitment is another one.
	Moving Relation = "moving"
	// BackupBehind: the peer has revoked more than the backup knows.
	BackupBehind Relation = "backup_behind"
	// AheadOfNode: the backup knows of more than the node.
	AheadOfNode Relation = "ahead_of_node"
	// Unknown: the node shows nothing to compare with.
	Unknown Relation = "unknown"
)

// Comparison is one channel next to the running node's.
type Comparison struct {
	// State is lightningd's.
	State    string   `json:"state"`
	Relation Relation `json:"relation"`
	// BackupRevoked and NodeRevoked count the commitments that the peer has
	// revoked; NodeRevoked is nil where the node does not show it.
	BackupRevoked uint64  `json:"backup_revoked"`
	NodeRevoked   *uint64 `json:"node_revoked"`
	// ToUsMsat is our balance in the node, pending payments included.
	ToUsMsat uint64 `json:"to_us_msat"`
	// UnknownHTLCs are pending in the node and not in the backup.
	UnknownHTLCs     int    `json:"unknown_htlcs"`
	UnknownHTLCsMsat uint64 `json:"unknown_htlcs_msat"`
}

// Totals are sums over the channels that are not closed.
type Totals struct {
	Channels     int    `json:"channels"`
	Closed       int    `json:"closed"`
	Recoverable  int    `json:"recoverable"`
	CapacityMsat uint64 `json:"capacity_msat"`
	// LastKnownShareMsat sums the shares that are known.
	LastKnownShareMsat uint64 `json:"last_known_share_msat"`
	// SharesFromBirth counts the channels whose share is the one from then,
	// SharesUnknown those of which not even that could be read.
	SharesFromBirth      int    `json:"shares_from_birth"`
	SharesUnknown        int    `json:"shares_unknown"`
	RecoverableShareMsat uint64 `json:"recoverable_share_msat"`
	// NoAddress counts the recoverable ones of whose peer no address is known.
	NoAddress          int    `json:"no_address"`
	NoAddressShareMsat uint64 `json:"no_address_share_msat"`
}

// Count is the number of findings of a level.
func (r *Report) Count(l Level) int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// levels in the order of a report.
var levels = []Level{Problem, Loss, Note}

// sorted puts the worst findings first and keeps the order otherwise.
func sorted(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return slices.Index(levels, a.Level) - slices.Index(levels, b.Level)
	})
	return findings
}
