package vlsstate

import (
	"math"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"

	"github.com/glrecover/glrecover/channel"
)

// maxCommitNum is the highest commitment number (BOLT 3: 48 bits).
const maxCommitNum = 1<<48 - 1

// maxHTLCs is BOLT 2's limit of HTLCs that one side may offer.
const maxHTLCs = 483

// stateFields reads the fields of an enforcement state, each with a decoder of
// its own: one that cannot be read costs no other.
type stateFields struct {
	*objectNode
	state *channel.State
	lost  []*fieldError
	// ignored counts members that this version does not know.
	ignored int
}

// lose notes that a field could not be read or contradicts another.
func (f *stateFields) lose(name string, err *fieldError) {
	f.state.Unread = append(f.state.Unread, name)
	f.lost = append(f.lost, err)
}

func (f *stateFields) contradicts(name, reason string) {
	f.lose(name, &fieldError{field: join(f.path(), name), reason: reason})
}

// field reads one field that must be there; zero where that fails.
func field[T any](f *stateFields, name string, read func(node) T) (out T) {
	m := f.find(name)
	if m == nil {
		f.contradicts(name, "missing")
		return out
	}
	m.read = true
	d := &decoder{}
	v := read(node{f.d, m.at}.with(d))
	if d.err != nil {
		f.lose(name, d.err)
		return out
	}
	f.ignored += d.ignored
	return v
}

// optionalField is field for one that VLS keeps in an Option: missing or null,
// it is zero.
func optionalField[T any](f *stateFields, name string, read func(node) T) (out T) {
	if f.none(name) {
		return out
	}
	return field(f, name, read)
}

// none is how serde reads an Option's None: missing or null.
func (f *stateFields) none(name string) bool {
	m := f.find(name)
	if m == nil {
		return true
	}
	m.read = true
	return node{f.d, m.at}.isNull()
}

// readEnforcement reads vls-core's EnforcementState. Each field fails alone, and
// what contradicts itself is lost too: a half-believed commitment would be
// signed for. ok is false where there is nothing to read at all.
func readEnforcement(n node, capacity uint64) (s channel.State, f *stateFields, ok bool) {
	f = &stateFields{objectNode: n.object(), state: &s}
	if n.d.err != nil {
		s.Unread = []string{channel.WholeState}
		f.lost = []*fieldError{n.d.err}
		return s, f, false
	}
	number := func(v node) uint64 { return v.uint(maxCommitNum) }
	holder := func(v node) *channel.Commitment { return readCommitment(v, channel.Local, capacity) }
	counterparty := func(v node) *channel.Commitment { return readCommitment(v, channel.Remote, capacity) }
	point := func(v node) *channel.PubKey {
		key := v.pubKey()
		return &key
	}

	s.Closed = field(f, "channel_closed", node.boolean)
	s.InitialHolderValueSat = field(f, "initial_holder_value", func(v node) uint64 { return v.uint(capacity) })
	s.NextHolderCommitNum = field(f, "next_holder_commit_num", number)
	s.NextCounterpartyCommitNum = field(f, "next_counterparty_commit_num", number)
	s.NextCounterpartyRevokeNum = field(f, "next_counterparty_revoke_num", number)

	s.HolderCommit = optionalField(f, holderCommit, holder)
	s.HolderSigs = optionalField(f, "current_counterparty_signatures", readSignatures)
	next := optionalField(f, "next_holder_commit_info", func(v node) (out signedCommitment) {
		pair := v.tuple(2)
		return signedCommitment{holder(pair[0]), readSignatures(pair[1])}
	})
	s.NextHolderCommit, s.NextHolderSigs = next.commit, next.sigs
	s.CounterpartyCommit = optionalField(f, counterpartyCommit, counterparty)
	s.CounterpartyPoint = optionalField(f, "current_counterparty_point", point)
	s.PrevCounterpartyCommit = optionalField(f, "previous_counterparty_commit_info", counterparty)
	s.PrevCounterpartyPoint = optionalField(f, "previous_counterparty_point", point)
	s.Secrets = optionalField(f, "counterparty_secrets", readSecrets)
	s.NoSecretStorage = s.Secrets == nil && f.none("counterparty_secrets")
	f.checkHolder()
	f.checkCounterparty()
	s.CommitShareSat = f.share(capacity)
	f.ignored += f.left()
	return s, f, true
}

