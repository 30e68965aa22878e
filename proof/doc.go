// Package proof checks with the node's secret that a signer backup is this
// node's: the node id, the signature of every entry, our keys of every channel
// (by the counterparty's signatures on our commitments) and the counterparty's
// revealed secrets.
//
// A proof is about origin, never about freshness: an older backup of the same
// signer passes every check. The package never asks a chain or a peer, never
// changes a backup, and names what is wrong without showing what stands there.
package proof
