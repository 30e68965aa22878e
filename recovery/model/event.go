package model

import (
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
)

// Event is something that happened. Step takes one at a time.
type Event interface{ event() }

type (
	// Tick says what time it is. The loop sends one before each other event, and
	// nothing becomes due by it alone: the event that follows may be the news that
	// a close is in a block, and until it is taken no fee may be paid.
	Tick struct{ Now time.Time }
	// Started follows New, once.
	Started struct {
		// Restarted says that lightningd was started since the last import.
		Restarted bool
	}
	// SecretTried says whether the node's secret can be read: Trouble is why not.
	SecretTried struct{ Trouble string }

	// NoEvent lets the time pass.
	NoEvent struct{}

	// CallBegun says that the user wants to recover; a Reply says whether he may. From
	// now on no channel may be opened.
	CallBegun struct{ Call uint64 }
	// CallEnded says that the call came to nothing before it had an effect.
	CallEnded struct{ Call uint64 }
	// Planned is the plan of a call that has begun, to be carried out.
	Planned struct {
		Call uint64
		// Run has what the plan knows of the whole; what the state knows already
		// (imports, alarms) stays.
		Run      Run
		Channels []PlannedChannel
		// OverrideAlive and OverrideStale are the user's.
		OverrideAlive, OverrideStale bool
	}

	// ChainSeen is an update of the Watcher.
	ChainSeen struct{ chain.Update }
	// NodeListed is what lightningd has: channels and wallet.
	NodeListed struct {
		Channels []api.PeerChannel
		Closed   []channel.ID
		Wallet   []api.WalletOutput
		// Spends is who spent what the wallet lists as spent.
		Spends map[wire.OutPoint]claims.Spend
		// Height is the block that lightningd has processed.
		Height uint32
		// KeepsMsat is what its wallet keeps back while it has a channel with anchors
		// (min-emergency-msat).
		KeepsMsat uint64
		// RescanFrom is the height from which lightningd was told to rescan when it
		// was started (rescan=-HEIGHT), 0 if it was not.
		RescanFrom uint32
		// Took is how long that was.
		Took time.Duration
	}
	// NodeChanged says that something in lightningd changed: look at it again.
	NodeChanged struct{}

	// ReestablishRead is what a peer said in a session in which nothing was sent on
	// any channel. Result is peer.Result, or NoSecret.
	ReestablishRead struct {
		Peer        channel.PubKey
		Asked       []channel.Key
		Result      string
		Reason      string
		Reestablish map[channel.Key]*judge.Reestablish
		// Extra are channels that only the copy has which the peer returned.
		Extra []PlannedChannel
		// Awaits are the channels of which the peer says 1/0, known here or not.
		Awaits []channel.ID
	}
	// SessionEnded is the end of one AskClose.
	SessionEnded struct {
		Key    channel.Key
		Result string
		Reason string
		// SentError says that the whole order went out.
		SentError bool
		// Withheld is why nothing was sent, where Result is withheld.
		Withheld Withheld
		// Address was dialled, Source said so.
		Address, Source string
		// Reestablish is the peer's before anything was sent, nil if it sent none.
		Reestablish *judge.Reestablish
	}
	// PeerSeen says that lightningd and a peer have a connection.
	PeerSeen struct{ Peer channel.PubKey }

	// ImportDone is lightningd's answer to Import, for each of its channels.
	ImportDone struct{ Results []ImportResult }

	// Classified is what a close is.
	Classified struct {
		Key channel.Key
		Basis
		Verdict *judge.Verdict
		// Found are its outputs and those of HTLC transactions after it, with what it
		// takes to claim them; nil where nobody looked for that.
		Found []claims.Found
		// Lacks is why the backup, whose secrets and signatures are needed for some of
		// the outputs, cannot be read; "" where it can or is not needed.
		Lacks string
		// Identified is the channel of which only the id was known, with the dbid and
		// the peer's funding key that the close shows; nil where nothing new is known.
		Identified *channel.Channel
	}
	// ChildBuilt is a signed child that was not sent, or why there is none.
	ChildBuilt struct {
		Key channel.Key
		// Parent is the close that it pays for.
		Parent chainhash.Hash
		Child  Child
		// Address is the wallet's that the child pays to.
		Address string
		// Trouble is why there is none, NeedsSat the coin that the wallet lacks.
		// InputsSpent says that the last child's inputs are spent.
		Trouble     string
		NeedsSat    uint64
		InputsSpent bool
	}
	// SweepBuilt is a signed sweep that was not sent, or why there is none.
	SweepBuilt struct {
		Key channel.Key
		// OutPoints are those that were to be claimed, Replaces is the txid of the sweep
		// that was to be replaced, "" if none.
		OutPoints []wire.OutPoint
		Replaces  string
		Sweep     Sweep
		// Destination and Change are the addresses that were made for it.
		Destination, Change string
		// Trouble is why there is none; its Text is "" where there is one. Left are
		// outputs that were left out of it.
		Trouble claims.SweepTrouble
		Left    map[wire.OutPoint]claims.SweepTrouble
	}
	// PreimagesKnown says how many preimages are known now: one may claim an output.
	PreimagesKnown struct{ Count int }
	// SweepSaid says that the operator wants the channels' outputs to be claimed
	// without waiting for the next block.
	SweepSaid struct{ Keys []channel.Key }
	// BroadcastDone says what became of a Broadcast: Refused is why it was not
	// taken.
	BroadcastDone struct {
		Key     channel.Key
		What    Sending
		Txid    string
		Refused string
	}
	// SaveFailed says that the record could not be written; Dropped are the effects that
	// were to follow.
	SaveFailed struct {
		Save    Save
		Dropped []Effect
		Reason  string
	}
	// EffectFailed says that an effect could not be carried out at all.
	EffectFailed struct {
		Effect Effect
		Reason string
	}

	// RetrySaid says that the operator wants the channels' peers to be tried at once. Named
	// says that he named them.
	// GoOn says that he gives the channels that wait for their peers' closes to
	// lightningd now.
	RetrySaid struct {
		Keys        []channel.Key
		Named, GoOn bool
	}
	// ForgetSaid says that the operator deletes the record of channels.
	ForgetSaid struct {
		Call uint64
		Keys []channel.Key
	}
	// ChannelAppeared says that a channel was opened although the guard would refuse it.
	ChannelAppeared struct {
		Peer        channel.PubKey
		FundingTxid string
	}
)

