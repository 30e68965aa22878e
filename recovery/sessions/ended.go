package sessions

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/stubs"
)

// retryAfter is the pause after a number of vain tries: 1 s doubling up to
// 5 min, with a fifth of jitter either way so that peers are not met in step.
// The jitter comes from the channel: a step has no dice.
func retryAfter(k channel.Key, tries int) time.Duration {
	d := LastRetry
	if tries < 9 {
		d = min(state.FirstRetry<<tries, LastRetry)
	}
	h := fnv.New32a()
	fmt.Fprintf(h, "%s/%d", k, tries)
	return time.Duration(float64(d) * (0.8 + 0.4*float64(h.Sum32()%1000)/1000))
}

// Ended draws the consequences of a session that asked a peer to close a channel.
func Ended(s *state.State, e model.SessionEnded) {
	delete(s.Talking, e.Key.Peer)
	c := s.Touch(e.Key)
	if c == nil {
		return
	}
	c.Requesting = false
	if e.Reestablish != nil && c.First == nil {
		c.First, c.FirstLater = e.Reestablish, true
	}
	c.Heard = model.Heard{Result: e.Result, Text: e.Reason, At: e.Address}
	result := peer.Result(e.Result)
	if e.Reestablish != nil {
		c.Ignored = 0
		if c.State == model.Forgotten {
			s.GoOn(c)
		}
	}
	if result == peer.ClosedSaid || (result == peer.NoReestablish && !c.Asked.IsZero()) {
		c.CloseHeard = true
	}
	if !c.Held.IsZero() && slices.Contains(peerWasThere, result) {
		c.Reached = s.Now
	}
	// The peer has our error; the chain shows what it does about it.
	if result == peer.Silent && e.SentError {
		result = peer.Asked
	}
	if result != peer.Asked && result != peer.ClosedSaid && result != peer.Withheld {
		c.Next = s.Now.Add(retryAfter(e.Key, c.Tries))
		c.Tries++
		c.TriesKept = min(c.Tries, MissingAfter)
	}
	if !c.State.Asks() {
		// The chain or an alarm has moved the channel since the session began; but what
		// proves that the hosted node is alive counts.
		if e.Withheld == model.WithheldAlive && result == peer.Withheld {
			stopRequests(s, e.Reason)
		}
		return
	}
	switch result {
	case peer.ClosedSaid, peer.Asked:
		c.Asked, c.Said = s.Now, e.Reason
		c.Address, c.Source = e.Address, e.Source
		// The close is in the mempool within a second or not at all; then the peer
		// was told and hung up on us, and is asked again.
		c.Next = s.Now.Add(max(10*state.FirstRetry, retryAfter(e.Key, c.Tries)))
		c.Tries++
		s.ListWanted = true
		s.Move(c, model.CloseRequested, "")
	case peer.Withheld:
		withheld(s, c, e)
	case peer.Evicted:
		// It only came at the wrong moment: lightningd's own connection takes turns
		// with ours.
		c.Next = s.Now.Add(retryAfter(e.Key, min(c.Tries-1, model.TryAddressAfter)))
		reached(s, c)
	case peer.WrongKey:
		s.Move(c, model.NeedsAddress, "")
	case peer.NoReestablish:
		c.Ignored = min(c.Ignored+1, MissingAfter)
		// A peer also forgets an opening that never came when it is asked, and lightningd waits
		// for this channel. Where the mempool can be seen, a close would be.
		cameToNothing := s.Config.Stubs && c.Ignored >= MissingAfter && c.Nowhere() && s.MempoolSeen
		unspent := c.Spend != nil && c.Spend.Place == chain.Unspent
		switch {
		case c.FundingMissing && !unspent && c.Tries >= MissingAfter && (!c.CloseHeard || cameToNothing):
			s.Move(c, model.NeedsOperator, fundingMissing)
			return
		case unspent && c.Ignored >= MissingAfter:
			s.Move(c, model.Forgotten, "")
			return
		}
		reached(s, c)
	case peer.Refused, peer.Garbage:
		reached(s, c)
	case peer.Unreachable, peer.Silent, peer.Read:
	default:
		switch e.Result {
		case model.NoSecret:
			s.SecretTried = false
		case model.NoAddressKnown:
			s.Move(c, model.NeedsAddress, "")
		}
	}
}

// peerWasThere are the results of sessions in which the peer was reached.
var peerWasThere = []peer.Result{peer.ClosedSaid, peer.Asked, peer.Withheld, peer.Evicted, peer.NoReestablish, peer.Refused, peer.Read}

