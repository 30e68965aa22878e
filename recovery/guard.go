package recovery

import (
	"context"
	"slices"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// OpeningAllowed is the guard of money rule 12. Measured on v26.06.6: after
// recoverchannel, any opening in the same run of lightningd aborts it; after a
// restart, a channel with a peer of the backup can get the dbid of one that was
// left out, and with it that one's very keys and revocation secrets. peer is nil
// where the command does not say with whom.
func (s *Service) OpeningAllowed(ctx context.Context, peer *channel.PubKey, how string) error {
	err := s.openingAllowed(ctx, peer, how)
	if trouble := s.facts.Options.OpeningsTrouble; err != nil && trouble != "" {
		return failure.New(failure.OpeningRefused, "", "%v. %s", err, trouble)
	}
	return err
}

func (s *Service) openingAllowed(ctx context.Context, peer *channel.PubKey, how string) error {
	select {
	case <-s.started:
	case <-ctx.Done():
		return failure.New(failure.OpeningRefused,
			"Try again in a moment; if this persists, look at lightningd's log",
			"%s: glrecover does not know yet whether a recovery is under way", how)
	}
	o := s.facts.Options
	if o.AllowAllOpenings || (peer != nil && slices.Contains(o.AllowOpenings, *peer)) {
		return nil
	}
	st := s.seen.Load()
	if st.Call != nil {
		return failure.New(failure.OpeningRefused,
			"Wait until glrecover has answered, then restart lightningd",
			"%s: glrecover is importing channels, and opening one now could crash lightningd or reuse the number of one of them", how)
	}
	if st.Run == nil {
		return nil
	}
	if !st.Run.Imported.IsZero() && !st.Run.Restarted {
		return failure.New(failure.OpeningRefused,
			"Restart lightningd first",
			"%s: channels were imported since lightningd was started, and opening one now would crash it", how)
	}
	for _, c := range st.Channels {
		if toImport(c) {
			return failure.New(failure.OpeningRefused,
				"Wait until glrecover-status shows it as imported or closed, then restart lightningd",
				"%s: channel %s is still to be imported (%s); a new channel could take its number", how, c.Channel.ID(), c.State)
		}
	}
	if peer == nil {
		return nil
	}
	if slices.Contains(st.Run.UnreadPeers, *peer) {
		return failure.New(failure.OpeningRefused, "Open channels from another node",
			"%s: the backup has a channel with this peer that cannot be read; a new channel could get its keys", how)
	}
	for k, c := range st.Channels {
		if k.Peer == *peer && c.State != model.Resolved {
			return failure.New(failure.OpeningRefused,
				"Open channels from another node, or wait until glrecover-status shows this peer's channels as resolved",
				"%s: channel %s with this peer is under recovery (%s); a new channel could get its keys", how, c.Channel.ID(), c.State)
		}
	}
	return nil
}

// toImport reports whether lightningd may still get the channel: by itself, or when
// an operator has decided. A new channel with any peer could take its dbid before.
func toImport(c *state.Channel) bool {
	if c.State.Done() || c.Stub == state.ForgottenStub || c.ImportedAt > 0 {
		return false
	}
	return !c.Held.IsZero() || c.Close == nil || c.Close.Height == 0
}
