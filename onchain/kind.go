package onchain

// Kind is what a funding spend is. The values are stable names that records and
// answers hold.
type Kind string

// Kinds of funding spends. A commitment is ours or theirs by who can publish
// it; current, next, previous and old are relative to the backup's snapshot.
const (
	Mutual Kind = "mutual"

	// OursCurrent is our commitment that the snapshot holds as current.
	OursCurrent Kind = "ours_current"
	// OursNext is the second one that the snapshot holds, numbered one higher.
	OursNext Kind = "ours_next"
	// OursFuture is newer than the snapshot: the hosted node published it.
	OursFuture Kind = "ours_future"
	// OursOld is older than the snapshot's: we have revoked it, and the peer
	// can take all of it.
	OursOld Kind = "ours_old"

	// TheirsCurrent and TheirsPrevious are the peer's commitments that were
	// not revoked at the snapshot.
	TheirsCurrent  Kind = "theirs_current"
	TheirsPrevious Kind = "theirs_previous"
	// TheirsFuture is one that the snapshot does not know. The peer may have
	// revoked it since; a backup from before cannot tell.
	TheirsFuture Kind = "theirs_future"
	// TheirsRevoked is a commitment that the peer has revoked: it cheats.
	TheirsRevoked Kind = "theirs_revoked"

	// Splice spends the funding output into another funding output: the
	// channel goes on.
	Splice Kind = "splice"
	// Unknown is everything that no evidence could name.
	Unknown Kind = "unknown"
)

// Ours reports whether the spend is a commitment of ours.
func (k Kind) Ours() bool {
	switch k {
	case OursCurrent, OursNext, OursFuture, OursOld:
		return true
	}
	return false
}

// Theirs reports whether the spend is a commitment of the peer, revoked or not.
func (k Kind) Theirs() bool {
	switch k {
	case TheirsCurrent, TheirsPrevious, TheirsFuture, TheirsRevoked:
		return true
	}
	return false
}

// Evidence is what a classification rests on, strongest first.
type Evidence string

// Kinds of evidence.
const (
	// EvidenceExact: the transaction is, byte for byte but for its witness,
	// the commitment rebuilt from the snapshot.
	EvidenceExact Evidence = "exact"
	// EvidencePoint: an output commits to the per-commitment point of that
	// number.
	EvidencePoint Evidence = "per_commitment_point"
	// EvidenceToRemote: to_remote names the side, and the hidden number the
	// age.
	EvidenceToRemote Evidence = "to_remote"
	// EvidenceAnchor: the publisher's anchor alone names the side, and the
	// hidden number the age.
	EvidenceAnchor Evidence = "anchor"
	// EvidenceScript: an output pays to a script that is known otherwise (a
	// shutdown script, the wallet, the funding 2-of-2).
	EvidenceScript Evidence = "script"
	// EvidenceShape: inputs and outputs are of the only form that fits.
	EvidenceShape Evidence = "shape"
	// EvidenceNone goes with Unknown.
	EvidenceNone Evidence = "none"
)

// Role is what an output is, from the publisher's point of view as BOLT 3 names
// it: on the peer's commitment to_remote is ours.
type Role string

// Roles of outputs.
const (
	ToLocal        Role = "to_local"
	ToRemote       Role = "to_remote"
	ToLocalAnchor  Role = "to_local_anchor"
	ToRemoteAnchor Role = "to_remote_anchor"
	OfferedHTLC    Role = "offered_htlc"
	ReceivedHTLC   Role = "received_htlc"
	// HTLCTransaction is the output of an HTLC-timeout or HTLC-success
	// transaction.
	HTLCTransaction Role = "htlc_transaction"
	// Closing is an output of a mutual close.
	Closing Role = "closing"
	// NewFunding is the new 2-of-2 of a splice.
	NewFunding Role = "funding"
	// Unnamed is an output that nothing in hand explains.
	Unnamed Role = "unknown"
)

// Direction is an HTLC as the user sees it, whoever published it.
type Direction string

// Directions of HTLCs.
const (
	// Sent: we offered it, and get it back if it expires.
	Sent Direction = "sent"
	// Received: the peer offered it, and it is ours with the preimage.
	Received Direction = "received"
)

// Owner is who an output belongs to.
type Owner string

// Owners of outputs.
const (
	OwnerUs   Owner = "us"
	OwnerPeer Owner = "peer"
	// OwnerEither: an HTLC in flight; the preimage or time decides.
	OwnerEither  Owner = "either"
	OwnerShared  Owner = "shared"
	OwnerUnknown Owner = "unknown"
)

// Claimant is who turns an output into coins of ours.
type Claimant string

// Claimants of outputs.
const (
	// ByWallet: lightningd's own wallet takes it.
	ByWallet Claimant = "wallet"
	// BySweep: a transaction of ours has to take it.
	BySweep Claimant = "sweep"
	// ByElsewhere: it was paid to an address of the user's that this node's
	// wallet does not have.
	ByElsewhere Claimant = "elsewhere"
	// ByNobody: it is not ours, or nothing in hand can take it.
	ByNobody Claimant = "none"
)

// Path is how an output that is ours is spent.
type Path string

// Paths of claims.
const (
	// PathPayment: to_remote, with the payment basepoint's key (tweaked on
	// Legacy channels).
	PathPayment Path = "payment_key"
	// PathDelayed: to_local of our own commitment, after the delay.
	PathDelayed Path = "delayed_key"
	// PathTimeout: an HTLC that we offered, after its expiry. On our own
	// commitment through the HTLC-timeout transaction that the peer signed.
	PathTimeout Path = "htlc_timeout"
	// PathSuccess: an HTLC that we were offered, with its preimage. On our own
	// commitment through the HTLC-success transaction that the peer signed.
	PathSuccess Path = "htlc_success"
	// PathPenalty: the revocation key, from the peer's revealed secret.
	PathPenalty Path = "penalty"
	// PathAnchor: our funding key; worth 330 sat, and a handle to pay for the
	// close.
	PathAnchor Path = "anchor"
	// PathScript: the script's own key, not one of the channel.
	PathScript Path = "script"
	// PathNone: no claim.
	PathNone Path = "none"
)
