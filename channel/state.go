package channel

import "slices"

// State is the changing part of a channel as VLS's enforcement state holds it
// (vls-core EnforcementState). Commitment numbers count up from 0. A snapshot
// taken at birth has numbers 0 and no commitments, points or secrets.
type State struct {
	// Closed is what the signer believes; the chain decides.
	Closed bool
	// InitialHolderValueSat is our balance in the first commitment.
	InitialHolderValueSat uint64

	// Our current commitment has number NextHolderCommitNum-1, the
	// counterparty's NextCounterpartyCommitNum-1; the counterparty has revoked
	// all of its commitments below NextCounterpartyRevokeNum.
	NextHolderCommitNum       uint64
	NextCounterpartyCommitNum uint64
	NextCounterpartyRevokeNum uint64

	// HolderCommit is our current commitment and HolderSigs what the
	// counterparty signed for it; nil where the snapshot has none.
	HolderCommit *Commitment
	HolderSigs   *Signatures
	// NextHolderCommit, when set, is a second holder commitment (number
	// NextHolderCommitNum) with its own signatures: the current one may be
	// revoked already.
	NextHolderCommit *Commitment
	NextHolderSigs   *Signatures

	// CounterpartyCommit is the counterparty's current commitment and
	// CounterpartyPoint its per-commitment point.
	CounterpartyCommit *Commitment
	CounterpartyPoint  *PubKey
	// PrevCounterpartyCommit is stored only while it is unrevoked; the point
	// stays and is the point of the last revoked commitment.
	PrevCounterpartyCommit *Commitment
	PrevCounterpartyPoint  *PubKey

	// Secrets are the counterparty's revealed per-commitment secrets in
	// BOLT 3's compact storage, bucket order, without the trailing empty
	// buckets.
	Secrets []Secret
	// NoSecretStorage says that the entry has no storage for them at all
	// (counterparty_secrets is null or absent). No signer of today writes that,
	// and Greenlight's converter warns of it.
	NoSecretStorage bool

	// CommitShareSat is our balance by the amounts of a commitment that is not
	// above because something else in it could not be read; nil otherwise.
	CommitShareSat *uint64 `json:",omitempty"`
	// Unread names the fields, by VLS's names, that the snapshot has and that
	// could not be read; WholeState stands for all of them. They are empty above,
	// with what depends on them, unless another field tells them, and being empty
	// says nothing then.
	Unread []string `json:",omitempty"`
}

// WholeState is what State.Unread holds where no field could be read.
const WholeState = "enforcement_state"

// Lacks reports whether a field of the snapshot could not be read.
func (s *State) Lacks(field string) bool {
	return slices.Contains(s.Unread, field) || slices.Contains(s.Unread, WholeState)
}

// Commitment lists the output values of one commitment transaction. They are
// final: fee, anchors, msat and dust are already taken, a value of 0 means no
// output.
type Commitment struct {
	// Broadcaster is the side that can publish this commitment.
	Broadcaster Side
	// ToBroadcasterSat is to_local of BOLT 3, ToCountersignerSat to_remote.
	ToBroadcasterSat   uint64
	ToCountersignerSat uint64
	// FeeratePerKW is in sat per 1000 weight units; 0 in commitment 0.
	FeeratePerKW uint32
	// Offered are offered by the broadcaster, Received by the other side. Not
	// in output order.
	Offered  []HTLC
	Received []HTLC
}

// HTLC is one untrimmed HTLC output.
type HTLC struct {
	ValueSat    uint64
	PaymentHash [32]byte
	// CLTVExpiry is a block height.
	CLTVExpiry uint32
}

// Signatures are the counterparty's signatures on a commitment of ours: DER,
// without a sighash byte. HTLC signatures are in output order.
type Signatures struct {
	Commit []byte
	HTLCs  [][]byte
}

// Secret is one bucket of BOLT 3's compact secret storage: the secret at
// shachain index Index, which counts down from 2^48-1 for commitment 0.
type Secret struct {
	Index  uint64
	Secret [32]byte
}

// MaxShachainIndex is the shachain index of commitment 0 (BOLT 3).
const MaxShachainIndex = 1<<48 - 1

// ShachainIndex returns the shachain index of a commitment number.
func ShachainIndex(commitNum uint64) uint64 { return MaxShachainIndex - commitNum }
