package core

import (
	"fmt"
	"time"

	"github.com/glrecover/glrecover/recovery/calls"
	"github.com/glrecover/glrecover/recovery/follow"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/sessions"
	"github.com/glrecover/glrecover/recovery/spend"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/stubs"
)

// Pace of the loop.
const (
	// IdlePace is how often lightningd is looked at while something is under way
	// and nothing happens. Whatever does, there is a pause of at least listPause,
	// and of listRatio times what the last look took, before the next.
	IdlePace  = 15 * time.Second
	listPause = 50 * time.Millisecond
	listRatio = 3
	// listRetry is the pause after lightningd has not answered.
	listRetry = 5 * time.Second
	// never is long enough where nothing is to be done; an event ends it.
	never = 24 * time.Hour
)

// Step takes one event and returns what is to be done, in this order. It is
// deterministic: the same state and the same event give the same effects.
func Step(s *state.State, e model.Event) []model.Effect {
	handle(s, e)
	if _, tick := e.(model.Tick); s.Started && !tick {
		schedule(s)
	}
	return s.Take()
}

// handle takes one event: the package of its area says what follows.
func handle(s *state.State, e model.Event) {
	switch e := e.(type) {
	case model.Tick:
		s.Now = e.Now
	case model.Started:
		start(s, e)
	case model.SecretTried:
		sessions.SecretTried(s, e)
	case model.CallBegun:
		calls.Begun(s, e)
	case model.CallEnded:
		calls.Ended(s, e)
	case model.Planned:
		calls.Planned(s, e)
	case model.ChainSeen:
		follow.ChainSeen(s, e)
	case model.NodeListed:
		nodeListed(s, e)
	case model.NodeChanged:
		s.ListWanted = true
	case model.ReestablishRead:
		sessions.ReestablishRead(s, e)
		calls.AddExtra(s, e.Extra)
		sessions.HoldUnknown(s, e)
		calls.Progress(s, fmt.Sprintf("read the numbers of peer %s", e.Peer))
	case model.SessionEnded:
		sessions.Ended(s, e)
	case model.PeerSeen:
		sessions.PeerSeen(s, e)
	case model.ImportDone:
		stubs.Done(s, e)
		calls.Progress(s, "")
	case model.Classified:
		follow.Classified(s, e)
	case model.ChildBuilt:
		spend.ChildBuilt(s, e)
	case model.SweepBuilt:
		spend.SweepBuilt(s, e)
	case model.PreimagesKnown:
		s.Preimages = e.Count
	case model.SweepSaid:
		spend.SweepSaid(s, e)
	case model.BroadcastDone:
		spend.BroadcastDone(s, e)
	case model.SaveFailed:
		saveFailed(s, e)
	case model.EffectFailed:
		effectFailed(s, e.Effect, e.Reason)
	case model.RetrySaid:
		calls.Retry(s, e)
	case model.ForgetSaid:
		calls.Forget(s, e)
	case model.ChannelAppeared:
		channelAppeared(s, e)
	}
}

// start begins the work on what is on record.
func start(s *state.State, e model.Started) {
	s.Started, s.ListWanted = true, true
	follow.DropDoubles(s)
	if s.Run == nil {
		return
	}
	if e.Restarted && !s.Run.Restarted && !s.Run.Imported.IsZero() {
		s.Run.Restarted = true
	}
	for _, k := range s.Keys() {
		if c := s.Channels[k]; c.State.Done() {
			follow.Unwatch(s, c)
		}
	}
	follow.BoundLookBack(s)
	sessions.StopAll(s) // it may have been killed in the middle of that
	s.Tell("going on with the recovery of %d channels", len(s.Channels))
}

// schedule does what is due, channel by channel.
func schedule(s *state.State) {
	if s.Run == nil {
		return
	}
	for _, c := range s.BecameDone() {
		follow.Watch(s, c)
	}
	if s.Active() {
		lookAtNode(s)
		sessions.TrySecret(s)
		sessions.NeedSecret(s)
		follow.LookFurther(s)
	}
	for _, k := range s.AtWork() {
		follow.Watch(s, s.Channels[k])
		follow.Classify(s, s.Channels[k])
	}
	if s.SaveBlocked() {
		return
	}
	if s.Active() {
		for _, k := range s.AtWork() {
			spend.Resend(s, s.Channels[k])
			spend.PayForStuck(s, s.Channels[k])
			spend.Claim(s, s.Channels[k])
		}
		sessions.Begin(s)
		stubs.Import(s)
	}
	calls.Answer(s)
}

// Wake is when the next event is due, if nothing happens before.
func Wake(s *state.State) time.Time {
	at := s.Now.Add(never)
	sooner := func(t time.Time) {
		if t.Before(at) {
			at = t
		}
	}
	if s.SaveTrouble != "" {
		sooner(s.SaveAgain) // also when that is all that is left to do
	}
	if s.Run == nil || !s.Active() {
		return at
	}
	if !s.Listing {
		sooner(nextList(s))
	}
	if s.SecretTrouble != "" && !s.Trying {
		sooner(s.TriedAt.Add(sessions.SecretRetry))
	}
	if !s.ImportAgain.IsZero() && s.ImportAgain.After(s.Now) {
		sooner(s.ImportAgain)
	}
	if !s.ReadUntil.IsZero() {
		sooner(s.ReadUntil)
	}
	for _, k := range s.AtWork() {
		c := s.Channels[k]
		if c.State.Asks() && !c.Requesting && c.Next.After(s.Now) {
			sooner(c.Next)
		}
		if stubs.Held(s, c) {
			sooner(c.HeldUntil())
		}
	}
	return at
}
