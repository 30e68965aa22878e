// Package chain asks what the block chain says: whether a funding output is
// still there, which transaction spent it and at which height, and what became
// of that transaction's outputs.
//
// Everything comes through two narrow doors. Backend is what lightningd's own
// bitcoin backend answers (bcli's RPC methods); it is always there. Node is
// bitcoind itself, which sees more (confirmations, mempool, prune height, UTXO
// set) but needs the node's credentials; it is optional, and Bitcoind is its
// client.
//
// Watcher is the one place that knows where the spend of an outpoint is; Source
// is what it looks at, and Join makes one of the two doors. It does not stand on
// lnd's chainntnfs: TxNotifier leaves historical scans, resuming and unreadable
// blocks to its caller and forgets a spend 144 blocks deep, and MempoolNotifier
// does not say when a spend leaves; what would be saved is a map and its undo.
//
// The package never concludes "spent" from silence: a null answer is unknown,
// and spent means that the spending transaction is in hand. It never asks for a
// block below the prune height where that can be known, never has more than one
// block request under way, never prints or returns a credential, and decides
// nothing about a channel: what a spending transaction means is onchain's
// business.
package chain
