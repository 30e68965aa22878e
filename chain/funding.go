package chain

import (
	"bytes"
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// FundingState is what is known of a funding output. The values are stable
// names that records and answers hold.
type FundingState string

// States of a funding output.
const (
	// FundingUnspent: the output is there. Without Node it may be unconfirmed:
	// see FundingEvidence.Confirmations.
	FundingUnspent FundingState = "unspent"
	// FundingUnconfirmed: the output is there, its transaction waits in the
	// mempool.
	FundingUnconfirmed FundingState = "unconfirmed"
	// FundingSpent: the spending transaction is in hand.
	FundingSpent FundingState = "spent"
	// FundingUnknown: nobody could say. Never to be read as spent.
	FundingUnknown FundingState = "unknown"
)

// FundingMismatch is the name of an output that is there with another value or
// script than the backup's channel has.
const FundingMismatch = "funding_mismatch"

// ConfirmationsUnknown stands for a number of confirmations that nobody told.
const ConfirmationsUnknown = -1

// FundingQuery asks for one channel's funding output.
type FundingQuery struct {
	OutPoint wire.OutPoint
	// CapacitySat is the value that the backup states.
	CapacitySat uint64
	// Script is the P2WSH of the 2-of-2; nil where our own funding key is not
	// known, then only its kind is checked.
	Script []byte
	// Spend is a spend that an earlier scan found; nil if none. It is checked
	// against the chain again.
	Spend *Spend
}

// FundingEvidence is what the chain says of a funding output, and why.
type FundingEvidence struct {
	State FundingState
	// ValueSat and Script are the output's where it was seen.
	ValueSat uint64
	Script   []byte
	// Confirmations of the funding transaction, or ConfirmationsUnknown.
	Confirmations int
	// Spend is set if and only if State is FundingSpent. Height 0 means that
	// the spend waits in the mempool.
	Spend *Spend
	// Problem is FundingMismatch, or empty.
	Problem string
	// Reason says in a sentence what was seen or what failed.
	Reason string
}

// Funding collects what is known of a funding output. It has no error: what
// fails ends as FundingUnknown with its reason, and a null of getutxout alone is
// FundingUnknown too.
func (v *View) Funding(ctx context.Context, q FundingQuery) FundingEvidence {
	reorganised := false
	if s := q.Spend; s != nil && s.Spends(q.OutPoint) && s.Block != (chainhash.Hash{}) {
		ok, err := v.Confirmed(ctx, s.Block, s.Height)
		if err != nil {
			// Still the transaction in hand; only its place is in doubt.
			return spent(s, fmt.Sprintf("a block scan found the spend at height %d; it could not be checked again: %v", s.Height, err))
		}
		if ok {
			return spent(s, fmt.Sprintf("spent at height %d", s.Height))
		}
		reorganised = true
	}

	e := v.look(ctx, q)
	if e.State == FundingUnknown && reorganised {
		e.Reason = "the block that spent it left the chain; " + e.Reason
	}
	return e
}

// look asks for the output itself.
func (v *View) look(ctx context.Context, q FundingQuery) FundingEvidence {
	if v.node != nil {
		if e, ok := v.lookNode(ctx, q); ok {
			return e
		}
	}
	out, err := v.backend.UTXO(ctx, q.OutPoint)
	switch {
	case err != nil:
		return unknown("the bitcoin backend did not answer: " + err.Error())
	case out == nil:
		return unknown("getutxout has no answer: spent, never there, or the backend failed")
	}
	e := FundingEvidence{
		State: FundingUnspent, Confirmations: ConfirmationsUnknown,
		Reason: "there; the backend does not tell confirmed from unconfirmed",
	}
	return e.with(*out, q)
}

// lookNode asks bitcoind; ok is false where it failed to answer, and
// lightningd's backend may know more.
func (v *View) lookNode(ctx context.Context, q FundingQuery) (e FundingEvidence, ok bool) {
	out, err := v.node.TxOut(ctx, q.OutPoint, true)
	if err != nil {
		return e, false
	}
	if out != nil {
		e = FundingEvidence{
			State: FundingUnspent, Confirmations: int(out.Confirmations),
			Reason: fmt.Sprintf("unspent with %d confirmations", out.Confirmations),
		}
		if out.Confirmations == 0 {
			e.State, e.Reason = FundingUnconfirmed, "waits in the mempool"
		}
		return e.with(out.TxOut, q), true
	}

	// Not there with the mempool counted: perhaps a mempool transaction spends
	// it.
	spends, err := v.MempoolSpends(ctx, []wire.OutPoint{q.OutPoint})
	if err == nil && len(spends) == 1 {
		return spent(&spends[0], "spent by a transaction in the mempool"), true
	}
	confirmed, confirmedErr := v.node.TxOut(ctx, q.OutPoint, false)
	if confirmedErr != nil {
		return e, false
	}
	switch {
	case confirmed != nil && err != nil:
		return unknown("a mempool transaction spends it, which could not be read: " + err.Error()), true
	case confirmed != nil:
		// It came or went between two questions.
		return unknown("a mempool transaction spends it, which was gone when asked for"), true
	}
	return unknown("not among the unspent outputs: spent or never there; a block scan can find the spend"), true
}

// with notes the output, and whether it is the one of the backup.
func (e FundingEvidence) with(out TxOut, q FundingQuery) FundingEvidence {
	e.ValueSat, e.Script = out.ValueSat, out.Script
	switch {
	case out.ValueSat != q.CapacitySat:
		e.Problem = FundingMismatch
		e.Reason += fmt.Sprintf("; its value is %d sat and the backup says %d", out.ValueSat, q.CapacitySat)
	case q.Script != nil && !bytes.Equal(q.Script, out.Script):
		e.Problem = FundingMismatch
		e.Reason += "; its script is not the 2-of-2 of the channel's funding keys"
	case q.Script == nil && !isP2WSH(out.Script):
		e.Problem = FundingMismatch
		e.Reason += "; its script is not the kind that a channel has"
	}
	return e
}

func spent(s *Spend, reason string) FundingEvidence {
	return FundingEvidence{State: FundingSpent, Spend: s, Confirmations: ConfirmationsUnknown, Reason: reason}
}

func unknown(reason string) FundingEvidence {
	return FundingEvidence{State: FundingUnknown, Confirmations: ConfirmationsUnknown, Reason: reason}
}

// isP2WSH: version 0 witness program of 32 bytes.
func isP2WSH(script []byte) bool {
	return len(script) == 34 && script[0] == 0x00 && script[1] == 0x20
}
