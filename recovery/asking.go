package recovery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/scbconv"
)

// tryAddressAfter is after how many vain tries another address of the peer is
// looked for.
const tryAddressAfter = 2

// goneAfter is after how many tries a peer's ignorance of a channel whose
// funding output is nowhere is believed.
const goneAfter = 3

// manyEvictions is after how many evictions in a row another machine with this
// node's key is thought of.
const manyEvictions = 10

// Reasons that Decide gives to withhold an ask begin with these.
const (
	withheldAlive = "hosted_node_alive: "
	withheldStale = "peer_stale: "
)

// askDue starts sessions with the peers that are due, one per peer, and returns
// when to look again.
func (s *Service) askDue(ctx context.Context, f *facts) time.Duration {
	if f.keys == nil {
		s.allNeedSecret(ctx, f.secretErr)
		return min(idlePace, secretRetry)
	}
	now := s.Now()
	wait := idlePace
	due := map[channel.PubKey][]channel.Key{}
	s.mu.Lock()
	if s.run == nil || s.run.Alive != "" {
		s.mu.Unlock()
		return wait
	}
	busy, sessions := map[channel.PubKey]bool{}, 0
	for k, t := range s.tracks {
		if t.asking && !busy[k.Peer] {
			busy[k.Peer] = true
			sessions++
		}
	}
	for k, t := range s.tracks {
		if !t.State.Asks() || busy[k.Peer] {
			continue
		}
		if _, there := f.stubs[t.Channel.ID()]; !there {
			continue // importLate sees to it
		}
		if left := t.next.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		due[k.Peer] = append(due[k.Peer], k)
	}
	for p, keys := range due {
		if sessions >= asksAtOnce {
			wait = min(wait, firstRetry)
			break
		}
		sessions++
		for _, k := range keys {
			s.tracks[k].asking = true
		}
		s.keyUsers++
		go s.askPeer(ctx, p, keys, f)
	}
	s.mu.Unlock()
	return wait
}

// allNeedSecret tells that no peer can be asked without the node's secret.
func (s *Service) allNeedSecret(ctx context.Context, err error) {
	for _, k := range s.followed() {
		if s.stateOf(k).Asks() {
			s.setState(ctx, k, NeedsSecret, fmt.Sprint(err))
		}
	}
}

// askPeer asks one peer for each of its channels, one at a time.
func (s *Service) askPeer(ctx context.Context, p channel.PubKey, keys []channel.Key, f *facts) {
	asked := false
	defer func() {
		s.mu.Lock()
		s.keyUsers--
		s.mu.Unlock()
		if asked {
			s.nudge() // the close may be there already
			return
		}
		s.hurry()
	}()
	for _, k := range keys {
		if !s.guarded("a session with "+p.String(), func() { s.askChannel(ctx, p, k, f) }) {
			s.retryLater(k)
		}
		s.mu.Lock()
		if t := s.tracks[k]; t != nil {
			t.asking = false
			asked = asked || t.State == CloseRequested
		}
		s.mu.Unlock()
	}
}

// askChannel is one session for one channel, and what follows from it.
func (s *Service) askChannel(ctx context.Context, p channel.PubKey, k channel.Key, f *facts) {
	s.mu.Lock()
	t := s.tracks[k]
	if t == nil || !t.State.Asks() {
		s.mu.Unlock()
		return
	}
	kept, tries := t.track, t.tries
	s.mu.Unlock()

	addr, source, ok := s.addressFor(ctx, &kept, tries)
	if !ok {
		s.retryLater(k)
		s.setAsking(ctx, k, NeedsAddress, "no address of the peer is known: call glrecover again with the parameter addresses, or wait until gossip has it")
		return
	}
	target, err := targetAt(p, addr)
	if err != nil {
		s.retryLater(k)
		s.setAsking(ctx, k, NeedsAddress, err.Error())
		return
	}
	decide := s.decideFor(&kept, f.keys)
	_, peers, err := s.openKeys()
	if err != nil {
		return
	}
	o, err := peers.AskClose(ctx, target, peer.Ask{
		Channel: kept.Channel.ID(), Decide: decide,
		// A peer that was stale once must show its numbers first.
		Probe: (kept.Numbers != nil || !kept.Asked.IsZero()) && !kept.StaleSeen,
	})
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.retryLater(k)
		s.setAsking(ctx, k, kept.State, err.Error())
		return
	}
	s.answered(ctx, k, &kept, o, addr, source)
}

