package scbconv

import (
	"fmt"

	"github.com/glrecover/glrecover/channel"
)

// Channel is what an entry that a CLN node wrote of itself says of a channel: the
// inverse of From, as far as there is one. It has neither a state nor the peer's
// funding key, and the shachain is left behind. lightningd writes the delay that
// the peer imposes on us and reads the one that we impose on the peer; both get
// the one that is there.
//
// The errors are those of Batch, or match ErrEntry where the channel id is not
// the v1 id of the funding output (a dual-funded channel).
func (e *Entry) Channel() (*channel.Channel, error) {
	if err := Batch([]*Entry{e})[0]; err != nil {
		return nil, err
	}
	c := &channel.Channel{
		Key:     channel.Key{Peer: e.NodeID, DBID: e.DBID},
		Funding: e.Funding, CapacitySat: e.FundingSat, Opener: *e.TLVs.Opener, Type: channel.StaticRemoteKey,
		Remote: channel.Basepoints{
			Revocation: e.TLVs.Basepoints.Revocation, Payment: e.TLVs.Basepoints.Payment,
			HTLC: e.TLVs.Basepoints.HTLC, Delayed: e.TLVs.Basepoints.Delayed,
		},
		HolderDelay: *e.TLVs.Delay, CounterpartyDelay: *e.TLVs.Delay,
	}
	// Batch has refused all other bits that change something.
	switch bits := featureBits(e.ChannelType); {
	case bits[bitZeroFeeAnchors]:
		c.Type = channel.AnchorsZeroFeeHTLC
	case bits[bitAnchors]:
		c.Type = channel.Anchors
	}
	if c.ID() != e.ChannelID {
		return nil, fmt.Errorf("%w: channel id %s is not made from the funding output: a dual-funded channel, or a wrong entry", ErrEntry, e.ChannelID)
	}
	return c, nil
}
