package recovery

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/core"
	"github.com/glrecover/glrecover/recovery/importing"
	"github.com/glrecover/glrecover/recovery/keyring"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/record"
	"github.com/glrecover/glrecover/recovery/state"
)

// Bounds of what an effect may take.
const (
	saveTime      = 30 * time.Second
	listTime      = time.Minute
	readTime      = 20 * time.Second // thrice as long through a proxy
	broadcastTime = time.Minute
)

// loop owns the state. Nothing but its goroutine touches it.
type loop struct {
	*Service
	state *state.State
	book  *record.Book
	// last is the Watcher's cursor that is on record.
	last *chain.Cursor
}

// run takes events until ctx ends.
func (l *loop) run(ctx context.Context) {
	timer := time.NewTimer(l.pause())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			l.step(model.NoEvent{})
		case e := <-l.events:
			l.step(e)
		}
		timer.Reset(l.pause())
	}
}

// pause is how long nothing is due.
func (l *loop) pause() time.Duration {
	return max(core.Wake(l.state).Sub(l.Now()), time.Millisecond)
}

// step gives the state the time and an event.
func (l *loop) step(e model.Event) {
	_ = failure.Guard(l.log, fmt.Sprintf("the event %T", e), func() error {
		l.apply(model.Tick{Now: l.Now()}, false)
		l.apply(e, true)
		return nil
	})
	if l.state.Active() {
		l.view.Begin(l.ctx, l.watch)
		return
	}
	l.view.Rest(l.last)
	l.keyring.Rest()
}

// apply is one step: what it leads to is published before it is done, so that the
// guard is up before an import begins.
func (l *loop) apply(e model.Event, publish bool) {
	effects := core.Step(l.state, e)
	if publish || len(effects) > 0 {
		l.seen.Store(l.state.Snapshot())
	}
	for i, f := range effects {
		if save, ok := f.(model.Save); ok {
			if err := l.save(save); err != nil {
				l.apply(model.SaveFailed{Save: save, Dropped: effects[i+1:], Reason: err.Error()}, true)
				return
			}
			continue
		}
		l.do(f)
	}
}

// save writes the record; nothing goes on before.
func (l *loop) save(s model.Save) error {
	ctx, cancel := context.WithTimeout(l.ctx, saveTime)
	defer cancel()
	if err := l.book.Write(ctx, s); err != nil {
		return err
	}
	if s.Cursor != nil {
		l.last = s.Cursor
	}
	return nil
}

// do carries out an effect that takes no time, or begins one.
func (l *loop) do(f model.Effect) {
	switch f := f.(type) {
	case model.Tell:
		l.log.Info(f.Text)
	case model.Alarm:
		l.log.Error(f.Text)
	case model.Watch:
		l.view.Watcher().Watch(f.Watches...)
	case model.Forget:
		l.view.Forget(f.OutPoints)
	case model.LookBackSince:
		l.view.Watcher().LookBackSince(f.Time)
	case model.LookBackFrom:
		l.view.Watcher().LookBackFrom(f.Height)
	case model.Reply:
		l.calls.reply(f)
	case model.Progress:
		l.calls.progress(f)
	default:
		s := l.Service
		go func() {
			var e model.Event
			if failure.Guard(s.log, fmt.Sprintf("the effect %T", f), func() error { e = s.carryOut(s.ctx, f); return nil }) != nil {
				e = model.EffectFailed{Effect: f, Reason: "an error in glrecover itself; the log has it"}
			}
			if e != nil {
				s.send(e)
			}
		}()
	}
}

// carryOut does what takes time, and returns what came of it.
func (s *Service) carryOut(ctx context.Context, f model.Effect) model.Event {
	switch f := f.(type) {
	case model.ListNode:
		return s.listNode(ctx)
	case model.ReadReestablish:
		return s.readReestablish(ctx, f)
	case model.Import:
		return importing.Import(ctx, s.Node, f)
	case model.Release:
		s.maker.Release(ctx, f)
		return nil
	case model.Broadcast:
		return s.broadcast(ctx, f)
	}
	return s.carryOutWithKeys(ctx, f)
}

