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

// readEnforcement reads vls-core's EnforcementState. What contradicts itself
// is a complaint: a half-believed state would be signed for.
func readEnforcement(n node, capacity uint64) (s channel.State) {
	d := n.d
	o := n.object()
	s.Closed = o.get("channel_closed").boolean()
	s.InitialHolderValueSat = o.get("initial_holder_value").uint(capacity)
	s.NextHolderCommitNum = o.get("next_holder_commit_num").uint(maxCommitNum)
	s.NextCounterpartyCommitNum = o.get("next_counterparty_commit_num").uint(maxCommitNum)
	s.NextCounterpartyRevokeNum = o.get("next_counterparty_revoke_num").uint(maxCommitNum)

	s.HolderCommit = readCommitment(o.nullable("current_holder_commit_info"), channel.Local, capacity)
	s.HolderSigs = readSignatures(o.nullable("current_counterparty_signatures"))
	if next := o.nullable("next_holder_commit_info"); next != nil {
		pair := next.tuple(2)
		s.NextHolderCommit = readCommitment(&pair[0], channel.Local, capacity)
		s.NextHolderSigs = readSignatures(&pair[1])
	}
	s.CounterpartyCommit = readCommitment(o.nullable("current_counterparty_commit_info"), channel.Remote, capacity)
	s.CounterpartyPoint = o.point("current_counterparty_point")
	s.PrevCounterpartyCommit = readCommitment(o.nullable("previous_counterparty_commit_info"), channel.Remote, capacity)
	s.PrevCounterpartyPoint = o.point("previous_counterparty_point")
	s.Secrets = readSecrets(o.optional("counterparty_secrets"))
	o.done()
	if d.err == nil {
		checkState(n, &s)
	}
	return s
}

// checkState refuses what no signer can have been in.
func checkState(n node, s *channel.State) {
	fail := func(field, reason string) { n.d.fail(join(n.path, field), "%s", reason) }
	switch {
	case s.HolderCommit != nil && s.NextHolderCommitNum == 0:
		fail("current_holder_commit_info", "a commitment before the first number")
	case s.CounterpartyCommit != nil && s.NextCounterpartyCommitNum == 0:
		fail("current_counterparty_commit_info", "a commitment before the first number")
	case s.PrevCounterpartyCommit != nil && s.NextCounterpartyCommitNum < 2:
		fail("previous_counterparty_commit_info", "a commitment before the first number")
	case s.CounterpartyCommit != nil && s.CounterpartyPoint == nil:
		fail("current_counterparty_point", "missing for the current commitment")
	case s.PrevCounterpartyCommit != nil && s.PrevCounterpartyPoint == nil:
		fail("previous_counterparty_point", "missing for the previous commitment")
	case s.NextCounterpartyRevokeNum > 0 && s.NextCounterpartyRevokeNum >= s.NextCounterpartyCommitNum:
		fail("next_counterparty_revoke_num", "the current commitment would be revoked")
	case !sigsFit(s.HolderCommit, s.HolderSigs):
		fail("current_counterparty_signatures", "they do not fit the number of HTLCs")
	case !sigsFit(s.NextHolderCommit, s.NextHolderSigs):
		fail("next_holder_commit_info", "the signatures do not fit the number of HTLCs")
	case !secretsFit(s):
		fail("counterparty_secrets", "they do not fit next_counterparty_revoke_num")
	}
}

func sigsFit(c *channel.Commitment, sigs *channel.Signatures) bool {
	if c == nil || sigs == nil {
		return (c == nil) == (sigs == nil)
	}
	return len(sigs.HTLCs) == len(c.Offered)+len(c.Received)
}

// point reads a public key that may be null.
func (o *objectNode) point(name string) *channel.PubKey {
	n := o.nullable(name)
	if n == nil {
		return nil
	}
	key := n.pubKey()
	return &key
}

// readCommitment reads vls-core's CommitmentInfo2; nil stays nil.
func readCommitment(n *node, broadcaster channel.Side, capacity uint64) *channel.Commitment {
	if n == nil {
		return nil
	}
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
// ...]]; nil stays nil.
func readSignatures(n *node) *channel.Signatures {
	if n == nil {
		return nil
	}
	pair := n.tuple(2)
	sigs := &channel.Signatures{Commit: pair[0].derSignature()}
	for _, item := range pair[1].array(2 * maxHTLCs) {
		sigs.HTLCs = append(sigs.HTLCs, item.derSignature())
	}
	return sigs
}

// derSignature reads a strict DER signature without sighash byte.
func (n node) derSignature() []byte {
	raw := n.hex()
	if n.d.err != nil {
		return nil
	}
	if _, err := ecdsa.ParseDERSignature(raw); err != nil {
		n.fail("not a DER signature")
		return nil
	}
	return raw
}
