package stubs

import (
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// mayBeForgotten reports whether the channel may never have been used: the backup knows
// of no payment, and the peer was not heard. Then it may say 1/0 when it is reached, and
// forget the channel (money rule 4b).
func mayBeForgotten(c *state.Channel) bool {
	return c.First == nil && c.State == model.ImportDeferred && c.Held.IsZero() && c.ImportedAt == 0 && c.ImportTries == 0 &&
		c.Channel.State.NextHolderCommitNum <= 1 && c.Channel.State.NextCounterpartyCommitNum <= 1
}

// HoldPeer keeps the channels of a peer from lightningd until our own session has
// asked for each: it connects to the peer for any of them (money rule 4b).
func HoldPeer(s *state.State, p channel.PubKey) {
	if !s.Config.Stubs {
		return
	}
	for _, k := range s.With(p) {
		c := s.Channels[k]
		if c.Stub != state.NoStub || (c.State != model.ImportDeferred && c.State != model.Imported) {
			continue
		}
		c = s.Touch(k)
		c.Held, c.Next = s.Now, s.Now
		s.GoOn(c)
	}
}

// Held reports whether the channel waits for its peer's close, so that lightningd
// must not meet the peer yet.
func Held(s *state.State, c *state.Channel) bool {
	if c.Held.IsZero() || c.HoldOver || c.State.Closed() || !c.State.Asks() || c.State == model.Forgotten || !s.Now.Before(c.HeldUntil()) {
		return false
	}
	// Where nobody can look into the mempool, the close would be seen in a block only, too
	// late for the stub. The peer's word that it has closed must do then: it has nothing
	// left to forget.
	return s.MempoolSeen || !c.CloseHeard
}

// keptAway reports whether lightningd must not meet the peer of a channel yet, because
// another one with it is too young to be on lightningd's list: lightningd would tell the
// peer that it knows of no such channel, and the peer may forget it. One that is closing is
// swept meanwhile.
func keptAway(s *state.State, c *state.Channel) bool {
	return (!c.Held.IsZero() || c.State.Closed()) && s.Any(c.Channel.Peer, s.Awaited)
}

// EndHolds gives lightningd all channels with the peers of these: it connects to a
// peer for any of them.
func EndHolds(s *state.State, keys []channel.Key) {
	for _, k := range keys {
		for _, other := range s.Keys() {
			if c := s.Channels[other]; other.Peer == k.Peer && c.Stub == state.NoStub && !c.HoldOver && (c.State == model.ImportDeferred || s.Awaited(c) || c.State.Asks()) {
				c = s.Touch(other)
				if c.Held.IsZero() {
					c.Held = s.Now
				}
				c.HoldOver = true
				if c.State == model.FundingUnconfirmed || c.State == model.LeftOut {
					s.Tell("lightningd may meet the peer of channel %s, which may forget it: the operator says so", c.Channel.ID())
					continue
				}
				s.Tell("channel %s is given to lightningd, although its peer has not closed it: the operator says so", c.Channel.ID())
			}
		}
	}
}
