package peer

import (
	"crypto/subtle"
	"fmt"

	"github.com/glrecover/glrecover/channel"
)

// VerdictKind sums a Verdict up. The names are stable.
type VerdictKind string

// Kinds of verdict, the first that applies.
const (
	// PeerStale: the peer is behind what the backup proves. Asking it to close
	// would make it publish a revoked commitment: send nothing.
	PeerStale VerdictKind = "peer_stale"
	// FalseProof: the peer names numbers and does not have the secret that it
	// must then have. Its numbers mean nothing.
	FalseProof VerdictKind = "false_proof"
	// Older: the backup is older than what the peer has.
	Older VerdictKind = "older"
	// NotRefuted: the peer's numbers match the backup. That never proves that
	// the backup is current.
	NotRefuted VerdictKind = "not_refuted"
)

// Proof is what your_last_per_commitment_secret proves.
type Proof string

// Values of Proof.
const (
	// ProofValid: it is our secret of commitment NextRevocation-1.
	ProofValid Proof = "valid"
	// ProofFalse: it is not.
	ProofFalse Proof = "false"
	// ProofNone: the peer has no secret of ours and claims none.
	ProofNone Proof = "none"
	// ProofMissing: the peer sent the short channel_reestablish.
	ProofMissing Proof = "missing"
	// ProofUnchecked: our secrets were not at hand.
	ProofUnchecked Proof = "unchecked"
)

// Verdict compares a peer's numbers with a backup's.
type Verdict struct {
	Kind VerdictKind
	// CounterpartyOlderBy counts the peer's commitments that we signed after
	// the backup, HolderOlderBy our commitments that we revoked after it. Each
	// stands by itself: one side can be older and the other not.
	CounterpartyOlderBy uint64
	HolderOlderBy       uint64
	// HolderRevoked: by its numbers the peer holds the secret of our
	// commitment in the backup (Proof says whether it can show one).
	// Publishing that commitment would lose everything in the channel.
	HolderRevoked bool
	Proof         Proof
	// Reason is one line for people; it names numbers, no secret.
	Reason string
}

// maxCommitments is the count of commitment numbers that BOLT 3 has.
const maxCommitments = 1 << 48

// Freshness compares what the peer said with what the backup holds. With NC and
// NR the peer's next commitment and revocation numbers, and h, c, r the backup's
// next holder, next counterparty and next counterparty revocation numbers (h and
// c at least 1, as both sides have commitment 0 from birth):
//
//	NC = c and NR = h-1     not refuted; one less can be a message lost in flight
//	NC > c                  older by NC-c on the counterparty's side
//	NR > h-1                older by NR-(h-1) on ours; our commitment h-1 is revoked
//	NC <= r, NC < c-1,
//	NR < h-2                the peer itself is behind
//
// r counts what the backup's own secrets prove revoked, if that is more.
// perCommitmentSecret gives our secret of a commitment number below 2^48; nil if
// the node's secret is not at hand. Freshness is pure.
func Freshness(ch *channel.Channel, r Reestablish, perCommitmentSecret func(n uint64) [32]byte) Verdict {
	st := &ch.State
	h, c := max(st.NextHolderCommitNum, 1), max(st.NextCounterpartyCommitNum, 1)
	revoked := provenRevoked(st)
	nc, nr := r.NextCommitment, r.NextRevocation

	v := Verdict{Proof: proofOf(r, perCommitmentSecret)}
	if nc > c {
		v.CounterpartyOlderBy = nc - c
	}
	if nr > h-1 {
		v.HolderOlderBy = nr - (h - 1)
		v.HolderRevoked = true
	}
	switch {
	case nc == 0:
		v.Kind, v.Reason = PeerStale, "the peer says that it has lost its own data"
	case nc <= revoked:
		v.Kind = PeerStale
		v.Reason = fmt.Sprintf("the peer reports its commitment %d, but the backup proves that it revoked %d", nc-1, revoked-1)
	case c > 1 && nc < c-1:
		v.Kind = PeerStale
		v.Reason = fmt.Sprintf("the peer reports its commitment %d, but the backup has its commitment %d", nc-1, c-1)
	case h > 2 && nr < h-2:
		v.Kind = PeerStale
		v.Reason = fmt.Sprintf("the peer reports %d revocations of ours, but needs %d to have signed our commitment %d", nr, h-2, h-1)
	case nc > maxCommitments || nr > maxCommitments || v.Proof == ProofFalse:
		v.Kind, v.Proof = FalseProof, ProofFalse
		v.Reason = fmt.Sprintf("the peer reports %d revocations of ours, but its proof is not our secret", nr)
	case v.CounterpartyOlderBy > 0 || v.HolderOlderBy > 0:
		v.Kind = Older
		v.Reason = fmt.Sprintf("the backup is older than the peer by %d of its commitments and %d of ours",
			v.CounterpartyOlderBy, v.HolderOlderBy)
	default:
		v.Kind, v.Reason = NotRefuted, "the peer's numbers match the backup"
	}
	return v
}

// provenRevoked is how many of the counterparty's commitments are surely
// revoked: all below it.
func provenRevoked(st *channel.State) uint64 {
	n := st.NextCounterpartyRevokeNum
	for _, s := range st.Secrets {
		if s.Index <= channel.MaxShachainIndex {
			n = max(n, channel.MaxShachainIndex-s.Index+1)
		}
	}
	return n
}

func proofOf(r Reestablish, perCommitmentSecret func(n uint64) [32]byte) Proof {
	var want [32]byte
	switch {
	case !r.DataLossProtection:
		return ProofMissing
	case r.NextRevocation == 0:
		// BOLT 2: zeros.
	case r.NextRevocation > maxCommitments:
		return ProofFalse
	case perCommitmentSecret == nil:
		return ProofUnchecked
	default:
		want = perCommitmentSecret(r.NextRevocation - 1)
	}
	switch {
	case subtle.ConstantTimeCompare(want[:], r.YourLastSecret[:]) == 0:
		return ProofFalse
	case r.NextRevocation == 0:
		return ProofNone
	}
	return ProofValid
}
