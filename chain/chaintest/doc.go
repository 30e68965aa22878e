// Package chaintest is a block chain in memory for tests: it mines what it is
// told, reorganises, prunes, keeps a mempool, and can be down. It offers the
// chain as a chain.Backend and as a chain.Node.
//
// It checks no script, signature, value or proof of work, and is never used
// outside tests.
package chaintest
