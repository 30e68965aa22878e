package follow

import (
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/state"
)

// triedOutputs is how many outputs of a funding transaction may be the channel's,
// where only the id is known and nobody could be asked which one is there.
const triedOutputs = 16

// candidates are the other outputs that may be the funding output, where only the
// channel's id is known and the plan could not find it among the unspent ones.
func candidates(c *state.Channel) []wire.OutPoint {
	if !c.Channel.ByID || !c.FundingMissing || c.Close != nil {
		return nil
	}
	var out []wire.OutPoint
	for index := range uint32(triedOutputs) {
		if op := channel.V1Funding(c.Channel.ID(), index); op != c.Channel.Funding {
			out = append(out, op)
		}
	}
	return out
}

// candidate takes what the Watcher says of an output that may be the funding output. The
// first that is unspent, or whose spend is seen, is taken for it; candidate reports whether
// this one is still only a candidate.
func candidate(s *state.State, c *state.Channel, now chain.Sighting) bool {
	if now.OutPoint == c.Channel.Funding || !slices.Contains(candidates(c), now.OutPoint) {
		return false
	}
	if now.Tx == nil && now.Place != chain.Unspent {
		return true
	}
	c.Channel.Funding, c.FundingMissing = now.OutPoint, false
	forgetOutputs(s, c)
	return false
}

// identified takes what a close has shown of a channel of which only the id was
// known: from now on it goes by its right key. Where another channel has that key
// nothing is changed: one of the two is not what its peer says.
func identified(s *state.State, c *state.Channel, full *channel.Channel) {
	old := c.Channel.Key
	if full.Key == old {
		c.Channel = state.Stripped(full)
		return
	}
	if s.Channels[full.Key] != nil {
		return
	}
	s.Tell("channel %s: its close shows that it has dbid %d", c.Channel.ID(), full.DBID)
	s.Remove(old)
	c.Channel = state.Stripped(full)
	// What is under way ends for the old key.
	c.Requesting, c.Reading = false, false
	s.Add(c)
	for op, k := range s.Watched {
		if k == old {
			s.Watched[op] = full.Key
		}
	}
	if s.Call == nil {
		return
	}
	for _, keys := range [][]channel.Key{s.Call.Keys, s.Call.Fresh} {
		if i := slices.Index(keys, old); i >= 0 {
			keys[i] = full.Key
		}
	}
}

// DropDoubles drops the record of a channel that goes by its right key already: the
// program was killed between the two writings.
func DropDoubles(s *state.State) {
	for _, k := range s.Keys() {
		c := s.Channels[k]
		if k.DBIDKnown() || !c.Channel.ByID {
			continue
		}
		double := func(other channel.Key) bool {
			return other != k && other.Peer == k.Peer && other.DBIDKnown() && s.Channels[other].Channel.Funding == c.Channel.Funding
		}
		if slices.ContainsFunc(s.Keys(), double) {
			s.Remove(k)
		}
	}
}
