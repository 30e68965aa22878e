package scbconv

import (
	"bytes"
	"errors"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

// ErrChannelType is wrapped by the failure that From returns for a commitment
// format of which an SCB recovers nothing.
var ErrChannelType = errors.New("commitment format without static_remotekey")

// Channel types as CLN writes them (common/channel_type.c): static_remotekey is
// bit 12, anchors with zero-fee HTLC transactions bit 22, the older anchors bit
// 20 ("can still exist in the database"); no leading zero bytes.
var clnChannelTypes = map[channel.Type][]byte{
	channel.StaticRemoteKey:    {0x10, 0x00},
	channel.Anchors:            {0x10, 0x10, 0x00},
	channel.AnchorsZeroFeeHTLC: {0x40, 0x10, 0x00},
}

// From makes the entry that glrecover sends to recoverchannel. Its TLV 1 holds
// none of the peer's secrets but the sentinel: with the secrets in it, and
// without the record for commitments 0 and 1, onchaind believes that it knows the
// commitment on chain and gives up at the first output that it cannot name
// (measured on v26.06.6). TLV 3 is always there, and TLV 7 holds HolderDelay, the delay that
// we impose on the peer, because that is how the reader takes it. The channel
// id is the v1 id: the backup cannot tell a dual-funded channel.
//
// A channel without static_remotekey is refused with failure.IncompleteChannel,
// which wraps ErrChannelType: recoverchannel takes every stub for a
// static_remotekey channel, looks for our output at the wrong script, and would
// report that all is resolved.
func From(c *channel.Channel, addr Address) (*Entry, error) {
	typ, ok := clnChannelTypes[c.Type]
	if !ok {
		return nil, failure.New(failure.IncompleteChannel,
			"This needs an expert who can use the channel's keys; keep the backup file and the seed",
			"the channel with dbid %d has commitment format %s, and no static channel backup can recover that", c.DBID, c.Type).
			Wrap(ErrChannelType)
	}
	opener, delay := c.Opener, c.HolderDelay
	e := &Entry{
		DBID:        c.DBID,
		ChannelID:   c.ID(),
		NodeID:      c.Peer,
		Address:     addr,
		Funding:     c.Funding,
		FundingSat:  c.CapacitySat,
		ChannelType: bytes.Clone(typ),
		TLVs: &TLVs{
			Shachain: sentinel(c),
			Basepoints: &Basepoints{
				Revocation: c.Remote.Revocation,
				Payment:    c.Remote.Payment,
				HTLC:       c.Remote.HTLC,
				Delayed:    c.Remote.Delayed,
			},
			Opener: &opener,
			Delay:  &delay,
		},
	}
	return e, e.check()
}
