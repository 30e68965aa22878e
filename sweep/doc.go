// Package sweep makes the transactions that bring coins home from a closed
// channel, where lightningd does not.
//
// Claims lists what is or can become ours of a close (package onchain says what
// each output is): from when, until when, and what is missing. Build makes one
// transaction of claims, pays for it, signs it and runs every input through the
// script engine.
//
//	commitment of the peer --to_remote, HTLCs, penalties----------------------> address
//	commitment of ours ----to_local after the delay---------------------------> address
//	       |---------------HTLC--> HTLC transaction that the peer signed --delay-> address
//	                                 ^ wallet coins, where it pays no fee
//	mutual close ----------our key of the wallet------------------------------> address
//
// BuildChild pays for a peer's commitment that is stuck for lack of fee: it
// spends our anchor on it, together with coins of the node's wallet, in a
// child that pays for both (child pays for parent).
//
// A later call with Replaces keeps all inputs of the first transaction and
// raises the fee by BIP 125's rules; nothing may spend the first one's outputs
// meanwhile, and nothing does, because lightningd learns of it only from a
// block.
//
// The package NEVER broadcasts: the caller records the transaction first and
// then sends it. It never makes a transaction that spends a funding output,
// never pays more than the caller's maximum, never spends an unconfirmed or
// foreign-reserved coin or one that the caller wants to be left alone, never
// takes what the caller says is lightningd's, and leaves no reservation behind
// when it fails.
//
// lnd's sweep package was read for this and is not used. Its TxPublisher hands a
// transaction to the wallet and records only txid and fee, afterwards; what
// UtxoSweeper has pending is in memory, with block heights, coin selection and
// retries of its own, for lnd's contractcourt to offer again after a restart:
// that is a second core next to ours, which saves before it acts and is
// deterministic. What is of use is one rule, budget over deadline, which
// the caps of an Order and the caller's choice of feerate follow; 13 MB and
// 331 packages are a high price for it.
package sweep
