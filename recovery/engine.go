package recovery

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/lightningd"
)

// Pace of the engine.
const (
	// idlePace is how often the chain and lightningd are looked at while
	// something is under way and nothing wakes the engine. Whatever does, there
	// is a pause of at least lookPause, and of lookRatio times what the last look
	// took, before the next.
	idlePace  = 15 * time.Second
	lookPause = 50 * time.Millisecond
	lookRatio = 3
	// asksAtOnce bounds the sessions with different peers.
	asksAtOnce = 8
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// tracked is a track with what need not survive.
type tracked struct {
	track
	// next is when the peer is asked again, tries how often it was in vain in a
	// row.
	next  time.Time
	tries int
	// asking is true while a session for this channel is under way.
	asking bool
	// verdict is what the closing transaction is, found what of it the wallet
	// has. Both are derived again at each start.
	verdict *verdict
	judged  judged
	found   []WalletOutput
	// resent is the height at which the close was sent last.
	resent uint32
	// bumped is the height at which a child was tried last, purse what the wallet
	// had then.
	bumped uint32
	purse  purse
}

// judged is what a verdict was given on.
type judged struct {
	txid     chainhash.Hash
	height   uint32
	withKeys bool
}

// retryAfter is the pause after a number of vain tries: 1 s doubling up to
// 5 min, with a fifth of jitter either way so that peers are not met in step.
func retryAfter(tries int) time.Duration {
	d := lastRetry
	if tries < 9 {
		d = min(firstRetry<<tries, lastRetry)
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// engine follows all channels until ctx ends. One step looks at everything
// at most once; a step never waits for a peer.
func (s *Service) engine(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		wait := lastRetry
		s.guarded("the engine", func() { wait = s.step(ctx) })
		timer.Reset(wait)
	}
}

// never is long enough for a recovery with nothing to do; a wake ends it.
const never = 24 * time.Hour

// step looks at the chain, at lightningd and at the clock, moves each channel,
// and returns when to look again.
func (s *Service) step(ctx context.Context) time.Duration {
	if !s.active() {
		s.dropKeys()
		s.seen = nil
		return never
	}
	// A look asks lightningd and bitcoind for everything: the end of each of
	// many sessions is no reason for one.
	if left := s.nextLook(); left > 0 {
		return min(left, s.askDue(ctx, s.seen))
	}
	s.lookWanted.Store(false)
	begun := time.Now()
	f, err := s.survey(ctx)
	s.seen, s.seenAt, s.seenIn = f, time.Now(), time.Since(begun)
	if err != nil {
		s.seen = nil
		if ctx.Err() == nil {
			s.log.WithError(err).Warn("lightningd or its bitcoin backend does not answer; trying again")
		}
		return lastRetry / 60
	}
	for _, k := range s.followed() {
		s.guarded("channel "+k.String(), func() { s.advance(ctx, k, f) })
	}
	s.alarmAboutOpenings(ctx, f)
	s.payForStuck(ctx, f)
	s.importLate(ctx, f)
	return s.askDue(ctx, f)
}

// nextLook is the time that is left until the next look is due.
func (s *Service) nextLook() time.Duration {
	if s.seen == nil {
		return 0
	}
	pace := idlePace
	switch {
	case s.lookWanted.Load():
		pace = max(lookPause, lookRatio*s.seenIn)
	case s.seen.keys == nil:
		pace = secretRetry
	}
	return pace - time.Since(s.seenAt)
}

// active reports whether any channel is not done.
func (s *Service) active() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tracks {
		if !t.State.Done() {
			return true
		}
	}
	return false
}

// followed are the channels that are not done.
func (s *Service) followed() []channel.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]channel.Key, 0, len(s.tracks))
	for k, t := range s.tracks {
		if !t.State.Done() {
			keys = append(keys, k)
		}
	}
	return keys
}

// guarded keeps a panic from ending the plugin, and with it the guard against
// openings; false after one. What one transaction or one peer brings about stops
// no other channel.
func (s *Service) guarded(what string, f func()) (ok bool) {
	defer func() {
		if cause := recover(); cause != nil {
			lightningd.LogPanic(s.log, what, cause)
			ok = false
		}
	}()
	f()
	return true
}

// advance moves one channel to the state that the facts say it is in.
func (s *Service) advance(ctx context.Context, k channel.Key, f *facts) {
	m := s.consider(k, f)
	if m.changed {
		s.keep(ctx, k)
	}
	// What an alarm or a session found out meanwhile stands.
	s.setStateIf(ctx, k, m.to, m.reason, func(st State) bool { return st == m.from })
}

// move is where the facts bring a channel.
type move struct {
	from, to State
	reason   string
	// changed says that the rest of the track changed.
	changed bool
}

// consider looks at one channel.
func (s *Service) consider(k channel.Key, f *facts) (m move) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tracks[k]
	if t == nil {
		return m
	}
	t.look(f)
	m.changed = t.noteCredit()
	m.changed = t.noteTaken(f) || m.changed
	m.from = t.State
	m.to, m.reason = next(&t.track, t.verdict, t.found, f)
	return m
}

// look derives again what the closing transaction is and what of it the wallet
// has. The verdict on one transaction at one height never changes, but for the
// secret being there or not.
func (t *tracked) look(f *facts) {
	t.found = nil
	spend := f.spends[t.Channel.Funding]
	if t.Close == nil || spend == nil {
		t.verdict, t.judged = nil, judged{}
		return
	}
	now := judged{spend.TxID, t.Close.Height, f.keys != nil}
	if t.verdict == nil || t.judged != now {
		t.verdict, t.judged = t.track.judge(spend.Tx, t.Close.Height, f.keys), now
	}
	t.found = f.creditedOf(spend.Tx)
}

// noteCredit keeps what the wallet has of a close, and what kind of close it is.
func (t *tracked) noteCredit() (changed bool) {
	var sum uint64
	var to []string
	for _, w := range t.found {
		sum += msat(w.Sat)
		to = append(to, w.OutPoint.String())
	}
	if sum != t.RecoveredMsat || !slices.Equal(to, t.RecoveredTo) {
		t.RecoveredMsat, t.RecoveredTo, changed = sum, to, true
	}
	if t.Close != nil && t.verdict != nil && t.Close.Kind != t.verdict.Kind {
		c := *t.Close
		c.Kind = t.verdict.Kind
		t.Close, changed = &c, true
	}
	return changed
}
