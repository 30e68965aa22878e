package stubs

import (
	"fmt"
	"slices"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

const (
	// batchSize is how many SCBs one recoverchannel call gets. lightningd takes
	// thousands; a small batch keeps what one bad call can spoil small.
	batchSize = 20
	// MaxTries is how often lightningd may stop over one channel.
	MaxTries = 3
)

// Wanted reports whether lightningd is to get a stub of the channel: now, or when its
// peer's channel_reestablish has been read.
func Wanted(s *state.State, c *state.Channel) bool {
	if !s.Config.Stubs || c.Channel.ByID || !s.Listed || c.Stub != state.NoStub || c.Importing || s.Run.Alive != "" || (c.Result != "" && c.Result != model.DidImport) {
		return false
	}
	return Helps(s, c) && !keptAway(s, c) && !s.Any(c.Channel.Peer, func(o *state.Channel) bool { return Held(s, o) })
}

// Helps reports whether a stub of the channel would bring it further.
func Helps(s *state.State, c *state.Channel) bool {
	switch c.State {
	case model.ImportDeferred, model.Imported, model.AskFirst, model.CloseRequested, model.NeedsAddress, model.NeedsSecret:
		return true
	case model.CloseSeen:
		// Only a stub that is there when the close confirms makes lightningd take
		// what it pays.
		return true
	case model.OutputsWaiting:
		return !s.Config.Sweeps && c.Close != nil && c.Close.Height > 0 && c.Spend != nil && c.Spend.Place == chain.InBlock &&
			slices.ContainsFunc(c.Settled, func(o claims.Output) bool { return o.Wallet && o.Standing == claims.Waiting })
	case model.LeftOut, model.FundingUnconfirmed, model.Forgotten, model.Cheated, model.Credited, model.Resolved, model.LostTo, model.PeerStale, model.HostedAlive, model.NeedsOperator:
	}
	return false
}

// Import gives lightningd the channels that are due, one batch at a time.
func Import(s *state.State) {
	if s.Importing || s.Now.Before(s.ImportAgain) || !s.ReadUntil.IsZero() || !s.SecretTried {
		return
	}
	var due, alone []*state.Channel
	var held channel.PubKey
	for _, k := range s.AtWork() {
		// Before lightningd's first list nobody knows which channels it has. One that comes of
		// age while another is held is asked for as well: the peer may never close that one.
		c := s.Channels[k]
		if k.Peer != held && (s.Listed && (s.Awaited(c) || Held(s, c)) || Wanted(s, c) && !c.Reading && !c.Requesting && mayBeForgotten(c)) {
			held = k.Peer
			HoldPeer(s, k.Peer)
		}
	}
	for _, k := range s.AtWork() {
		c := s.Channels[k]
		if !Wanted(s, c) || c.Reading || c.Requesting {
			continue
		}
		switch {
		case c.ImportTries >= MaxTries:
			s.Touch(k)
			c.Result = model.ImportFailed
			leaveOut(s, c, fmt.Sprintf("lightningd stopped %d times when it was given this channel", c.ImportTries))
		case c.ImportTries > 0:
			alone = append(alone, c)
		case len(due) < batchSize:
			due = append(due, c)
		}
	}
	// If lightningd stopped over one of a batch, to give it the same again would
	// stop it for ever: the channels of that batch go one by one.
	if len(alone) > 0 {
		due = alone[:1]
	}
	if len(due) == 0 {
		return
	}
	e := model.Import{}
	for _, c := range due {
		s.Touch(c.Channel.Key)
		c.Importing, c.ImportTries = true, c.ImportTries+1
		if c.ImportTriedAt == 0 {
			c.ImportTriedAt = max(s.Tip.Height, s.NodeHeight, 1)
		}
		e.Items = append(e.Items, model.ImportItem{Channel: c.Copied(), Address: c.Address})
	}
	s.Importing, s.BeforeImport = true, s.Run.Clone()
	s.Run.Imported, s.Run.Mark, s.Run.Restarted = s.Now, s.Config.Mark, false
	s.Do(e)
}

// Done takes lightningd's answer.
func Done(s *state.State, e model.ImportDone) {
	s.Importing, s.ListWanted = false, true
	for _, r := range e.Results {
		c := s.Touch(r.Key)
		if c == nil {
			continue
		}
		if r.Result == model.HadStub && c.ImportTries <= 1 {
			c.ImportTriedAt = 0 // it had it before we tried
		}
		c.Importing, c.ImportTries, c.Result = false, 0, r.Result
		switch r.Result {
		case model.DidImport, model.HadStub:
			c.Stub = state.LiveStub
			Got(s, c)
		case model.DBIDTaken, model.RefusedEntry, model.ImportFailed:
			leaveOut(s, c, r.Reason)
		}
	}
}

// leaveOut ends the work on a channel that lightningd does not take; one that is closed
// is still followed, and a splice stays the operator's.
func leaveOut(s *state.State, c *state.Channel, reason string) {
	splice := c.Close != nil && c.Close.Kind == judge.Splice
	if c.State.Closed() || splice {
		c.NotTaken = reason
		return
	}
	s.Move(c, model.LeftOut, reason)
}

// Failed takes note that lightningd stopped answering. What stubs it has made is seen when
// it is back.
func Failed(s *state.State, e model.Import) {
	s.Importing, s.ListWanted, s.ImportAgain = false, true, s.Now.Add(Retry)
	for _, it := range e.Items {
		if c := s.Touch(it.Channel.Key); c != nil {
			c.Importing = false
		}
	}
}

// Dropped takes back an import that lightningd was never asked for.
func Dropped(s *state.State, e model.Import) {
	s.Importing, s.ListWanted = false, true
	for _, it := range e.Items {
		if c := s.Touch(it.Channel.Key); c != nil {
			c.Importing, c.ImportTries = false, c.ImportTries-1
			if c.ImportTries == 0 && c.Stub == state.NoStub {
				c.ImportTriedAt = 0
			}
		}
	}
	if was := s.BeforeImport; was != nil && s.Run != nil {
		s.Run.Imported, s.Run.Mark, s.Run.Restarted = was.Imported, was.Mark, was.Restarted
	}
}

// Retry is the pause after lightningd has stopped answering an import.
const Retry = 5 * time.Second

// Got takes note that lightningd has the stub.
func Got(s *state.State, c *state.Channel) {
	if c.ImportedAt == 0 {
		// Nobody knows since when it has one that is not from our own import.
		c.ImportedAt = max(c.ImportTriedAt, 1)
	}
	c.Held, c.Reached, c.HoldOver = time.Time{}, time.Time{}, false
	if c.State == model.ImportDeferred || c.State == model.AskFirst {
		s.Move(c, model.Imported, "")
	}
}
