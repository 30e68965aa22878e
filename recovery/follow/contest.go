package follow

import (
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// Several peers may say that a channel is theirs: anybody can name the id of a public
// one. Each of them is asked, and each sees what the chain shows, until the backup, a
// copy or the close proves whose it is. A secret of ours that a peer shows proves
// nothing: it may be that of another channel.

// proven reports whether it is certain that the channel is with this peer. Of one that
// was known by its id alone only the close shows the peer's funding key.
func proven(c *state.Channel) bool { return !c.Channel.ByID || !c.Channel.Remote.Funding.IsZero() }

// SettleContests leaves out the channels that another one proves to be invented, and
// lets each that is left know what the chain has shown of it so far.
func SettleContests(s *state.State) {
	if _, any := s.Contested(channel.ID{}); !any {
		return
	}
	for _, k := range s.Keys() {
		c := s.Channels[k]
		rivals, _ := s.Contested(c.Channel.ID())
		if rivals == nil || c.State.Done() {
			continue
		}
		i := slices.IndexFunc(rivals, func(r channel.Key) bool { return r != k && proven(s.Channels[r]) })
		if i >= 0 && !proven(c) {
			lose(s, s.Touch(k), rivals[i].Peer)
			continue
		}
		for _, r := range rivals {
			other := s.Channels[r]
			if r != k && (c.Spend == nil || c.PlanOnly) && other.Spend != nil && !other.PlanOnly && maySee(c, other.Spend.OutPoint) {
				sighted(s, s.Touch(k), *other.Spend)
				Advance(s, c)
			}
		}
	}
}

// lose ends the work on a channel that is another peer's.
func lose(s *state.State, c *state.Channel, winner channel.PubKey) {
	Unwatch(s, c)
	c.NothingOurs, c.Close, c.Spend, c.Settled, c.OfClose = true, nil, nil, nil, state.OfClose{}
	s.Move(c, model.LeftOut, fmt.Sprintf("the peer said that this channel is its own, and it is proven to be with peer %s", winner))
}

// maySee reports whether an outpoint is of interest to a channel.
func maySee(c *state.Channel, op wire.OutPoint) bool {
	return op == c.Channel.Funding || c.Close != nil || slices.Contains(candidates(c), op)
}

// tellRivals says what the Watcher has said of one channel to those that go by the same
// id: only one of them has the outpoint watched.
func tellRivals(s *state.State, c *state.Channel, now chain.Sighting) {
	rivals, _ := s.Contested(c.Channel.ID())
	for _, k := range rivals {
		if other := s.Channels[k]; other != c && !other.State.Done() && maySee(other, now.OutPoint) {
			sighted(s, s.Touch(k), now)
			Advance(s, other)
		}
	}
}
