// Package gates says whether a backup may be recovered on this node at all. Whatever
// speaks against that is found before anything has an effect: another node's backup,
// another network, dbids that clash, a node in use, signs that the lost node is alive.
// Prove says, with the node's secret, whether the backup is as its signer wrote it.
package gates
