package proof

import (
	"slices"

	"github.com/glrecover/glrecover/channel"
)

// Status is the outcome of one check.
type Status string

// The outcomes.
const (
	// Proven: the check was made and holds.
	Proven Status = "proven"
	// NotProvable: the snapshot does not hold what the check needs.
	NotProvable Status = "not_provable"
	// Missing: something is not there that must be: a signature that others in
	// the same backup have, or a channel that the signer watches.
	Missing Status = "missing"
	// Wrong: the check was made and fails.
	Wrong Status = "wrong"
)

// Kind says what was checked.
type Kind string

// The checks.
const (
	// NodeID: the secret makes the backup's node id.
	NodeID Kind = "node_id"
	// EntryForm: the entry can be read; only failures are reported.
	EntryForm Kind = "entry_form"
	// EntrySignature: the signer signed the entry.
	EntrySignature Kind = "entry_signature"
	// PeerAddress: a peer's address that the signer did not sign, among entries
	// that it did; only such are reported. glrecover snapshot adds them.
	PeerAddress Kind = "peer_address"
	// OlderMark: a mark that glrecover snapshot left; only such are reported.
	OlderMark Kind = "older_mark"
	// WatchedChannels: each funding output that the signer's chain tracker
	// watches is of a channel in the backup. An entry can be cut out of a file
	// without a trace in the others; this is the trace.
	WatchedChannels Kind = "watched_channels"
	// HolderCommitment: our current commitment, rebuilt with our keys, carries
	// the counterparty's signatures.
	HolderCommitment Kind = "holder_commitment"
	// NextHolderCommitment: the same for a second commitment of ours.
	NextHolderCommitment Kind = "next_holder_commitment"
	// RevocationSecrets: of the counterparty's revealed secrets, those that
	// must follow from one another do.
	RevocationSecrets Kind = "revocation_secrets"
	// LastRevokedPoint: the last revealed secret makes the stored point of
	// that commitment.
	LastRevokedPoint Kind = "last_revoked_point"
)

// Check is one check and its outcome.
type Check struct {
	Kind   Kind   `json:"kind"`
	Status Status `json:"status"`
	// Entry is the key of the entry, for the checks of entries.
	Entry string `json:"entry,omitempty"`
	// Text says what was found, without a trailing full stop.
	Text string `json:"text"`
}

// ChannelReport are the checks of one channel.
type ChannelReport struct {
	Channel channel.Key
	ID      channel.ID
	Checks  []Check
}

// Status is Wrong if any check of the channel is, else that of our keys:
// Proven when a commitment of ours carries the counterparty's signatures.
func (r *ChannelReport) Status() Status {
	if worst(r.Checks) == Wrong {
		return Wrong
	}
	for _, c := range r.Checks {
		if c.Kind == HolderCommitment || c.Kind == NextHolderCommitment {
			if c.Status == Proven {
				return Proven
			}
		}
	}
	return NotProvable
}

// Report is the outcome for one backup and one secret.
type Report struct {
	// BackupNode is the node that the backup names, SecretNode the one that
	// the secret makes. If they differ, no other check was made.
	BackupNode channel.PubKey
	SecretNode channel.PubKey

	Node Check
	// Entries are in the order of their keys; what could not be read and what is
	// not there follows.
	Entries []Check
	// Channels are in the backup's order.
	Channels []ChannelReport
}

// Freshness is what every reader of a report has to know.
const Freshness = "A proof says that this signer wrote the backup, not that it is the latest one: " +
	"an older backup passes the same checks, and its date is not signed"

// Unsigned is what a reader has to know where Signed is false.
const Unsigned = "no entry of this input is signed: a change would be noticed only where the peers' own signatures and secrets prove something"

// Signed reports whether any entry carries a signature, right or wrong.
func (r *Report) Signed() bool {
	return slices.ContainsFunc(r.Entries, func(c Check) bool { return c.Kind == EntrySignature && c.Status != NotProvable })
}

// WrongNode reports whether the secret is another node's.
func (r *Report) WrongNode() bool { return r.BackupNode != r.SecretNode }

// Checks lists all checks: node, entries, channels.
func (r *Report) Checks() []Check {
	all := append([]Check{r.Node}, r.Entries...)
	for i := range r.Channels {
		all = append(all, r.Channels[i].Checks...)
	}
	return all
}

// Count is the number of checks with a status.
func (r *Report) Count(s Status) int {
	n := 0
	for _, c := range r.Checks() {
		if c.Status == s {
			n++
		}
	}
	return n
}

// Proven reports whether everything that can be checked is proven: no check is
// Wrong or Missing.
func (r *Report) Proven() bool {
	w := worst(r.Checks())
	return w == Proven || w == NotProvable
}

var severity = []Status{Proven, NotProvable, Missing, Wrong}

// worst is Proven for no checks.
func worst(checks []Check) Status {
	at := 0
	for _, c := range checks {
		at = max(at, slices.Index(severity, c.Status))
	}
	return severity[at]
}
