// Package record keeps what a recovery must not forget, behind a Store: one entry
// for the run, one for each channel, one for how far the chain was looked at, and
// what peers returned of the lost node's own backup. It outlives the backup file,
// the plugin and lightningd.
//
// Each entry has a version. Version 1 is read and carried over; a newer or a
// damaged entry is record_unreadable, and nothing is done with any of it. An
// entry that did not change is not written again, and none is larger than
// MaxEntry.
//
// No secret, no preimage and no revealed revocation secret is in it, and it
// decides nothing.
package record
