// Command demo plays the whole story of a lost node for a person to read: first
// the rescue without lightningd, with a real lnd and btcd from Go's module proxy;
// then the plugin's, on regtest where lightningd and bitcoind are on PATH, in
// containers where Docker is at hand. Where nothing can be fetched either, it shows
// what needs no node, on a genuine backup that is shipped with the project.
//
// It NEVER touches a node of the user's: everything is made for the demo, on
// regtest, on loopback, and gone at its end.
package main
