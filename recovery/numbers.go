package recovery

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/scbconv"
)

// Bounds of reading the peers' numbers before the import: for one peer, thrice
// as long through a proxy, and for all together. A peer that is not reached in
// it is read when it is asked to close.
const (
	numbersTime    = 20 * time.Second
	allNumbersTime = 4 * time.Minute
)

// maxStrange is how many channels of one peer that the backup does not have are
// named one by one: a peer can speak of thousands.
const maxStrange = 10

// readNumbers reads, before anything is imported, what each reachable peer says
// of its channels: the only numbers that it gives without knowing that we lost
// our state (money rule 3). Nothing is sent on any channel. The returned lines
// are warnings for the answer.
func (s *Service) readNumbers(ctx context.Context, items []*item, p api.RecoverParams, progress api.Progress) (extra []ExtraChannel, warnings []string) {
	keys, peers, err := s.openKeys()
	if err != nil {
		return nil, []string{fmt.Sprintf("no peer could be asked for its numbers: %v", err)}
	}
	known := map[channel.ID]bool{}
	for _, it := range items {
		known[it.ch.ID()] = true
	}
	byPeer := map[channel.PubKey][]*item{}
	for _, it := range items {
		if it.pending() && it.choice.Source != scbconv.FromPlaceholder {
			byPeer[it.ch.Peer] = append(byPeer[it.ch.Peer], it)
		}
	}
	if len(byPeer) == 0 {
		return nil, nil
	}
	progress.Message(fmt.Sprintf("reading the numbers of %d peers", len(byPeer)))
	ctx, cancel := context.WithTimeout(ctx, allNumbersTime)
	defer cancel()
	each := numbersTime
	if s.facts.Proxy != "" {
		each *= 3
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		slots = make(chan struct{}, asksAtOnce)
	)
	for id, its := range byPeer {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			s.guarded("a session with "+id.String(), func() {
				ctx, cancel := context.WithTimeout(ctx, each)
				defer cancel()
				x, w := s.readPeer(ctx, peers, keys, id, its, known, p)
				mu.Lock()
				defer mu.Unlock()
				extra, warnings = append(extra, x...), append(warnings, w...)
			})
		})
	}
	wg.Wait()
	slices.Sort(warnings)
	return mergeExtra(extra), warnings
}

// readPeer reads one peer's numbers into its items. known are all channels of
// the backup.
func (s *Service) readPeer(ctx context.Context, peers Peers, keys Keys, id channel.PubKey, its []*item, known map[channel.ID]bool, p api.RecoverParams) (extra []ExtraChannel, warnings []string) {
	target, err := targetAt(id, its[0].choice.Address)
	if err != nil {
		return nil, []string{fmt.Sprintf("peer %s: %v", id, err)}
	}
	ids := make([]channel.ID, 0, len(its))
	for _, it := range its {
		ids = append(ids, it.ch.ID())
	}
	n, err := peers.Numbers(ctx, target, ids...)
	switch {
	case err != nil && ctx.Err() == nil:
		return nil, []string{fmt.Sprintf("peer %s: %v", id, err)}
	case err != nil && len(n.Channels) == 0:
		for _, it := range its {
			it.warn("there was no time left to read the peer's numbers; they are read when it is asked to close")
		}
	case n.Result != peer.Read && len(n.Channels) == 0:
		for _, it := range its {
			it.warn("the peer's numbers could not be read (%s: %s); it is tried again", n.Result, n.Reason)
		}
	}
	strange := 0
	for _, r := range n.Channels {
		if !known[r.Channel] {
			if strange++; strange <= maxStrange {
				warnings = append(warnings, fmt.Sprintf("peer %s has a channel %s with this node that the backup does not have: it was opened after the backup was written", id, r.Channel))
			}
			continue
		}
		for _, it := range its {
			if r.Channel == it.ch.ID() {
				s.weigh(it, r, keys, p)
			}
		}
	}
	if strange > maxStrange {
		warnings = append(warnings, fmt.Sprintf("peer %s speaks of %d channels in all that the backup does not have", id, strange))
	}
	// The time for the session may be over; what it brought must not be lost.
	extra, more := s.peerStorage(context.WithoutCancel(ctx), id, n.PeerStorage, keys, known)
	return extra, append(warnings, more...)
}

// weigh compares one channel's numbers with the backup's.
func (s *Service) weigh(it *item, r peer.Reestablish, keys Keys, p api.RecoverParams) {
	v := freshness(it.ch, r, keys)
	it.numbers = &numbers{NextCommitment: r.NextCommitment, NextRevocation: r.NextRevocation, At: s.Now(), Verdict: string(v.Kind)}
	it.answer.Peer = &PeerNumbers{NextCommitment: r.NextCommitment, NextRevocation: r.NextRevocation, Verdict: string(v.Kind)}
	switch v.Kind {
	case peer.Older:
		it.warn("%s: the last known share is out of date", v.Reason)
	case peer.FalseProof:
		it.warn("%s: do not trust what this peer says", v.Reason)
	case peer.PeerStale:
		// The override is for the peers that are stale now, for no other.
		it.staleAllowed = it.staleAllowed || slices.Contains(p.Override, string(failure.PeerStale))
		if it.staleAllowed {
			it.warn("%s; the override was given", v.Reason)
			return
		}
		it.settle(StalePeer, "%s%s", v.Reason, staleAdvice)
	case peer.NotRefuted:
	}
}
