package spend

import (
	"cmp"
	"maps"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/sweep"
)

// How long a sweep may stay unconfirmed before a dearer one takes its place, in
// blocks: less as the deadline of one of its outputs nears.
const (
	raiseEvery       = 6
	raiseEveryHurry  = 2
	raiseEveryAtLast = 1
	lastBlocks       = 6
)

// Claim claims what is ours to claim, one transaction of a channel at a time:
// first what somebody else could take, each alone, then everything else together,
// then dearer ones for those that no block takes.
func Claim(s *state.State, c *state.Channel) {
	if !s.Config.Sweeps || c.State.Done() || c.Spend == nil || c.Spend.Place != chain.InBlock || c.Spend.Tx == nil ||
		c.PlanOnly || !c.Listed || c.Found == nil || !s.HasSecret() || s.Behind > 0 || s.Tip.Height == 0 {
		return
	}
	if _, making := s.Sweeping[c.Channel.Key]; making {
		return
	}
	GiveUp(s, c, func(w model.Sweep) bool {
		at := ConflictAt(c, &w)
		return at > 0 && s.Tip.Height+1 >= at+claims.TakenConfs // no reorganisation brings its outputs back
	})
	if s.Run.Destination == "" && len(s.Sweeping) > 0 {
		return // all pay to the address that the first one gets
	}
	due := parts(c, func(o *claims.Output) (bool, bool) { return claimable(s, c, o) && mayTry(s, c, o.OutPoint), o.Alone })
	if len(due) > 0 {
		if !mustWait(s, c, due[0]) {
			build(s, c, due[0], nil)
		}
		return
	}
	for i := range c.Sweeps {
		if w := &c.Sweeps[i]; raisable(s, c, w) && !mustWait(s, c, w.Claimed()) {
			build(s, c, w.Claimed(), w)
			return
		}
	}
}

// mustWait reports whether the transaction needs coins of the wallet while another one
// that does is being made: both would choose the same, and the later one would be
// refused.
func mustWait(s *state.State, c *state.Channel, ops []wire.OutPoint) bool {
	return needsCoins(c, ops) && slices.Contains(slices.Collect(maps.Values(s.Sweeping)), true)
}

// needsCoins reports whether a claim of one of these outputs is paid for by the wallet.
func needsCoins(c *state.Channel, ops []wire.OutPoint) bool {
	return slices.ContainsFunc(c.Settled, func(o claims.Output) bool {
		return o.Needs == sweep.NeedFeeInput && slices.Contains(ops, o.OutPoint)
	})
}

// parts divides the outputs that are due among transactions: first those that go alone,
// the one with the nearest deadline before the others, then all the rest together.
func parts(c *state.Channel, due func(*claims.Output) (is, alone bool)) (out [][]wire.OutPoint) {
	var single []*claims.Output
	var together []wire.OutPoint
	for i := range c.Settled {
		o := &c.Settled[i]
		switch is, alone := due(o); {
		case !is || claimed(c, o.OutPoint.String()):
		case alone:
			single = append(single, o)
		default:
			together = append(together, o.OutPoint)
		}
	}
	slices.SortFunc(single, func(a, b *claims.Output) int {
		return cmp.Or(cmp.Compare(a.Deadline-1, b.Deadline-1), cmp.Compare(a.OutPoint.String(), b.OutPoint.String())) // 0 is last
	})
	for _, o := range single {
		out = append(out, []wire.OutPoint{o.OutPoint})
	}
	if len(together) > 0 {
		out = append(out, together)
	}
	return out
}

// claimable reports whether the next block can hold our claim of an output, and the
// output is for us to claim: the Watcher has looked at it, and no block has a spend.
func claimable(s *state.State, c *state.Channel, o *claims.Output) bool {
	x, seen := c.Outs[o.OutPoint]
	unspent := seen && (x.Place == chain.Unspent || x.Place == chain.InMempool || (x.Place == chain.Unknown && x.Searched))
	return unspent && o.Claimant == judge.BySweep && o.Standing == claims.Waiting && o.By == "" && o.Ready() && o.Path != "" &&
		o.From > 0 && o.From <= s.Tip.Height+1
}

// mayTry reports whether a sweep of the output may be made now: once a block, and again
// when a coin came that was missing.
func mayTry(s *state.State, c *state.Channel, op wire.OutPoint) bool {
	return c.Tried[op] < s.Tip.Height || (c.Troubles[op].NeedsSat > 0 && c.WalletCoins != s.Coins)
}

// raisable reports whether a dearer transaction is to take the place of one that no
// block takes.
func raisable(s *state.State, c *state.Channel, w *model.Sweep) bool {
	if ConflictAt(c, w) > 0 || !open(c, w) || (w.Second && len(w.Coins) == 0) {
		return false
	}
	every := uint32(raiseEvery)
	switch {
	case w.Deadline <= s.Tip.Height: // none, or it is a race: a high fee has been paid already
	case w.Deadline <= s.Tip.Height+lastBlocks:
		every = raiseEveryAtLast
	case w.Deadline <= s.Tip.Height+sweep.HurryBlocks:
		every = raiseEveryHurry
	}
	if s.Tip.Height < w.At+every {
		return false
	}
	return !slices.ContainsFunc(w.Claimed(), func(op wire.OutPoint) bool {
		return c.Outs[op].Place == chain.InBlock || !mayTry(s, c, op) || lightningds(c, op)
	})
}

// lightningds reports whether lightningd takes an output: after a reorganisation that may
// be one that a sweep of ours claims, which is not raised any more then.
func lightningds(c *state.Channel, op wire.OutPoint) bool {
	return slices.ContainsFunc(c.Settled, func(o claims.Output) bool { return o.OutPoint == op && o.Claimant == judge.ByLightningd })
}

// CouldSweep are the transactions of a channel that could be made now, for a dry
// run: they are not made. preimages says that the user has given some for it.
func CouldSweep(s *state.State, c *state.Channel, preimages bool) (out []model.BuildSweep) {
	if s.Run == nil || c.Close == nil || c.Close.Height == 0 || c.Tx() == nil {
		return nil
	}
	for _, ops := range parts(c, func(o *claims.Output) (bool, bool) {
		lacking := preimages && o.Needs == sweep.NeedPreimage && o.Standing == claims.Waiting
		return claimable(s, c, o) || lacking, o.Alone || lacking
	}) {
		out = append(out, request(s, c, ops))
	}
	return out
}

// request is what it takes to make a transaction of these outputs.
func request(s *state.State, c *state.Channel, ops []wire.OutPoint) model.BuildSweep {
	return model.BuildSweep{
		Channel: c.Copied(), Close: c.Tx(), Height: c.Close.Height, Tip: s.Tip.Height, Spends: claims.SpendsIn(c.Outs), OutPoints: ops,
		Destination: s.Run.Destination, Change: s.Run.Change, Feerate: s.Run.Feerate, Avoid: recovering(s),
	}
}

// build has a transaction made of these outputs, or a dearer one than replaces.
func build(s *state.State, c *state.Channel, ops []wire.OutPoint, replaces *model.Sweep) {
	c = s.Touch(c.Channel.Key)
	s.Sweeping[c.Channel.Key] = needsCoins(c, ops)
	c.Tried, c.WalletCoins = state.Editable(c.Tried), s.Coins
	for _, op := range ops {
		c.Tried[op] = s.Tip.Height
	}
	b := request(s, c, ops)
	if replaces != nil {
		b.Replaces, b.PaidPerKW = replaces.Tx(), replaces.PerKW
	}
	s.Do(b)
}
