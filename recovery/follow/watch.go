package follow

import (
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// seenAt is where an outpoint is in Seen, -1 if it is not.
func seenAt(c *state.Channel, op wire.OutPoint) int {
	name := op.String()
	return slices.IndexFunc(c.Seen, func(x model.Sighted) bool { return x.OutPoint == name })
}

// lastOf is what is on record of an outpoint, nil if nothing is.
func lastOf(c *state.Channel, op wire.OutPoint) *chain.Sighting {
	if i := seenAt(c, op); i >= 0 {
		return c.Seen[i].Sighting()
	}
	return nil
}

// forgetOutputs ends the watch of a close's outputs.
func forgetOutputs(s *state.State, c *state.Channel) {
	forget(s, c, func(op wire.OutPoint) bool { return op != c.Channel.Funding })
	c.Seen = slices.DeleteFunc(slices.Clone(c.Seen), func(x model.Sighted) bool { return x.OutPoint != c.Channel.Funding.String() })
}

// forget ends the watch of those outpoints of a channel, and reports whether there
// were any.
func forget(s *state.State, c *state.Channel, which func(wire.OutPoint) bool) bool {
	var ops []wire.OutPoint
	for op, k := range s.Watched {
		if k == c.Channel.Key && which(op) {
			ops = append(ops, op)
			delete(s.Watched, op)
		}
	}
	if len(ops) == 0 {
		return false
	}
	slices.SortFunc(ops, func(a, b wire.OutPoint) int {
		return cmp.Or(slices.Compare(a.Hash[:], b.Hash[:]), cmp.Compare(a.Index, b.Index))
	})
	s.Do(model.Forget{OutPoints: ops})
	return true
}

// Watch follows the funding output of a channel that is not done, and the
// outputs of its close that are or may be ours.
func Watch(s *state.State, c *state.Channel) {
	if c.State.Done() {
		Unwatch(s, c)
		return
	}
	var e model.Watch
	add := func(op wire.OutPoint, script []byte, from uint32) {
		if _, ok := s.Watched[op]; ok {
			return
		}
		s.Watched[op] = c.Channel.Key
		e.Watches = append(e.Watches, chain.Watch{OutPoint: op, PkScript: script, From: from, Last: lastOf(c, op)})
	}
	add(c.Channel.Funding, c.FundingScript, c.WatchFrom)
	for _, op := range candidates(c) {
		add(op, nil, c.WatchFrom)
	}
	for _, op := range outputs(c) {
		add(op, nil, cmp.Or(c.Close.Height, c.Close.FirstSeen, 1))
	}
	if len(e.Watches) > 0 {
		s.Do(e)
	}
}

// outputs are those of a close that are or may be ours: those of the record before it
// is classified again, so that no block is looked at without them.
func outputs(c *state.Channel) (ops []wire.OutPoint) {
	if c.Close == nil {
		return nil
	}
	for i := range c.Seen {
		if x := c.Seen[i].Sighting(); x != nil {
			ops = append(ops, x.OutPoint)
		}
	}
	if c.Verdict == nil {
		return ops
	}
	for _, o := range slices.Concat(c.Verdict.Owed, claims.UnderWay(&c.Channel, c.Verdict)) {
		ops = append(ops, o.OutPoint)
	}
	for _, o := range c.Found {
		ops = append(ops, o.OutPoint)
	}
	return ops
}

// Unwatch ends the watch of a channel that is done, also of one that was done when the
// program was killed before the record said so; what was seen of it is nothing to act on
// later.
func Unwatch(s *state.State, c *state.Channel) {
	looked := slices.ContainsFunc(c.Seen, func(x model.Sighted) bool { return x.LookBack > 0 })
	if watched := forget(s, c, func(wire.OutPoint) bool { return true }); !watched && !looked {
		return
	}
	s.Touch(c.Channel.Key)
	c.Seen = slices.Clone(c.Seen)
	for i := range c.Seen {
		c.Seen[i].LookBack = 0 // blocks go by without it
	}
	c.Spend, c.Settled, c.OfClose = nil, nil, state.OfClose{}
}
