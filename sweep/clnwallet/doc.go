// Package clnwallet is lightningd's wallet as package sweep wants it.
//
// It chooses nothing: fundpsbt would choose coins by itself, to_remote outputs
// of channels under recovery among them, and both fundpsbt and utxopsbt refuse
// to leave less than min-emergency-msat (25,000 sat) where the node has an
// anchor channel, although paying for a stuck close is what that reserve is
// for. So the coins come from listfunds, and reserveinputs reserves the chosen
// ones. It never sends a transaction.
package clnwallet