// fundingMissing is the reason of NeedsOperator where neither the chain nor the
// peer knows the channel.
const fundingMissing = "the chain shows no funding output, as far as it can be asked, and the peer does not know the channel: it was closed long ago, or its opening was never confirmed"

// reached takes a channel out of needs_address: the peer was there.
func reached(s *state.State, c *state.Channel) {
	if c.State == model.NeedsAddress {
		s.GoOn(c)
	}
}

// withheld draws the consequences of a session in which nothing was sent on the channel,
// because of what the peer said in channel_reestablish.
func withheld(s *state.State, c *state.Channel, e model.SessionEnded) {
	switch e.Withheld {
	case model.WithheldAlive:
		stopRequests(s, e.Reason)
	case model.WithheldStale:
		c.StaleSeen = true
		s.Move(c, model.PeerStale, e.Reason)
	case model.WithheldMoved:
		s.Move(c, model.NeedsOperator, e.Reason)
	case model.WithheldStopped:
		c.Next = s.Now.Add(state.FirstRetry)
	}
}

// ReestablishRead takes what a peer said in a session that read only.
func ReestablishRead(s *state.State, e model.ReestablishRead) {
	delete(s.Talking, e.Peer)
	for _, k := range e.Asked {
		c := s.Touch(k)
		if c == nil {
			continue
		}
		c.Reading, c.Read = false, true
		c.Heard = model.Heard{Result: e.Result, Text: e.Reason, At: c.Address}
		if n := e.Reestablish[k]; n != nil {
			HeardFirst(s, c, n)
		} else if e.Result == string(peer.Read) && !c.FundingMissing && c.Copy == "" {
			// A peer that has forgotten a channel is not reached by us while
			// lightningd's own connections to it come again and again.
			c.Ignored++
			stubs.HoldPeer(s, e.Peer)
		}
	}
}

// HoldUnknown holds the channels of a peer that awaits one which is not on record, or was
// left out: lightningd's own connection would make the peer forget that one. The user may
// still ask for one that was left out.
func HoldUnknown(s *state.State, e model.ReestablishRead) {
	for _, id := range e.Awaits {
		known := false
		for _, k := range s.Keys() {
			c := s.Channels[k]
			if c.Channel.ID() != id {
				continue
			}
			known = known || c.State != model.LeftOut
			if c.State == model.LeftOut && k.Peer == e.Peer && c.Held.IsZero() {
				s.Touch(k).Held = s.Now
			}
		}
		if !known {
			stubs.HoldPeer(s, e.Peer)
		}
	}
}

// HeardFirst draws the consequences of a channel_reestablish that was read before the
// import (money rules 2 and 4b).
func HeardFirst(s *state.State, c *state.Channel, n *judge.Reestablish) {
	c.First, c.FirstLater = n, false
	if n.Verdict == peer.PeerStale && s.Call != nil && s.Call.StaleAllowed && slices.Contains(s.Call.Keys, c.Channel.Key) {
		c.StaleAllowed = true // for the peers of this call, and no other
	}
	if !c.State.Asks() && c.State != model.ImportDeferred && c.State != model.PeerStale {
		return
	}
	switch {
	case n.Verdict == peer.PeerStale && !c.StaleAllowed:
		c.StaleSeen = true
		s.Move(c, model.PeerStale, n.Reason)
		return
	case n.NeverUsed():
		stubs.HoldPeer(s, c.Channel.Peer)
	}
	if c.State == model.PeerStale {
		s.GoOn(c)
	}
}

// stopRequests is the loud end of all requests: the hosted node is alive.
func stopRequests(s *state.State, why string) {
	if s.Run == nil || s.Run.Alive != "" {
		return
	}
	s.Run.Alive = why
	s.Alarm("THE HOSTED NODE SEEMS TO BE ALIVE: %s. No peer is asked to close any more, but lightningd itself still connects to these peers: stop lightningd until you know whether the hosted node runs", why)
	StopAll(s)
}

// StopAll stops whatever is not closed yet, if the hosted node is alive.
func StopAll(s *state.State) {
	if s.Run == nil || s.Run.Alive == "" {
		return
	}
	for _, k := range s.Keys() {
		c := s.Touch(k)
		if c.State.Asks() || c.State == model.ImportDeferred || c.State == model.FundingUnconfirmed {
			s.Move(c, model.HostedAlive, s.Run.Alive)
		}
	}
}
