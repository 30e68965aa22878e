package recovery

import (
	"context"

	"github.com/glrecover/glrecover/failure"
)

// Done is the answer of the commands that only act.
type Done struct {
	Channels []string `json:"channels"`
	Note     string   `json:"note"`
}

// Retry tries the peers of all channels, or of one, at once.
func (s *Service) Retry(_ context.Context, which string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, err := s.selectChannels(which)
	if err != nil {
		return nil, err
	}
	d := &Done{Channels: []string{}, Note: "see glrecover-status"}
	for _, k := range keys {
		t := s.tracks[k]
		if t.State == NeedsOperator && t.Close == nil {
			t.State, t.Reason, t.Since = Imported, "", s.Now()
		}
		if t.State.Asks() {
			t.next, t.tries = s.Now(), 0
			d.Channels = append(d.Channels, t.Channel.ID().String())
		}
	}
	s.keysErr = nil
	s.nudge()
	return d, nil
}

// Forget deletes our record of channels, and nothing else. It is refused while
// an output of theirs is unclaimed or can still come; without a channel it takes
// those for which that is not so.
func (s *Service) Forget(ctx context.Context, which string) (any, error) {
	s.mu.Lock()
	keys, err := s.selectChannels(which)
	var gone []track
	for _, k := range keys {
		t := &s.tracks[k].track
		switch {
		case t.finished(s.tip):
			gone = append(gone, *t)
		case err == nil:
			err = failure.New(failure.Unclaimed, "Wait until glrecover-status shows it as resolved",
				"channel %s is %s: what it holds may still be yours", t.Channel.ID(), t.State)
		}
	}
	if which == "" && len(gone) > 0 {
		err = nil
	}
	all := len(gone) == len(s.tracks)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	d := &Done{Channels: []string{}, Note: "only glrecover's own record was deleted; lightningd and the chain are untouched. " +
		"Open no channel with these peers on this node all the same"}
	for i := range gone {
		if err := s.forget(ctx, &gone[i]); err != nil {
			return nil, err
		}
		d.Channels = append(d.Channels, gone[i].Channel.ID().String())
	}
	s.mu.Lock()
	restarted := s.run == nil || s.run.Imported.IsZero() || s.run.Restarted
	s.mu.Unlock()
	// The run's entry keeps the guard up until lightningd has restarted.
	if all && restarted && len(gone) > 0 {
		if err := s.node.DeleteRecord(ctx, recordRun); err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.run = nil
		s.mu.Unlock()
	}
	return d, nil
}

// forget deletes one record; no write of it can come after.
func (s *Service) forget(ctx context.Context, t *track) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	if err := s.node.DeleteRecord(ctx, t.key()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tracks, t.Channel.Key)
	return nil
}
