package decision

// Decision says what is done with a channel. The values are stable names.
type Decision string

// The decisions.
const (
	// Import: give it to recoverchannel, then ask the peer to close.
	Import Decision = "import"
	// AskFirst: the peer may forget a channel at the first error: our own session
	// asks it to close, and its channels are imported when every close is seen.
	AskFirst Decision = "ask_first"
	// AwaitFunding: the funding has too few confirmations to be touched.
	AwaitFunding Decision = "funding_unconfirmed"
	// FollowClosed: the close is in a block already. It is not imported; its
	// outputs are followed.
	FollowClosed Decision = "follow_closed"
	// HasStub: lightningd has the channel already.
	HasStub Decision = "already_imported"
	// Forgotten: lightningd has closed the channel and forgotten it.
	Forgotten Decision = "already_resolved"
	// StalePeer: the peer has lost state; to ask it would make it publish a
	// commitment that it has revoked.
	StalePeer Decision = "peer_stale"

	// NothingOurs: closed in a block, and none of the outputs can be ours.
	NothingOurs Decision = "closed_before"
	// Refused: the channel's data would harm lightningd.
	Refused Decision = "refused"
	// NoAddress: no address is known, and skip_incomplete was asked for.
	NoAddress Decision = "no_address"
	// BadEntry: the backup's entry cannot be read.
	BadEntry Decision = "bad_entry"
	// NeverOpened: an opening that came to nothing.
	NeverOpened Decision = "never_opened"
	// NotAsked: known from a stored copy only, and extra was not asked for.
	NotAsked Decision = "extra_not_asked_for"
)

// Imports reports whether recoverchannel gets the channel in this call.
func (d Decision) Imports() bool { return d == Import }

// Follows reports whether the channel is followed from now on.
func (d Decision) Follows() bool {
	switch d {
	case Import, AskFirst, AwaitFunding, FollowClosed, HasStub, Forgotten, StalePeer:
		return true
	case NothingOurs, Refused, NoAddress, BadEntry, NeverOpened, NotAsked:
	}
	return false
}

// AskFirstReason is why lightningd does not get a channel yet.
const AskFirstReason = "one channel with this peer may be so young that the peer would forget it when lightningd itself connects, if it has not forgotten it already: " +
	"glrecover asks the peer to close first, and imports its channels when every close is seen"

// StaleAdvice follows what a peer that lost state said.
const StaleAdvice = ": asking it to close now would make it publish a revoked commitment, which can cost it all its coins in the channel. Wait until its operator has restored its data and call glrecover again, " +
	"or accept that with override=peer_stale"
