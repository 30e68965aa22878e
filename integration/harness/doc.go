// Package harness runs real programs on regtest for the scenarios and the
// demo: bitcoind, lightningd (with its own hsmd or with the genuine Greenlight
// signer), lnd, and the plugin as `go build` makes it from this tree. Where
// nothing but Go is at hand, a btcd makes the chain, and a small node of its own
// (Fundee) has the channel that is lost; both daemons come from Go's module proxy.
//
// Every port is on 127.0.0.1, every file is in one temporary directory per
// Net, every wait is for a predicate, and every process that was started is
// ended by its process group when the Net is cleaned up. The log of each
// process is shown when a test failed.
//
// It NEVER reaches beyond loopback, never ends a process that it did not
// start, and never imports the product's packages: what a scenario asserts
// about the product is read from lightningd, bitcoind and the product's own
// answers.
package harness
