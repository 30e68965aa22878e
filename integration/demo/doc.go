// Command demo plays the whole story of a lost node for a person to read: on
// regtest where lightningd and bitcoind are on PATH, in containers where only
// Docker is at hand, and else on a genuine backup that is shipped with the
// project, saying what that cannot show.
//
// It NEVER touches a node of the user's: everything is made for the demo, on
// regtest, on loopback, and gone at its end.
package main
