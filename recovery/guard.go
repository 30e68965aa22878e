package recovery

import (
	"context"
	"slices"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/api"
)

// OpeningAllowed is the guard of money rule 12. Measured on v26.06.6: after
// recoverchannel, any opening in the same run of lightningd aborts it; after a
// restart, a channel with a peer of the backup can get the dbid of one that was
// left out, and with it that one's very keys and revocation secrets. peer is nil
// where the command does not say with whom.
func (s *Service) OpeningAllowed(ctx context.Context, peer *channel.PubKey, how string) error {
	select {
	case <-s.started:
	case <-ctx.Done():
		return failure.New(failure.OpeningRefused,
			"Try again in a moment; if it stays, look at lightningd's log",
			"%s: glrecover has not read yet whether a recovery is under way", how)
	}
	o := s.facts.Options
	if o.AllowAllOpenings || (peer != nil && slices.Contains(o.AllowOpenings, *peer)) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil {
		return nil
	}
	if !s.run.Imported.IsZero() && !s.run.Restarted {
		return failure.New(failure.OpeningRefused,
			"Restart lightningd first",
			"%s: channels were imported into this run of lightningd, and opening one now would stop it", how)
	}
	if peer == nil {
		return nil
	}
	if slices.Contains(s.run.UnreadPeers, *peer) {
		return failure.New(failure.OpeningRefused, "Open channels from another node",
			"%s: the backup has a channel with this peer that cannot be read; a new channel could get its keys", how)
	}
	for k, t := range s.tracks {
		if k.Peer == *peer && t.State != Resolved {
			return failure.New(failure.OpeningRefused,
				"Open channels from another node, or wait until glrecover-status shows this peer's channels as resolved",
				"%s: channel %s with this peer is under recovery (%s); a new channel could get its keys", how, t.Channel.ID(), t.State)
		}
	}
	return nil
}

// ChannelOpened raises the alarm when a channel appears all the same.
func (s *Service) ChannelOpened(o api.Opening) {
	select {
	case <-s.started:
	default:
		return // the engine finds it among lightningd's channels
	}
	if s.OpeningAllowed(s.ctx, &o.Peer, "channel_opened") != nil {
		s.alarm(s.ctx, o.Peer, o.FundingTxid)
	}
}

// alarmAboutOpenings finds the channels that nobody could refuse: the plugin did
// not run, or lightningd asked for them in a way that the guard does not see.
// Before the import there was none with a peer of the backup.
func (s *Service) alarmAboutOpenings(ctx context.Context, f *facts) {
	peers := map[channel.PubKey]bool{}
	s.mu.Lock()
	for k, t := range s.tracks {
		peers[k.Peer] = peers[k.Peer] || t.State != Resolved
	}
	s.mu.Unlock()
	o := s.facts.Options
	for _, c := range f.stubs {
		if !c.Stub && peers[c.Peer] && !o.AllowAllOpenings && !slices.Contains(o.AllowOpenings, c.Peer) {
			s.alarm(ctx, c.Peer, c.Funding.Hash.String())
		}
	}
}

// alarm records and tells that a channel was opened.
func (s *Service) alarm(ctx context.Context, peer channel.PubKey, fundingTxid string) {
	alarm := "ALARM: a channel with peer " + peer.String() + " was opened on this node (funding " + fundingTxid +
		") although a recovery is under way: close it, and do not use it"
	s.mu.Lock()
	r := s.run
	if r == nil || slices.Contains(r.Alarms, alarm) {
		s.mu.Unlock()
		return
	}
	r.Alarms = append(r.Alarms, alarm)
	s.mu.Unlock()
	s.log.Error(alarm)
	if err := s.saveRun(ctx); err != nil {
		s.log.WithError(err).Warn("the alarm could not be recorded")
	}
}
