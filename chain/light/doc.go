// Package light is the chain for people without a node: a client that verifies
// headers, asks nodes of the Bitcoin network for compact filters (BIP 157 and 158),
// and downloads only the blocks that a filter names. It stands on
// lightninglabs/neutrino, which lnd uses.
//
// It sees blocks and no mempool, cannot look an output up, and estimates no fee:
// Limits says so to people. It asks for nothing that names a script, an outpoint or
// an address.
package light