// carryOutWithKeys does what needs the node's secret.
func (s *Service) carryOutWithKeys(ctx context.Context, f model.Effect) model.Event {
	keys, peers, release, err := s.keyring.Use()
	defer release()
	switch f := f.(type) {
	case model.TrySecret:
		if err != nil {
			return model.SecretTried{Trouble: err.Error()}
		}
		return model.SecretTried{}
	case model.AskClose:
		if err != nil {
			return model.SessionEnded{Key: f.Channel.Key, Result: model.NoSecret, Reason: err.Error()}
		}
		e := s.sessions(keys, peers).Ask(ctx, f)
		// The close is in the mempool within a second, or not at all.
		s.view.Poke()
		time.AfterFunc(time.Second, s.view.Poke)
		return e
	case model.Classify:
		return s.maker.Classify(f, s.seen.Load().Run, keys)
	case model.BuildChild:
		return s.maker.Child(ctx, f, keys, err)
	case model.BuildSweep:
		return s.maker.Sweep(ctx, f, s.seen.Load().Run, keys, err)
	}
	return model.EffectFailed{Effect: f, Reason: fmt.Sprintf("nobody carries out %T", f)}
}

// listNode asks what lightningd has.
func (s *Service) listNode(ctx context.Context) model.Event {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	begun := time.Now()
	e := model.NodeListed{}
	failed := func(err error) model.Event {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.log.WithError(err).Warn("lightningd does not answer; trying again")
		}
		return model.EffectFailed{Effect: model.ListNode{}, Reason: err.Error()}
	}
	info, err := s.Node.Info(ctx)
	if err != nil {
		return failed(err)
	}
	e.Height = info.Height
	if e.Channels, err = s.Node.PeerChannels(ctx); err != nil {
		return failed(err)
	}
	if e.Closed, err = s.Node.ClosedChannels(ctx); err != nil {
		return failed(err)
	}
	if e.Wallet, err = s.Node.Wallet(ctx); err != nil {
		return failed(err)
	}
	for _, o := range e.Wallet {
		if o.Status != claims.StatusSpent {
			continue
		}
		if e.Spends, err = s.Node.Spends(ctx); err != nil {
			return failed(err)
		}
		break
	}
	if s.Stubs {
		e.KeepsMsat, e.RescanFrom = s.settings(ctx)
	}
	e.Took = time.Since(begun)
	return e
}

// defaultEmergencyMsat is lightningd's own (CLN v26.06.6 lightningd/lightningd.c).
const defaultEmergencyMsat = 25_000_000

// settings are lightningd's min-emergency-msat, and the height from which it was
// told to rescan when it was started (rescan=-HEIGHT), 0 for none.
func (s *Service) settings(ctx context.Context) (keepsMsat uint64, rescanFrom uint32) {
	keepsMsat = defaultEmergencyMsat
	configs, err := s.Node.Configs(ctx)
	if err != nil {
		return keepsMsat, 0
	}
	if msat, err := strconv.ParseUint(configs["min-emergency-msat"], 10, 64); err == nil {
		keepsMsat = msat
	}
	if height, err := strconv.ParseInt(configs["rescan"], 10, 32); err == nil && height < 0 {
		rescanFrom = uint32(-height)
	}
	return keepsMsat, rescanFrom
}

func (s *Service) sessions(keys keyring.Keys, peers closing.Peers) *closing.Sessions {
	return &closing.Sessions{
		Peers: peers, Keys: keys, Announced: s.announced, Now: s.Now, ReadTime: s.readTime(),
		Stopped: func() string {
			if st := s.seen.Load(); st.Run != nil {
				return st.Run.Alive
			}
			return "the recovery was forgotten"
		},
	}
}

// readTime bounds a session that only reads.
func (s *Service) readTime() time.Duration {
	if s.facts.Proxy != "" {
		return 3 * readTime
	}
	return readTime
}

// broadcast sends transactions that belong together.
func (s *Service) broadcast(ctx context.Context, f model.Broadcast) model.Event {
	ctx, cancel := context.WithTimeout(ctx, broadcastTime)
	defer cancel()
	e := model.BroadcastDone{Key: f.Key, What: f.What, Txid: f.Txs[len(f.Txs)-1].TxHash().String()}
	if err := s.view.Send(ctx, f.Txs...); err != nil {
		e.Refused = err.Error()
	}
	return e
}
