// Package secret is what a recovery needs of the node's secret: public keys and
// scripts of its channels, its identity for sessions, the signer of our anchors,
// proofs. The secret itself stays in keychain.
//
// It never shows a private key, signs for no funding output, and writes nothing.
package secret
