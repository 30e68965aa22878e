package plan

import (
	"context"
	"slices"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/locate"
	"github.com/glrecover/glrecover/scbconv"
)

// Bounds of what is tried for a channel that no backup describes.
const (
	// triedOutputs is how many outputs of the funding transaction are tried.
	triedOutputs = 16
	// maxUnproven is how many channels a peer is believed to have where it shows no
	// secret of ours with them, and maxNowhere how many of these of which the chain
	// has no funding output: a peer can invent thousands, or name those of others, and
	// each costs look-ups for as long as the recovery goes on.
	maxUnproven = 500
	maxNowhere  = 100
)

// WordsLimits is what cannot be had without a backup.
const WordsLimits = "Without a backup each channel's own balance comes back, as its peer's close pays it. What is not possible without one: payments that were under way; " +
	"a penalty, if a peer publishes a revoked commitment; a proof of your last share, which is unknown until the close is seen; " +
	"channels with peers that are not mentioned anywhere. Look for a signer backup first"

// spoken adds the channels that peers speak of and that nobody else has described.
func (p *Plan) spoken(ctx context.Context, in *Inputs, a *locate.Addresses) {
	told := map[string][]*Channel{}
	for _, c := range p.All() {
		told[c.ChannelID] = append(told[c.ChannelID], c)
	}
	for i := range in.Heard {
		h := &in.Heard[i]
		b := belief{}
		for _, r := range h.Said.Channels {
			if p.contested(told[r.Channel.String()], h.Peer, r.Channel) {
				continue
			}
			if x := p.speaksOf(ctx, in, a, h, r, &b); x != nil {
				told[x.ChannelID] = append(told[x.ChannelID], x)
				p.Extra = append(p.Extra, x)
			}
		}
		if b.left > 0 {
			p.warn("peer %s speaks of %d channels. %d of them are left out: it shows no secret of this node's with them, and of %d such channels at the most, %d of them without "+
				"a funding output on the chain, a peer is believed", h.Peer, len(h.Said.Channels), b.left, maxUnproven, maxNowhere)
		}
	}
}

// belief is what one peer was believed without a secret of ours that it shows.
type belief struct {
	// unproven channels are on the chain or not, nowhere are those that are not.
	unproven, nowhere int
	// left were left out.
	left int
}

// contested warns where a second peer speaks of a channel: anybody can name the id of
// a public one. It reports whether there is nothing to add: the peer's own channel is
// known, or the backup or a copy has it with another. Otherwise each is asked, and the
// close shows whose it is.
func (p *Plan) contested(known []*Channel, id channel.PubKey, ch channel.ID) bool {
	for _, c := range known {
		switch {
		case c.PeerID == id, c.Channel == nil:
			return true
		case !c.Channel.ByID:
			p.warn("two peers say that they have channel %s with this node: only peer %s is asked, with which it is on record, and not peer %s", ch, c.PeerID, id)
			return true
		}
	}
	if len(known) > 0 {
		p.warn("two peers say that they have channel %s with this node, %s and %s: both are asked, and the close shows whose it is", ch, known[0].PeerID, id)
	}
	return false
}

// speaksOf is a channel that is known by its id alone; nil where the peer is not
// believed.
func (p *Plan) speaksOf(ctx context.Context, in *Inputs, a *locate.Addresses, h *backup.Heard, r peer.Reestablish, b *belief) *Channel {
	ch := &channel.Channel{
		Key: channel.Key{Peer: h.Peer, DBID: channel.UnknownDBID(r.Channel)}, Type: channel.AnchorsZeroFeeHTLC, ByID: true,
		Funding: channel.V1Funding(r.Channel, 0),
	}
	x := &Channel{Channel: ch, Copy: &backup.Copy{Source: backup.FromReestablish, Peer: h.Peer}}
	switch dbid, proven := judge.DBIDOf(in.Keys, h.Peer, r); {
	case proven && p.keyTaken(channel.Key{Peer: h.Peer, DBID: dbid}):
		x.warn("the peer shows the secret of another channel, with dbid %d: do not trust what it says", dbid)
	case proven:
		ch.DBID = dbid
	case in.Keys != nil && r.DataLossProtection && r.NextRevocation > 0:
		x.warn("the peer claims %d revocations of ours and shows no secret of this node's first %d channels with it: do not trust what it says", r.NextRevocation, judge.SearchedDBIDs)
	}
	if !ch.DBIDKnown() && (b.unproven >= maxUnproven || b.nowhere >= maxNowhere) {
		b.left++
		return nil
	}
	there := p.fundingOf(ctx, in, ch)
	if !ch.DBIDKnown() {
		b.unproven++
		if !there {
			b.nowhere++
		}
	}
	p.describe(ctx, a, x, scbconv.Choice{Address: h.Address, Source: h.Source})
	return x
}

// fundingOf finds out which output of the funding transaction is the channel's, and
// reports whether the chain knows of one.
func (p *Plan) fundingOf(ctx context.Context, in *Inputs, ch *channel.Channel) bool {
	if in.Chain == nil {
		return false
	}
	id := ch.ID()
	for index := range uint32(triedOutputs) {
		op := channel.V1Funding(id, index)
		if e := chain.Evidence(ctx, in.Chain, chain.FundingQuery{OutPoint: op}); e.State != chain.FundingUnknown {
			ch.Funding, ch.CapacitySat = op, e.ValueSat
			return true
		}
	}
	return false
}

// describe fills in what is told of a channel that the backup does not describe. at is
// where its peer is if nobody knows better.
func (p *Plan) describe(ctx context.Context, a *locate.Addresses, x *Channel, at scbconv.Choice) {
	x.Description = backup.Describe(x.Channel)
	x.LastKnownShareMsat, x.ShareFrom = nil, channel.ShareUnknown
	if x.Channel.ByID {
		x.Opener, x.ChannelType = "", ""
		if !x.Channel.DBIDKnown() {
			x.DBID = 0
		}
	}
	x.Address = a.Of(ctx, x.Channel.Peer)
	if x.Address.Source.Guessed() && !at.Address.IsZero() {
		x.Address.Address, x.Address.Source = at.Address, at.Source
	}
}

// keyTaken reports whether another channel has the key.
func (p *Plan) keyTaken(k channel.Key) bool {
	return slices.ContainsFunc(p.All(), func(c *Channel) bool { return c.Channel != nil && c.Channel.Key == k })
}

// hearPeers takes in what was heard of the channels' numbers.
func (p *Plan) hearPeers(in *Inputs) {
	stale := slices.Contains(in.Override, string(peer.PeerStale))
	for i := range in.Heard {
		h := &in.Heard[i]
		p.hear(h.Peer, h.Said, in.Keys, h.At, stale) // spoken has told of the channels that nobody knows
		if h.Said.Result != peer.Read {
			p.warn("peer %s at %s could not be read completely (%s: %s); glrecover tries again", h.Peer, h.Address, h.Said.Result, h.Said.Reason)
		}
	}
}
