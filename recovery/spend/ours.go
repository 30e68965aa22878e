package spend

import (
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// OurSweep is the sweep of the channel with this txid, nil if there is none.
func OurSweep(s *state.State, c *state.Channel, txid string) *claims.OurSweep {
	for i := range c.Sweeps {
		w := &c.Sweeps[i]
		if fee, is := w.Is(txid); is {
			if w.Second {
				return &claims.OurSweep{Second: true}
			}
			return &claims.OurSweep{FeeSat: fee, TotalSat: w.TotalSat, Elsewhere: s.Run.Given || !s.Config.Stubs}
		}
	}
	return nil
}

// SpentByUs reports whether one of our sweeps is what has spent a coin of the wallet:
// lightningd has not sent it itself and cannot know. txid is what it says, "" where it
// is too old to tell; then a coin that was set aside for a sweep counts.
func SpentByUs(s *state.State, coin wire.OutPoint, txid string) bool {
	for _, c := range s.Channels {
		for i := range c.Sweeps {
			w := &c.Sweeps[i]
			if _, is := w.Is(txid); is || (txid == "" && slices.Contains(w.Coins, coin.String())) {
				return true
			}
		}
	}
	return false
}

// claimed reports whether a sweep on record claims the output.
func claimed(c *state.Channel, op string) bool {
	return slices.ContainsFunc(c.Sweeps, func(w model.Sweep) bool { return slices.Contains(w.OutPoints, op) && ConflictAt(c, &w) == 0 })
}

// open reports whether an output that a sweep claims is still waited for.
func open(c *state.Channel, w *model.Sweep) bool {
	return slices.ContainsFunc(c.Settled, func(o claims.Output) bool {
		return o.Standing == claims.Waiting && slices.Contains(w.OutPoints, o.OutPoint.String())
	})
}

// ConflictAt is the height of a block in which another transaction spends an output that
// the sweep claims, 0 if there is none: the sweep can never confirm, and its other outputs
// need another.
func ConflictAt(c *state.Channel, w *model.Sweep) uint32 {
	for _, op := range w.Claimed() {
		x, seen := c.Outs[op]
		if !seen || x.Place != chain.InBlock {
			continue
		}
		if _, is := w.Is(x.TxID.String()); !is {
			return max(x.Height, 1)
		}
	}
	return 0
}

// GiveUp forgets sweeps that will never be sent again, and gives the wallet's coins free
// that were set aside for them.
func GiveUp(s *state.State, c *state.Channel, which func(model.Sweep) bool) {
	var kept []model.Sweep
	for _, w := range c.Sweeps {
		if !which(w) {
			kept = append(kept, w)
			continue
		}
		s.Tell("channel %s: the sweep %s is given up", c.Channel.ID(), w.Txid)
		release(s, c, w.Coins)
	}
	if len(kept) < len(c.Sweeps) {
		s.Touch(c.Channel.Key).Sweeps = kept
	}
}

// release gives coins of the wallet free again.
func release(s *state.State, c *state.Channel, coins []string) {
	if ops := model.OutPointsOf(coins); len(ops) > 0 {
		s.Do(model.Release{Key: c.Channel.Key, Coins: ops})
	}
}

// resendSweeps sends, once a block, the sweeps whose outputs are waited for: until
// six confirmations, where the wallet has not listed them before.
func resendSweeps(s *state.State, c *state.Channel) {
	if len(c.Sweeps) == 0 || c.Close == nil || c.Close.Height == 0 || c.Spend.Place != chain.InBlock {
		return
	}
	s.Touch(c.Channel.Key).Resent = s.Tip.Height
	for i := range c.Sweeps {
		w := &c.Sweeps[i]
		if tx := w.Tx(); tx != nil && ConflictAt(c, w) == 0 && !walletHas(c, w) && !deep(s, c, w) {
			s.Do(model.Broadcast{Key: c.Channel.Key, What: model.SendSweep, Txs: []*wire.MsgTx{tx}})
		}
	}
}

// walletHas reports whether lightningd has come to list one of the outputs itself: then
// its wallet is to spend it.
func walletHas(c *state.Channel, w *model.Sweep) bool {
	return slices.ContainsFunc(c.Settled, func(o claims.Output) bool {
		return o.Claimant == judge.ByLightningd && o.Standing != claims.Waiting && slices.Contains(w.OutPoints, o.OutPoint.String())
	})
}

// deep reports whether all outputs of a sweep are spent six blocks deep.
func deep(s *state.State, c *state.Channel, w *model.Sweep) bool {
	return !slices.ContainsFunc(w.Claimed(), func(op wire.OutPoint) bool {
		x := c.Outs[op]
		return x.Place != chain.InBlock || s.Tip.Height+1 < x.Height+claims.SweptConfs
	})
}

// Punished reports whether everything of a revoked commitment that the revocation key
// can take is taken, by us or by the peer, so that nobody has to act any more.
func Punished(s *state.State, c *state.Channel) bool {
	// Without the secret an output that the key could take may have no name. With it, a
	// commitment may all the same have none: it pays the peer nothing.
	named := c.Found != nil && c.Verdict.Close != nil && c.Verdict.Close.HasSecret
	return s.Config.Sweeps && c.Close.Height > 0 && named && len(c.Settled) > 0 && !c.Any(claims.Waiting)
}
