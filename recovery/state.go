package recovery

// State is where a channel is on its way from the backup to the wallet. The
// names are stable: they are kept in the datastore and shown to users.
type State string

// The states; see the diagram in the package comment.
const (
	// LeftOut: the channel was not imported, and nothing is done for it.
	LeftOut State = "left_out"
	// FundingUnconfirmed: the funding transaction has fewer than
	// minFundingConfs confirmations; neither import nor nudge yet.
	FundingUnconfirmed State = "funding_unconfirmed"
	// Imported: lightningd has the stub, the peer has not been asked yet.
	Imported State = "imported"
	// CloseRequested: the peer was asked to close and no close is seen yet.
	CloseRequested State = "close_requested"
	// CloseSeen: the funding output is spent, by a transaction in the mempool
	// or with too few confirmations for lightningd to act.
	CloseSeen State = "close_seen"
	// Cheated: the peer published a revoked commitment.
	Cheated State = "cheated"
	// OutputsWaiting: the close is confirmed and at least one output that is
	// ours is not in the wallet.
	OutputsWaiting State = "outputs_waiting"
	// Credited: everything that the close owes us is in the wallet.
	Credited State = "credited"
	// Resolved: credited, or nothing was ours, and finalConfs deep.
	Resolved State = "resolved"
	// NeedsAddress: no address of the peer works or is known.
	NeedsAddress State = "needs_address"
	// NeedsSecret: the hsm_secret cannot be read, so no session with a peer.
	NeedsSecret State = "needs_secret"
	// PeerStale: the peer lost state; to ask it would make it publish a
	// commitment that it has revoked.
	PeerStale State = "peer_stale"
	// HostedAlive: the hosted node is alive; all nudges have stopped.
	HostedAlive State = "hosted_node_alive"
	// NeedsOperator: somebody has to decide; the reason says what.
	NeedsOperator State = "needs_operator"
)

// Depths in blocks.
const (
	// minFundingConfs: below it a peer that is told to fail the channel may
	// forget it, and lightningd's stub tells it so by itself.
	minFundingConfs = 3
	// deepBlocks is from when on a block is taken to stay.
	deepBlocks = 12
	// finalConfs is when lightningd itself forgets a closed channel.
	finalConfs = 100
	// stuckBlocks is how long a close may stay unconfirmed.
	stuckBlocks = 6
)

// Done reports whether nothing more will happen.
func (s State) Done() bool { return s == LeftOut || s == Resolved }

// Asks reports whether a channel in this state still has to be closed by its
// peer.
func (s State) Asks() bool {
	switch s {
	case Imported, CloseRequested, NeedsAddress, NeedsSecret:
		return true
	case LeftOut, FundingUnconfirmed, CloseSeen, Cheated, OutputsWaiting, Credited,
		Resolved, PeerStale, HostedAlive, NeedsOperator:
	}
	return false
}
