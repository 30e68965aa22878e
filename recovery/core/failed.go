package core

import (
	"github.com/glrecover/glrecover/recovery/calls"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/stubs"
)

// saveFailed takes back what was not done, so that it is done later.
func saveFailed(s *state.State, e model.SaveFailed) {
	s.NotSaved(&e.Save, e.Reason)
	s.Tell("the record of this recovery could not be saved, so the recovery is paused: %s", e.Reason)
	for _, d := range e.Dropped {
		if i, ok := d.(model.Import); ok {
			stubs.Dropped(s, i)
			continue
		}
		effectFailed(s, d, e.Reason)
		if b, ok := d.(model.BuildSweep); ok && s.Channels[b.Channel.Key] != nil {
			s.Touch(b.Channel.Key).Tried = nil // as soon as there is a record again
		}
	}
	calls.Unrecorded(s, e.Reason)
}

// effectFailed takes an effect back that was not carried out.
func effectFailed(s *state.State, e model.Effect, reason string) {
	switch e := e.(type) {
	case model.Watch:
		for _, w := range e.Watches {
			delete(s.Watched, w.OutPoint)
		}
	case model.ListNode:
		// It is not asked again at once, whatever happens in between.
		s.Listing, s.ListedAt, s.ListWanted, s.ListTook = false, s.Now, true, listRetry/listRatio
	case model.TrySecret:
		s.Trying = false
	case model.ReadReestablish:
		delete(s.Talking, e.Peer)
		for _, ch := range e.Channels {
			if c := s.Touch(ch.Key); c != nil {
				c.Reading = false
			}
		}
	case model.AskClose:
		delete(s.Talking, e.Channel.Peer)
		if c := s.Touch(e.Channel.Key); c != nil {
			c.Requesting, c.Next = false, s.Now.Add(state.FirstRetry)
		}
	case model.Import:
		stubs.Failed(s, e)
		calls.Failed(s, reason)
	case model.Classify:
		if c := s.Touch(e.Channel.Key); c != nil {
			c.Classifying, c.FailedAt = false, s.Tip.Height
		}
	case model.BuildChild:
		if c := s.Touch(e.Channel.Key); c != nil {
			c.Building = false
		}
	case model.BuildSweep:
		delete(s.Sweeping, e.Channel.Key) // it is tried again at the next block
	case model.Broadcast:
		if c := s.Touch(e.Key); c != nil && e.What != model.SendSweep {
			c.Resent = 0
		}
	case model.Release:
		// The wallet ends a reservation after a time.
	case model.Reply:
		if e.Trouble == "" {
			e.Trouble = reason
		}
		s.Do(e)
	case model.Save, model.Forget, model.LookBackSince, model.LookBackFrom, model.Progress, model.Tell, model.Alarm:
	}
}
