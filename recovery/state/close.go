package state

import (
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
)

// BasisNow is what there is to classify a close with.
func (s *State) BasisNow(c *Channel) model.Basis {
	return model.Basis{Txid: c.Spend.TxID, Height: c.Close.Height, WithKeys: s.SecretTrouble == "", Spends: c.Spends, Preimages: s.Preimages}
}

// Told reports whether Settled has all that can be known of a close now: the Watcher has
// seen it, and it was classified with the keys. Until then an output may be missing there.
func (s *State) Told(c *Channel) bool {
	return c.Spend != nil && c.Close != nil && !c.PlanOnly && c.Listed && s.Listed && s.HasSecret() &&
		s.Behind == 0 && s.Trouble == "" && c.Verdict != nil && !c.Classifying && c.Basis == s.BasisNow(c)
}

// Resends reports whether the unconfirmed close is sent again with each block. Our own
// commitment is never published by this program (money rule 1), and one that its owner
// has revoked helps nobody but the other side, which sends it itself.
func (c *Channel) Resends() bool {
	return c.Close != nil && c.Close.Height == 0 && (c.Close.Kind == judge.Theirs || c.Close.Kind == judge.Mutual) && c.Tx() != nil
}

// MaxFee is the most that may be paid for the channel's close, in sat.
func (s *State) MaxFee(c *Channel) uint64 {
	if s.Run == nil {
		return 0
	}
	return c.Paid() * uint64(s.Run.MaxFeePercent) / 100
}

// MayPay reports whether a fee may be paid for the close if it stays unconfirmed
// (money rule 4a).
func (s *State) MayPay(c *Channel) bool {
	return c.Close != nil && c.Close.Height == 0 && c.Verdict != nil && c.Verdict.Kind == judge.Theirs &&
		c.Channel.Type.HasAnchors() && s.Unconfirmed(c) && s.MaxFee(c) > 0
}

// PaidFrom is the height from which on a fee is paid for the unconfirmed close:
// six blocks after it was seen first, and not before the block after it was
// announced.
func (c *Channel) PaidFrom() uint32 {
	return max(c.Close.FirstSeen+model.StuckBlocks, c.Fee.Announced+1)
}

// NeedsCoin reports whether it is a coin that is missing to raise the fee.
func (c *Channel) NeedsCoin() bool { return c.Fee.NeedsSat > 0 && c.Fee.Address != "" }

// FeeTrouble reports whether the fee of an unconfirmed close cannot be raised.
func (c *Channel) FeeTrouble() bool {
	return c.Close != nil && c.Close.Height == 0 && c.Fee.Trouble != ""
}

// lookBackMost is how far below the tip the look-back for a close goes: two years of
// blocks.
const lookBackMost = 104_832

// Vanished reports whether the funding output is gone and nothing that was
// looked at has its spend: the channel was closed before, or nobody funded it.
func (c *Channel) Vanished() bool {
	return !c.State.Done() && c.State != model.FundingUnconfirmed && c.WatchFrom == 0 && c.Close == nil &&
		!c.PlanOnly && c.Unseen()
}

// Unseen reports whether the funding output was looked for, and neither it nor a spend of
// it was found.
func (c *Channel) Unseen() bool { return c.Spend != nil && c.Spend.Place == chain.Unknown }

// Nowhere reports whether neither the plan nor the Watcher has seen the funding output, or
// a spend of it.
func (c *Channel) Nowhere() bool {
	return c.FundingMissing && c.Close == nil && !c.PlanOnly && c.Unseen()
}

// Awaited reports whether lightningd must not meet the peer for the sake of a channel that
// it does not get yet: the funding has not got its confirmations, or the peer awaits a
// channel that was left out. One that is nowhere, or that nobody asks for, is waited for no
// longer than a day.
func (s *State) Awaited(c *Channel) bool {
	if c.State == model.LeftOut {
		return !c.Held.IsZero() && !c.HoldOver && !c.NothingOurs && s.Now.Before(c.HeldUntil())
	}
	return c.State == model.FundingUnconfirmed && !c.HoldOver && (!c.Unseen() || s.Now.Before(c.Since.Add(HoldTime)))
}

// LookBackEnd is the lowest height that is looked at for a close from before the
// backup's date.
func (s *State) LookBackEnd() uint32 { return max(s.Tip.Height, lookBackMost) - lookBackMost + 1 }

// Finished reports whether nothing of the channel can still be ours: a peer that
// cheated has had all the time to take what a penalty could have taken.
func (s *State) Finished(c *Channel) bool {
	outOfTime := c.State == model.Cheated && c.Close != nil && c.Close.Height > 0 &&
		s.Tip.Height > c.Close.Height+uint32(c.Channel.HolderDelay)+model.FinalConfs
	return c.State == model.Resolved || (c.State == model.LeftOut && c.NothingOurs) || outOfTime
}

// FinalAt is the block at which the close of the channel, and whatever has swept its
// outputs so far, is as deep as it has to be; 0 for a close that is in no block.
func (c *Channel) FinalAt() uint32 {
	if c.Close == nil || c.Close.Height == 0 {
		return 0
	}
	at := c.Close.Height + model.FinalConfs - 1
	for _, o := range c.Settled {
		if o.Claimant == judge.BySweep && o.SpentAt > 0 {
			at = max(at, o.SpentAt+claims.SweptConfs-1)
		}
	}
	return at
}

// HadStub reports whether lightningd had a live stub when the close confirmed.
func (c *Channel) HadStub() bool {
	return c.ImportedAt > 0 && c.Close != nil && c.Close.Height > c.ImportedAt
}

// Tx is the close itself, nil where nobody has seen the transaction.
func (c *Channel) Tx() *wire.MsgTx {
	if c.Spend == nil {
		return nil
	}
	return c.Spend.Tx
}

// Unconfirmed reports whether it is certain, at this moment, that the close is
// in no block: only then may anybody pay for it. Whatever else knows of a block
// that has it is believed too.
func (s *State) Unconfirmed(c *Channel) bool {
	if c.Tx() == nil || c.PlanOnly || s.Behind > 0 || s.Trouble != "" || c.Stub == ForgottenStub || spentStates[c.StubState] {
		return false
	}
	for i := range c.Spend.Tx.TxOut {
		if s.Wallet[wire.OutPoint{Hash: c.Spend.TxID, Index: uint32(i)}].Height > 0 {
			return false
		}
	}
	return c.Spend.Place == chain.InMempool || (c.Spend.Place != chain.InBlock && c.Spend.Searched)
}

// spentStates are lightningd's states of a channel whose funding output it has
// seen spent in a block (CLN lightningd/channel_state.h).
var spentStates = map[string]bool{"FUNDING_SPEND_SEEN": true, "ONCHAIN": true, "CLOSED": true}

// Paid is what a fee may be paid for: what the close brings to this wallet,
// in sat.
func (c *Channel) Paid() (sat uint64) {
	if c.Verdict == nil {
		return 0
	}
	for _, o := range c.Verdict.Owed {
		if o.Wallet {
			sat += o.Sat
		}
	}
	return sat
}

// YoungUntil is until when the funding counts as unconfirmed where nobody can tell its
// confirmations; zero for a backup without a date, which is taken for old.
func (s *State) YoungUntil(c *Channel) time.Time {
	young := s.Run.BackupCreated
	if c.YoungAt.After(young) {
		young = c.YoungAt
	}
	if young.IsZero() {
		return young
	}
	return young.Add(decision.Youngest)
}
