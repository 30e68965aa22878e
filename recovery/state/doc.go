// Package state is what is known of a recovery at one moment: of the chain, of
// lightningd and its wallet, of each channel, and what is under way.
//
// It decides nothing. The packages above it do: spend, follow, stubs, sessions and
// calls, each with its own area, and core, which hands them the events. They change a
// channel that they have from Touch, change its state with Move, and say what is to be
// done with Do. Take answers with all of that, and with the Save that belongs before it.
//
// A Snapshot is for readers: what is asked of a state or a channel (MayPay, HeldUntil,
// Vanished) is a method here, so that nobody who reads needs a package that decides.
package state
