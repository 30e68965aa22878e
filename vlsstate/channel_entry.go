package vlsstate

import (
	"math"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"github.com/glrecover/glrecover/channel"
)

// maxSat is all the bitcoin there can be, in sat.
const maxSat = 21_000_000 * 100_000_000

// maxScript bounds an upfront shutdown script (BOLT 2 allows 42 bytes; an
// anysegwit one as well).
const maxScript = 10_000

// channel reads vls-persist's ChannelEntry. The static part decides whether
// there is a channel; what is bad in its enforcement_state is named in
// State.Unread.
func (p *part) readChannel(rest string, value node) {
	d := value.d
	nodeID, key, reason := parseChannelKey(rest)
	if reason != "" {
		d.fail("", "%s", reason)
	}
	p.node = nodeID
	o := value.object()
	setup := o.nullable("channel_setup")
	if d.err == nil && setup == nil {
		height := o.height("blockheight")
		if d.err == nil {
			p.opening = &Opening{Key: key, BlockHeight: height}
			return
		}
	}
	c := &channel.Channel{Key: key}
	if setup != nil {
		readSetup(*setup, c, p)
	}
	if d.err == nil {
		spare(o, p, Noted, "channel_value_satoshis", func(outer node) uint64 {
			v := outer.uint(maxSat)
			if outer.d.err == nil && v != c.CapacitySat {
				outer.fail("differs from channel_setup.channel_value_sat, which is used instead")
			}
			return v
		})
	}
	o.optional("id")
	o.optional("blockheight")
	if d.err != nil {
		p.lost(d.err)
		return
	}
	p.channel = c
	enforcement := o.find("enforcement_state")
	if enforcement == nil {
		c.State.Unread = []string{channel.WholeState}
		p.add(StateLost, &fieldError{"enforcement_state", "missing"})
		return
	}
	enforcement.read = true
	o.done()
	s, fields, ok := readEnforcement(node{d, enforcement.at}.with(&decoder{}), c.CapacitySat)
	c.State = s
	for _, err := range fields.lost {
		if !ok {
			p.add(StateLost, err)
			return
		}
		p.add(FieldLost, err)
	}
	d.ignored += fields.ignored
	p.noteIgnored(d)
}

// spare reads a member that no import needs: what is wrong with it is told, and
// costs nothing but its value.
func spare[T any](o *objectNode, p *part, effect Effect, name string, read func(node) T) (out T) {
	if o.d.err != nil {
		return out
	}
	m := o.find(name)
	if m == nil {
		p.add(effect, &fieldError{join(o.path(), name), "missing"})
		return out
	}
	m.read = true
	d := &decoder{}
	v := read(node{o.d, m.at}.with(d))
	if d.err != nil {
		p.add(effect, d.err)
		return out
	}
	return v
}

// spareOption is spare for what VLS keeps in an Option.
func spareOption[T any](o *objectNode, p *part, name string, read func(node) T) (out T) {
	if m := o.find(name); m == nil || (node{o.d, m.at}).isNull() {
		if m != nil {
			m.read = true
		}
		return out
	}
	return spare(o, p, Noted, name, read)
}

// readSetup reads vls-core's ChannelSetup.
func readSetup(n node, c *channel.Channel, p *part) {
	d := n.d
	o := n.object()
	capacity := o.get("channel_value_sat")
	c.CapacitySat = capacity.uint(maxSat)
	if d.err == nil && c.CapacitySat == 0 {
		capacity.fail("0 sat")
	}
	c.PushMsat = spare(o, p, Noted, "push_value_msat", func(push node) uint64 {
		v := push.uint(maxSat * 1000)
		if push.d.err == nil && v > c.CapacitySat*1000 {
			push.fail("more than the channel holds")
		}
		return v
	})
	c.Opener = channel.Remote
	if o.get("is_outbound").boolean() {
		c.Opener = channel.Local
	}
	c.Type = commitmentType(o.get("commitment_type"))
	funding := o.get("funding_outpoint")
	c.Funding = funding.outPoint()
	if d.err == nil && (c.Funding.Hash == chainhash.Hash{}) {
		funding.fail("no transaction")
	}
	if d.err == nil && c.Funding.Index > math.MaxUint16 {
		// BOLT 2's funding_output_index is a u16.
		funding.fail("an output index above %d", math.MaxUint16)
	}
	delay := func(v node) uint16 { return uint16(v.uint(math.MaxUint16)) }
	// The delays are in the scripts of our own outputs.
	c.HolderDelay = spare(o, p, FieldLost, "holder_selected_contest_delay", delay)
	c.CounterpartyDelay = spare(o, p, FieldLost, "counterparty_selected_contest_delay", delay)
	script := func(v node) []byte { return v.byteValues(maxScript) }
	c.HolderShutdownScript = spareOption(o, p, "holder_shutdown_script", script)
	c.CounterpartyShutdownScript = spareOption(o, p, "counterparty_shutdown_script", script)
	points := o.get("counterparty_points").object()
	c.Remote = channel.Basepoints{
		Funding:    points.get("funding_pubkey").pubKey(),
		Revocation: points.get("revocation_basepoint").pubKey(),
		Payment:    points.get("payment_point").pubKey(),
		HTLC:       points.get("htlc_basepoint").pubKey(),
		Delayed:    points.get("delayed_payment_basepoint").pubKey(),
	}
	points.done()
	o.done()
}

func commitmentType(n node) channel.Type {
	name := n.str()
	for t := channel.Legacy; t <= channel.AnchorsZeroFeeHTLC; t++ {
		if t.String() == name {
			return t
		}
	}
	n.fail("not a known commitment type")
	return 0
}
