package spend

import (
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// Resend sends a close that is not confirmed, with its child, or else our sweeps, again
// with each block: lightningd does not do that, and the peer may be gone.
func Resend(s *state.State, c *state.Channel) {
	if c.State.Done() || c.Resent >= s.Tip.Height || s.Tip.Height == 0 || c.PlanOnly {
		return
	}
	if c.Resends() && c.Spend.Place != chain.InBlock {
		s.Touch(c.Channel.Key).Resent = s.Tip.Height
		b := model.Broadcast{Key: c.Channel.Key, What: model.SendClose, Txs: []*wire.MsgTx{c.Tx()}}
		// A child is fee, also one that is on record: it may not have gone out yet.
		if child := childTx(c); child != nil && s.Unconfirmed(c) {
			b.What, b.Txs = model.SendChild, append(b.Txs, child)
		}
		s.Do(b)
		return
	}
	resendSweeps(s, c)
}

// childTx is the recorded child of the close, nil if none.
func childTx(c *state.Channel) *wire.MsgTx {
	if c.Fee.Child == nil {
		return nil
	}
	tx, err := chain.DecodeTx(c.Fee.Child.Raw)
	if err != nil {
		return nil
	}
	return tx
}

// PayForStuck makes a child for a close that stays unconfirmed: it is announced
// at one block and made at a later one, and a dearer one follows each time that
// six blocks have not helped.
func PayForStuck(s *state.State, c *state.Channel) {
	if c.Building || !s.MayPay(c) || !s.HasSecret() {
		return
	}
	if c.Fee.Announced == 0 || c.Fee.MaxSat != s.MaxFee(c) {
		c = s.Touch(c.Channel.Key)
		c.Fee.Announced, c.Fee.MaxSat = s.Tip.Height, s.MaxFee(c)
		s.Tell("channel %s: if the close %s is still unconfirmed at height %d, up to %d sat are added to its fee",
			c.Channel.ID(), c.Close.Txid, c.PaidFrom(), c.Fee.MaxSat)
		return
	}
	if s.Tip.Height < c.PaidFrom() {
		return
	}
	// Once a block. A coin that was missing may come later than its block: the
	// chain is ahead of lightningd's wallet for a moment.
	due := c.FeeTried < s.Tip.Height || (c.NeedsCoin() && c.WalletCoins != s.Coins)
	if !due || (c.Fee.Child != nil && s.Tip.Height < c.Fee.Child.At+model.StuckBlocks) {
		return
	}
	c = s.Touch(c.Channel.Key)
	c.FeeTried, c.WalletCoins, c.Building = s.Tip.Height, s.Coins, true
	b := model.BuildChild{
		Channel: c.Copied(), Parent: c.Tx(), MaxFeeSat: s.MaxFee(c), Address: c.Fee.Address,
		Avoid: recovering(s), Replaces: childTx(c),
	}
	if c.Fee.Child != nil {
		b.PaidPerKW = c.Fee.Child.PerKW
	}
	s.Do(b)
}

// recovering are the closes whose outputs are left alone until their channel is
// resolved.
func recovering(s *state.State) map[string]bool {
	txids := map[string]bool{}
	for _, c := range s.Channels {
		if c.Close != nil && c.State != model.Resolved {
			txids[c.Close.Txid] = true
		}
	}
	return txids
}

// ChildBuilt puts a child on record; then it is sent with its close.
func ChildBuilt(s *state.State, e model.ChildBuilt) {
	c := s.Touch(e.Key)
	if c == nil {
		return
	}
	c.Building = false
	fee := c.Fee
	if e.Address != "" {
		fee.Address = e.Address
	}
	fee.Trouble, fee.NeedsSat = e.Trouble, e.NeedsSat
	if e.InputsSpent {
		fee.Child = nil // its coins are spent: the next child is not a replacement
	}
	c.Fee = fee
	if e.Trouble != "" {
		return
	}
	// It was being made while the close confirmed, or was replaced: it is not
	// sent, and its coins are free again when their reservation ends.
	if !s.MayPay(c) || s.Tip.Height < c.PaidFrom() || c.Spend.TxID != e.Parent {
		s.Tell("channel %s: the child %s is not needed any more and is not sent", c.Channel.ID(), e.Child.Txid)
		return
	}
	child := e.Child
	child.At = s.Tip.Height
	c.Fee.Child = &child
	if childTx(c) == nil {
		c.Fee.Child, c.Fee.Trouble = nil, "the child cannot be read"
		return
	}
	s.Tell("channel %s: the close %s is stuck; adding %d sat to its fee (%s)", c.Channel.ID(), c.Close.Txid, child.FeeSat, child.Txid)
	c.Resent = 0 // both go out now, and again with each block
}

// BroadcastDone keeps why a transaction was not taken, or that it was.
func BroadcastDone(s *state.State, e model.BroadcastDone) {
	c := s.Touch(e.Key)
	if c == nil {
		return
	}
	switch e.What {
	case model.SendClose:
		if e.Refused != "" {
			s.Tell("channel %s: the close %s was not taken again: %s", c.Channel.ID(), e.Txid, e.Refused)
		}
	case model.SendChild:
		if c.Fee.Child == nil || c.Fee.Child.Txid != e.Txid || c.Fee.Child.Refused == e.Refused {
			return
		}
		child := *c.Fee.Child
		child.Refused = e.Refused
		c.Fee.Child = &child
		if e.Refused != "" {
			s.Tell("channel %s: the child %s was not accepted; glrecover sends it again with each block: %s", c.Channel.ID(), e.Txid, e.Refused)
		}
	case model.SendSweep:
		sweepSent(s, c, e)
	}
}
