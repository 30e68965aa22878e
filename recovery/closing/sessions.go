package closing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/scbconv"
)

// Peers is what is asked of peers; peer.Client implements it.
type Peers interface {
	Read(ctx context.Context, t peer.Target, expect ...channel.ID) (*peer.Reading, error)
	AskClose(ctx context.Context, t peer.Target, ask peer.Ask) (*peer.Outcome, error)
}

// Sessions holds sessions. Its methods may be called from several goroutines; the
// caller sees to it that no peer has two at once.
type Sessions struct {
	Peers Peers
	Keys  judge.Keys
	// Announced is where else a peer can be found: addresses, best first.
	Announced func(ctx context.Context, peer channel.PubKey) []scbconv.Address
	// Stopped is asked in the middle of a session: why nobody is asked to close
	// any more, "" if all is well.
	Stopped func() string
	Now     func() time.Time
	// ReadTime bounds a session that only reads; a request to close has the
	// bounds of package peer.
	ReadTime time.Duration
}

// Heard is what a reading session brought.
type Heard struct {
	model.ReestablishRead
	// Said is all that the peer said.
	Said *peer.Reading
}

// Read reads what a peer says of its channels before anything is imported, and
// sends nothing on any of them.
func (s *Sessions) Read(ctx context.Context, r model.ReadReestablish) Heard {
	out := Heard{Said: &peer.Reading{}}
	out.Peer, out.Reestablish = r.Peer, map[channel.Key]*judge.Reestablish{}
	ids := make([]channel.ID, 0, len(r.Channels))
	for _, c := range r.Channels {
		out.Asked = append(out.Asked, c.Key)
		ids = append(ids, c.ID())
	}
	at, err := scbconv.ParseAddress(r.Address)
	var t peer.Target
	if err == nil {
		t, err = targetAt(r.Peer, at)
	}
	if err != nil {
		out.Result, out.Reason = model.NoAddressKnown, err.Error()
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, s.ReadTime)
	defer cancel()
	said, err := s.Peers.Read(ctx, t, ids...)
	if said != nil {
		out.Said = said
	}
	out.Result, out.Reason = string(out.Said.Result), out.Said.Reason
	if err != nil {
		// What came before the time was over counts all the same.
		out.Result, out.Reason = string(peer.Silent), err.Error()
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			out.Reason = "there was no time left"
		}
	}
	for _, c := range r.Channels {
		if n, ok := out.Said.For(c.ID()); ok {
			out.Reestablish[c.Key] = judge.CompareReestablish(c, n, s.Now(), s.Keys)
		}
	}
	for _, n := range out.Said.Channels {
		if n.NextCommitment == 1 && n.NextRevocation == 0 {
			out.Awaits = append(out.Awaits, n.Channel)
		}
	}
	return out
}

// Ask asks a peer to close one channel.
func (s *Sessions) Ask(ctx context.Context, a model.AskClose) model.SessionEnded {
	out := model.SessionEnded{Key: a.Channel.Key}
	at, source, ok := s.address(ctx, &a)
	if !ok {
		out.Result, out.Reason = model.NoAddressKnown, "no address of the peer is known"
		return out
	}
	out.Address, out.Source = at.String(), source
	t, err := targetAt(a.Channel.Peer, at)
	if err != nil {
		out.Result, out.Reason = model.NoAddressKnown, err.Error()
		return out
	}
	d := &decision{sessions: s, ask: &a}
	o, err := s.Peers.AskClose(ctx, t, peer.Ask{Channel: a.Channel.ID(), Decide: d.decide, Probe: a.Probe})
	if err != nil {
		out.Result, out.Reason = string(peer.Unreachable), err.Error()
		return out
	}
	out.Result, out.Reason = string(o.Result), o.Reason
	out.SentError, out.Withheld = o.Sent == peer.SentError, d.withheld
	switch {
	case o.Before != nil:
		out.Reestablish = judge.CompareReestablish(a.Channel, *o.Before, s.Now(), s.Keys)
	case d.reestablish != nil:
		out.Reestablish = d.reestablish
	}
	return out
}

// decision looks at a peer's numbers before anything is sent on the channel.
type decision struct {
	sessions    *Sessions
	ask         *model.AskClose
	reestablish *judge.Reestablish
	withheld    model.Withheld
}

func (d *decision) decide(r peer.Reestablish) (proceed bool, reason string) {
	d.reestablish = judge.CompareReestablish(d.ask.Channel, r, d.sessions.Now(), d.sessions.Keys)
	if why := d.sessions.Stopped(); why != "" {
		d.withheld = model.WithheldStopped // the alarm came while this peer was dialled
		return false, why
	}
	d.withheld, reason = Judge(d.ask, d.reestablish)
	return d.withheld == "", reason
}

// Judge says whether a peer's numbers forbid to ask it to close; "" if not.
func Judge(a *model.AskClose, now *judge.Reestablish) (model.Withheld, string) {
	motion, why := judge.Moved(a.Channel, a.First, now)
	switch {
	case motion == judge.Proven:
		return model.WithheldAlive, why
	case a.StaleAllowed:
		return "", ""
	case motion == judge.Unproven && !a.MoveAllowed:
		return model.WithheldMoved, why
	case motion == judge.Back:
		return model.WithheldStale, why
	case now.Verdict == peer.PeerStale:
		return model.WithheldStale, now.Reason
	}
	return "", ""
}

// address is where to dial a peer: the address on record and, after vain tries,
// in turn the ones that gossip has.
func (s *Sessions) address(ctx context.Context, a *model.AskClose) (scbconv.Address, string, bool) {
	type known struct {
		at     scbconv.Address
		source string
	}
	var list []known
	if at, err := scbconv.ParseAddress(a.Address); err == nil && at != scbconv.Placeholder {
		list = append(list, known{at, a.Source})
	}
	if len(list) == 0 || a.Tries >= model.TryAddressAfter {
		for _, at := range s.Announced(ctx, a.Channel.Peer) {
			if len(list) == 0 || at != list[0].at {
				list = append(list, known{at, string(scbconv.FromGossip)})
			}
		}
	}
	if len(list) == 0 {
		return scbconv.Address{}, "", false
	}
	k := list[a.Tries%len(list)]
	return k.at, k.source, true
}

// targetAt is the peer at an address.
func targetAt(id channel.PubKey, a scbconv.Address) (peer.Target, error) {
	at, err := peer.ParseAddress(a.String())
	if err != nil {
		return peer.Target{}, fmt.Errorf("the peer's address cannot be used: %w", err)
	}
	return peer.Target{Node: id, Address: at}, nil
}
