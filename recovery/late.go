package recovery

import (
	"context"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/scbconv"
)

// importLate imports what could not be imported at once: channels whose funding
// has its confirmations now, and channels that are on record and that lightningd
// does not have, because something was killed between the two.
func (s *Service) importLate(ctx context.Context, f *facts) {
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	default:
		return // glrecover is at work
	}
	var items []*item
	for _, k := range s.followed() {
		s.mu.Lock()
		t := s.tracks[k]
		kept := t.track
		s.mu.Unlock()
		id := kept.Channel.ID()
		if _, there := f.stubs[id]; there || f.closed[id] || kept.Close != nil {
			continue
		}
		switch {
		case kept.State == FundingUnconfirmed:
			e := f.view.Funding(ctx, fundingQuery(&kept.Channel, f.keys))
			if e.State != chain.FundingUnspent || (e.Confirmations >= 0 && e.Confirmations < minFundingConfs) {
				continue
			}
		case kept.State.Asks():
		default:
			continue
		}
		if it := s.itemOf(&kept); it != nil {
			items = append(items, it)
		}
	}
	settleBatch(items)
	if len(items) == 0 {
		return
	}
	if err := s.noteImport(ctx); err != nil {
		s.log.WithError(err).Warn("the record of the recovery could not be written; not importing yet")
		return
	}
	if err := s.importItems(ctx, items, silent{}); err != nil && ctx.Err() == nil {
		s.log.WithError(err).Warn("lightningd stopped answering during an import; trying again")
	}
	s.afterImport(ctx, items)
	for _, it := range items {
		if it.answer.Result == DidImport && s.stateOf(it.ch.Key) == FundingUnconfirmed {
			s.setState(ctx, it.ch.Key, Imported, "")
		}
	}
	s.nudge()
}

// itemOf makes an import of a track; nil where it cannot be.
func (s *Service) itemOf(t *track) *item {
	addr, err := scbconv.ParseAddress(t.Address)
	if err != nil {
		addr = scbconv.Placeholder
	}
	c := t.Channel
	entry, err := scbconv.From(&c, addr)
	if err != nil {
		return nil
	}
	return &item{ch: &c, entry: entry, answer: describe(&c)}
}

// noteImport records that this run of lightningd gets stubs.
func (s *Service) noteImport(ctx context.Context) error {
	s.mu.Lock()
	if s.run == nil {
		s.mu.Unlock()
		return nil
	}
	s.run.Imported, s.run.Mark, s.run.Restarted = s.Now(), s.Mark, false
	s.mu.Unlock()
	return s.saveRun(ctx)
}

// silent is a Progress for nobody.
type silent struct{}

func (silent) Message(string)      {}
func (silent) Step(uint32, uint32) {}
