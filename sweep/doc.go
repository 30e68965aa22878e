// Package sweep pays for a peer's commitment that is stuck for lack of fee: it
// spends our anchor on it, together with coins of the node's wallet, in a
// child that pays for both (child pays for parent).
//
//	peer's commitment --our anchor, 330 sat--+
//	                                         +--> child --> the wallet
//	wallet coins ----------------------------+
//
// BuildChild checks that the parent is a signed commitment of the channel,
// chooses and reserves confirmed wallet coins, has lightningd sign those and
// nothing else, signs the anchor itself and runs every input through the
// script engine. A later call with Replaces keeps all inputs of the first child
// and raises the fee by BIP 125's rules; nothing may spend the first child's
// output meanwhile, and nothing does, because lightningd learns of it only from
// a block.
//
// The package NEVER broadcasts: the caller records the child first and then
// sends it. It never pays more than the caller's maximum, never spends an
// unconfirmed or foreign-reserved coin, an output of the parent or one that the
// caller wants to be left alone, never touches to_remote (that is onchaind's),
// and leaves no reservation behind when it fails.
package sweep
