package chain

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// Watcher is the one place that knows where the spend of an outpoint is. It
// looks at each new block and at the mempool, and, in its own time and in steps
// of one block, at the old blocks in which a spend may be. New blocks never
// wait for old ones.
//
// What it believes: a spend is one whose transaction is in hand, in a block
// whose merkle root commits to it, on an input that names the outpoint. A
// reorganisation is another hash at a height, in hand. Silence of a backend is
// neither. Which chain is the best one, and that an output is unspent, is the
// backend's word.
//
// Its methods may be called from several goroutines, Run from one.
type Watcher struct {
	src Source

	// Settings of the options.
	every    time.Duration // between two looks, where nobody pokes
	patience time.Duration // how long a new block that cannot be read holds up the ones above
	now      func() time.Time

	// What the methods hand to Run.
	mu       sync.Mutex
	todo     []func()
	restored *Cursor
	wake     chan struct{}

	// Everything below belongs to Run's goroutine.
	tip  tipCursor
	olds lookBacks
	// starting says that no block was looked at since the cursor of the earlier run.
	starting bool
	watched  map[wire.OutPoint]*watched
	// creators are the watched outpoints by the transaction that makes them.
	creators map[chainhash.Hash][]*watched
	// dirty are the outpoints whose sighting may have changed.
	dirty map[*watched]bool
	// queue are the outpoints that are to be asked for, one by one.
	queue []*watched

	// problem is what is wrong in this look; trouble what was after the last.
	problem     error
	trouble     string
	troubleAt   time.Time
	mempoolSeen bool
	told        told
}

// told is what the last update said.
type told struct {
	any         bool
	tip         Tip
	behind      uint32
	trouble     string
	mempoolSeen bool
	lookBack    LookBack
	at          time.Time
}

// Defaults of a Watcher.
const (
	defaultEvery    = 5 * time.Second
	defaultPatience = 30 * time.Second
	// progressTime is how often an update that has nothing but progress of the
	// look-back is given.
	progressTime = 2 * time.Second
	// askStep is how many outpoints are asked for between two looks for a new
	// block.
	askStep = 50
)

// WatcherOption changes a default of NewWatcher.
type WatcherOption func(*Watcher)

// Every sets the time between two looks where nobody pokes; 5 s by default.
func Every(d time.Duration) WatcherOption { return func(w *Watcher) { w.every = d } }

// NewWatcher makes a Watcher that knows nothing yet. Call Restore and Watch
// with what the record has, then Run.
func NewWatcher(src Source, opts ...WatcherOption) *Watcher {
	w := &Watcher{
		src: src, every: defaultEvery, patience: defaultPatience, now: time.Now,
		wake:     make(chan struct{}, 1),
		watched:  map[wire.OutPoint]*watched{},
		creators: map[chainhash.Hash][]*watched{},
		dirty:    map[*watched]bool{},
	}
	w.olds.init()
	for _, o := range opts {
		o(w)
	}
	return w
}

// Restore takes up the cursor of an earlier run. Call it before Run; outpoints
// of that run are to be watched with their Last.
func (w *Watcher) Restore(c Cursor) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restored = &c
}

// Watch adds outpoints; one that is watched already stays as it is.
func (w *Watcher) Watch(ws ...Watch) {
	w.do(func() { w.add(ws) })
}

// Forget ends the watch of outpoints.
func (w *Watcher) Forget(ops ...wire.OutPoint) {
	w.do(func() {
		for _, op := range ops {
			w.forget(op)
		}
	})
}

// LookBackSince bounds the look-back of outpoints whose From is unknown: blocks
// mined since t are looked at. The height is asked for until somebody answers,
// and until then, or where only lightningd's backend can be asked, the newest 288
// blocks are looked at. An earlier time extends it. Call it before Watch: without
// a time the newest 288 are looked at too.
func (w *Watcher) LookBackSince(t time.Time) {
	w.do(func() { w.olds.since(t) })
}

// LookBackFrom extends the look-back of all outpoints down to a height, also
// where only lightningd's backend can be asked, which then is slow.
func (w *Watcher) LookBackFrom(height uint32) {
	w.do(func() { w.olds.extend(max(height, 1)) })
}

// Poke makes Run look now: lightningd has processed a block.
func (w *Watcher) Poke() { w.do(nil) }

// do hands a step to Run's goroutine.
func (w *Watcher) do(step func()) {
	if step != nil {
		w.mu.Lock()
		w.todo = append(w.todo, step)
		w.mu.Unlock()
	}
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Run looks until ctx ends. emit is called from its goroutine, with what has
// changed only; it may call the other methods.
func (w *Watcher) Run(ctx context.Context, emit func(Update)) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	fetch := startFetcher(ctx, w.src)
	defer fetch.wait()

	for ctx.Err() == nil {
		again := w.look(ctx)
		if ctx.Err() != nil {
			return // what was asked for last failed for that
		}
		w.olds.feed(ctx, w, fetch)
		w.tell(emit)
		if !again {
			w.rest(ctx, fetch, tick.C, emit)
		}
	}
}

