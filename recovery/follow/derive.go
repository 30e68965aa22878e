package follow

import (
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/spend"
	"github.com/glrecover/glrecover/recovery/state"
)

// Advance moves a channel to the state that follows from the chain and the
// wallet.
func Advance(s *state.State, c *state.Channel) {
	settle(s, c)
	to, reason := derive(s, c)
	if to != c.State || reason != c.Reason {
		s.Move(c, to, reason)
	}
}

// derive is the state that follows from the chain and the wallet: the same facts give the
// same state, whatever was before, but for those that only a person or a session leads out
// of.
func derive(s *state.State, c *state.Channel) (model.ChannelState, string) {
	if c.State == model.LeftOut || c.State == model.Resolved || c.Spend == nil {
		return c.State, c.Reason
	}
	if c.Close == nil || (c.Close.Height == 0 && !closeAround(s, c)) {
		if c.State.Closed() && (s.Behind > 0 || s.Trouble != "") {
			return c.State, c.Reason // a block that is not read yet may have it
		}
		return notClosed(s, c)
	}
	v := c.Verdict
	switch {
	case c.Close.Kind == judge.Splice:
		return model.NeedsOperator, "the funding output was spent into a new channel output (a splice): somebody is still using this channel"
	case c.Close.Kind == judge.Revoked && !spend.Punished(s, c):
		return model.Cheated, ""
	case c.Close.Height == 0:
		return model.CloseSeen, ""
	case v == nil || !s.Listed || c.Spend.Tx == nil: // its outputs cannot be looked for yet
		if c.State.Closed() && c.State != model.CloseSeen {
			return c.State, c.Reason
		}
		return model.OutputsWaiting, ""
	}
	untold := (v.Kind == judge.Unknown || v.Kind == judge.NoSecret || (v.Unsure && len(v.Owed) == 0)) && c.RecoveredMsat == 0
	switch {
	case slices.ContainsFunc(c.Settled, func(o claims.Output) bool { return o.Standing == claims.Lost && o.By == "" }):
		return model.NeedsOperator, "" // this lightningd is too old to tell by whom
	case c.Any(claims.Lost):
		return model.LostTo, ""
	case c.Any(claims.Waiting), untold, untoldPayments(c):
		return model.OutputsWaiting, ""
	case s.Tip.Height >= c.FinalAt() && c.Spend.Place == chain.InBlock && c.Basis == s.BasisNow(c):
		// Before it is classified again, what has spent an output may be an HTLC transaction
		// that pays us.
		return model.Resolved, ""
	}
	return model.Credited, ""
}

// untoldPayments reports whether payments that were under way may be among the
// outputs and nobody can tell, for lack of the secret.
func untoldPayments(c *state.Channel) bool {
	offered, received, _, _ := c.Channel.PendingHTLCs()
	return c.Verdict.Kind == judge.NoSecret && offered+received > 0
}

// closeAround reports whether an unconfirmed close is in the mempool, or may be
// where nobody can look into the mempool.
func closeAround(s *state.State, c *state.Channel) bool {
	return c.Spend.Place == chain.InMempool || c.Spend.Place == chain.InBlock || (c.Spend.Tx != nil && !s.MempoolSeen)
}

// notClosed is the state while no close is in sight.
func notClosed(s *state.State, c *state.Channel) (model.ChannelState, string) {
	switch {
	case c.State.Closed() && c.NotTaken != "":
		return model.LeftOut, c.NotTaken
	case c.State.Closed() && s.Run.Alive != "":
		return model.HostedAlive, s.Run.Alive
	case c.State.Closed() && c.Stale != "" && !c.StaleAllowed:
		return model.PeerStale, c.Stale
	case c.State.Closed():
		return s.BeforeClose(c), ""
	case c.State == model.FundingUnconfirmed && fundingDeep(s, c):
		return s.BeforeClose(c), ""
	}
	return c.State, c.Reason
}

// fundingDeep reports whether the funding has its confirmations. Where bitcoind cannot be
// asked for them, an old backup's funding is taken to have them.
func fundingDeep(s *state.State, c *state.Channel) bool {
	switch c.Spend.Created {
	case chain.InBlock:
		return s.Tip.Height+1 >= c.Spend.CreatedAt+decision.MinFundingConfs
	case chain.InMempool, chain.Unspent:
		return false
	case chain.Unknown:
	}
	return c.Spend.Place == chain.Unspent && !s.MempoolSeen && !s.Now.Before(s.YoungUntil(c))
}

// settle looks where the outputs of a confirmed close are.
func settle(s *state.State, c *state.Channel) {
	c.Settled = nil
	switch {
	case c.State == model.Resolved || c.Close == nil || c.Tx() == nil:
		return
	case c.Close.Height == 0:
		c.RecoveredMsat, c.Recovered = 0, nil
		return
	case !s.Listed || c.Verdict == nil:
		return
	}
	c.Settled = claims.Settle(claims.Facts{
		Channel: c.Copied(), Verdict: c.Verdict, Tx: c.Spend.Tx, Height: c.Close.Height, Tip: s.Tip.Height,
		Stubs: s.Config.Stubs, StubAtClose: c.HadStub(), Rescanning: s.NodeHeight+1 < s.Tip.Height,
		Died: c.StubDied != "", Caught: s.NodeHeight >= c.Close.Height,
		Sweeps: s.Config.Sweeps, Ours: func(txid string) *claims.OurSweep { return spend.OurSweep(s, c, txid) }, Found: c.Found, Wallet: s.Wallet, WalletSpends: s.WalletSpends, Spends: c.Outs,
		Reserved: func(op wire.OutPoint) bool {
			return slices.Contains(c.Reserved, op.String()) || spend.SpentByUs(s, op, s.WalletSpends[op].Txid)
		},
	})
	var recovered, reserved []string
	var taken []model.Taken
	for _, o := range c.Settled {
		switch o.Standing {
		case claims.InWallet, claims.Spent, claims.Swept:
			// The wallet's reservations end after a time: one counts if the coin was reserved
			// when it was last listed unspent.
			op := o.Coin.String()
			if held := s.Wallet[o.Coin].Reserved; (held || (o.Standing != claims.InWallet && slices.Contains(c.Reserved, op))) && !slices.Contains(reserved, op) {
				reserved = append(reserved, op)
			}
			if !slices.Contains(recovered, op) { // one sweep may have brought several
				recovered = append(recovered, op)
			}
		case claims.Taken, claims.Lost:
			taken = append(taken, model.Taken{
				OutPoint: o.OutPoint.String(), Sat: o.Sat, What: o.What, Txid: o.By, Height: o.SpentAt, FromWallet: o.Standing == claims.Lost,
			})
		case claims.Waiting, claims.Moved:
		}
	}
	c.RecoveredMsat = 1000 * claims.Sum(c.Settled, claims.InWallet, claims.Spent, claims.Swept)
	c.Recovered, c.Taken, c.Reserved = recovered, taken, reserved
}
