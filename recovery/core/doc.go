// Package core decides what a recovery does: Step takes a state and one event, and
// returns what is to be done. It is pure: the same state and the same event give the same
// effects, so that 10,000 random events can be run against its invariants in a second.
//
// It hands each event to the package of its area (follow, spend, stubs, sessions, calls),
// and then does what is due. Time comes as events, and an effect that fails is one too. A
// Save stands before every effect that the world can see.
//
// Neither core nor these packages have a clock, a lock, a context or dice; they open no
// file, call nobody and log nothing. They never have our own commitment published, never
// have a fee paid for a close that may be in a block, and never call a coin recovered that
// the wallet does not list.
//
// These are the ways of a channel, each with the event that leads there from any of the
// states before the arrow to one of those behind it; a test walks each of them. What a
// close leads to depends on the chain and the wallet alone, so a reorganisation, a crash
// or a transaction that fell out of the mempool leads back by itself. A channel that is
// proven to be with another peer ends in left_out from wherever it is.
//
//	plan: import: (new), left_out, funding_unconfirmed -> import_deferred
//	plan: import, without a lightningd: (new), left_out, funding_unconfirmed ->
//	    ask_first
//	plan: ask_first: (new), left_out, funding_unconfirmed -> ask_first
//	plan: funding_unconfirmed: (new), left_out -> funding_unconfirmed
//	plan: follow_closed: (new), left_out, funding_unconfirmed -> outputs_waiting
//	plan: already_imported: (new), left_out, funding_unconfirmed -> imported
//	plan: already_resolved: (new), left_out, funding_unconfirmed -> needs_operator
//	plan: left out: (new), funding_unconfirmed -> left_out
//	3 confirmations: funding_unconfirmed -> import_deferred
//	lightningd makes the stub: import_deferred, ask_first -> imported
//	lightningd does not take it: import_deferred, ask_first, peer_forgot_channel,
//	    imported, close_requested, needs_address, needs_secret, peer_stale,
//	    hosted_node_alive, needs_operator -> left_out
//	numbers 1/0: import_deferred -> ask_first
//	peer is behind: import_deferred, ask_first, peer_forgot_channel, imported,
//	    close_requested, needs_address, needs_secret -> peer_stale
//	plan: import, and its peer was asked before: left_out, funding_unconfirmed ->
//	    close_requested
//	asked: ask_first, peer_forgot_channel, imported, needs_address -> close_requested
//	no address works: ask_first, peer_forgot_channel, imported, close_requested ->
//	    needs_address
//	secret unreadable: ask_first, peer_forgot_channel, imported, close_requested,
//	    needs_address -> needs_secret
//	numbers moved, proven: ask_first, peer_forgot_channel, imported, close_requested,
//	    needs_address, needs_secret -> hosted_node_alive
//	numbers moved, unproven: ask_first, peer_forgot_channel, imported, close_requested,
//	    needs_address, needs_secret -> needs_operator
//	the peer does not speak of it: ask_first, imported, close_requested, needs_address
//	    -> peer_forgot_channel
//	override, or numbers are right again: peer_stale -> import_deferred, ask_first,
//	    imported, close_requested
//	override: hosted_node_alive -> import_deferred, ask_first, imported, close_requested
//	retry: needs_operator -> import_deferred, ask_first, imported, close_requested
//	secret readable: needs_secret -> import_deferred, ask_first, imported,
//	    close_requested
//	peer reached: needs_address -> ask_first, imported, close_requested
//	the peer speaks of it again: peer_forgot_channel -> ask_first, imported,
//	    close_requested
//	override, and its funding is young: hosted_node_alive -> funding_unconfirmed
//	plan: funding_unconfirmed, without a lightningd: peer_stale -> funding_unconfirmed
//	another channel proves the hosted node alive: import_deferred, funding_unconfirmed
//	    -> hosted_node_alive
//	another channel proves the hosted node alive while it is planned: (new), left_out,
//	    peer_stale -> hosted_node_alive
//	its peer is to be asked, without the secret: (new), left_out, funding_unconfirmed,
//	    import_deferred, peer_stale, hosted_node_alive, needs_operator, close_seen,
//	    outputs_waiting, credited, lost_to, cheated -> needs_secret
//	close in the mempool: funding_unconfirmed, import_deferred, ask_first,
//	    peer_forgot_channel, imported, close_requested, needs_address, needs_secret,
//	    peer_stale, hosted_node_alive, needs_operator -> close_seen
//	close in a block: funding_unconfirmed, import_deferred, ask_first,
//	    peer_forgot_channel, imported, close_requested, needs_address, needs_secret,
//	    peer_stale, hosted_node_alive, needs_operator -> outputs_waiting
//	close in a block, all in the wallet or taken: funding_unconfirmed, import_deferred,
//	    ask_first, peer_forgot_channel, imported, close_requested, needs_address,
//	    needs_secret, peer_stale, hosted_node_alive, needs_operator -> credited
//	close in a block, and 100 more: funding_unconfirmed, import_deferred, ask_first,
//	    peer_forgot_channel, imported, close_requested, needs_address, needs_secret,
//	    peer_stale, hosted_node_alive, needs_operator -> resolved
//	close in a block, spent from the wallet by somebody else: funding_unconfirmed,
//	    import_deferred, ask_first, peer_forgot_channel, imported, close_requested,
//	    needs_address, needs_secret, peer_stale, hosted_node_alive, needs_operator ->
//	    lost_to
//	a commitment that is revoked: funding_unconfirmed, import_deferred, ask_first,
//	    peer_forgot_channel, imported, close_requested, needs_address, needs_secret,
//	    peer_stale, hosted_node_alive, needs_operator, close_seen, outputs_waiting,
//	    credited, lost_to -> cheated
//	a splice: funding_unconfirmed, import_deferred, ask_first, peer_forgot_channel,
//	    imported, close_requested, needs_address, needs_secret, peer_stale,
//	    hosted_node_alive, close_seen, outputs_waiting, credited, lost_to, cheated ->
//	    needs_operator
//	in a block, not in the wallet: close_seen, credited, lost_to -> outputs_waiting
//	all in the wallet or taken: close_seen, outputs_waiting, lost_to -> credited
//	somebody else spent it from the wallet: close_seen, outputs_waiting, credited ->
//	    lost_to
//	reorganisation: outputs_waiting, credited, lost_to -> close_seen
//	neither in the mempool nor in a block: close_seen, outputs_waiting, credited,
//	    lost_to, cheated -> import_deferred, ask_first, imported, close_requested,
//	    left_out, peer_stale, hosted_node_alive
//	100 blocks: outputs_waiting, credited, close_seen -> resolved
//	spent from the wallet, nobody can tell by whom: outputs_waiting -> needs_operator
//	all in the wallet or taken, and 100 blocks: lost_to -> resolved
//	another close: cheated -> close_seen
//	another close, in a block: cheated -> outputs_waiting
//	another close, all in the wallet or taken: cheated -> credited
//	all of it claimed or taken: cheated -> credited
//	all of it claimed or taken, and 100 blocks: cheated -> resolved
//	all of it claimed or taken, and spent from the wallet by somebody else: cheated ->
//	    lost_to
package core
