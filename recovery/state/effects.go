package state

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/glrecover/glrecover/recovery/model"
)

// SaveRetry is the pause after the record could not be written.
const SaveRetry = 5 * time.Second

// Do adds an effect.
func (s *State) Do(e model.Effect) { s.effects = append(s.effects, e) }

// Tell adds a line for the log.
func (s *State) Tell(format string, args ...any) {
	s.tells = append(s.tells, model.Tell{Text: fmt.Sprintf(format, args...)})
}

// Alarm adds a loud one.
func (s *State) Alarm(format string, args ...any) {
	s.tells = append(s.tells, model.Alarm{Text: fmt.Sprintf(format, args...)})
}

// Take returns the effects of the step, with a Save of what changed before everything
// that the world can see, and before each answer. While the record cannot be written
// nothing is saved, and nothing visible is among them.
func (s *State) Take() []model.Effect {
	out := s.tells
	var after []model.Effect
	for _, e := range s.effects {
		if _, reply := e.(model.Reply); reply || model.Visible(e) {
			after = append(after, e)
		} else {
			out = append(out, e)
		}
	}
	if !s.SaveBlocked() {
		if save, any := s.unsaved(); any {
			s.SaveTrouble = ""
			out = append(out, save)
		}
	}
	s.effects, s.tells = nil, nil
	return append(out, after...)
}

// unsaved is what is not on record yet.
func (s *State) unsaved() (save model.Save, any bool) {
	save = model.Save{DropRun: s.dropRun && s.Run == nil, Cursor: s.Cursor}
	for _, k := range s.deleted {
		if s.Channels[k] == nil { // else it was added again
			save.Deleted = append(save.Deleted, k)
		}
	}
	if s.Run != nil && (s.savedRun == nil || !reflect.DeepEqual(*s.Run, *s.savedRun)) {
		save.Run, s.savedRun = s.Run.Clone(), s.Run.Clone()
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.touched), CompareKeys) {
		if c := s.Channels[k]; c != nil && !reflect.DeepEqual(c.Record, c.saved) {
			c.saved = c.Record
			save.Channels = append(save.Channels, c.Record)
		}
	}
	clear(s.touched)
	s.deleted, s.dropRun, s.Cursor = nil, false, nil
	return save, save.Run != nil || len(save.Channels) > 0 || len(save.Deleted) > 0 || save.DropRun || save.Cursor != nil
}

// SaveBlocked reports whether nothing visible may be done, because the record
// could not be written a moment ago.
func (s *State) SaveBlocked() bool { return s.SaveTrouble != "" && s.Now.Before(s.SaveAgain) }

// Move changes a channel's state.
func (s *State) Move(c *Channel, to model.ChannelState, reason string) {
	if c.State != to {
		because := ""
		if reason != "" {
			because = " (" + reason + ")"
		}
		s.Tell("channel %s: %s -> %s%s", c.Channel.ID(), cmp.Or(c.State, "new"), to, because)
		c.Since = s.Now
	}
	if c.State.Closed() && to.Asks() {
		// Its close may come back: nobody is asked again at once.
		c.Next = s.Now.Add(10 * FirstRetry)
	}
	if c.State.Done() != to.Done() {
		s.moved = true
		if to.Done() {
			s.retired = append(s.retired, c.Channel.Key)
		}
	}
	switch {
	case to == model.PeerStale:
		c.Stale = reason
	case !to.Closed():
		c.Stale = ""
	}
	c.State, c.Reason = to, reason
}

// BeforeClose is the state of a channel that is not closed, from what was done with it
// so far.
func (s *State) BeforeClose(c *Channel) model.ChannelState {
	switch {
	case !c.Asked.IsZero():
		return model.CloseRequested
	case !s.Config.Stubs || c.Channel.ByID || !c.Held.IsZero():
		return model.AskFirst
	case c.Stub == LiveStub || c.ImportedAt > 0:
		return model.Imported
	}
	return model.ImportDeferred
}

// GoOn takes up a channel again that is not closed. If nobody could ask the peer until now,
// the wait for its close begins anew, and lightningd meets it no earlier (money rule 4b).
func (s *State) GoOn(c *Channel) {
	if !c.Held.IsZero() && c.Stub == NoStub && !c.State.Asks() {
		c.Held, c.Reached = s.Now, time.Time{}
	}
	s.Move(c, s.BeforeClose(c), "")
}

// NotSaved takes a Save back that could not be written, so that it is written later.
func (s *State) NotSaved(save *model.Save, reason string) {
	s.SaveTrouble, s.SaveAgain = reason, s.Now.Add(SaveRetry)
	if save.Run != nil {
		s.savedRun = nil
	}
	for i := range save.Channels {
		if c := s.Touch(save.Channels[i].Channel.Key); c != nil {
			c.saved = model.Record{}
		}
	}
	s.deleted = append(save.Deleted, s.deleted...)
	s.dropRun = s.Run == nil && (s.dropRun || save.DropRun)
	if s.Run == nil {
		s.Cursor = nil
	} else if s.Cursor == nil {
		s.Cursor = save.Cursor
	}
}

// DeleteNow deletes what is to be deleted even while nothing can be saved: until it
// is, a restart would take it up.
func (s *State) DeleteNow() {
	s.Do(model.Save{Deleted: s.deleted, DropRun: s.dropRun})
	s.deleted, s.dropRun = nil, false
}
