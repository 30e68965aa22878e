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
	// ErrReservation: the wallet did not reserve a coin that it had just
	// listed. Another command took it first, most likely: try again.
	ErrReservation = errors.New("reservation_failed: the chosen coins of the wallet could not be reserved")
	// ErrSelfCheck: what lightningd returned does not spend what it should.
	// Nothing of it was kept.
	ErrSelfCheck = errors.New("self_check_failed")
)

// UneconomicError says that the wanted feerate costs more than the caller's
// maximum.
type UneconomicError struct {
	// FeeratePerKW is the wanted feerate in sat per 1000 weight.
	FeeratePerKW uint32
	// FeeSat is what the child would pay, MaxFeeSat what it may.
	FeeSat, MaxFeeSat uint64
}

// SatPerVB is the wanted feerate in sat per virtual byte, rounded.
func (e *UneconomicError) SatPerVB() uint64 { return (uint64(e.FeeratePerKW)*4 + 500) / 1000 }

// Error begins with "uneconomic_at N sat/vB".
func (e *UneconomicError) Error() string {
	return fmt.Sprintf("uneconomic_at %d sat/vB: the child would pay %d sat, at most %d are allowed", e.SatPerVB(), e.FeeSat, e.MaxFeeSat)
}

// NeedsFeeInputError says what coin the wallet lacks.
type NeedsFeeInputError struct {
	// AmountSat is the least that one more P2WPKH or P2TR coin must be worth at
	// this feerate, beside what the wallet can add already. Feerates move: ask
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

// InputsGoneError says that the wallet no longer has inputs of the child that
// should be replaced: it confirmed, or something else spent them. The caller
// asks the chain; after a conflicting spend it starts without Replaces.
type InputsGoneError struct {
	Inputs []wire.OutPoint
}

// Error begins with "inputs_gone".
func (e *InputsGoneError) Error() string {
	names := make([]string, len(e.Inputs))
	for i, in := range e.Inputs {
		names[i] = in.String()
	}
	return "inputs_gone: the wallet no longer has " + strings.Join(names, ", ")
}
