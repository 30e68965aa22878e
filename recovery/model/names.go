package model

// ChannelState is where a channel is on its way from the backup to the wallet.
// The names are stable: they are kept in the record and shown to users.
type ChannelState string

// The states; the package comment of core has the table of what leads from one to the
// other.
const (
	// LeftOut: nothing is done for the channel; the reason says why.
	LeftOut ChannelState = "left_out"
	// FundingUnconfirmed: the funding transaction has fewer than
	// decision.MinFundingConfs confirmations: neither import nor request to close yet.
	FundingUnconfirmed ChannelState = "funding_unconfirmed"
	// ImportDeferred: lightningd is to get a stub and has none yet.
	ImportDeferred ChannelState = "import_deferred"
	// AskFirst: our own session asks the peer to close, and lightningd has no
	// stub: the peer could forget the channel at the stub's error (money rule
	// 4b), or there is no lightningd.
	AskFirst ChannelState = "ask_first"
	// Forgotten: the peer does not speak of the channel, and its funding output is
	// unspent.
	Forgotten ChannelState = "peer_forgot_channel"
	// Imported: lightningd has the stub, the peer has not been asked yet.
	Imported ChannelState = "imported"
	// CloseRequested: the peer was asked to close and no close is seen.
	CloseRequested ChannelState = "close_requested"
	// CloseSeen: an unconfirmed transaction spends the funding output.
	CloseSeen ChannelState = "close_seen"
	// Cheated: the peer published a revoked commitment.
	Cheated ChannelState = "cheated"
	// OutputsWaiting: the close is confirmed, and an output that is ours, or may
	// be, is neither in the wallet nor with somebody else.
	OutputsWaiting ChannelState = "outputs_waiting"
	// Credited: everything that the close owes us is in the wallet or was spent
	// by it.
	Credited ChannelState = "credited"
	// Resolved: credited, or nothing was ours, and FinalConfs deep.
	Resolved ChannelState = "resolved"
	// LostTo: somebody else has spent a coin that had come to the wallet.
	LostTo ChannelState = "lost_to"
	// NeedsAddress: no address of the peer works or is known.
	NeedsAddress ChannelState = "needs_address"
	// NeedsSecret: the node's secret cannot be read, so no session with a peer.
	NeedsSecret ChannelState = "needs_secret"
	// PeerStale: the peer lost state; to ask it would make it publish a
	// commitment that it has revoked.
	PeerStale ChannelState = "peer_stale"
	// HostedAlive: the hosted node is alive; nobody is asked to close.
	HostedAlive ChannelState = "hosted_node_alive"
	// NeedsOperator: somebody has to decide; the reason says what.
	NeedsOperator ChannelState = "needs_operator"
)

// States lists all of them, in the order in which a channel goes through them.
var States = []ChannelState{
	LeftOut, FundingUnconfirmed, ImportDeferred, AskFirst, Forgotten, Imported, CloseRequested, CloseSeen, Cheated,
	OutputsWaiting, Credited, Resolved, LostTo, NeedsAddress, NeedsSecret, PeerStale, HostedAlive, NeedsOperator,
}

// Depths in blocks.
const (
	// FinalConfs is when lightningd itself forgets a closed channel.
	FinalConfs = 100
	// StuckBlocks is how long a close may stay unconfirmed before a fee is paid
	// for it.
	StuckBlocks = 6
)

// Done reports whether nothing more will happen by itself.
func (s ChannelState) Done() bool { return s == LeftOut || s == Resolved }

// Asks reports whether a channel in this state still has to be closed by its
// peer, and may be asked for.
func (s ChannelState) Asks() bool {
	switch s {
	case AskFirst, Forgotten, Imported, CloseRequested, NeedsAddress, NeedsSecret:
		return true
	case LeftOut, FundingUnconfirmed, ImportDeferred, CloseSeen, Cheated, OutputsWaiting, Credited,
		Resolved, LostTo, PeerStale, HostedAlive, NeedsOperator:
	}
	return false
}

// Closed reports whether the state follows from a transaction that spends the
// funding output.
func (s ChannelState) Closed() bool {
	switch s {
	case CloseSeen, Cheated, OutputsWaiting, Credited, Resolved, LostTo:
		return true
	case LeftOut, FundingUnconfirmed, ImportDeferred, AskFirst, Forgotten, Imported, CloseRequested, NeedsAddress,
		NeedsSecret, PeerStale, HostedAlive, NeedsOperator:
	}
	return false
}
