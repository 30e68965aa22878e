package recovery

import (
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/vlsstate"
)

// Answer is what glrecover says. Amounts are in msat, hashes in hex lower case,
// txids in display order.
type Answer struct {
	DryRun         bool           `json:"dry_run"`
	Decommissioned bool           `json:"decommissioned"`
	NodeID         channel.PubKey `json:"node_id"`
	Network        string         `json:"network"`
	Backup         BackupFacts    `json:"backup"`
	// Channels has one entry for each channel entry of the backup, good or bad.
	Channels []ChannelAnswer `json:"channels"`
	// Extra are channels that only a peer's stored copy of the lost node's own
	// backup has.
	Extra    []ExtraChannel `json:"extra_channels,omitempty"`
	Totals   Totals         `json:"totals"`
	Warnings []string       `json:"warnings"`
	// NextSteps are for a person, in order.
	NextSteps []string `json:"next_steps"`
}

// BackupFacts date the backup and name its bytes.
type BackupFacts struct {
	SHA256     string `json:"sha256"`
	CreatedAt  string `json:"created_at,omitempty"`
	AgeSeconds int64  `json:"age_seconds,omitempty"`
	// Strategy is the signer's; a dump of vlsd's storage has none.
	Strategy string `json:"strategy,omitempty"`
}

func factsOf(b *loaded, now time.Time) BackupFacts {
	f := BackupFacts{SHA256: b.sha256}
	if b.Source != vlsstate.FromDump {
		f.Strategy = b.Strategy.String()
	}
	if !b.CreatedAt.IsZero() {
		f.CreatedAt = b.CreatedAt.UTC().Format(time.RFC3339)
		f.AgeSeconds = int64(now.Sub(b.CreatedAt).Seconds())
	}
	return f
}

// Result says what was done with a channel, or would be.
type Result string

// The results.
const (
	// DidImport: lightningd made the stub in this call.
	DidImport Result = "imported"
	// WouldImport: a dry run would import it.
	WouldImport Result = "would_import"
	// AlreadyImported: lightningd has the channel already; nothing was done.
	AlreadyImported Result = "already_imported"
	// AlreadyResolved: lightningd has closed and forgotten the channel.
	AlreadyResolved Result = "already_resolved"
	// ClosedBefore: a confirmed spend is in hand and none of it can be ours.
	ClosedBefore Result = "closed_before"
	// NotYetConfirmed: the funding has too few confirmations to be touched.
	NotYetConfirmed Result = "funding_unconfirmed"
	// DBIDTaken: lightningd skipped it, because a channel that it has closed
	// earlier had the same dbid.
	DBIDTaken Result = "dbid_taken"
	// RefusedEntry: the channel's data would harm lightningd.
	RefusedEntry Result = "refused"
	// BadEntry: the backup's entry cannot be read.
	BadEntry Result = "bad_entry"
	// NeverOpened: an opening that came to nothing; there is nothing to recover.
	NeverOpened Result = "never_opened"
	// NoAddress: left out because skip_incomplete was asked for.
	NoAddress Result = "no_address"
	// StalePeer: the peer has lost state; it is not asked without an override.
	StalePeer Result = "peer_stale"
	// ImportFailed: lightningd refused the call.
	ImportFailed Result = "import_failed"
)

