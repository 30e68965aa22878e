package onchain

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
)

// matcher names outputs of commitments of one channel.
type matcher struct {
	ch     *channel.Channel
	ours   channel.Basepoints
	hashes [][32]byte
}

func newMatcher(ch *channel.Channel, keys Keys) (*matcher, error) {
	for _, side := range []channel.Basepoints{keys.Ours, ch.Remote} {
		for _, k := range []channel.PubKey{side.Funding, side.Revocation, side.Payment, side.HTLC, side.Delayed} {
			if _, err := k.Point(); err != nil {
				return nil, fmt.Errorf("channel keys: %w", err)
			}
		}
	}
	return &matcher{ch: ch, ours: keys.Ours, hashes: keys.Hashes}, nil
}

// kind is the age of a commitment, by the snapshot's numbers.
func (m *matcher) kind(side channel.Side, n uint64) Kind {
	s := &m.ch.State
	if side == channel.Local {
		switch h := s.NextHolderCommitNum; {
		case n+1 < h:
			return OursOld
		case n+1 == h:
			return OursCurrent
		case n == h && s.NextHolderCommit != nil:
			return OursNext
		}
		return OursFuture
	}
	_, revealed := bolt3.SecretAt(s.Secrets, n)
	switch c := s.NextCounterpartyCommitNum; {
	case revealed || n < s.NextCounterpartyRevokeNum:
		return TheirsRevoked
	case n >= c:
		return TheirsFuture
	case n+1 == c:
		return TheirsCurrent
	}
	return TheirsPrevious
}

// candidate is a commitment whose per-commitment point is known.
type candidate struct {
	side   channel.Side
	number uint64
	point  *channel.PubKey
}

type candidates []candidate

// point is the first one of that side and number, or nil.
func (cs candidates) point(side channel.Side, n uint64) *channel.PubKey {
	for _, c := range cs {
		if c.side == side && c.number == n {
			return c.point
		}
	}
	return nil
}

// candidates are the commitments with known points that a transaction with
// hidden number n can be: those of that number first.
func (m *matcher) candidates(keys Keys, n uint64) (candidates, error) {
	var same, others candidates
	add := func(side channel.Side, number uint64, point *channel.PubKey) {
		c := candidate{side, number, point}
		if number == n {
			same = append(same, c)
		} else {
			others = append(others, c)
		}
	}
	if keys.Point != nil && n <= bolt3.MaxCommitNumber {
		p, err := keys.Point(n)
		if err != nil {
			return nil, fmt.Errorf("our per-commitment point %d: %w", n, err)
		}
		add(channel.Local, n, &p)
	}
	s := &m.ch.State
	if secret, ok := bolt3.SecretAt(s.Secrets, n); ok {
		p := bolt3.PointOf(secret)
		add(channel.Remote, n, &p)
	}
	if s.CounterpartyPoint != nil && s.NextCounterpartyCommitNum >= 1 {
		add(channel.Remote, s.NextCounterpartyCommitNum-1, s.CounterpartyPoint)
	}
	if s.PrevCounterpartyPoint != nil && s.NextCounterpartyCommitNum >= 2 {
		add(channel.Remote, s.NextCounterpartyCommitNum-2, s.PrevCounterpartyPoint)
	}
	// Points from elsewhere come without a number that could be trusted.
	if n >= s.NextCounterpartyCommitNum {
		for i := range keys.PeerPoints {
			add(channel.Remote, n, &keys.PeerPoints[i])
		}
	}
	return append(same, others...), nil
}

// expected is one output that a commitment may have.
type expected struct {
	role     Role
	pkScript []byte
	witness  []byte
	htlc     *channel.HTLC
	// pointed: the script commits to the per-commitment point.
	pointed bool
	used    bool
}

// template is what a commitment's outputs may be.
type template struct {
	outputs []expected
	// spare are HTLCs that the snapshot has in other commitments, each in any
	// number.
	spare []expected
}