// The fields that hold each side's current commitment.
const (
	holderCommit       = "current_holder_commit_info"
	counterpartyCommit = "current_counterparty_commit_info"
)

// signedCommitment is vls-core's (CommitmentInfo2, CommitmentSignatures).
type signedCommitment struct {
	commit *channel.Commitment
	sigs   *channel.Signatures
}

// checkHolder drops what no signer can have held of our own commitments.
func (f *stateFields) checkHolder() {
	s := f.state
	numbered := !s.Lacks("next_holder_commit_num")
	if numbered && s.HolderCommit != nil && s.NextHolderCommitNum == 0 {
		f.contradicts(holderCommit, "a commitment before the first number")
		numbered = false
	}
	if !numbered {
		// A commitment without its number cannot be rebuilt.
		s.HolderCommit, s.HolderSigs, s.NextHolderCommit, s.NextHolderSigs = nil, nil, nil, nil
		return
	}
	if !s.Lacks(holderCommit) && !s.Lacks("current_counterparty_signatures") && !sigsFit(s.HolderCommit, s.HolderSigs) {
		f.contradicts("current_counterparty_signatures", "they do not fit the number of HTLCs")
		s.HolderSigs = nil
	}
	if s.HolderCommit == nil {
		s.HolderSigs = nil
	}
	if !sigsFit(s.NextHolderCommit, s.NextHolderSigs) {
		f.contradicts("next_holder_commit_info", "the signatures do not fit the number of HTLCs")
		s.NextHolderCommit, s.NextHolderSigs = nil, nil
	}
}

// checkCounterparty does the same for the counterparty's.
func (f *stateFields) checkCounterparty() {
	s := f.state
	if s.Lacks("next_counterparty_commit_num") {
		s.CounterpartyCommit, s.CounterpartyPoint, s.PrevCounterpartyCommit, s.PrevCounterpartyPoint = nil, nil, nil, nil
	} else {
		f.checkCounterpartyCommits()
	}
	switch {
	case s.Lacks("next_counterparty_revoke_num"):
		s.NextCounterpartyRevokeNum = revokedBy(s.Secrets)
		if s.NextCounterpartyRevokeNum >= max(s.NextCounterpartyCommitNum, 1) {
			s.NextCounterpartyRevokeNum, s.Secrets = 0, nil
		}
	case !s.Lacks("next_counterparty_commit_num") && s.NextCounterpartyRevokeNum > 0 && s.NextCounterpartyRevokeNum >= s.NextCounterpartyCommitNum:
		f.contradicts("next_counterparty_revoke_num", "the current commitment would be revoked")
		s.NextCounterpartyRevokeNum, s.Secrets = 0, nil
	case !secretsFit(s):
		f.contradicts("counterparty_secrets", "they do not fit next_counterparty_revoke_num")
		s.Secrets = nil
	}
}

func (f *stateFields) checkCounterpartyCommits() {
	s := f.state
	switch {
	case s.CounterpartyCommit == nil:
	case s.NextCounterpartyCommitNum == 0:
		f.contradicts(counterpartyCommit, "a commitment before the first number")
		s.CounterpartyCommit = nil
	case s.CounterpartyPoint == nil && !s.Lacks("current_counterparty_point"):
		f.contradicts("current_counterparty_point", "missing for the current commitment")
	}
	switch {
	case s.PrevCounterpartyCommit == nil:
	case s.NextCounterpartyCommitNum < 2:
		f.contradicts("previous_counterparty_commit_info", "a commitment before the first number")
		s.PrevCounterpartyCommit = nil
	case s.PrevCounterpartyPoint == nil && !s.Lacks("previous_counterparty_point"):
		f.contradicts("previous_counterparty_point", "missing for the previous commitment")
	}
}

