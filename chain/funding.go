package chain

import (
	"bytes"
	"context"
	"errors"
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
	// FundingUnconfirmed: the output is there, its transaction waits in the mempool.
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

// Evidence collects what is known of a funding output. It has no error: what fails
// ends as FundingUnknown with its reason, and silence of a backend is FundingUnknown
// too.
func Evidence(ctx context.Context, src Source, q FundingQuery) FundingEvidence {
	e := look(ctx, src, q)
	s := q.Spend
	if s == nil || !s.Spends(q.OutPoint) || s.Block == (chainhash.Hash{}) {
		return e
	}
	switch there, err := confirmed(ctx, src, s.Block, s.Height); {
	case err != nil:
		// Still the transaction in hand; only its place is in doubt.
		return spent(s, fmt.Sprintf("a block scan found the spend in block %d; checking it again failed: %v", s.Height, err))
	case there:
		return spent(s, fmt.Sprintf("spent in block %d", s.Height))
	case e.State == FundingUnknown:
		e.Reason = "the block that spent it is no longer in the chain; " + e.Reason
	}
	return e
}

// confirmed reports whether the block is (still) the best chain's at that height.
// False without an error means that a reorganisation took it out.
func confirmed(ctx context.Context, src Source, block chainhash.Hash, height uint32) (bool, error) {
	h, err := src.HashAt(ctx, height)
	if errors.Is(err, ErrUnsupported) {
		var b *Block
		if b, err = src.Block(ctx, height); err == nil {
			h = b.Hash
		}
	}
	if errors.Is(err, ErrNoBlock) {
		// No answer looks the same as no block.
		if tip, _, tipErr := src.Best(ctx); tipErr == nil && tip < height {
			return false, nil
		}
	}
	return h == block, err
}

// look asks for the output, and for what in the mempool spends it.
func look(ctx context.Context, src Source, q FundingQuery) FundingEvidence {
	out, err := src.Output(ctx, q.OutPoint)
	by, poolErr := src.Spenders(ctx, []wire.OutPoint{q.OutPoint})
	if s := spendBy(q.OutPoint, by[q.OutPoint]); s != nil {
		return spent(s, "spent by a transaction in the mempool")
	}
	switch {
	case err != nil:
		return unknown("the bitcoin backend did not answer: " + err.Error())
	case out == nil && poolErr != nil:
		return unknown("the bitcoin backend has no answer: the output was spent or never existed, or the backend failed")
	case out == nil:
		return unknown("not among the unspent outputs: it was spent or never existed; a block scan can find the spend")
	}
	e := FundingEvidence{State: FundingUnspent, Confirmations: out.Confirmations}
	switch e.Confirmations {
	case ConfirmationsUnknown:
		e.Reason = "it exists; the backend does not say whether it is confirmed"
	case 0:
		e.State, e.Reason = FundingUnconfirmed, "unconfirmed, in the mempool"
	default:
		e.Reason = fmt.Sprintf("unspent with %d confirmations", out.Confirmations)
	}
	return e.with(out.TxOut, q)
}

// with notes the output, and whether it is the one of the backup.
func (e FundingEvidence) with(out TxOut, q FundingQuery) FundingEvidence {
	e.ValueSat, e.Script = out.ValueSat, out.Script
	switch {
	case out.ValueSat != q.CapacitySat:
		e.Problem = FundingMismatch
		e.Reason += fmt.Sprintf("; its value is %d sat, but the backup says %d", out.ValueSat, q.CapacitySat)
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
