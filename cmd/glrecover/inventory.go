package main

import (
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/cores"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// inventory is what inspect shows of a backup; its JSON has the names of the
// answer of the RPC command glrecover. Amounts are in msat, txids in display
// order.
type inventory struct {
	Backup   backupFacts    `json:"backup"`
	NodeID   channel.PubKey `json:"node_id"`
	Network  string         `json:"network"`
	Channels []channelFacts `json:"channels"`
	Openings []openingFacts `json:"openings"`
	Problems []problemFacts `json:"problems"`

	// problemLines are the problems for people.
	problemLines []string
	Totals       inventoryTotals `json:"totals"`

	// lost says that a channel cannot be recovered.
	lost bool
}

type backupFacts struct {
	Source     string `json:"source"`
	CreatedAt  string `json:"created_at,omitempty"`
	AgeSeconds int64  `json:"age_seconds,omitempty"`
	Strategy   string `json:"strategy"`

	created  time.Time
	source   vlsstate.Source
	strategy vlsstate.Strategy
}

// proof says what the snapshot proves of a channel's use.
type proof string

const (
	// provesNothing: taken before the first commitment.
	provesNothing proof = "nothing"
	// provesBirth: the first commitment exists, and no other did then.
	provesBirth proof = "first_commitment"
	provesUse   proof = "used"
	// provesUnread: what would tell could not be read.
	provesUnread proof = "state_unreadable"
)

type channelFacts struct {
	backup.Description
	ChannelKey string `json:"channel_key"`

	Proves                    proof  `json:"snapshot_proves"`
	NextHolderCommitNum       uint64 `json:"next_holder_commit_num"`
	NextCounterpartyCommitNum uint64 `json:"next_counterparty_commit_num"`
	NextCounterpartyRevokeNum uint64 `json:"next_counterparty_revoke_num"`

	// Address is what an entry would have without a node that knows gossip.
	Address       scbconv.Address `json:"address"`
	AddressSource scbconv.Source  `json:"address_source"`
	// BackupAddress is the text in the backup, Inbound its direction.
	BackupAddress string `json:"backup_address,omitempty"`
	Inbound       bool   `json:"backup_address_inbound"`

	// Recoverable says that an entry for recoverchannel can be made of it, else
	// NotRecoverable why not.
	Recoverable    bool   `json:"recoverable"`
	NotRecoverable string `json:"not_recoverable,omitempty"`
	// Older says that the channel is older than the file: a damaged entry gave way
	// to an older one.
	Older bool `json:"older_than_file"`

	addressError error
	// noCommitment says that no pending payment could be read.
	noCommitment bool
}

type openingFacts struct {
	PeerID channel.PubKey `json:"peer_id"`
	DBID   uint64         `json:"dbid"`
}

type problemFacts struct {
	Entry    string          `json:"entry"`
	Position int             `json:"position,omitempty"`
	PeerID   *channel.PubKey `json:"peer_id,omitempty"`
	DBID     uint64          `json:"dbid,omitempty"`
	Field    string          `json:"field,omitempty"`
	Reason   string          `json:"reason"`
	Effect   string          `json:"effect"`
}

type inventoryTotals struct {
	Channels     int    `json:"channels"`
	CapacityMsat uint64 `json:"capacity_msat"`
	// LastKnownShareMsat sums the shares that are known.
	LastKnownShareMsat uint64 `json:"last_known_share_msat"`
	// SharesFromBirth counts the channels whose share is the one from their
	// birth, SharesUnknown those of which not even that could be read.
	SharesFromBirth int `json:"shares_from_birth"`
	SharesUnknown   int `json:"shares_unknown"`
	// SignerClosed counts the channels that the signer believes closed;
	// SignerClosedMsat is their part of the share.
	SignerClosed     int    `json:"closed_according_to_signer"`
	SignerClosedMsat uint64 `json:"closed_according_to_signer_share_msat"`
}

func takeInventory(b *vlsstate.Backup, a addresses, now time.Time) *inventory {
	inv := &inventory{
		Backup: backupFacts{
			Source: b.Source.String(), Strategy: b.Strategy.String(),
			created: b.CreatedAt, source: b.Source, strategy: b.Strategy,
		},
		NodeID: b.NodeID, Network: b.Network,
		Channels: make([]channelFacts, len(b.Channels)), Openings: []openingFacts{}, Problems: problemsOf(b), problemLines: vlsstate.Lines(b.Problems),
	}
	if !b.CreatedAt.IsZero() {
		inv.Backup.CreatedAt = b.CreatedAt.UTC().Format(time.RFC3339)
		inv.Backup.AgeSeconds = int64(now.Sub(b.CreatedAt) / time.Second)
	}
	for _, o := range b.Openings {
		inv.Openings = append(inv.Openings, openingFacts{o.Peer, o.DBID})
	}
	known := a.known(b)
	older := make(map[channel.Key]bool)
	for _, p := range b.Problems {
		if p.Channel != nil && p.Effect == vlsstate.OlderTaken {
			older[*p.Channel] = true
		}
	}
	converted := scbconv.Convert(b.Channels, known)
	cores.Do(len(b.Channels), func(i int) {
		c, f := b.Channels[i], &inv.Channels[i]
		*f = factsOf(c)
		f.Older = older[c.Key]
		if err := converted[i].Err; err != nil {
			f.NotRecoverable = failure.FoundIn(err)
		} else {
			f.Recoverable = true
		}
		f.ChannelKey = scbconv.ChannelKey(b.NodeID, c.Key)
		choice, candidates := converted[i].Choice, known(c.Peer)
		f.Address, f.AddressSource, f.addressError = choice.Address, choice.Source, choice.BackupError
		f.BackupAddress, f.Inbound = candidates.Backup, candidates.BackupInbound
	})
	for i := range inv.Channels {
		f := &inv.Channels[i]
		inv.lost = inv.lost || !f.Recoverable
		inv.Totals.Channels++
		inv.Totals.CapacityMsat = channel.Sum(inv.Totals.CapacityMsat, f.CapacityMsat)
		var share uint64
		if f.LastKnownShareMsat != nil {
			share = *f.LastKnownShareMsat
		}
		inv.Totals.LastKnownShareMsat = channel.Sum(inv.Totals.LastKnownShareMsat, share)
		switch f.ShareFrom {
		case channel.FromBirth:
			inv.Totals.SharesFromBirth++
		case channel.ShareUnknown:
			inv.Totals.SharesUnknown++
		case channel.FromCommitment:
		}
		if f.SignerClosed {
			inv.Totals.SignerClosed++
			inv.Totals.SignerClosedMsat = channel.Sum(inv.Totals.SignerClosedMsat, share)
		}
	}
	return inv
}

func problemsOf(b *vlsstate.Backup) []problemFacts {
	out := []problemFacts{}
	for _, p := range b.Problems {
		f := problemFacts{
			Entry: string(p.Kind), Position: p.Position, PeerID: p.Peer,
			Field: p.Field, Reason: p.Reason, Effect: p.Effect.String(),
		}
		if p.Channel != nil {
			f.PeerID, f.DBID = &p.Channel.Peer, p.Channel.DBID
		}
		out = append(out, f)
	}
	return out
}

func factsOf(c *channel.Channel) channelFacts {
	s := &c.State
	f := channelFacts{
		Description:               backup.Describe(c),
		NextHolderCommitNum:       s.NextHolderCommitNum,
		NextCounterpartyCommitNum: s.NextCounterpartyCommitNum,
		NextCounterpartyRevokeNum: s.NextCounterpartyRevokeNum,
		noCommitment:              s.HolderCommit == nil && s.CounterpartyCommit == nil,
	}
	switch {
	case c.Used():
		f.Proves = provesUse
	case len(s.Unread) > 0:
		f.Proves = provesUnread
	case f.ShareFrom == channel.FromCommitment:
		f.Proves = provesBirth
	default:
		f.Proves = provesNothing
	}
	return f
}
