// Package esplora is the chain as a server of Esplora's HTTP interface tells it
// (Blockstream/esplora, API.md; mempool.space has the same).
//
// Blocks and transactions are held against their hashes, and a block against its
// merkle root, but which chain is the best one, and that nothing was left out, is
// the server's word. It learns every script and outpoint that is looked for: Limits
// says so to people.
package esplora
