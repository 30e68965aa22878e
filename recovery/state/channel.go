package state

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
)

// Channel is one channel. What the Record does not hold is found out again at
// each start.
type Channel struct {
	model.Record

	// Stub says what lightningd has of the channel, StubState its own word for it.
	Stub      Stub
	StubState string
	// Result is what came of the import in this run of the program, "" if there
	// was none.
	Result model.ImportOutcome
	// Spend is what the Watcher says of the funding output, nil before it spoke.
	// PlanOnly says that it is the plan's word, not the Watcher's.
	Spend    *chain.Sighting
	PlanOnly bool
	OfClose
	// Settled is where the outputs of the close are, nil while it is unconfirmed.
	Settled []claims.Output
	// Next is when the peer is asked again, Tries how often it was in vain in a row.
	Next  time.Time
	Tries int

	// Classifying says that the close is being classified; FailedAt is the height at
	// which that went wrong in glrecover itself, LackedAt the one at which Lacks was
	// found.
	Classifying        bool
	FailedAt, LackedAt uint32

	// Importing says that lightningd is being asked to make its stub; NotTaken is why
	// lightningd refused, for a channel that is closed. Listed says that lightningd was
	// looked at since the channel is followed.
	Importing bool
	NotTaken  string
	Listed    bool

	// Reading says that the peer's channel_reestablish is being read, Read that it was
	// read, or tried to, before the import; Requesting that the peer is being asked to
	// close the channel.
	Reading, Read, Requesting bool

	// Resent is the height at which the close, or our sweeps, were last sent.
	Resent uint32
	// Building says that a child is being made, FeeTried at which height the last was.
	Building bool
	FeeTried uint32
	// WalletCoins is what the wallet had when a child or a sweep was last asked for.
	WalletCoins WalletCoins

	// saved is what is on record.
	saved model.Record
}

// OfClose is what is known of one close: it goes when another one replaces that.
type OfClose struct {
	// Verdict is what the close is, nil before it was classified, on this Basis.
	Verdict *judge.Verdict
	Basis   model.Basis
	// Outs is what the Watcher says of its outputs, Spends names the transactions in
	// blocks among them.
	Outs   map[wire.OutPoint]chain.Sighting
	Spends string
	// Found are the outputs with what it takes to claim them, nil where nobody has
	// looked for that; Lacks is why the backup cannot be read for some of them.
	Found []claims.Found
	Lacks string
	// Troubles are why outputs that are due have no sweep, or no dearer one; Tried is the
	// height at which a sweep of an output was last asked for.
	Troubles map[wire.OutPoint]claims.SweepTrouble
	Tried    map[wire.OutPoint]uint32
}

// Stub says what lightningd has of a channel.
type Stub uint8

// The values of Stub.
const (
	// NoStub: nothing, or nothing is known yet.
	NoStub Stub = iota
	// LiveStub: listpeerchannels has it.
	LiveStub
	// ForgottenStub: listclosedchannels has it.
	ForgottenStub
)

// WalletCoins is what the wallet has in confirmed coins: it is another one when a coin
// has come.
type WalletCoins struct {
	Coins int
	Sat   uint64
}

// Copied is a copy for an effect: the loop reads it while the channel may change.
func (c *Channel) Copied() *channel.Channel {
	out := c.Channel
	return &out
}

// Any reports whether an output of the close is there.
func (c *Channel) Any(where claims.Standing) bool {
	return slices.ContainsFunc(c.Settled, func(o claims.Output) bool { return o.Standing == where })
}

// FirstRetry is the shortest pause after a session in vain.
const FirstRetry = time.Second

// manyEvictions is after how many evictions in a row another machine with this
// node's key is thought of.
const manyEvictions = 10

// ManyEvictions reports whether the peer has hung up so often that another machine with
// this node's key may be at work.
func (c *Channel) ManyEvictions() bool {
	return c.Heard.Result == string(peer.Evicted) && c.Tries > manyEvictions
}

// HoldTime is how long nobody may have reached a peer before lightningd is given
// a channel that the peer should be asked to close first.
const HoldTime = 24 * time.Hour

// HeldUntil is when lightningd gets the channel if nobody reaches the peer. Of one whose
// funding output is nowhere no close may ever come, however often the peer is reached.
func (c *Channel) HeldUntil() time.Time {
	last := c.Held
	if c.Reached.After(last) && !c.Nowhere() {
		last = c.Reached
	}
	return last.Add(HoldTime)
}

// Stripped returns a copy of the channel without what the record must not or
// need not hold: the counterparty's revealed secrets and its signatures stay in
// the backup.
func Stripped(c *channel.Channel) channel.Channel {
	out := *c
	out.State.Secrets = nil
	out.State.HolderSigs = nil
	out.State.NextHolderSigs = nil
	return out
}