// answered draws the consequences of one session.
func (s *Service) answered(ctx context.Context, k channel.Key, was *track, o *peer.Outcome, addr scbconv.Address, source string) {
	said := func(format string) string { return fmt.Sprintf(format, addr, o.Reason) }
	s.noteLater(ctx, k, o.Before)
	result := o.Result
	// It has our error in its hands; what it makes of it, the chain says.
	if result == peer.Silent && o.Sent == peer.SentError {
		result = peer.Asked
	}
	switch result {
	case peer.ClosedSaid, peer.Asked:
		s.mu.Lock()
		t := s.tracks[k]
		if t == nil {
			s.mu.Unlock()
			return
		}
		t.Asked, t.Said = s.Now(), o.Reason
		t.Address, t.Source = addr.String(), source
		t.tries++
		// The close is in the mempool within a second or not at all; then the
		// peer was told and evicted us, and is asked again.
		t.next = s.Now().Add(max(10*firstRetry, retryAfter(t.tries)))
		s.mu.Unlock()
		s.keep(ctx, k)
		s.setAsking(ctx, k, CloseRequested, said("%s was asked to close and said: %s"))
	case peer.Withheld:
		s.withheld(ctx, k, o.Reason)
	case peer.Evicted:
		what := "%s hung up (%s); lightningd's own connection takes turns with ours"
		if s.retrySoon(k) > manyEvictions {
			what += ". It happens again and again: make sure that no other machine runs with this node's key"
		}
		s.setAsking(ctx, k, was.still(true), said(what))
	case peer.WrongKey:
		s.retryLater(k)
		s.setAsking(ctx, k, NeedsAddress, said("%s is not this peer: %s"))
	case peer.Unreachable:
		s.retryLater(k)
		s.setAsking(ctx, k, was.still(false), said("%s cannot be reached: %s"))
	case peer.NoReestablish:
		tries := s.retryLater(k)
		if was.Gone && tries >= goneAfter {
			s.setAsking(ctx, k, NeedsOperator, "the funding output was not found, and the peer does not know the channel: it was closed before the backup was written, or its funding never confirmed. "+
				"Its stub stays CHANNELD_NORMAL and means nothing. What the close paid to this node shows after one restart of lightningd with rescan=-HEIGHT, HEIGHT being a block from before the close")
			return
		}
		s.setAsking(ctx, k, was.still(true), said("%s does not speak of this channel: %s. It may have closed or forgotten it"))
	case peer.Refused:
		s.retryLater(k)
		s.setAsking(ctx, k, was.still(true), said("%s refuses: %s"))
	case peer.Silent:
		s.retryLater(k)
		s.setAsking(ctx, k, was.still(false), said("%s accepts the connection and says nothing (%s)"))
	case peer.Garbage:
		s.retryLater(k)
		s.setAsking(ctx, k, was.still(true), said("%s sends what is no Lightning message (%s)"))
	case peer.Read:
		s.retryLater(k)
	}
}

// noteLater keeps the numbers of the first session after the import, where there
// are none from before it.
func (s *Service) noteLater(ctx context.Context, k channel.Key, r *peer.Reestablish) {
	s.mu.Lock()
	t := s.tracks[k]
	if t == nil || r == nil || t.first() != nil {
		s.mu.Unlock()
		return
	}
	t.Later = &numbers{NextCommitment: r.NextCommitment, NextRevocation: r.NextRevocation, At: s.Now()}
	s.mu.Unlock()
	s.keep(ctx, k)
}

// still is the state of a channel that a session has not brought any further,
// but for the secret, which was there, and the address where the peer was
// reached.
func (t *track) still(reached bool) State {
	if t.State == NeedsSecret || (t.State == NeedsAddress && reached) {
		if t.Asked.IsZero() {
			return Imported
		}
		return CloseRequested
	}
	return t.State
}

// withheld is where the peer's numbers forbid to go on.
func (s *Service) withheld(ctx context.Context, k channel.Key, reason string) {
	switch {
	case strings.HasPrefix(reason, withheldAlive):
		s.stopAll(ctx, strings.TrimPrefix(reason, withheldAlive))
	case strings.HasPrefix(reason, withheldStale):
		s.mu.Lock()
		if t := s.tracks[k]; t != nil {
			t.StaleSeen = true
		}
		s.mu.Unlock()
		s.setAsking(ctx, k, PeerStale, strings.TrimPrefix(reason, withheldStale)+staleAdvice)
	default:
		s.setAsking(ctx, k, NeedsOperator, reason)
	}
}

const staleAdvice = ": to ask it now would make it publish a commitment that it has revoked. Wait until it has its state back and call glrecover again, " +
	"or call it with override='[\"peer_stale\"]'"

// stopAll is the loud end of all nudges.
func (s *Service) stopAll(ctx context.Context, why string) {
	s.mu.Lock()
	if s.run == nil {
		s.mu.Unlock()
		return
	}
	s.run.Alive = why
	s.mu.Unlock()
	s.log.Errorf("THE HOSTED NODE SEEMS TO BE ALIVE: %s. No peer is asked to close any more, but lightningd's own stubs still speak to their peers: stop this lightningd until you know", why)
	if err := s.saveRun(ctx); err != nil {
		s.log.WithError(err).Error("this could not be recorded")
	}
	for _, k := range s.followed() {
		s.setAsking(ctx, k, HostedAlive, why)
	}
}

