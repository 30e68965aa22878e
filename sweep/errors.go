package sweep

import (
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/wire"
)

// Refusals that carry nothing but their name, with which the text begins.
var (
	// ErrNoAnchor: the channel's type has no anchors, or this commitment none
	// of ours (BOLT 3: ours exists with our balance or any untrimmed HTLC).
	ErrNoAnchor = errors.New("no_anchor: the commitment has no anchor output of ours to spend")
	// ErrNotCommitment: the parent does not spend the funding output with both
	// signatures, or the funding value is wrong.
	ErrNotCommitment = errors.New("not_a_commitment: the transaction is no signed commitment of this channel")
	// ErrFeeSufficient: parent, or parent and the child to replace, pay the
	// wanted feerate already.
	ErrFeeSufficient = errors.New("fee_sufficient: the close pays the wanted feerate without another child")
	// ErrNotOurChild: the transaction to replace is no signed child that
	// BuildChild made for this commitment.
	ErrNotOurChild = errors.New("not_our_child: the transaction to replace is no signed child of this commitment")
	// ErrDestination: the destination is no P2WPKH or P2TR address of the
	// network.
	ErrDestination = errors.New("bad_destination: not a P2WPKH or P2TR address of this network")
	// ErrAddress: the destination of a sweep is no address of the network.
	ErrAddress = errors.New("bad_destination: not an address of this network")
	// ErrClaims: the claims do not fit into one transaction: none, one twice,
	// or an HTLC transaction that the peer signed along with others.
	ErrClaims = errors.New("bad_claims: these claims do not make one transaction")
	// ErrNotOurSweep: the transaction to replace is not one that Build made of
	// these claims.
	ErrNotOurSweep = errors.New("not_our_sweep: the transaction to replace does not spend these outputs as Build does")
	// ErrFeeFixed: the peer's signature covers the whole HTLC transaction
	// (channels without anchors): its fee cannot be raised.
	ErrFeeFixed = errors.New("fee_fixed: the fee of this HTLC transaction was agreed with the peer and cannot be raised")
	// ErrReservation: the wallet did not reserve a coin that it had just
	// listed. Another command took it first, most likely: try again.
	ErrReservation = errors.New("reservation_failed: the chosen coins of the wallet could not be reserved")
	// ErrSelfCheck: what lightningd returned does not spend what it should.
	// Nothing of it was kept.
	ErrSelfCheck = errors.New("self_check_failed")
)

// NotReadyError says why a claim cannot be built now.
type NotReadyError struct {
	OutPoint wire.OutPoint
	// Needs is what the claim lacks; where it lacks nothing, From is the lowest
	// height of a block that can hold it.
	Needs Need
	From  uint32
}

// Error begins with "not_ready".
func (e *NotReadyError) Error() string {
	if e.Needs != NeedNothing {
		return fmt.Sprintf("not_ready: the claim of %s needs: %s", e.OutPoint, e.Needs)
	}
	return fmt.Sprintf("not_ready: the claim of %s cannot be in a block before %d", e.OutPoint, e.From)
}

// UneconomicError says that the wanted feerate costs more than the caller's
// maximum.
type UneconomicError struct {
	// FeeratePerKW is the wanted feerate in sat per 1000 weight.
	FeeratePerKW uint32
	// FeeSat is what the transaction would pay, MaxFeeSat what it may.
	FeeSat, MaxFeeSat uint64
}

// SatPerVB is the wanted feerate in sat per virtual byte, rounded.
func (e *UneconomicError) SatPerVB() uint64 { return (uint64(e.FeeratePerKW)*4 + 500) / 1000 }

// Error begins with "uneconomic_at N sat/vB".
func (e *UneconomicError) Error() string {
	return fmt.Sprintf("uneconomic_at %d sat/vB: the fee would be %d sat, but at most %d are allowed", e.SatPerVB(), e.FeeSat, e.MaxFeeSat)
}

// NeedsFeeInputError says what coin the wallet lacks.
type NeedsFeeInputError struct {
	// AmountSat is the least that one more P2WPKH or P2TR coin must have at
	// this feerate, besides what the wallet can add already. Feerates move: ask
	// for more.
	AmountSat uint64
	// Address is the wallet's. It may be new: record it and give it as the
	// request's Destination from now on.
	Address string
}

// Error begins with "needs_fee_input".
func (e *NeedsFeeInputError) Error() string {
	return fmt.Sprintf("needs_fee_input: send at least %d sat to %s", e.AmountSat, e.Address)
}

// InputsSpentError says that the wallet no longer has inputs of the child that
// should be replaced: it confirmed, or something else spent them. The caller
// asks the chain; after a conflicting spend it starts without Replaces.
type InputsSpentError struct {
	Inputs []wire.OutPoint
}

// Error begins with "inputs_gone".
func (e *InputsSpentError) Error() string {
	names := make([]string, len(e.Inputs))
	for i, in := range e.Inputs {
		names[i] = in.String()
	}
	return "inputs_gone: the wallet no longer has " + strings.Join(names, ", ")
}
