package spend

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/sweep"
)

// SweepBuilt puts a sweep on record; then it is sent.
func SweepBuilt(s *state.State, e model.SweepBuilt) {
	delete(s.Sweeping, e.Key)
	c := s.Touch(e.Key)
	if c == nil {
		return
	}
	s.Run.Change = cmp.Or(s.Run.Change, e.Change) // the user may send a coin there
	old := slices.IndexFunc(c.Sweeps, func(w model.Sweep) bool { return e.Replaces != "" && w.Txid == e.Replaces })
	if e.Trouble.Text != "" {
		sweepTrouble(s, c, e, old)
		return
	}
	w := e.Sweep
	w.At = s.Tip.Height
	why := refuses(s, c, &w, e.Replaces != "", old)
	if e.Destination != "" && s.Run.Destination != "" && e.Destination != s.Run.Destination {
		why, c.Tried = "the user has named another destination meanwhile", nil
	}
	if why != "" {
		s.Tell("channel %s: the sweep %s is not sent: %s", c.Channel.ID(), w.Txid, why)
		// A dearer one spends the coins of the one before, which may go on.
		if old < 0 {
			release(s, c, w.Coins)
		}
		return
	}
	s.Run.Destination = cmp.Or(s.Run.Destination, e.Destination)
	c.Troubles = state.Editable(c.Troubles)
	maps.Copy(c.Troubles, e.Left)
	for _, op := range w.Claimed() {
		delete(c.Troubles, op)
	}
	c.Sweeps = slices.Clone(c.Sweeps)
	if old >= 0 {
		was := c.Sweeps[old]
		w.Earlier = append(slices.Clone(was.Earlier), model.EarlierSweep{Txid: was.Txid, FeeSat: was.FeeSat})
		c.Sweeps[old] = w
	} else {
		c.Sweeps = append(c.Sweeps, w)
	}
	s.Tell("channel %s: claiming %d sat with %s for a fee of %d sat", c.Channel.ID(), w.TotalSat, w.Txid, w.FeeSat)
	c.Resent = 0 // it goes out now, and again with each block
}

// refuses says why a sweep that was made is not sent: its outputs are not to be claimed
// any more, or it costs more than it may.
func refuses(s *state.State, c *state.Channel, w *model.Sweep, replacing bool, old int) string {
	if w.Tx() == nil || len(w.OutPoints) == 0 {
		return "it cannot be read"
	}
	if replacing && old < 0 {
		return "the one that it replaces is given up"
	}
	var most, total uint64
	for _, op := range w.OutPoints {
		i := slices.IndexFunc(c.Settled, func(o claims.Output) bool { return o.OutPoint.String() == op })
		if i < 0 || !claimable(s, c, &c.Settled[i]) || (!replacing && claimed(c, op)) {
			return op + " is not to be claimed any more"
		}
		o := &c.Settled[i]
		total += o.Sat
		most += o.Sat * FeePercent(o, s.Tip.Height) / 100
	}
	w.TotalSat = total
	// The fee of an HTLC transaction without coins of ours was agreed with the peer.
	if fixed := w.Second && len(w.Coins) == 0; !fixed && w.FeeSat > most {
		return fmt.Sprintf("its fee of %d sat is above the %d sat that it may cost", w.FeeSat, most)
	}
	return ""
}

// FeePercent is the most that a claim may cost in percent of its amount.
func FeePercent(o *claims.Output, height uint32) uint64 {
	if sweep.Urgent(o.Path, o.Deadline, height) {
		return sweep.DefaultUrgentFeePercent
	}
	return sweep.DefaultMaxFeePercent
}

// sweepTrouble keeps why there is no sweep. Where a dearer one is not needed, or not
// allowed, the one on record stays and there is no trouble.
func sweepTrouble(s *state.State, c *state.Channel, e model.SweepBuilt, old int) {
	if old >= 0 && e.Trouble.InputsSpent {
		gone := c.Sweeps[old].Txid
		GiveUp(s, c, func(w model.Sweep) bool { return w.Txid == gone })
		c.Tried = nil // the next one is made as if there had been none
		return
	}
	if old >= 0 && e.Trouble.Enough {
		return
	}
	c.Troubles = state.Editable(c.Troubles)
	for _, op := range e.OutPoints {
		if c.Troubles[op].Text != e.Trouble.Text {
			s.Tell("channel %s: no sweep of %s yet: %s", c.Channel.ID(), op, e.Trouble.Text)
		}
		c.Troubles[op] = e.Trouble
	}
}

// sweepSent keeps why a sweep was not taken, or that it was.
func sweepSent(s *state.State, c *state.Channel, e model.BroadcastDone) {
	for i, w := range c.Sweeps {
		if w.Txid == e.Txid && w.Refused != e.Refused {
			c.Sweeps = slices.Clone(c.Sweeps)
			c.Sweeps[i].Refused = e.Refused
			if e.Refused != "" {
				s.Tell("channel %s: the sweep %s was not accepted; glrecover sends it again with each block: %s", c.Channel.ID(), e.Txid, e.Refused)
			}
		}
	}
}

// SweepSaid tries at once what failed before, and sends again.
func SweepSaid(s *state.State, e model.SweepSaid) {
	for _, k := range e.Keys {
		if c := s.Touch(k); c != nil {
			c.Tried, c.Resent, c.LackedAt = nil, 0, 0
		}
	}
}
