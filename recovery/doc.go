// Package recovery is the work itself: it decides whether a backup may be
// imported at all (gates), what is done with each of its channels (plan),
// imports them into lightningd (import), and then follows every channel until
// its coin is in the wallet (engine), asking each peer to close in the order
// that is safe for all of them.
//
// One channel goes through these states. Each is told by glrecover-status; none
// is kept in memory only: what the chain or lightningd can tell again is asked
// again, the rest is in the node's datastore (record).
//
//	                 left_out (closed before, unreadable, dbid taken)
//	                    ^
//	[backup] ---gates---+--> funding_unconfirmed --3 confirmations--+
//	                    |                                           v
//	                    +----------------------------------> imported --+
//	                                                            |       |
//	   needs_address, needs_secret, peer_stale,  <--- ask ------+       |
//	   hosted_node_alive, needs_operator         ---> again             |
//	                                                            v       | somebody
//	                                                  close_requested   | closed before
//	                                                            |       |
//	                                    spend in mempool/chain  v       v
//	                       cheated <--- revoked? ------------ close_seen
//	                          |                                 |
//	                          +-------> outputs_waiting <-------+
//	                                        |  every output of ours is
//	                                        v  in listfunds
//	                                     credited --100 confirmations--> resolved
//
// A reorganisation or a transaction that fell out of the mempool leads back:
// the state is computed from what the chain says now, each time.
//
// The package never publishes our own commitment, never sends an error to a
// peer before it has read the peer's numbers, never calls a coin recovered
// before listfunds has it, never keeps a secret in the datastore, and never
// lets one channel's trouble stop another.
package recovery
