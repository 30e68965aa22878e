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
// there is a channel; a bad enforcement_state leaves it with a zero State.
func (r *entryReader) channel(rest string, value node) {
	d := value.d
	nodeID, key, reason := parseChannelKey(rest)
	if reason != "" {
		d.fail("", "%s", reason)
	} else if nodeID != r.b.NodeID {
		d.fail("", "the channel is of another node")
	}
	o := value.object()
	setup := o.nullable("channel_setup")
	if d.err == nil && setup == nil {
		height := o.height("blockheight")
		if d.err == nil {
			r.b.Openings = append(r.b.Openings, Opening{Key: key, BlockHeight: height})
			return
		}
	}
	c := &channel.Channel{Key: key}
	if setup != nil {
		readSetup(*setup, c)
	}
	outer := o.get("channel_value_satoshis")
	if v := outer.uint(maxSat); d.err == nil && v != c.CapacitySat {
		outer.fail("not the value of channel_setup.channel_value_sat")
	}
	o.optional("id")
	o.optional("blockheight")
	if d.err != nil {
		r.lost(d.err)
		return
	}
	state := &decoder{}
	enforcement := node{d: state, path: "enforcement_state", raw: o.members["enforcement_state"]}
	delete(o.members, "enforcement_state")
	o.done()
	if enforcement.raw == nil {
		enforcement.fail("missing")
	}
	r.b.Channels = append(r.b.Channels, c)
	s := readEnforcement(enforcement, c.CapacitySat)
	if state.err != nil {
		r.add(StateLost, state.err)
		return
	}
	c.State = s
	d.ignored += state.ignored
	r.noteIgnored(d)
}

// readSetup reads vls-core's ChannelSetup.
func readSetup(n node, c *channel.Channel) {
	d := n.d
	o := n.object()
	capacity := o.get("channel_value_sat")
	c.CapacitySat = capacity.uint(maxSat)
	if d.err == nil && c.CapacitySat == 0 {
		capacity.fail("0 sat")
	}
	push := o.get("push_value_msat")
	c.PushMsat = push.uint(maxSat * 1000)
	if d.err == nil && c.PushMsat > c.CapacitySat*1000 {
		push.fail("more than the channel holds")
	}
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
	c.HolderDelay = uint16(o.get("holder_selected_contest_delay").uint(math.MaxUint16))
	c.CounterpartyDelay = uint16(o.get("counterparty_selected_contest_delay").uint(math.MaxUint16))
	if script := o.nullable("holder_shutdown_script"); script != nil {
		c.HolderShutdownScript = script.byteValues(maxScript)
	}
	if script := o.nullable("counterparty_shutdown_script"); script != nil {
		c.CounterpartyShutdownScript = script.byteValues(maxScript)
	}
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
	n.fail("no known commitment type")
	return 0
}
