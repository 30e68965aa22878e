package main

import (
	"math"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// inventory is what inspect shows of a backup; its JSON has the names of the
// answer of the RPC command glrecover. Amounts are in msat, txids in display
// order.
type inventory struct {
	Backup   backupFacts     `json:"backup"`
	NodeID   channel.PubKey  `json:"node_id"`
	Network  string          `json:"network"`
	Channels []channelFacts  `json:"channels"`
	Openings []openingFacts  `json:"openings"`
	Problems []problemFacts  `json:"problems"`
	Totals   inventoryTotals `json:"totals"`
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
	// provesUnread: the changing part of the entry could not be read.
	provesUnread proof = "state_unreadable"
)

type channelFacts struct {
	PeerID        channel.PubKey `json:"peer_id"`
	DBID          uint64         `json:"dbid"`
	ChannelID     channel.ID     `json:"channel_id"`
	ChannelKey    string         `json:"channel_key"`
	FundingTxid   string         `json:"funding_txid"`
	FundingOutnum uint32         `json:"funding_outnum"`
	Opener        string         `json:"opener"`
	ChannelType   string         `json:"channel_type"`
	CapacityMsat  uint64         `json:"capacity_msat"`

	Proves                    proof  `json:"snapshot_proves"`
	NextHolderCommitNum       uint64 `json:"next_holder_commit_num"`
	NextCounterpartyCommitNum uint64 `json:"next_counterparty_commit_num"`
	NextCounterpartyRevokeNum uint64 `json:"next_counterparty_revoke_num"`
	LastKnownShareMsat        uint64 `json:"last_known_share_msat"`
	ShareFrom                 string `json:"share_from"`
	HTLCsOffered              int    `json:"htlcs_offered"`
	HTLCsOfferedMsat          uint64 `json:"htlcs_offered_msat"`
	HTLCsReceived             int    `json:"htlcs_received"`
	HTLCsReceivedMsat         uint64 `json:"htlcs_received_msat"`
	SignerClosed              bool   `json:"closed_according_to_signer"`

	// Address is what an entry would have without a node that knows gossip.
	Address       scbconv.Address `json:"address"`
	AddressSource scbconv.Source  `json:"address_source"`
	// BackupAddress is the text in the backup, Inbound its direction.
	BackupAddress string `json:"backup_address,omitempty"`
	Inbound       bool   `json:"backup_address_inbound"`

	addressError error
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

	text string
}

type inventoryTotals struct {
	Channels           int    `json:"channels"`
	CapacityMsat       uint64 `json:"capacity_msat"`
	LastKnownShareMsat uint64 `json:"last_known_share_msat"`
	// ShareUnknown counts the channels whose share is the one from their birth.
	ShareUnknown int `json:"shares_from_birth"`
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
		Channels: []channelFacts{}, Openings: []openingFacts{}, Problems: problemsOf(b),
	}
	if !b.CreatedAt.IsZero() {
		inv.Backup.CreatedAt = b.CreatedAt.UTC().Format(time.RFC3339)
		inv.Backup.AgeSeconds = int64(now.Sub(b.CreatedAt) / time.Second)
	}
	unread := make(map[channel.Key]bool)
	for _, p := range b.Problems {
		if p.Channel != nil {
			unread[*p.Channel] = unread[*p.Channel] || p.Effect == vlsstate.StateLost
		}
	}
	for _, o := range b.Openings {
		inv.Openings = append(inv.Openings, openingFacts{o.Peer, o.DBID})
	}
	known := a.known(b)
	for _, c := range b.Channels {
		f := factsOf(c, unread[c.Key])
		f.ChannelKey = scbconv.ChannelKey(b.NodeID, c.Key)
		candidates := known(c.Peer)
		choice := scbconv.Choose(candidates)
		f.Address, f.AddressSource, f.addressError = choice.Address, choice.Source, choice.BackupError
		f.BackupAddress, f.Inbound = candidates.Backup, candidates.BackupInbound
		inv.Channels = append(inv.Channels, f)

		inv.Totals.Channels++
		inv.Totals.CapacityMsat = sumOf(inv.Totals.CapacityMsat, f.CapacityMsat)
		inv.Totals.LastKnownShareMsat = sumOf(inv.Totals.LastKnownShareMsat, f.LastKnownShareMsat)
		if f.ShareFrom == "birth" {
			inv.Totals.ShareUnknown++
		}
		if f.SignerClosed {
			inv.Totals.SignerClosed++
			inv.Totals.SignerClosedMsat = sumOf(inv.Totals.SignerClosedMsat, f.LastKnownShareMsat)
		}
	}
	return inv
}

func problemsOf(b *vlsstate.Backup) []problemFacts {
	out := []problemFacts{}
	for _, p := range b.Problems {
		f := problemFacts{
			Entry: string(p.Kind), Position: p.Position, PeerID: p.Peer,
			Field: p.Field, Reason: p.Reason, Effect: p.Effect.String(), text: p.Error(),
		}
		if p.Channel != nil {
			f.PeerID, f.DBID = &p.Channel.Peer, p.Channel.DBID
		}
		out = append(out, f)
	}
	return out
}

func factsOf(c *channel.Channel, unread bool) channelFacts {
	s := &c.State
	f := channelFacts{
		PeerID: c.Peer, DBID: c.DBID, ChannelID: c.ID(),
		FundingTxid: c.Funding.Hash.String(), FundingOutnum: c.Funding.Index,
		Opener: c.Opener.String(), ChannelType: c.Type.String(), CapacityMsat: msat(c.CapacitySat),
		NextHolderCommitNum:       s.NextHolderCommitNum,
		NextCounterpartyCommitNum: s.NextCounterpartyCommitNum,
		NextCounterpartyRevokeNum: s.NextCounterpartyRevokeNum,
		SignerClosed:              s.Closed,
		ShareFrom:                 "birth",
	}
	share, known := c.LastKnownShare()
	if known {
		f.ShareFrom = "commitment"
	}
	f.LastKnownShareMsat = msat(share)
	var offered, received uint64
	f.HTLCsOffered, f.HTLCsReceived, offered, received = c.PendingHTLCs()
	f.HTLCsOfferedMsat, f.HTLCsReceivedMsat = msat(offered), msat(received)
	switch {
	case unread:
		f.Proves = provesUnread
	case c.Used():
		f.Proves = provesUse
	case known:
		f.Proves = provesBirth
	default:
		f.Proves = provesNothing
	}
	return f
}

func msat(sat uint64) uint64 { return sat * 1000 }

// sumOf stops at the highest number: a file may claim more than there is.
func sumOf(a, b uint64) uint64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return math.MaxUint64
}
