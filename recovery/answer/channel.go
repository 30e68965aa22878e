package answer

import (
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/plan"
	"github.com/glrecover/glrecover/recovery/state"
)

// Result says what was done with a channel, or would be.
type Result string

// The results.
const (
	// DidImport: lightningd made the stub in this call.
	DidImport Result = "imported"
	// WouldImport: a dry run would import it.
	WouldImport Result = "would_import"
	// WouldAsk: a dry run would only ask the peer to close: there is no lightningd, or
	// no stub can be made.
	WouldAsk Result = "would_ask"
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
	// NotAsked: only a stored copy has it, and extra was not asked for.
	NotAsked Result = "extra_not_asked_for"
	// AskedFirst: the peer is asked to close before lightningd gets the channel.
	AskedFirst Result = "asked_first"
	// FollowedClosed: the close was in a block already; its outputs are followed.
	FollowedClosed Result = "follow_closed"
	// Deferred: it is imported by itself when what its state waits for is over.
	Deferred Result = "import_deferred"
	// ImportFailed: lightningd refused the call.
	ImportFailed Result = "import_failed"
)

// Channel is one channel of the backup.
type Channel struct {
	backup.Description

	Address       string `json:"address,omitempty"`
	AddressSource string `json:"address_source,omitempty"`

	Evidence *Evidence `json:"funding,omitempty"`
	// Outputs are ours, of a close that was in a block already.
	Outputs []plan.Coin  `json:"outputs,omitempty"`
	Peer    *PeerNumbers `json:"peer_says,omitempty"`

	Result   Result   `json:"result"`
	Reason   string   `json:"reason,omitempty"`
	Cure     string   `json:"cure,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// State is what glrecover-status says of it; empty in a dry run.
	State model.ChannelState `json:"state,omitempty"`

	byID bool
	key  channel.Key
}

// Evidence is what the chain says of a funding output.
type Evidence struct {
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

// channelOf shows a planned channel.
func channelOf(c *plan.Channel) Channel {
	a := Channel{
		Description: c.Description, Result: results[c.Decision], Reason: c.Reason, Cure: c.Cure, Outputs: c.Outputs,
		Warnings: append([]string(nil), c.Warnings...),
	}
	if c.Channel != nil {
		a.byID, a.key = c.Channel.ByID, c.Channel.Key
		a.Address, a.AddressSource = c.Address.Address.String(), string(c.Address.Source)
	}
	if c.Evidence != nil {
		a.Evidence = evidenceOf(*c.Evidence)
	}
	if c.Peer != nil {
		a.Peer = &PeerNumbers{NextCommitment: c.Peer.NextCommitment, NextRevocation: c.Peer.NextRevocation, Verdict: string(c.Peer.Verdict)}
	}
	return a
}

// results are how the decisions of a plan are told; "" for an import, whose
// outcome is not known yet.
var results = map[decision.Decision]Result{
	decision.Import: "", decision.FollowClosed: FollowedClosed, decision.AskFirst: AskedFirst,
	decision.AwaitFunding: NotYetConfirmed, decision.HasStub: AlreadyImported, decision.Forgotten: AlreadyResolved,
	decision.StalePeer: StalePeer, decision.NothingOurs: ClosedBefore, decision.Refused: RefusedEntry,
	decision.NoAddress: NoAddress, decision.BadEntry: BadEntry, decision.NeverOpened: NeverOpened, decision.NotAsked: NotAsked,
}

func evidenceOf(e chain.FundingEvidence) *Evidence {
	a := &Evidence{State: string(e.State), Reason: e.Reason}
	if e.Confirmations > 0 {
		a.Confirmations = uint32(e.Confirmations)
	}
	if e.Spend != nil {
		a.SpendTxid = e.Spend.Tx.TxHash().String()
		a.SpendHeight = e.Spend.Height
	}
	return a
}

// outcome says what became of the channel in a real run.
func (a *Channel) outcome(st *state.State) {
	c := st.Channels[a.key]
	if c == nil {
		return
	}
	a.State = c.State
	switch {
	case c.Result != "":
		a.Result, a.Reason = Result(c.Result), ""
		if c.Result != model.DidImport {
			a.Reason = c.Reason
		}
	case c.State == model.PeerStale:
		a.Result, a.Reason = StalePeer, c.Reason+decision.StaleAdvice
	case !c.Held.IsZero():
		a.Result, a.Reason = AskedFirst, decision.AskFirstReason
	case a.Result != "":
	case c.Stub == state.LiveStub:
		a.Result = AlreadyImported
	default:
		a.Result = Deferred
	}
}

// Extra is a channel that a stored copy of the lost node's own backup has
// and the signer's backup does not: it was opened later.
type Extra struct {
	PeerID       channel.PubKey `json:"peer_id"`
	DBID         uint64         `json:"dbid"`
	ChannelID    channel.ID     `json:"channel_id"`
	FundingTxid  string         `json:"funding_txid"`
	CapacityMsat uint64         `json:"capacity_msat"`
	// Source says where the copy was, From is the peer that returned it, if that
	// is known, Written when the lost node wrote it.
	Source  backup.Source   `json:"source"`
	From    *channel.PubKey `json:"stored_by,omitempty"`
	Written string          `json:"written_at"`
	// SCB is for recoverchannel, with the sentinel; "" where there is none.
	SCB    string            `json:"scb,omitempty"`
	Result decision.Decision `json:"decision"`
	Reason string            `json:"reason,omitempty"`
	Cure   string            `json:"cure,omitempty"`
}

// extraOf shows the channels that only a stored copy has.
func extraOf(channels []*plan.Channel) []Extra {
	var out []Extra
	for _, c := range channels {
		x := Extra{
			PeerID: c.PeerID, DBID: c.DBID, FundingTxid: c.FundingTxid, CapacityMsat: c.CapacityMsat,
			Source: c.Copy.Source, Written: c.Copy.Written.Format(time.RFC3339),
			Result: c.Decision, Reason: c.Reason, Cure: c.Cure,
		}
		if c.Copy.Source == backup.FromPeer {
			x.From = &c.Copy.Peer
		}
		if c.Channel != nil {
			x.ChannelID = c.Channel.ID()
		}
		if c.SCB != nil {
			if text, err := c.SCB.EncodeHex(); err == nil {
				x.SCB = text
			}
		}
		out = append(out, x)
	}
	return out
}