// ChannelAnswer is one channel of the backup.
type ChannelAnswer struct {
	PeerID    channel.PubKey `json:"peer_id"`
	DBID      uint64         `json:"dbid"`
	ChannelID string         `json:"channel_id,omitempty"`

	FundingTxid   string `json:"funding_txid,omitempty"`
	FundingOutnum uint32 `json:"funding_outnum"`
	Opener        string `json:"opener,omitempty"`
	ChannelType   string `json:"channel_type,omitempty"`

	CapacityMsat uint64 `json:"capacity_msat"`
	// LastKnownShareMsat is ours at the snapshot; ShareFrom is "commitment" or,
	// where the snapshot is from the channel's birth, "birth".
	LastKnownShareMsat uint64 `json:"last_known_share_msat"`
	ShareFrom          string `json:"share_from,omitempty"`
	HTLCsOffered       int    `json:"htlcs_offered"`
	HTLCsOfferedMsat   uint64 `json:"htlcs_offered_msat"`
	HTLCsReceived      int    `json:"htlcs_received"`
	HTLCsReceivedMsat  uint64 `json:"htlcs_received_msat"`
	SignerClosed       bool   `json:"closed_according_to_signer"`

	Address       string `json:"address,omitempty"`
	AddressSource string `json:"address_source,omitempty"`

	Evidence *EvidenceAnswer `json:"funding,omitempty"`
	Peer     *PeerNumbers    `json:"peer_says,omitempty"`

	Result   Result   `json:"result"`
	Reason   string   `json:"reason,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// State is what glrecover-status says of it; empty in a dry run.
	State State `json:"state,omitempty"`
}

// EvidenceAnswer is what the chain says of a funding output.
type EvidenceAnswer struct {
	State         string `json:"state"`
	Confirmations uint32 `json:"confirmations,omitempty"`
	SpendTxid     string `json:"spend_txid,omitempty"`
	SpendHeight   uint32 `json:"spend_height,omitempty"`
	Reason        string `json:"reason,omitempty"`
}

// PeerNumbers is what the peer's channel_reestablish says about the age of the
// backup.
type PeerNumbers struct {
	NextCommitment uint64 `json:"next_commitment_number"`
	NextRevocation uint64 `json:"next_revocation_number"`
	Verdict        string `json:"verdict"`
}

// Totals count the channels by what was done.
type Totals struct {
	Channels           int    `json:"channels"`
	Imported           int    `json:"imported"`
	WouldImport        int    `json:"would_import,omitempty"`
	AlreadyThere       int    `json:"already_there"`
	Waiting            int    `json:"waiting"`
	NotImported        int    `json:"not_imported"`
	CapacityMsat       uint64 `json:"capacity_msat"`
	LastKnownShareMsat uint64 `json:"last_known_share_msat"`
}

func totalsOf(channels []ChannelAnswer) Totals {
	t := Totals{Channels: len(channels)}
	for i := range channels {
		c := &channels[i]
		t.CapacityMsat += c.CapacityMsat
		t.LastKnownShareMsat += c.LastKnownShareMsat
		switch c.Result {
		case DidImport:
			t.Imported++
		case WouldImport:
			t.WouldImport++
		case AlreadyImported, AlreadyResolved:
			t.AlreadyThere++
		case NotYetConfirmed, StalePeer:
			t.Waiting++
		case ClosedBefore, DBIDTaken, RefusedEntry, BadEntry, NeverOpened, NoAddress, ImportFailed:
			t.NotImported++
		}
	}
	return t
}

// describe fills in what the backup says of a channel.
func describe(c *channel.Channel) ChannelAnswer {
	a := ChannelAnswer{
		PeerID: c.Peer, DBID: c.DBID, ChannelID: c.ID().String(),
		FundingTxid: c.Funding.Hash.String(), FundingOutnum: c.Funding.Index,
		Opener: c.Opener.String(), ChannelType: c.Type.String(),
		CapacityMsat: msat(c.CapacitySat), SignerClosed: c.State.Closed, ShareFrom: "birth",
	}
	sat, known := c.LastKnownShare()
	if known {
		a.ShareFrom = "commitment"
	}
	a.LastKnownShareMsat = msat(sat)
	var offered, received uint64
	a.HTLCsOffered, a.HTLCsReceived, offered, received = c.PendingHTLCs()
	a.HTLCsOfferedMsat, a.HTLCsReceivedMsat = msat(offered), msat(received)
	return a
}

// msat converts sat; the parser has capped every amount at 21 million bitcoin.
func msat(sat uint64) uint64 { return sat * 1000 }
