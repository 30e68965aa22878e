package sessions

import (
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/stubs"
)

// Bounds of the sessions with peers.
const (
	// LastRetry is the longest pause after a session in vain.
	LastRetry = 5 * time.Minute
	// readTime is how long an import waits for what the peers say in channel_reestablish.
	readTime = 4 * time.Minute
	// MissingAfter is after how many tries a peer's ignorance of a channel whose
	// funding output is nowhere is believed.
	MissingAfter = 3
)

// Begin starts those that are due: first the ones that only read, since
// imports wait for them. No peer has two at once.
func Begin(s *state.State) {
	if s.Run.Alive != "" || !s.HasSecret() {
		s.ReadUntil = time.Time{}
		return
	}
	readSessions(s)
	for _, k := range s.AtWork() {
		c := s.Channels[k]
		if !askDue(s, c) || !mayTalk(s, k.Peer) {
			continue
		}
		s.Talking[k.Peer] = true
		s.Touch(k).Requesting = true
		s.Do(model.AskClose{
			Channel: c.Copied(), Address: c.Address, Source: c.Source, Tries: c.Tries,
			First: c.First, StaleAllowed: c.StaleAllowed, MoveAllowed: c.MoveAllowed,
			// A peer that was stale once must send its channel_reestablish first.
			Probe: (c.First != nil && !c.FirstLater || !c.Asked.IsZero()) && !c.StaleSeen,
		})
	}
}

// mayTalk reports whether a session with the peer can begin.
func mayTalk(s *state.State, p channel.PubKey) bool {
	return !s.Talking[p] && len(s.Talking) < model.MaxSessions
}

// askDue reports whether the peer is to be asked now to close the channel.
func askDue(s *state.State, c *state.Channel) bool {
	if !c.State.Asks() || c.Requesting || c.Importing || s.Now.Before(c.Next) {
		return false
	}
	// Without its stub lightningd would not take what the close pays.
	return !s.Config.Stubs || !c.Held.IsZero() || c.Stub == state.LiveStub
}

// readSessions begins the sessions that read the channel_reestablish of peers whose
// channels wait for the import.
func readSessions(s *state.State) {
	any := false
	for _, k := range s.AtWork() {
		c := s.Channels[k]
		if c.Reading {
			any = true
		}
		if !ToRead(s, c) {
			continue
		}
		if s.ReadUntil.IsZero() {
			s.ReadUntil = s.Now.Add(readTime)
		}
		if !s.Now.Before(s.ReadUntil) {
			// No time is left: they are read when the peer is asked to close.
			s.Touch(k).Read = true
			continue
		}
		any = true
		if !mayTalk(s, k.Peer) {
			continue
		}
		s.Talking[k.Peer] = true
		r := model.ReadReestablish{Peer: k.Peer, Address: c.Address, Source: c.Source}
		for _, other := range s.With(k.Peer) {
			if o := s.Channels[other]; ToRead(s, o) {
				s.Touch(other).Reading = true
				r.Channels = append(r.Channels, o.Copied())
			}
		}
		s.Do(r)
	}
	if !any {
		s.ReadUntil = time.Time{}
	}
}

// ToRead reports whether the peer's channel_reestablish is to be read before the import.
func ToRead(s *state.State, c *state.Channel) bool {
	if c.First != nil || c.Read || c.Reading || c.Requesting || c.Address == "" || s.SecretTrouble != "" || s.Run.Alive != "" {
		return false
	}
	// A peer that was stale has to show that it has its state back.
	return (stubs.Wanted(s, c) && !c.State.Closed()) || (c.State == model.PeerStale && c.Stub == state.NoStub && s.Config.Stubs)
}

// PeerSeen tries a peer again that was away.
func PeerSeen(s *state.State, e model.PeerSeen) {
	for _, k := range s.With(e.Peer) {
		c := s.Channels[k]
		if c.State.Asks() && c.Tries > model.TryAddressAfter && c.Next.Sub(s.Now) > state.FirstRetry {
			s.Touch(k).Next = s.Now.Add(state.FirstRetry)
		}
	}
}

// NeedSecret tells that no peer can be asked without the node's secret.
func NeedSecret(s *state.State) {
	if s.SecretTrouble == "" {
		return
	}
	for _, k := range s.AtWork() {
		if c := s.Channels[k]; c.State.Asks() && (c.State != model.NeedsSecret || c.Reason != s.SecretTrouble) {
			s.Move(s.Touch(k), model.NeedsSecret, s.SecretTrouble)
		}
	}
}

// SecretRetry is the pause after which an unreadable secret is tried again.
const SecretRetry = 10 * time.Second

// TrySecret asks for the secret at the start, and again while it is unreadable.
func TrySecret(s *state.State) {
	if s.Trying || (s.SecretTried && (s.SecretTrouble == "" || s.Now.Before(s.TriedAt.Add(SecretRetry)))) {
		return
	}
	s.Trying = true
	s.Do(model.TrySecret{})
}

// SecretTried goes on, or stops, with all who have to be asked.
func SecretTried(s *state.State, e model.SecretTried) {
	had := s.HasSecret()
	s.Trying, s.SecretTried, s.SecretTrouble, s.TriedAt = false, true, e.Trouble, s.Now
	for _, k := range s.Keys() {
		c := s.Touch(k)
		if e.Trouble == "" && c.State == model.NeedsSecret {
			s.GoOn(c)
			c.Next = s.Now
		}
		if e.Trouble == "" && !had {
			c.Read = false
		}
	}
}
