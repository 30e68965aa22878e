// Package closing holds one session with one peer, over package peer: it reads
// what the peer says of its channels (channel_reestablish), or asks it to close
// one of them, and returns what came of it as an event for the core.
//
// It decides in one place only, in the middle of a session, because the peer
// waits there: whether the numbers that the peer has just said allow to go on
// (money rules 2 and 5). It keeps no state, retries nothing, and never sends
// anything on a channel before it has heard the peer's numbers.
package closing