// alarmed is the standing alarm about the hosted node, "" for none.
func (s *Service) alarmed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil {
		return ""
	}
	return s.run.Alive
}

// decideFor looks at the peer's numbers before anything is sent on the channel.
func (s *Service) decideFor(t *track, keys Keys) peer.Decide {
	return func(r peer.Reestablish) (bool, string) {
		if why := s.alarmed(); why != "" {
			return false, withheldAlive + why // it came while this peer was dialled
		}
		n := t.first()
		if n != nil && t.moved(r) {
			return false, withheldAlive + fmt.Sprintf("the peer's numbers for channel %s moved from %d/%d to %d/%d since the import: something else with this node's key uses the channel",
				t.Channel.ID(), n.NextCommitment, n.NextRevocation, r.NextCommitment, r.NextRevocation)
		}
		if t.StaleAllowed {
			return true, ""
		}
		if n != nil && (r.NextCommitment < n.NextCommitment || r.NextRevocation < n.NextRevocation) {
			return false, withheldStale + fmt.Sprintf("the peer's numbers went back from %d/%d to %d/%d",
				n.NextCommitment, n.NextRevocation, r.NextCommitment, r.NextRevocation)
		}
		v := freshness(&t.Channel, r, keys)
		if v.Kind == peer.PeerStale {
			return false, withheldStale + v.Reason
		}
		return true, ""
	}
}

// moved reports whether the peer's numbers went on since they were read first.
// A peer that was behind the backup and has its state back has not moved.
func (t *track) moved(r peer.Reestablish) bool {
	st := &t.Channel.State
	n := t.first()
	return r.NextCommitment > max(n.NextCommitment, st.NextCounterpartyCommitNum) ||
		r.NextRevocation > max(n.NextRevocation, max(st.NextHolderCommitNum, 1)-1)
}

// freshness compares a peer's numbers with the backup's, checking its proof
// with our own secrets where there are keys.
func freshness(c *channel.Channel, r peer.Reestablish, keys Keys) peer.Verdict {
	if keys == nil {
		return peer.Freshness(c, r, nil)
	}
	var failed error
	v := peer.Freshness(c, r, func(n uint64) [32]byte {
		secret, err := keys.PerCommitmentSecret(c.Key, n)
		failed = errors.Join(failed, err)
		return secret
	})
	if failed != nil {
		return peer.Freshness(c, r, nil)
	}
	return v
}

// retryLater sets the next try after a vain one, retrySoon after one that only
// came at the wrong moment.
func (s *Service) retryLater(k channel.Key) (tries int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tracks[k]
	if t == nil {
		return 0
	}
	t.next = s.Now().Add(retryAfter(t.tries))
	t.tries++
	return t.tries
}

func (s *Service) retrySoon(k channel.Key) (tries int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tracks[k]
	if t == nil {
		return 0
	}
	t.next = s.Now().Add(retryAfter(min(t.tries, 2)))
	t.tries++
	return t.tries
}

// PeerConnected tells that lightningd and a peer have a connection: the peer is
// there, so it is tried again if it was not.
func (s *Service) PeerConnected(id channel.PubKey) {
	s.mu.Lock()
	found := false
	for k, t := range s.tracks {
		if k.Peer == id && t.State.Asks() && t.tries > tryAddressAfter && t.next.Sub(s.Now()) > firstRetry {
			t.next, found = s.Now().Add(firstRetry), true
		}
	}
	s.mu.Unlock()
	if found {
		s.hurry()
	}
}

// addressFor is where to dial a peer: the address on record and, after vain
// tries, in turn the ones that gossip has.
func (s *Service) addressFor(ctx context.Context, t *track, tries int) (scbconv.Address, string, bool) {
	type known struct {
		addr   scbconv.Address
		source string
	}
	var list []known
	if a, err := scbconv.ParseAddress(t.Address); err == nil && a != scbconv.Placeholder {
		list = append(list, known{a, t.Source})
	}
	if len(list) == 0 || tries >= tryAddressAfter {
		for _, a := range s.gossipAddresses(ctx, t.Channel.Peer) {
			if len(list) == 0 || a != list[0].addr {
				list = append(list, known{a, string(scbconv.FromGossip)})
			}
		}
	}
	if len(list) == 0 {
		return scbconv.Address{}, "", false
	}
	k := list[tries%len(list)]
	return k.addr, k.source, true
}

// targetAt is the peer at an address.
func targetAt(id channel.PubKey, a scbconv.Address) (peer.Target, error) {
	at, err := peer.ParseAddress(a.String())
	if err != nil {
		return peer.Target{}, errors.Join(errors.New("the peer's address cannot be dialled"), err)
	}
	return peer.Target{Node: id, Address: at}, nil
}
