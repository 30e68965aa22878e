package recovery

import (
	"context"
	"slices"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/scbconv"
)

// importLate imports what could not be imported at once: channels whose funding
// has its confirmations now, and channels that are on record and that lightningd
// does not have, because something was killed between the two. The peers'
// numbers come first here, too, so the work goes on beside the engine.
func (s *Service) importLate(ctx context.Context, f *facts) {
	select {
	case s.busy <- struct{}{}:
	default:
		return // glrecover is at work
	}
	items := s.lateItems(ctx, f)
	if len(items) == 0 {
		<-s.busy
		return
	}
	release := s.holdKeys()
	go func() {
		defer release()
		defer func() { <-s.busy }()
		s.guarded("a late import", func() { s.importThese(ctx, items) })
	}()
}

// lateItems are the channels that are due; none while the hosted node seems to
// be alive, since lightningd's stubs speak to their peers by themselves.
func (s *Service) lateItems(ctx context.Context, f *facts) []*item {
	var items []*item
	s.mu.Lock()
	var created time.Time
	if s.run != nil {
		created = s.run.BackupCreated
	}
	s.mu.Unlock()
	for _, kept := range s.missing(f) {
		if kept.State == FundingUnconfirmed && kept.Close == nil {
			e := f.view.Funding(ctx, fundingQuery(&kept.Channel, f.keys))
			// Too early is for ever; confirmations that nobody can tell are taken
			// for enough only of a backup that is old, and not while bitcoind, which
			// could tell, is away.
			if e.State != chain.FundingUnspent {
				continue
			}
			if e.Confirmations == chain.ConfirmationsUnknown && (f.view.HasNode() || created.IsZero() || tooYoung(created, s.Now())) {
				continue
			}
			if e.Confirmations != chain.ConfirmationsUnknown && e.Confirmations < minFundingConfs {
				continue
			}
		}
		if it := s.itemOf(&kept); it != nil {
			items = append(items, it)
		}
	}
	settleBatch(items)
	return items
}

// missing are the channels that lightningd should have and has not.
func (s *Service) missing(f *facts) []track {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil || s.run.Alive != "" {
		return nil
	}
	var out []track
	for _, t := range s.tracks {
		id := t.Channel.ID()
		if _, there := f.stubs[id]; there || f.closed[id] || t.State.Done() {
			continue
		}
		switch {
		case t.Close != nil:
			// Closed before it was imported: only a stub makes lightningd take
			// to_remote.
			owes := t.verdict != nil && slices.ContainsFunc(t.verdict.missing(t.found, nil), func(o owed) bool { return o.Wallet })
			if t.Close.Height == 0 || !owes {
				continue
			}
		case t.State != FundingUnconfirmed && !t.State.Asks():
			continue
		}
		out = append(out, t.track)
	}
	return out
}

// importThese imports items that are on record. The survey that found them may
// be older than an import that has just ended, so lightningd is asked again.
func (s *Service) importThese(ctx context.Context, items []*item) {
	channels, err := s.node.PeerChannels(ctx)
	if err != nil {
		return
	}
	items = slices.DeleteFunc(items, func(it *item) bool {
		return slices.ContainsFunc(channels, func(c PeerChannel) bool { return c.ID == it.ch.ID() })
	})
	if len(items) == 0 {
		return
	}
	_, warnings := s.readNumbers(ctx, items, api.RecoverParams{}, silent{})
	for _, w := range warnings {
		s.log.Warn(w)
	}
	for _, it := range items {
		switch {
		case it.answer.Result == StalePeer:
			s.setState(ctx, it.ch.Key, PeerStale, it.answer.Reason)
		case it.numbers != nil:
			s.mu.Lock()
			if t := s.tracks[it.ch.Key]; t != nil {
				t.Numbers = it.numbers
			}
			s.mu.Unlock()
			s.keep(ctx, it.ch.Key)
		}
	}
	if !slices.ContainsFunc(items, (*item).pending) {
		return
	}
	if err := s.noteImport(ctx); err != nil {
		s.log.WithError(err).Warn("the record of the recovery could not be written; not importing yet")
		return
	}
	if err := s.importCarefully(ctx, items); err != nil && ctx.Err() == nil {
		s.log.WithError(err).Warn("lightningd stopped answering during an import; trying again")
	}
	s.afterImport(ctx, items)
}

// maxTries is how often lightningd may stop over one channel.
const maxTries = 3

// importCarefully imports items that an earlier run did not bring home. If
// lightningd stopped over one of them, to give it the same again at each start
// would stop it for ever: the ones that were in hand then go one by one, and one
// that stops it again is left out.
func (s *Service) importCarefully(ctx context.Context, items []*item) error {
	var together []*item
	var alone [][]*item
	for _, it := range items {
		switch tries := s.tried(it); {
		case !it.pending():
		case tries >= maxTries:
			it.settle(ImportFailed, "lightningd stopped %d times when it was given this channel", tries)
		case tries > 0:
			alone = append(alone, []*item{it})
		default:
			together = append(together, it)
		}
	}
	for _, group := range append(alone, together) {
		if len(group) == 0 {
			continue
		}
		s.noteTries(ctx, group, false)
		if err := s.importItems(ctx, group, silent{}); err != nil {
			return err
		}
		s.noteTries(ctx, group, true)
	}
	return nil
}

// tried is how often lightningd stopped over a channel.
func (s *Service) tried(it *item) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tracks[it.ch.Key]; t != nil {
		return t.Tries
	}
	return 0
}

// noteTries counts that a group is given to lightningd, or that it answered.
func (s *Service) noteTries(ctx context.Context, group []*item, answered bool) {
	for _, it := range group {
		s.mu.Lock()
		if t := s.tracks[it.ch.Key]; t != nil {
			if t.Tries++; answered {
				t.Tries = 0
			}
		}
		s.mu.Unlock()
		s.keep(ctx, it.ch.Key)
	}
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
	return &item{
		ch: &c, entry: entry, answer: describe(&c), staleAllowed: t.StaleAllowed,
		choice: scbconv.Choice{Address: addr, Source: scbconv.Source(t.Source)},
	}
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
