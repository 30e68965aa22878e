package model

import (
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/sweep"
)

// Effect is something to be done in the world. The loop does the effects of a
// step in their order; where a Save fails it does not go on. Each effect that
// takes time ends with an event.
type Effect interface{ effect() }

type (
	// Save writes records. Nothing that the world can see comes before it.
	Save struct {
		// Run is nil where it did not change.
		Run      *Run
		Channels []Record
		// Deleted are records to delete, with DropRun that of the run too.
		Deleted []channel.Key
		DropRun bool
		// Cursor is the Watcher's, nil where it did not move.
		Cursor *chain.Cursor
	}

	// Watch is for the Watcher: its Watch.
	Watch struct{ Watches []chain.Watch }
	// Forget is its Forget.
	Forget struct{ OutPoints []wire.OutPoint }
	// LookBackSince is its LookBackSince.
	LookBackSince struct{ Time time.Time }
	// LookBackFrom is its LookBackFrom.
	LookBackFrom struct{ Height uint32 }

	// ListNode asks what lightningd has; it ends with NodeListed.
	ListNode struct{}
	// TrySecret ends with SecretTried.
	TrySecret struct{}
	// ReadReestablish is a session in which nothing is sent on any channel; it ends
	// with ReestablishRead.
	ReadReestablish struct {
		Peer            channel.PubKey
		Address, Source string
		Channels        []*channel.Channel
	}
	// AskClose is a session that asks the peer to close one channel; it ends
	// with SessionEnded.
	AskClose struct {
		Channel *channel.Channel
		// Address is the one on record, "" if none; after Tries vain ones others
		// are looked for.
		Address, Source string
		Tries           int
		// First are the peer's first numbers, nil if there are none.
		First        *judge.Reestablish
		StaleAllowed bool
		MoveAllowed  bool
		// Probe is peer.Ask's.
		Probe bool
	}
	// Import gives channels to lightningd; it ends with ImportDone, or with
	// EffectFailed where lightningd stopped answering.
	Import struct{ Items []ImportItem }
	// Classify ends with Classified.
	Classify struct {
		Channel *channel.Channel
		Tx      *wire.MsgTx
		Height  uint32
		// Reestablish is the peer's from before the import, nil if there are none.
		Reestablish *judge.Reestablish
		// Spends are in blocks and spend outputs of the close, or of the HTLC
		// transactions after it.
		Spends []sweep.Spend
	}
	// BuildChild makes a child that pays for a stuck close; it ends with
	// ChildBuilt.
	BuildChild struct {
		Channel *channel.Channel
		Parent  *wire.MsgTx
		// PaidPerKW is what the last child reached in vain, 0 without one.
		PaidPerKW uint32
		MaxFeeSat uint64
		// Address is the wallet's on record, "" for a new one.
		Address string
		// Avoid are transactions whose outputs must not be spent.
		Avoid map[string]bool
		// Replaces is the last child.
		Replaces *wire.MsgTx
	}
	// BuildSweep makes a transaction that claims outputs of a close; it ends with
	// SweepBuilt.
	BuildSweep struct {
		Channel *channel.Channel
		Close   *wire.MsgTx
		// Height is that of the close, Tip the chain's.
		Height, Tip uint32
		// Spends are in blocks and spend outputs of the close, or of the HTLC
		// transactions after it.
		Spends    []sweep.Spend
		OutPoints []wire.OutPoint
		// Destination and Change are the addresses on record, "" for ones that are to
		// be made, Feerate is the user's as typed, "" for the estimate.
		Destination, Change, Feerate string
		// Avoid are transactions whose outputs must not pay a fee.
		Avoid map[string]bool
		// Replaces is our earlier sweep of these outputs, PaidPerKW what it pays.
		Replaces  *wire.MsgTx
		PaidPerKW uint32
	}
	// Release gives coins of the wallet free that were set aside for a sweep which
	// will never be sent again.
	Release struct {
		Key   channel.Key
		Coins []wire.OutPoint
	}
	// Broadcast sends transactions that belong together, the child last; it ends
	// with BroadcastDone.
	Broadcast struct {
		Key  channel.Key
		What Sending
		Txs  []*wire.MsgTx
	}

	// Reply answers a call. Refused says that another one is at work, Trouble
	// why it could not be done.
	Reply struct {
		Call    uint64
		Refused bool
		Trouble string
	}
	// Progress tells the caller how far his call is.
	Progress struct {
		Call        uint64
		Text        string
		Done, Total uint32
	}
	// Tell is a line for the log.
	Tell struct{ Text string }
	// Alarm is a loud one.
	Alarm struct{ Text string }
)

// ImportItem is one channel for lightningd.
type ImportItem struct {
	Channel *channel.Channel
	// Address is the peer's, "" for a placeholder.
	Address string
}

func (Save) effect()            {}
func (Watch) effect()           {}
func (Forget) effect()          {}
func (LookBackSince) effect()   {}
func (LookBackFrom) effect()    {}
func (ListNode) effect()        {}
func (TrySecret) effect()       {}
func (ReadReestablish) effect() {}
func (AskClose) effect()        {}
func (Import) effect()          {}
func (Classify) effect()        {}
func (BuildChild) effect()      {}
func (BuildSweep) effect()      {}
func (Release) effect()         {}
func (Broadcast) effect()       {}
func (Reply) effect()           {}
func (Progress) effect()        {}
func (Tell) effect()            {}
func (Alarm) effect()           {}

// Visible reports whether the world outside this program can see the effect, so
// that a Save must have come before it.
func Visible(e Effect) bool {
	switch e.(type) {
	case ReadReestablish, AskClose, Import, BuildChild, BuildSweep, Release, Broadcast:
		return true
	}
	return false
}
