// Package backup reads what a recovery is made from: the signer's backup, by path
// or as it was given, and the copies of the lost node's own static channel backup
// (SCB) that its peers have kept.
//
// It decides nothing, asks nobody, and keeps no secret: who opens an encrypted copy
// has it.
package backup
