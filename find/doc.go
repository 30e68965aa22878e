// Package find looks for a node's coins without knowing their heights: one pass
// over bitcoind's UTXO set (scantxoutset) finds every channel's funding output,
// to_remote of the peer's commitments, to_local of our own ones over a range of
// commitment numbers, and the coins of the on-chain wallet, with their heights.
// The mempool is asked for what spends them.
//
// It never spends, signs or publishes, and gives bitcoind scripts and public
// descriptors only. An output that is not in the UTXO set is spent or was never
// there: it is called spent only with the spending transaction in hand.
package find
