// Package doctor looks at what a recovery needs on this machine (a running
// lightningd with the right secret and the plugin, a synced bitcoind, a backup that
// lightningd can read, room on the disk) and says what is missing, in the order in
// which to mend it.
//
// It only looks: it calls no method of lightningd that changes anything, contacts
// no peer, writes no file, and shows no secret. It asks for no passphrase.
package doctor
