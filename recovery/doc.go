// Package recovery runs a recovery: it decides with plan whether a backup may be
// imported and what is done with each channel, hands that to the core, carries
// out what the core answers, and tells people how it goes.
//
// One goroutine owns the state (state.State). Everything else sends it events: the
// Watcher, the end of a session, what lightningd lists, a command, the time. For
// each event the core says what is to be done; what the world can see is done
// only when the record is written. Commands and the guard answer from the last
// snapshot, and nothing waits for a lock.
//
// It speaks to a node, a store, a chain, peers and keys through interfaces of its
// own and knows no lightningd. It never publishes our own commitment, never calls
// a coin recovered before the wallet lists it, and never lets one channel's
// trouble stop another.
package recovery
