package follow

import (
	"slices"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/spend"
	"github.com/glrecover/glrecover/recovery/state"
)

// ChainSeen takes what the Watcher says. Nobody else is asked where a
// transaction is.
func ChainSeen(s *state.State, e model.ChainSeen) {
	moved := e.Tip != s.Tip || e.Trouble != s.Trouble || e.Behind != s.Behind || e.MempoolSeen != s.MempoolSeen
	s.Tip, s.LookBack, s.Trouble, s.Behind, s.MempoolSeen = e.Tip, e.LookBack, e.Trouble, e.Behind, e.MempoolSeen
	if s.Run == nil {
		return
	}
	cursor := e.Cursor
	s.Cursor = &cursor
	for i := range e.Changed {
		k, ok := s.Watched[e.Changed[i].OutPoint]
		c := s.Touch(k)
		if !ok || c == nil {
			continue
		}
		sighted(s, c, e.Changed[i])
		Advance(s, c)
		tellRivals(s, c, e.Changed[i])
		s.ListWanted = true
	}
	if moved {
		s.ListWanted = true
		for _, k := range s.AtWork() {
			Advance(s, s.Touch(k))
		}
	}
}

// sighted takes what the Watcher says of one outpoint.
func sighted(s *state.State, c *state.Channel, now chain.Sighting) {
	// A transaction that was seen once is kept: it may have to be sent again.
	if last := lastOf(c, now.OutPoint); now.Tx == nil && last != nil && last.Tx != nil {
		now.Tx, now.TxID, now.Input, now.FirstSeen = last.Tx, last.TxID, last.Input, last.FirstSeen
	}
	if candidate(s, c, now) {
		return
	}
	c.Seen = slices.Clone(c.Seen)
	if i := seenAt(c, now.OutPoint); i >= 0 {
		c.Seen[i] = model.SightedOf(now)
	} else {
		c.Seen = append(c.Seen, model.SightedOf(now))
	}
	if now.OutPoint != c.Channel.Funding {
		c.Outs = state.Editable(c.Outs)
		c.Outs[now.OutPoint] = now
		c.Spends = claims.NameOf(claims.SpendsIn(c.Outs))
		return
	}
	young := now.Created == chain.InMempool || now.Created == chain.InBlock && s.Tip.Height+1 < now.CreatedAt+decision.MinFundingConfs
	if young && now.Place == chain.Unspent && c.State == model.FundingUnconfirmed {
		c.YoungAt = s.Now
	}
	c.Spend, c.PlanOnly = &now, false
	NoteClose(s, c)
}

// NoteClose brings the close on record in line with what is seen. Another
// transaction that spends the funding output replaces it; one that left its
// block is unconfirmed again, and one that left the mempool stays known: it may
// come back.
func NoteClose(s *state.State, c *state.Channel) {
	sp, before := c.Spend, c.Close
	if sp.Tx == nil {
		if before != nil && before.Height > 0 && sp.Place == chain.Unspent {
			left := *before
			left.Height, left.Block, left.FirstSeen = 0, "", s.Tip.Height
			c.Close = &left
		}
		return
	}
	now := &model.Close{Txid: sp.TxID.String(), FirstSeen: sp.FirstSeen}
	if sp.Place == chain.InBlock {
		now.Height, now.Block = sp.Height, sp.Block.String()
	}
	switch {
	case before == nil:
	case before.Txid == now.Txid:
		now.Kind = before.Kind
		now.FirstSeen = max(now.FirstSeen, before.FirstSeen)
		if before.Height > 0 && now.Height == 0 {
			// Its block left the chain: the blocks until it is stuck are counted again.
			now.FirstSeen = s.Tip.Height
		}
	default:
		// Nothing of the other close holds for this one.
		if c.State.Closed() {
			s.Move(c, model.CloseSeen, "")
		}
		spend.GiveUp(s, c, func(model.Sweep) bool { return true })
		c.Fee, c.Taken = model.Fee{Address: c.Fee.Address}, nil
		c.OfClose = state.OfClose{}
		c.RecoveredMsat, c.Recovered = 0, nil
		forgetOutputs(s, c)
	}
	c.Close = now
}

// Classify asks what a close is: once for each transaction and height, and again
// when the secret can be read.
func Classify(s *state.State, c *state.Channel) {
	tx := c.Tx()
	if tx == nil || c.Close == nil || c.Classifying || c.State.Done() || !s.SecretTried || (c.FailedAt > 0 && c.FailedAt >= s.Tip.Height) {
		return
	}
	if c.Verdict != nil && c.Basis == s.BasisNow(c) && (c.Lacks == "" || c.LackedAt >= s.Tip.Height) {
		return
	}
	c.Classifying = true
	var reestablish *judge.Reestablish
	if !c.FirstLater {
		reestablish = c.First
	}
	s.Do(model.Classify{Channel: c.Copied(), Tx: tx, Height: c.Close.Height, Reestablish: reestablish, Spends: claims.SpendsIn(c.Outs)})
}

// Classified takes what a close is.
func Classified(s *state.State, e model.Classified) {
	c := s.Touch(e.Key)
	if c == nil {
		return
	}
	c.Classifying = false
	if c.Spend == nil || c.Close == nil || c.Spend.TxID != e.Txid || c.Close.Height != e.Height {
		return // it is asked again for what is there now
	}
	if e.Identified != nil {
		identified(s, c, e.Identified)
		SettleContests(s)
	}
	c.Verdict, c.Basis, c.Found, c.Lacks, c.LackedAt = e.Verdict, e.Basis, e.Found, e.Lacks, s.Tip.Height
	s.Preimages = max(s.Preimages, e.Preimages)
	if e.WithKeys != (s.SecretTrouble == "") {
		s.SecretTried = false // it was otherwise a moment ago
	}
	now := *c.Close
	now.Kind = e.Verdict.Kind
	c.Close = &now
	Advance(s, c)
}