// rest takes old blocks, one by one, until there is something else to do.
func (w *Watcher) rest(ctx context.Context, fetch *fetcher, tick <-chan time.Time, emit func(Update)) {
	for {
		pause := time.NewTimer(w.olds.pause(w.now()))
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-tick:
		case <-pause.C:
			w.olds.feed(ctx, w, fetch)
			continue
		case got := <-fetch.done:
			pause.Stop()
			fetch.busy = false
			w.olds.take(w, got)
			w.olds.feed(ctx, w, fetch) // the next one comes while this one is looked at
			w.olds.match(w, got)
			w.tell(emit)
			if len(w.wake) == 0 {
				continue
			}
		}
		pause.Stop()
		return
	}
}

// look does what is to be done now, new blocks first. again says that more is
// to be asked at once.
func (w *Watcher) look(ctx context.Context) (again bool) {
	w.problem = nil
	err := w.lookTip(ctx)
	w.note(err)
	if w.tip.known() {
		w.steps()
		w.olds.bound(ctx, w)
		w.lookMempool(ctx)
		again = w.ask(ctx)
	}
	switch {
	case w.problem == nil:
		w.trouble = ""
	case w.trouble == "":
		w.troubleAt = w.now()
		fallthrough
	default:
		w.trouble = w.problem.Error()
	}
	return again
}

// steps takes what the methods were called for.
func (w *Watcher) steps() {
	w.mu.Lock()
	todo := w.todo
	w.todo = nil
	w.mu.Unlock()
	for _, step := range todo {
		step()
	}
}

// note keeps the first thing that is wrong in this look.
func (w *Watcher) note(err error) {
	if w.problem == nil {
		w.problem = err
	}
}

// troubleText is Update.Trouble.
func (w *Watcher) troubleText() string {
	if w.trouble == "" {
		return ""
	}
	return fmt.Sprintf("since %s: %s", w.troubleAt.UTC().Format("2006-01-02 15:04:05 MST"), w.trouble)
}

// lookMempool asks for the spends that wait. One more round is made where a
// spend left the mempool and a block came meanwhile: it is likely in that.
func (w *Watcher) lookMempool(ctx context.Context) {
	for range 3 {
		var ops []wire.OutPoint
		for op, o := range w.watched {
			if o.block == nil {
				ops = append(ops, op)
			}
		}
		spenders, err := w.src.Spenders(ctx, ops)
		w.mempoolSeen = err == nil
		if err != nil {
			if !errors.Is(err, ErrUnsupported) {
				w.note(fmt.Errorf("the mempool cannot be read: %w", err))
			}
			return
		}
		var left []*watched
		for _, op := range ops {
			o := w.watched[op]
			pool := spendBy(op, spenders[op])
			if pool == nil && o.pool != nil {
				left = append(left, o)
				continue
			}
			w.inMempool(o, pool)
		}
		if len(left) > 0 && w.grown(ctx) {
			if err := w.lookTip(ctx); err != nil {
				w.note(err)
				return // where they went will be seen
			}
			continue
		}
		for _, o := range left {
			w.inMempool(o, nil)
		}
		return
	}
}

// tell emits what has changed.
func (w *Watcher) tell(emit func(Update)) {
	if !w.tip.known() && w.trouble == w.told.trouble {
		return
	}
	u := Update{
		Tip: w.tip.Tip, LookBack: w.olds.report(w), Trouble: w.troubleText(),
		Behind: w.tip.behind, MempoolSeen: w.mempoolSeen,
	}
	for o := range w.dirty {
		s := w.sighting(o)
		if o.told && sameSighting(&s, &o.last) {
			continue
		}
		// What the record has of a spend stands until it was held against the
		// chain: its block is not looked at again.
		pending := o.record != nil && o.record.Place == InBlock
		if !pending && (o.asked || s.Place != Unknown) {
			o.told, o.last = true, s
			u.Changed = append(u.Changed, s)
		}
	}
	clear(w.dirty)
	slices.SortFunc(u.Changed, func(a, b Sighting) int {
		return cmp.Or(bytes.Compare(a.OutPoint.Hash[:], b.OutPoint.Hash[:]), cmp.Compare(a.OutPoint.Index, b.OutPoint.Index))
	})
	t := &w.told
	now := w.now()
	progress := u.LookBack != t.lookBack &&
		(u.LookBack.Done != t.lookBack.Done || u.LookBack.Reason != t.lookBack.Reason || now.Sub(t.at) >= progressTime)
	if t.any && len(u.Changed) == 0 && !progress && u.Tip == t.tip && u.Behind == t.behind &&
		w.trouble == t.trouble && u.MempoolSeen == t.mempoolSeen {
		return
	}
	*t = told{
		any: true, tip: u.Tip, behind: u.Behind, trouble: w.trouble,
		mempoolSeen: u.MempoolSeen, lookBack: u.LookBack, at: now,
	}
	u.Cursor = w.cursor()
	emit(u)
}

// cursor is how far the looks have come.
func (w *Watcher) cursor() Cursor {
	if !w.tip.known() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.restored != nil {
			return *w.restored
		}
		return Cursor{}
	}
	c := Cursor{Height: w.tip.Height, Hash: w.tip.Hash}
	w.olds.save(&c)
	return c
}
