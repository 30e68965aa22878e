package calls

import (
	"slices"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/follow"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/sessions"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/stubs"
)

// Planned begins to carry out a plan.
func Planned(s *state.State, e model.Planned) {
	if s.Call == nil || s.Call.ID != e.Call {
		return
	}
	s.Call.Another, s.Call.StaleAllowed, s.Call.Keys = s.Run != nil, e.OverrideStale, []channel.Key{}
	takeRun(s, e)
	e.OverrideAlive = e.OverrideAlive && s.Run.Alive == s.Call.Alive
	acceptOverrides(s, e)
	for i := range e.Channels {
		takeChannel(s, &e.Channels[i])
	}
	follow.SettleContests(s)
	sessions.StopAll(s) // if an alarm stands, what is new is not asked either
	for _, k := range s.Call.Keys {
		// What lightningd has is not listed yet.
		if c := s.Channels[k]; c.Stub == state.NoStub && stubs.Helps(s, c) {
			s.Call.Total++
		}
	}
	follow.BoundLookBack(s)
	s.ListWanted = true
}

// takeRun brings the run in line with the plan.
func takeRun(s *state.State, e model.Planned) {
	next := e.Run
	if was := s.Run; was != nil {
		next.Imported, next.Mark, next.Restarted = was.Imported, was.Mark, was.Restarted
		next.Alive, next.Alarms, next.LookBackFrom = was.Alive, was.Alarms, was.LookBackFrom
		if next.Change = was.Change; was.Destination != "" {
			next.Destination, next.Given = was.Destination, was.Given
		}
		if next.Feerate == "" {
			next.Feerate = was.Feerate
		}
		next.KeepBackup(was)
		next.UnreadPeers = slices.Clone(was.UnreadPeers)
		for _, p := range e.Run.UnreadPeers {
			if !slices.Contains(next.UnreadPeers, p) {
				next.UnreadPeers = append(next.UnreadPeers, p)
			}
		}
	}
	s.Run = &next
}

// acceptOverrides carries out the operator's overrides on channels that are
// followed already.
func acceptOverrides(s *state.State, e model.Planned) {
	if e.OverrideAlive {
		s.Run.Alive = ""
	}
	for _, k := range s.Keys() {
		c := s.Touch(k)
		switch {
		case e.OverrideAlive && c.State == model.HostedAlive:
			// What the peer said before was of a node that is dead now.
			c.First, c.FirstLater, c.Read, c.Next, c.Tries = nil, false, false, s.Now, 0
			s.GoOn(c)
			if slices.ContainsFunc(e.Channels, func(p model.PlannedChannel) bool { return p.Channel.Key == k && p.Decision == decision.AwaitFunding }) {
				s.Move(c, model.FundingUnconfirmed, "") // as it was before the alarm
			}
		case e.OverrideStale && c.State == model.PeerStale:
			c.StaleAllowed, c.Next, c.Tries = true, s.Now, 0
			s.GoOn(c)
			if c.First != nil && c.First.NeverUsed() {
				stubs.HoldPeer(s, k.Peer)
			}
		}
	}
}

