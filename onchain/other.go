package onchain

import (
	"bytes"
	"fmt"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
)

// other looks at a spend that has not the marks of a commitment: a mutual
// close (one input, one or two outputs) or a splice.
func (c *Close) other(ch *channel.Channel, keys Keys, inputs int) error {
	if keys.Ours != (channel.Basepoints{}) {
		funding, err := bolt3.FundingPkScript(keys.Ours.Funding, ch.Remote.Funding)
		if err != nil {
			return fmt.Errorf("funding keys: %w", err)
		}
		for i := range c.Outputs {
			if o := &c.Outputs[i]; bytes.Equal(o.PkScript, funding) {
				o.Role, o.Owner = NewFunding, OwnerShared
				c.Kind, c.Evidence = Splice, EvidenceScript
				c.Reason = "it pays into a new 2-of-2 of the same funding keys"
			}
		}
	}
	known, strange := c.nameByScript(ch, keys)
	switch {
	case c.Kind == Splice:
	case inputs > 1:
		c.Kind, c.Evidence = Splice, EvidenceShape
		c.Reason = "neither a commitment nor a mutual close has several inputs"
	case len(c.Outputs) > 2:
		c.Reason = "no commitment, and a mutual close has at most two outputs"
	case strange:
		c.Reason = "a mutual close, or a splice with new funding keys: it pays to an unknown P2WSH"
	case known:
		c.close()
		c.Evidence, c.Reason = EvidenceScript, "a mutual close: it pays to a script of ours"
	default:
		c.close()
		c.Evidence, c.Reason = EvidenceShape, "it looks like a mutual close; it is unknown which output is ours"
	}
	return nil
}

// nameByScript gives outputs to known scripts their owner. strange says that a
// P2WSH is left over.
func (c *Close) nameByScript(ch *channel.Channel, keys Keys) (known, strange bool) {
	for i := range c.Outputs {
		o := &c.Outputs[i]
		wallet := keys.IsOurs != nil && keys.IsOurs(o.PkScript)
		upfront := len(ch.HolderShutdownScript) > 0 && bytes.Equal(o.PkScript, ch.HolderShutdownScript)
		theirs := len(ch.CounterpartyShutdownScript) > 0 && bytes.Equal(o.PkScript, ch.CounterpartyShutdownScript)
		switch {
		case o.Role == NewFunding:
			continue
		case wallet, upfront && keys.IsOurs == nil:
			o.take(OwnerUs, ByWallet, PathScript)
		case upfront:
			o.take(OwnerUs, ByElsewhere, PathScript)
		case theirs:
			o.Owner = OwnerPeer
		case len(o.PkScript) == 34 && o.PkScript[0] == 0 && o.PkScript[1] == 32:
			strange = true
			continue
		default:
			continue
		}
		known = true
	}
	return known, strange
}

// close makes it a mutual close. It pays at most one output to each side: with
// one of two named, the other is the other side's.
func (c *Close) close() {
	c.Kind = Mutual
	for i := range c.Outputs {
		c.Outputs[i].Role = Closing
	}
	if len(c.Outputs) != 2 {
		return
	}
	for i := range c.Outputs {
		o, other := &c.Outputs[i], &c.Outputs[1-i]
		if o.Owner != OwnerUnknown || other.Guess {
			continue
		}
		switch other.Owner {
		case OwnerUs:
			o.Owner, o.Guess = OwnerPeer, true
		case OwnerPeer:
			o.take(OwnerUs, ByElsewhere, PathScript)
			o.Guess = true
		case OwnerEither, OwnerShared, OwnerUnknown:
		}
	}
}
