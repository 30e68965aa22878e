package calls

import (
	"fmt"
	"time"

	"github.com/glrecover/glrecover/recovery/follow"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/sessions"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/stubs"
)

// Begun lets one call in at a time.
func Begun(s *state.State, e model.CallBegun) {
	if s.Call != nil {
		s.Do(model.Reply{Call: e.Call, Refused: true})
		return
	}
	s.Call = &state.Call{ID: e.Call}
	if s.Run != nil {
		s.Call.Alive = s.Run.Alive
	}
	s.Do(model.Reply{Call: e.Call})
}

// Ended takes a call back that came to nothing before it had an effect.
func Ended(s *state.State, e model.CallEnded) {
	if s.Call != nil && s.Call.ID == e.Call {
		s.Call = nil
	}
}

// Answer answers the call when nothing of the call is left to wait for.
func Answer(s *state.State) {
	if s.Call == nil || s.Call.Keys == nil || s.Importing || (!s.Listed && s.Config.Stubs) {
		return
	}
	for _, k := range s.Call.Keys {
		if c := s.Channels[k]; c != nil && (c.Reading || c.Importing || stubs.Wanted(s, c) || sessions.ToRead(s, c)) {
			return
		}
	}
	reply(s, "")
}

// reply ends the call with an answer: trouble is why it could not be done.
func reply(s *state.State, trouble string) {
	s.Do(model.Reply{Call: s.Call.ID, Trouble: trouble})
	s.Call = nil
}

// Failed ends a call that lightningd does not let go on; the rest follows by
// itself.
func Failed(s *state.State, reason string) {
	if s.Call != nil && s.Call.Keys != nil {
		reply(s, reason)
	}
}

// Unrecorded ends a call whose record cannot be written. Channels of it for which nothing
// was done yet are forgotten; those that lightningd or a peer may know of stay, and are put
// on record as soon as that can be done.
func Unrecorded(s *state.State, reason string) {
	call := s.Call
	if call == nil || call.Keys == nil {
		return
	}
	for _, k := range call.Fresh {
		if c := s.Channels[k]; c != nil && c.Stub == state.NoStub && c.ImportTries == 0 && !c.Requesting && c.Asked.IsZero() {
			follow.Unwatch(s, c)
			s.Remove(k)
		}
	}
	if !call.Another && len(s.Channels) == 0 {
		s.ForgetRun()
	}
	s.DeleteNow()
	reply(s, reason)
}

// Progress tells how many of the call's channels are imported.
func Progress(s *state.State, text string) {
	if s.Call == nil || s.Call.Total == 0 {
		return
	}
	var done uint32
	for _, k := range s.Call.Keys {
		if c := s.Channels[k]; c != nil && c.Result != "" {
			done++
		}
	}
	if text == "" {
		text = fmt.Sprintf("%d of %d channels imported", min(done, s.Call.Total), s.Call.Total)
	}
	s.Do(model.Progress{Call: s.Call.ID, Text: text, Done: min(done, s.Call.Total), Total: s.Call.Total})
}

// Retry tries channels at once.
func Retry(s *state.State, e model.RetrySaid) {
	for _, k := range e.Keys {
		c := s.Touch(k)
		if c == nil {
			continue
		}
		if c.State == model.NeedsOperator && c.Stub != state.ForgottenStub && (c.Close == nil || c.Close.Height == 0) {
			// Whoever names the channel has read that its commitment numbers moved without
			// proof.
			c.MoveAllowed = c.MoveAllowed || e.Named
			s.GoOn(c)
		}
		if c.State.Asks() {
			c.Next, c.Tries, c.TriesKept = s.Now, 0, 0
		}
	}
	if e.GoOn {
		stubs.EndHolds(s, e.Keys)
	}
	if s.SecretTrouble != "" {
		s.TriedAt = time.Time{}
	}
	s.ImportAgain, s.ListWanted = time.Time{}, true
}

// Forget deletes records of channels, and the run's with the last of them
// once lightningd has restarted: until then it keeps the guard up.
func Forget(s *state.State, e model.ForgetSaid) {
	if s.SaveBlocked() {
		s.Do(model.Reply{Call: e.Call, Trouble: s.SaveTrouble})
		return
	}
	removed := false
	for _, k := range e.Keys {
		c := s.Channels[k]
		if c == nil || !s.Finished(c) {
			continue
		}
		follow.Unwatch(s, c)
		s.Remove(k)
		removed = true
	}
	if removed && s.Run != nil && len(s.Channels) == 0 && (s.Run.Imported.IsZero() || s.Run.Restarted) {
		s.ForgetRun()
	}
	s.Do(model.Reply{Call: e.Call})
}