// template lists what commitment n of a side may pay to. Without a point only
// the scripts with fixed keys are in it.
func (m *matcher) template(side channel.Side, n uint64, point *channel.PubKey) (*template, error) {
	broadcaster, countersigner, delay := m.ours, m.ch.Remote, m.ch.CounterpartyDelay
	if side == channel.Remote {
		broadcaster, countersigner, delay = m.ch.Remote, m.ours, m.ch.HolderDelay
	}
	t := new(template)
	if m.ch.Type.HasAnchors() {
		for role, key := range map[Role]channel.PubKey{ToLocalAnchor: broadcaster.Funding, ToRemoteAnchor: countersigner.Funding} {
			p, err := key.Point()
			if err != nil {
				return nil, fmt.Errorf("anchor key: %w", err)
			}
			script, err := bolt3.AnchorScript(p)
			if err != nil {
				return nil, fmt.Errorf("anchor script: %w", err)
			}
			t.outputs = append(t.outputs, expected{role: role, pkScript: bolt3.P2WSH(script), witness: script})
		}
	}
	if point == nil {
		if m.ch.Type == channel.Legacy {
			return t, nil // its to_remote commits to the point
		}
		key, err := countersigner.Payment.Point()
		if err != nil {
			return nil, fmt.Errorf("payment basepoint: %w", err)
		}
		return t, t.addToRemote(m.ch.Type, key)
	}
	p, err := point.Point()
	if err != nil {
		return nil, fmt.Errorf("per-commitment point: %w", err)
	}
	keys, err := bolt3.DeriveKeys(m.ch.Type, broadcaster, countersigner, p, true)
	if err != nil {
		return nil, err
	}
	if err := t.addToRemote(m.ch.Type, keys.ToRemote); err != nil {
		return nil, err
	}
	script, err := bolt3.DelayedScript(keys.Revocation, keys.Delayed, delay)
	if err != nil {
		return nil, fmt.Errorf("to_local script: %w", err)
	}
	t.outputs = append(t.outputs, expected{role: ToLocal, pkScript: bolt3.P2WSH(script), witness: script, pointed: true})
	return t, t.addHTLCs(m, side, n, keys)
}

func (t *template) addToRemote(typ channel.Type, key *btcec.PublicKey) error {
	witness, pkScript, err := bolt3.ToRemote(typ, key)
	if err != nil {
		return fmt.Errorf("to_remote script: %w", err)
	}
	t.outputs = append(t.outputs, expected{
		role: ToRemote, pkScript: pkScript, witness: witness, pointed: typ == channel.Legacy,
	})
	return nil
}

// addHTLCs adds the HTLCs of the snapshot's commitment of that side and number,
// then, as spares, every HTLC that the snapshot has: one that was pending at the
// snapshot may be in older and newer commitments too.
func (t *template) addHTLCs(m *matcher, side channel.Side, n uint64, keys bolt3.Keys) error {
	if c := m.stored(m.kind(side, n)); c != nil {
		htlcs := htlcsOf(c, side)
		if err := addHTLCs(&t.outputs, m.ch.Type, keys, htlcs); err != nil {
			return err
		}
	}
	// Each as often as the commitment has it that has it most often.
	var all []roleHTLC
	s := &m.ch.State
	have := map[roleHTLC]int{}
	for _, c := range []*channel.Commitment{s.HolderCommit, s.NextHolderCommit, s.CounterpartyCommit, s.PrevCounterpartyCommit} {
		if c == nil {
			continue
		}
		here := map[roleHTLC]int{}
		for _, h := range htlcsOf(c, side) {
			if here[h]++; here[h] > have[h] {
				have[h]++
				all = append(all, h)
			}
		}
	}
	if err := addHTLCs(&t.spare, m.ch.Type, keys, all); err != nil || side == channel.Local {
		return err
	}
	// On the peer's commitment the script of an HTLC that it offered follows
	// from the hash alone; its value is the output's. These come last.
	var hashed []roleHTLC
	for _, hash := range m.hashes {
		hashed = append(hashed, roleHTLC{OfferedHTLC, channel.HTLC{PaymentHash: hash}})
	}
	return addHTLCs(&t.spare, m.ch.Type, keys, hashed)
}

