package plan

import (
	"slices"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
)

// hear takes in what a peer said of one channel before the import.
func (c *Channel) hear(n *judge.Reestablish, staleAllowed bool) {
	c.Peer = n
	switch n.Verdict {
	case peer.Older:
		if c.Copy == nil { // else there is no share, and nothing to be older
			c.warn("%s: the last known share is out of date", n.Reason)
		}
	case peer.FalseProof:
		c.warn("%s: do not trust what this peer says", n.Reason)
	case peer.PeerStale:
		// The override is for the peers that are stale now, for no other.
		c.StaleAllowed = c.StaleAllowed || staleAllowed
		if c.StaleAllowed {
			c.warn("%s; the override was given", n.Reason)
			return
		}
		if c.Decision == decision.Import {
			c.decide(decision.StalePeer, "", "%s%s", n.Reason, decision.StaleAdvice)
		}
		return
	case peer.NotRefuted:
	}
}

// maxStrange is how many channels of one peer that the backup does not have are
// named one by one: a peer can speak of thousands.
const maxStrange = 10

// Hear takes in what one peer said of its channels at a time, in a session before
// the import. The copy that the peer returned, if any, is for AddCopies. The user's
// override counts for the peers that are stale now.
func (p *Plan) Hear(id channel.PubKey, said *peer.Reading, keys Keys, at time.Time, staleAllowed bool) {
	strange := p.hear(id, said, keys, at, staleAllowed)
	for i, r := range strange {
		if i == maxStrange {
			p.warn("peer %s mentions %d channels in all that the backup does not have", id, len(strange))
			return
		}
		p.warn("peer %s has a channel %s with this node that the backup does not have%s", id, r.Channel, strangeAdvice(r))
	}
}

// hear is Hear, but returns what the peer said of channels that nobody knows.
func (p *Plan) hear(id channel.PubKey, said *peer.Reading, keys Keys, at time.Time, staleAllowed bool) (strange []peer.Reestablish) {
	all := slices.DeleteFunc(p.All(), func(c *Channel) bool { return c.Channel == nil })
	for _, r := range said.Channels {
		known := false
		for _, c := range all {
			if c.Channel.ID() != r.Channel {
				continue
			}
			known = true
			if c.PeerID == id {
				c.hear(judge.CompareReestablish(c.Channel, r, at, keys), staleAllowed)
			}
		}
		if !known {
			strange = append(strange, r)
		}
	}
	for _, c := range all {
		if c.PeerID == id && c.Peer == nil && said.Result == peer.Read && !said.SpokeOf(c.Channel.ID()) {
			c.warn("the peer was reached and does not mention this channel")
		}
	}
	return strange
}

// strangeAdvice is what to do about a channel that only its peer knows.
func strangeAdvice(r peer.Reestablish) string {
	if r.NextCommitment == 1 && r.NextRevocation == 0 {
		return ", and may still await channel_ready of it: it can forget it when lightningd itself connects, so its channels are asked first. " +
			"If a stored copy has that channel (extra_channels), call again with extra=true before you connect to this peer"
	}
	return ": it was opened after the backup was written"
}
