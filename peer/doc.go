// Package peer holds one BOLT 8 session with a channel peer, as our node. It
// does three things and no more:
//
//   - [Client.Read] reads what the peer says unasked after init: its
//     channel_reestablish for every channel, the peer-storage blob that it kept
//     for us, its warnings and errors.
//   - [Client.AskClose] asks the peer to close one channel, in the one order
//     that is safe with every peer: read its numbers, let the caller decide,
//     send channel_reestablish with zero numbers, read the answer, send error.
//   - [Freshness] compares the peer's numbers with a backup's. It is pure.
//
// What it never does: it never sends anything on a channel before the caller's
// [Decide] saw the peer's numbers; it never sends error before
// channel_reestablish (a fundee that still awaits channel_ready would forget
// the channel for ever); it never signs, publishes or retries; it never says
// that a channel is closed (the chain says that); it never dials around a proxy
// that must be used and never asks the system's resolver then; it keeps no
// state between sessions and writes no secret to the log.
//
// A session identifies itself with the node's own key. CLN and lnd allow one
// connection per node id, so each session takes the place of lightningd's own
// or of the hosted node's, and the other way round: that is the result
// [Evicted], and retries are the caller's.
package peer