// Basis is what a close was classified with.
type Basis struct {
	// Txid is the close, in a block at Height; 0 if it is in none.
	Txid   chainhash.Hash
	Height uint32
	// WithKeys says that the node's secret was at hand, Spends names the transactions
	// that spend its outputs, Preimages counts the preimages that were known.
	WithKeys  bool
	Spends    string
	Preimages int
}

// Results of a session that did not take place, beside peer.Result.
const (
	// NoSecret: there was no key for it.
	NoSecret = "needs_secret"
	// NoAddressKnown: nobody knew an address of the peer.
	NoAddressKnown = "no_address"
)

// MaxSessions is how many sessions are under way at once, one for each peer.
const MaxSessions = 8

// TryAddressAfter is after how many vain tries another address of the peer is
// looked for.
const TryAddressAfter = 2

// Withheld says why a session sent nothing on the channel.
type Withheld string

// The reasons.
const (
	// WithheldAlive: our own secrets prove that the hosted node went on.
	WithheldAlive Withheld = "hosted_node_alive"
	// WithheldStale: the peer lost state.
	WithheldStale Withheld = "peer_stale"
	// WithheldMoved: the numbers moved, and only the peer says so.
	WithheldMoved Withheld = "numbers_moved"
	// WithheldStopped: an alarm came while the peer was dialled.
	WithheldStopped Withheld = "stopped"
)

// PlannedChannel is one channel of a plan that is to be kept on record.
type PlannedChannel struct {
	Channel  *channel.Channel
	Decision decision.Decision
	Reason   string
	// Address is where the peer is dialled, "" if unknown; Source said so.
	Address, Source string
	// Guessed says that nobody named the address: it is an inbound peer's host.
	Guessed       bool
	FundingScript []byte
	// WatchFrom is the lowest height of a spend, 0 if unknown.
	WatchFrom      uint32
	FundingMissing bool
	// FundingYoung says that the funding was seen with too few confirmations.
	FundingYoung bool
	// Spend is the known spend of the funding output, Verdict what it is.
	Spend   *chain.Spend
	Verdict *judge.Verdict
	// WithKeys says that the verdict was made with the secret at hand.
	WithKeys     bool
	StaleAllowed bool
	// Copy says whose copy the channel is known from, "" for the backup.
	Copy string
	// First is what the peer said before the plan, nil if it was not heard.
	First *judge.Reestablish
}

// ImportResult is what lightningd made of one channel.
type ImportResult struct {
	Key    channel.Key
	Result ImportOutcome
	Reason string
}

// ImportOutcome names it. The names are stable.
type ImportOutcome string

// The outcomes.
const (
	// DidImport: lightningd made the stub.
	DidImport ImportOutcome = "imported"
	// HadStub: lightningd has the channel already.
	HadStub ImportOutcome = "already_imported"
	// DBIDTaken: lightningd skipped it, because of a channel that it had before.
	DBIDTaken ImportOutcome = "dbid_taken"
	// RefusedEntry: the channel's data would harm lightningd.
	RefusedEntry ImportOutcome = "refused"
	// ImportFailed: lightningd refused it.
	ImportFailed ImportOutcome = "import_failed"
)

// Sending says what a Broadcast is for.
type Sending string

// The things that are sent.
const (
	SendClose Sending = "close"
	SendChild Sending = "child"
	SendSweep Sending = "sweep"
)

func (Tick) event()            {}
func (NoEvent) event()         {}
func (Started) event()         {}
func (SecretTried) event()     {}
func (CallBegun) event()       {}
func (CallEnded) event()       {}
func (Planned) event()         {}
func (ChainSeen) event()       {}
func (NodeListed) event()      {}
func (NodeChanged) event()     {}
func (ReestablishRead) event() {}
func (SessionEnded) event()    {}
func (PeerSeen) event()        {}
func (ImportDone) event()      {}
func (Classified) event()      {}
func (ChildBuilt) event()      {}
func (SweepBuilt) event()      {}
func (PreimagesKnown) event()  {}
func (SweepSaid) event()       {}
func (BroadcastDone) event()   {}
func (SaveFailed) event()      {}
func (EffectFailed) event()    {}
func (RetrySaid) event()       {}
func (ForgetSaid) event()      {}
func (ChannelAppeared) event() {}