// share is our balance by the amounts of a commitment of which something else
// could not be read, nil where there is none.
func (f *stateFields) share(capacity uint64) *uint64 {
	if f.state.HolderCommit == nil {
		if sat := f.amount(holderCommit, "to_broadcaster_value_sat", channel.Local, capacity); sat != nil {
			return sat
		}
	}
	if f.state.CounterpartyCommit == nil {
		return f.amount(counterpartyCommit, "to_countersigner_value_sat", channel.Remote, capacity)
	}
	return nil
}

// amount reads one amount of a commitment and believes it where both amounts
// fit into the channel and nothing says that they are the other side's.
func (f *stateFields) amount(commitment, ours string, broadcaster channel.Side, capacity uint64) *uint64 {
	m := f.find(commitment)
	if m == nil {
		return nil
	}
	d := &decoder{}
	o := node{f.d, m.at}.with(d).object()
	other := o.get("is_counterparty_broadcaster").boolean() != (broadcaster == channel.Remote)
	amounts := map[string]uint64{}
	var sum uint64
	for _, name := range []string{"to_broadcaster_value_sat", "to_countersigner_value_sat"} {
		amounts[name] = o.get(name).uint(capacity)
		sum += amounts[name]
	}
	if d.err != nil || other || sum > capacity {
		return nil
	}
	sat := amounts[ours]
	return &sat
}

func sigsFit(c *channel.Commitment, sigs *channel.Signatures) bool {
	if c == nil || sigs == nil {
		return (c == nil) == (sigs == nil)
	}
	return len(sigs.HTLCs) == len(c.Offered)+len(c.Received)
}

// readCommitment reads vls-core's CommitmentInfo2.
func readCommitment(n node, broadcaster channel.Side, capacity uint64) *channel.Commitment {
	o := n.object()
	flag := o.get("is_counterparty_broadcaster")
	if remote := flag.boolean(); n.d.err == nil && remote != (broadcaster == channel.Remote) {
		flag.fail("not the side that this commitment belongs to")
	}
	c := &channel.Commitment{
		Broadcaster:        broadcaster,
		ToBroadcasterSat:   o.get("to_broadcaster_value_sat").uint(maxSat),
		ToCountersignerSat: o.get("to_countersigner_value_sat").uint(maxSat),
		FeeratePerKW:       uint32(o.get("feerate_per_kw").uint(math.MaxUint32)),
		Offered:            readHTLCs(o.get("offered_htlcs")),
		Received:           readHTLCs(o.get("received_htlcs")),
	}
	o.done()
	// At most 968 values of at most maxSat: no overflow.
	sum := c.ToBroadcasterSat + c.ToCountersignerSat
	for _, list := range [][]channel.HTLC{c.Offered, c.Received} {
		for _, h := range list {
			sum += h.ValueSat
		}
	}
	if n.d.err == nil && sum > capacity {
		n.fail("its outputs are worth more than the channel")
	}
	return c
}

// readHTLCs reads vls-core's HTLCInfo2 list.
func readHTLCs(n node) []channel.HTLC {
	var out []channel.HTLC
	for _, item := range n.array(maxHTLCs) {
		o := item.object()
		value := o.get("value_sat")
		h := channel.HTLC{
			ValueSat:    value.uint(maxSat),
			PaymentHash: o.get("payment_hash").bytes32(),
			CLTVExpiry:  uint32(o.get("cltv_expiry").uint(math.MaxUint32)),
		}
		o.done()
		if n.d.err == nil && h.ValueSat == 0 {
			value.fail("0 sat")
		}
		out = append(out, h)
	}
	return out
}

// readSignatures reads vls-core's CommitmentSignatures: [DER hex, [DER hex,
// ...]].
func readSignatures(n node) *channel.Signatures {
	pair := n.tuple(2)
	sigs := &channel.Signatures{Commit: pair[0].derSignature()}
	for _, item := range pair[1].array(2 * maxHTLCs) {
		sigs.HTLCs = append(sigs.HTLCs, item.derSignature())
	}
	return sigs
}

// derSignature reads a strict DER signature without sighash byte.
func (n node) derSignature() []byte {
	raw := n.hex(nil)
	if n.d.err != nil {
		return nil
	}
	if _, err := ecdsa.ParseDERSignature(raw); err != nil {
		n.fail("not a DER signature")
		return nil
	}
	return raw
}
