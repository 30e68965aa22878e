package plan

import (
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/gates"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/locate"
	"github.com/glrecover/glrecover/scbconv"
)

// Inputs are what a plan is made of. Node, Chain, Set and Keys may each be nil:
// without Node nothing is compared with a node (no gates, no gossip of its own),
// without Chain each funding output is unknown.
type Inputs struct {
	Backup *backup.Loaded
	Node   Node
	Chain  chain.Source
	Set    find.UTXOSet
	Keys   Keys
	// KeysError is why Keys is nil.
	KeysError error

	// Now is the time at which the plan is made.
	Now time.Time
	// Alive is the standing alarm about the hosted node, "" for none.
	Alive string

	// Addresses are the user's, as typed; Gossip are addresses of peers that
	// are known besides what Node tells, best first.
	Addresses map[channel.PubKey]string
	Gossip    map[channel.PubKey][]scbconv.Address
	// SkipIncomplete leaves channels without an address out, Extra imports the
	// ones that only a stored copy has.
	SkipIncomplete bool
	Extra          bool
	// Sweeps says that glrecover claims by itself what lightningd does not, Alone that
	// there is no lightningd.
	Sweeps bool
	Alone  bool
	// Override names the failures that the user accepts.
	Override []string
	// Copies are backups of the lost node that its peers have returned.
	Copies []backup.Copy
	// Heard are the peers that were heard before the plan.
	Heard []backup.Heard
	// Words says that there is no backup: Backup names the node and nothing else.
	// Since is from when on closes are looked for then; zero if unknown.
	Words bool
	Since time.Time

	// Progress may be nil.
	Progress api.Progress
}

// Locate is what the search for the peers' addresses needs of it.
func (in *Inputs) Locate() locate.Inputs {
	return locate.Inputs{Given: in.Addresses, Gossip: in.Gossip, Backup: in.Backup.Backup, Node: in.Node}
}

// Gates are what the gates need of it.
func (in *Inputs) Gates() gates.Inputs {
	return gates.Inputs{Override: in.Override, Alive: in.Alive, Now: in.Now}
}

// Plan is what would be done. Every channel entry of the backup is in Channels,
// good or bad, in the backup's order.
type Plan struct {
	Made   time.Time
	NodeID channel.PubKey
	// Node is what lightningd said; nil without a node.
	Node   *gates.Situation
	Backup backup.Facts
	// Written is when the backup was written; zero where it does not say, or
	// names a time still to come.
	Written time.Time

	Channels []*Channel
	// Extra are channels that the backup does not have and a stored copy has:
	// they were opened later. Channel.Copy says whose copy.
	Extra []*Channel

	// Wallet is what the lost node's on-chain wallet holds.
	Wallet find.OldWallet
	// Rescan is the one that brings everything found; nil if none is needed.
	Rescan *find.Rescan

	// Warnings concern the whole.
	Warnings []string
}

// All are the channels of the backup and the extra ones.
func (p *Plan) All() []*Channel {
	return append(append(make([]*Channel, 0, len(p.Channels)+len(p.Extra)), p.Channels...), p.Extra...)
}

// Channel is what is known of one channel and what follows.
type Channel struct {
	backup.Description
	// Channel is the channel itself, nil for an entry that cannot be read or
	// that never became a channel.
	Channel *channel.Channel

	// Address is where the peer is dialled, and who said so.
	Address scbconv.Choice
	// Evidence is what the chain said of the funding output, nil if it was not
	// asked.
	Evidence *chain.FundingEvidence
	// Close is what the known spend of the funding output is for us, nil if
	// none is known.
	Close *judge.Verdict
	// Outputs are our coins in that close and what brings each; only where the
	// close is confirmed.
	Outputs []Coin

	Decision decision.Decision
	// Reason says in a sentence what the decision rests on, Cure what the user
	// can do about it; both may be empty.
	Reason string
	Cure   string

	// SCB is the entry for recoverchannel, with the sentinel; nil where none can
	// be made. Whether and when it is given to lightningd, Decision says.
	SCB *scbconv.Entry
	// Peer is what the peer said before the import, nil if it was not asked.
	Peer *judge.Reestablish
	// StaleAllowed is the user's override for a peer that lost state, given
	// while it was stale.
	StaleAllowed bool
	// Copy says from whose copy an extra channel is known; nil for a channel of
	// the backup.
	Copy *backup.Copy

	Warnings []string

	// Err is why lightningd must not get the entry, with Decision Refused; nil
	// otherwise.
	Err error
}

// Coin is an output that is ours.
type Coin struct {
	// OutPoint is "txid:vout".
	OutPoint   string `json:"outpoint"`
	AmountMsat uint64 `json:"amount_msat"`
	// What names it from the user's side; see Owed.
	What   string `json:"what"`
	Height uint32 `json:"height"`
	// From is the first height at which it can be spent, 0 if at once.
	From uint32         `json:"spendable_from,omitempty"`
	By   judge.Claimant `json:"brought_by"`
}