// stored is the snapshot's commitment of a kind, or nil.
func (m *matcher) stored(k Kind) *channel.Commitment {
	switch s := &m.ch.State; k {
	case OursCurrent:
		return s.HolderCommit
	case OursNext:
		return s.NextHolderCommit
	case TheirsCurrent:
		return s.CounterpartyCommit
	case TheirsPrevious:
		return s.PrevCounterpartyCommit
	case Mutual, OursFuture, OursOld, TheirsFuture, TheirsRevoked, Splice, Unknown:
	}
	return nil
}

// roleHTLC is an HTLC with its role for one publisher.
type roleHTLC struct {
	role Role
	channel.HTLC
}

// htlcsOf lists a commitment's HTLCs as they are when side publishes.
func htlcsOf(c *channel.Commitment, side channel.Side) []roleHTLC {
	offered, received := c.Offered, c.Received
	if c.Broadcaster != side {
		offered, received = received, offered
	}
	out := make([]roleHTLC, 0, len(offered)+len(received))
	for _, h := range offered {
		out = append(out, roleHTLC{OfferedHTLC, h})
	}
	for _, h := range received {
		out = append(out, roleHTLC{ReceivedHTLC, h})
	}
	return out
}

// addHTLCs adds the outputs of HTLCs. Outputs of equal value and script are in
// the order of their expiry (BOLT 3), so that is the order in which equal ones
// are used up.
func addHTLCs(to *[]expected, typ channel.Type, keys bolt3.Keys, htlcs []roleHTLC) error {
	slices.SortStableFunc(htlcs, func(a, b roleHTLC) int { return cmp.Compare(a.CLTVExpiry, b.CLTVExpiry) })
	for _, h := range htlcs {
		script, err := bolt3.OfferedHTLCScript(typ, keys, h.PaymentHash)
		if h.role == ReceivedHTLC {
			script, err = bolt3.ReceivedHTLCScript(typ, keys, h.PaymentHash, h.CLTVExpiry)
		}
		if err != nil {
			return fmt.Errorf("HTLC script: %w", err)
		}
		*to = append(*to, expected{role: h.role, pkScript: bolt3.P2WSH(script), witness: script, htlc: &h.HTLC, pointed: true})
	}
	return nil
}

func (e *expected) fits(o *Output) bool {
	return bytes.Equal(e.pkScript, o.PkScript) && (e.htlc == nil || e.htlc.ValueSat == 0 || e.htlc.ValueSat == o.ValueSat)
}

// byPoint reports whether any output's script commits to the point.
func (t *template) byPoint(outputs []Output) bool {
	for i := range outputs {
		for _, list := range [][]expected{t.outputs, t.spare} {
			for j := range list {
				if list[j].pointed && bytes.Equal(list[j].pkScript, outputs[i].PkScript) {
					return true
				}
			}
		}
	}
	return false
}

// has reports whether the transaction pays to_remote, or the publisher's anchor
// alone: with both anchors it may be either side's.
func (t *template) has(outputs []Output, ev Evidence) bool {
	if ev == EvidenceAnchor {
		return t.pays(outputs, ToLocalAnchor) && !t.pays(outputs, ToRemoteAnchor)
	}
	return t.pays(outputs, ToRemote)
}

func (t *template) pays(outputs []Output, role Role) bool {
	for i := range outputs {
		for j := range t.outputs {
			if t.outputs[j].role == role && t.outputs[j].fits(&outputs[i]) {
				return true
			}
		}
	}
	return false
}

// name gives each output its role: expected ones and then spares each once, and
// spares again where there are more outputs than the snapshot explains.
func (t *template) name(outputs []Output) {
	for i := range outputs {
		o := &outputs[i]
		for _, try := range []struct {
			from  []expected
			again bool
		}{{t.outputs, false}, {t.spare, false}, {t.spare, true}} {
			found := slices.IndexFunc(try.from, func(e expected) bool { return (try.again || !e.used) && e.fits(o) })
			if found >= 0 {
				try.from[found].used = true
				o.be(&try.from[found])
				break
			}
		}
	}
}

func (o *Output) be(e *expected) {
	o.Role, o.WitnessScript = e.role, e.witness
	if e.htlc != nil {
		htlc := *e.htlc
		htlc.ValueSat = o.ValueSat
		o.HTLC = &htlc
	}
}
