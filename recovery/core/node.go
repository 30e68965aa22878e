package core

import (
	"cmp"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/follow"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/stubs"
)

// nextList is when lightningd is looked at again.
func nextList(s *state.State) time.Time {
	switch {
	case !s.Listed && s.ListedAt.IsZero():
		return s.Now
	case !s.Listed:
		return s.ListedAt.Add(listRetry)
	case s.ListWanted:
		return s.ListedAt.Add(max(listPause, listRatio*s.ListTook))
	}
	return s.ListedAt.Add(IdlePace)
}

// lookAtNode looks at lightningd when it is time.
func lookAtNode(s *state.State) {
	if s.Listing || s.Now.Before(nextList(s)) {
		return
	}
	s.Listing, s.ListWanted = true, false
	s.Do(model.ListNode{})
}

// nodeListed brings the channels in line with what lightningd has.
func nodeListed(s *state.State, e model.NodeListed) {
	s.Listing, s.Listed, s.ListedAt, s.ListTook = false, true, s.Now, e.Took
	s.NodeHeight, s.KeepsMsat = e.Height, e.KeepsMsat
	rescanned(s, e)
	s.Wallet, s.WalletSpends, s.Coins = make(map[wire.OutPoint]api.WalletOutput, len(e.Wallet)), e.Spends, state.WalletCoins{}
	for _, o := range e.Wallet {
		s.Wallet[o.OutPoint] = o
		if o.Status == "confirmed" {
			s.Coins.Coins, s.Coins.Sat = s.Coins.Coins+1, s.Coins.Sat+o.Sat
		}
	}
	live, forgotten := map[channel.ID]*api.PeerChannel{}, map[channel.ID]bool{}
	for i := range e.Channels {
		p := &e.Channels[i]
		live[p.ID] = p
		if !p.Stub {
			// Nobody could refuse it: the plugin did not run, or lightningd asked for it in a
			// way that the guard does not see.
			channelAppeared(s, model.ChannelAppeared{Peer: p.Peer, FundingTxid: p.Funding.Hash.String()})
		}
	}
	for _, id := range e.Closed {
		forgotten[id] = true
	}
	for _, k := range s.Keys() {
		c := s.Channels[k]
		c.Listed = true
		id := c.Channel.ID()
		has, word, died := state.NoStub, "", ""
		if p := live[id]; p != nil {
			has, word, died = state.LiveStub, cmp.Or(p.State, "unknown"), p.Died
		} else if forgotten[id] {
			has = state.ForgottenStub
		}
		if c.State.Done() && has == c.Stub && word == c.StubState {
			continue
		}
		s.Touch(k)
		was := c.Stub
		c.Stub, c.StubState, c.StubDied = has, word, cmp.Or(c.StubDied, died)
		if has == state.LiveStub && was != state.LiveStub {
			stubs.Got(s, c)
		}
		follow.Advance(s, c)
	}
}

// rescanned notes that the restart which the last call named was done: lightningd
// runs with such a rescan, and has come to the end of it.
func rescanned(s *state.State, e model.NodeListed) {
	if s.Run == nil || s.Run.RescanFrom == 0 || e.RescanFrom == 0 || e.RescanFrom > s.Run.RescanFrom || s.Tip.Height == 0 || e.Height+1 < s.Tip.Height {
		return
	}
	s.Run.RescanFrom = 0
}

// channelAppeared raises the alarm about a channel with a peer of the backup: before the
// import there was none.
func channelAppeared(s *state.State, e model.ChannelAppeared) {
	if s.Run == nil || s.Config.AllowAll || slices.Contains(s.Config.Allowed, e.Peer) || !guards(s, e.Peer) {
		return
	}
	alarm := "ALARM: a channel with peer " + e.Peer.String() + " was opened on this node (funding " + e.FundingTxid +
		") although a recovery is under way: close it, and do not use it"
	if slices.Contains(s.Run.Alarms, alarm) {
		return
	}
	s.Run.Alarms = append(slices.Clone(s.Run.Alarms), alarm)
	s.Alarm("%s", alarm)
}

// guards reports whether a channel with the peer is under recovery.
func guards(s *state.State, peer channel.PubKey) bool {
	return slices.ContainsFunc(s.With(peer), func(k channel.Key) bool { return s.Channels[k].State != model.Resolved })
}