// takeChannel begins or refreshes what is kept of one channel.
func takeChannel(s *state.State, p *model.PlannedChannel) {
	k := p.Channel.Key
	c := s.Channels[k]
	fresh := c == nil
	if fresh {
		c = &state.Channel{Record: model.Record{Channel: state.Stripped(p.Channel), Since: s.Now}}
		s.Add(c)
	}
	s.Touch(k)
	if s.Call != nil && s.Call.Keys != nil { // while it is planned it waits for none
		s.Call.Keys = append(s.Call.Keys, k)
		if fresh {
			s.Call.Fresh = append(s.Call.Fresh, k)
		}
	}
	c.Result, c.NotTaken = "", ""
	if newer(p.Channel, &c.Channel) {
		c.Channel = state.Stripped(p.Channel)
		c.Basis = model.Basis{}
	}
	// A guess takes the place of nothing that somebody has said.
	if p.Address != "" && p.Address != c.Address && !fresh && (!p.Guessed || c.Address == "") {
		c.Address, c.Source, c.Next, c.Tries, c.Read = p.Address, p.Source, s.Now, 0, false
	}
	c.StaleAllowed = c.StaleAllowed || p.StaleAllowed
	c.NothingOurs = p.Decision == decision.NothingOurs
	// An answer that fails to come later on takes nothing back.
	c.FundingMissing = p.FundingMissing && (fresh || c.FundingMissing)
	if fresh {
		c.Copy, c.WatchFrom, c.Address, c.Source = p.Copy, p.WatchFrom, p.Address, p.Source
	}
	if p.FundingYoung {
		c.YoungAt = s.Now
	}
	if len(p.FundingScript) > 0 {
		c.FundingScript = p.FundingScript
	}
	if p.Spend != nil && c.Spend == nil && c.Close == nil {
		evidence(s, c, p)
	}
	switch p.Decision {
	case decision.HasStub:
		c.Stub = state.LiveStub
	case decision.Forgotten:
		c.Stub = state.ForgottenStub
	}
	switch {
	case c.State == model.PeerStale && !c.StaleAllowed && c.Stub == state.NoStub && s.Config.Stubs:
		// What it says now is read first; without a lightningd the plan has it.
		c.First, c.Read = nil, false
	case fresh, c.State == model.LeftOut, c.State == model.PeerStale, c.State == model.FundingUnconfirmed:
		resume(s, c, p.Decision, p.Reason)
	}
	if !fresh && c.State.Asks() {
		c.Next = s.Now // whoever calls again means now
	}
	if fresh && p.First != nil {
		c.Read = true
		sessions.HeardFirst(s, c, p.First)
	}
	if c.Stub == state.LiveStub {
		stubs.Got(s, c)
	}
	follow.Advance(s, c)
}

// evidence takes the spend that the plan found, until the Watcher has looked
// itself: nothing is paid for it before.
func evidence(s *state.State, c *state.Channel, p *model.PlannedChannel) {
	sp := chain.Sighting{
		OutPoint: p.Channel.Funding, Place: chain.InMempool, Tx: p.Spend.Tx, TxID: p.Spend.TxID, Input: p.Spend.Input,
		FirstSeen: max(s.Tip.Height, 1),
	}
	if p.Spend.Height > 0 {
		sp.Place, sp.Height, sp.Block, sp.FirstSeen = chain.InBlock, p.Spend.Height, p.Spend.Block, p.Spend.Height
		c.WatchFrom = p.Spend.Height
	}
	c.PlanOnly = true
	c.Spend = &sp
	follow.NoteClose(s, c)
	if p.Verdict != nil {
		c.Verdict = p.Verdict // what it takes to claim its outputs is looked for next
		c.Close.Kind = p.Verdict.Kind
	}
}

// resume puts a channel to work as a plan decides.
func resume(s *state.State, c *state.Channel, d decision.Decision, reason string) {
	c.Result = ""
	switch d {
	case decision.Import, decision.HasStub:
		if s.Config.Stubs && c.Channel.ByID && c.Held.IsZero() {
			c.Held = s.Now // lightningd must not meet its peer for another channel before
		}
		s.GoOn(c)
	case decision.AskFirst:
		if s.Config.Stubs && c.Stub == state.NoStub {
			c.Held = s.Now
		}
		s.GoOn(c)
	case decision.AwaitFunding:
		s.Move(c, model.FundingUnconfirmed, "")
	case decision.StalePeer:
		c.StaleSeen = true
		s.Move(c, model.PeerStale, reason)
	case decision.FollowClosed:
		// The close leads on from here.
		s.Move(c, model.OutputsWaiting, "")
	case decision.Forgotten:
		// lightningd also forgets closes of which it could claim nothing.
		s.Move(c, model.NeedsOperator, reason)
	default:
		s.Move(c, model.LeftOut, reason)
	}
}

// newer reports whether a state of the same channel is a later one: somebody has
// found a better backup.
func newer(c, than *channel.Channel) bool {
	numbers := func(c *channel.Channel) [3]uint64 {
		return [3]uint64{c.State.NextHolderCommitNum, c.State.NextCounterpartyCommitNum, c.State.NextCounterpartyRevokeNum}
	}
	a, b := numbers(c), numbers(than)
	return c.Funding == than.Funding && a != b && a[0] >= b[0] && a[1] >= b[1] && a[2] >= b[2]
}

// AddExtra keeps the channels that only a stored copy has; those that the user
// does not want are left out, so that they are in status and guarded.
func AddExtra(s *state.State, extra []model.PlannedChannel) {
	for i := range extra {
		if s.Run != nil && s.Channels[extra[i].Channel.Key] == nil {
			takeChannel(s, &extra[i])
		}
	}
	follow.SettleContests(s)
	sessions.StopAll(s) // if an alarm stands, what is new is not asked either
}
