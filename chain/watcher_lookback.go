package chain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
)

// KeptBlocks are the newest blocks, which bitcoind never prunes
// (MIN_BLOCKS_TO_KEEP in its src/validation.h). Where nobody can tell what is
// pruned, only these are asked for.
const KeptBlocks = 288

// Waiting times for an old block that cannot be read.
const (
	// patiencePart of Patience is the first of them; they double.
	patiencePart = 30
	retryMost    = 10 * time.Minute
	// prunedMost is for a block that may be pruned, where nobody can tell: bcli,
	// and lightningd with it, waits for such a block for up to a minute.
	prunedMost = time.Hour
	// givenUp is after how many tries a block counts as missing; it is asked
	// for still.
	givenUp = 3
)

// lookBack is a set of outpoints that are looked for in the same old blocks.
type lookBack struct {
	id uint32
	// from is the lowest height that it covers or is to cover.
	from uint32
	// left are the heights not looked at.
	left heights
	// base is the tip when it began, for one whose outpoints' From is unknown;
	// 0 for others.
	base    uint32
	members int
}

// extend has it go down to a height.
func (b *lookBack) extend(height uint32) {
	if height < b.from && b.id != noneID {
		b.left.add(height, b.from-1)
		b.from = height
	}
}

// noneID names the look-back of outpoints that need none.
const noneID = 1

// lookBacks are all look-backs under way. One block serves them all.
type lookBacks struct {
	none   *lookBack
	list   []*lookBack // without none
	nextID uint32
	loaded bool // from a cursor

	// The bound for outpoints whose From is unknown: a time, and its height once
	// known (0 if not); and the height that was asked for (0 if none).
	sinceTime   time.Time
	sinceHeight uint32
	sinceReason string
	asked       uint32

	// floor is the lowest height that is read, where the source knows.
	floor       uint32
	floorKnown  bool
	floorReason string

	// want are the heights that outpoints still need; stale says that it is to
	// be computed again.
	want  heights
	stale bool
	// open says that there is an outpoint whose place is not known yet.
	open bool

	// named are the heights that a sift said may matter: they are to be read.
	// unsifted says that the source cannot sift after all.
	named    heights
	unsifted bool
	// gen counts the times that outpoints were added: a sift for the ones before
	// says nothing of the new ones.
	gen uint32

	deferred []deferral
	fails    int
	// resume is when the next old block may be asked for.
	resume time.Time
	// matching is the block that is being looked at; 0 if none.
	matching uint32
	// lastRef is the old block looked at before.
	lastRef struct {
		height, epoch uint32
		hash, prev    chainhash.Hash
	}
	// span and next are what report tells.
	lo, hi, next uint32
}

// deferral is a range of old blocks that is not asked for before a time.
type deferral struct {
	lo, hi uint32
	until  time.Time
	tries  int
	why    error
}

func (l *lookBacks) init() {
	l.none = &lookBack{id: noneID}
	l.nextID = noneID + 1
}

// begin makes a look-back from a height up to the tip; from 0 is the bound.
func (l *lookBacks) begin(from, tip uint32) *lookBack {
	b := &lookBack{id: l.nextID, from: tip + 1}
	if from == 0 {
		b.base = max(tip, 1)
	} else {
		b.extend(from)
	}
	l.nextID++
	l.list = append(l.list, b)
	l.stale = true
	return b
}

// of is the look-back of a record's outpoint; nil if it is not known.
func (l *lookBacks) of(id uint32) *lookBack {
	for _, b := range l.list {
		if b.id == id {
			return b
		}
	}
	if l.loaded && 0 < id && id < l.nextID {
		return l.none // finished
	}
	return nil
}

// all are the look-backs, none too.
func (l *lookBacks) all() iter.Seq[*lookBack] {
	return func(yield func(*lookBack) bool) {
		for _, b := range l.list {
			if !yield(b) {
				return
			}
		}
		yield(l.none)
	}
}

func (l *lookBacks) since(t time.Time) {
	if l.sinceTime.IsZero() || t.Before(l.sinceTime) {
		l.sinceTime, l.sinceHeight = t, 0
	}
}

func (l *lookBacks) extend(height uint32) {
	if l.asked == 0 || height < l.asked {
		l.asked = height
		l.stale = true
	}
}

// bound asks how far down blocks can be had and are to be looked at.
func (l *lookBacks) bound(ctx context.Context, w *Watcher) {
	l.list = slices.DeleteFunc(l.list, func(b *lookBack) bool { return b.members == 0 })
	floor, known, reason := l.floor, l.floorKnown, l.floorReason
	if l.floor, l.floorKnown, l.floorReason = w.src.Floor(ctx); !l.floorKnown {
		l.floor, l.floorReason = 0, l.floorReason+", and lightningd's backend does not tell which blocks are pruned"
	}
	if floor != l.floor || known != l.floorKnown || reason != l.floorReason {
		l.stale = true
	}
	if !l.sinceTime.IsZero() && l.sinceHeight == 0 && len(l.list) > 0 {
		height, err := w.src.HeightBefore(ctx, l.sinceTime)
		switch {
		case err == nil:
			l.sinceHeight, l.sinceReason = max(height, 1), ""
			for _, b := range l.list {
				w.touchAll(b)
			}
		case errors.Is(err, ErrUnsupported):
			l.sinceReason = ""
		case ctx.Err() == nil:
			l.sinceReason = fmt.Sprintf("the block height on %s is unknown: %v", l.sinceTime.UTC().Format(time.DateOnly), err)
		}
		l.stale = true
	}
	for _, b := range l.list {
		if b.base > 0 {
			// Until somebody knows the height, what is surely there is looked at.
			l.plan(w, b, cmp.Or(l.sinceHeight, LowestKept(b.base)))
		}
		if l.asked > 0 {
			l.plan(w, b, l.asked)
		}
	}
}

func (l *lookBacks) plan(w *Watcher, b *lookBack, height uint32) {
	if height < b.from {
		b.extend(height)
		w.touchAll(b)
	}
}

// searched reports whether a look-back has looked at all that it is to.
func (l *lookBacks) searched(b *lookBack) bool {
	return len(b.left) == 0 && (b.base == 0 || l.sinceTime.IsZero() || l.sinceHeight > 0)
}

// lowest is the lowest height that is asked for.
func (l *lookBacks) lowest(tip uint32) uint32 {
	if l.floorKnown {
		return max(l.floor, 1)
	}
	if l.asked > 0 {
		return min(LowestKept(tip), l.asked)
	}
	return LowestKept(tip)
}

// refresh computes again what is wanted.
func (l *lookBacks) refresh(w *Watcher) {
	if !l.stale {
		return
	}
	l.stale = false
	open := map[*lookBack]bool{}
	for _, o := range w.watched {
		if !o.settled() {
			open[o.back] = true
		}
	}
	l.want, l.open = nil, len(open) > 0
	for b := range open {
		l.want.addAll(b.left)
	}
	able := l.want.from(l.lowest(w.tip.Height))
	if len(able) > 0 {
		if l.lo == 0 || l.next == 0 {
			l.lo, l.hi = able[0][0], 0
		}
		l.lo, l.hi = min(l.lo, able[0][0]), max(l.hi, able[len(able)-1][1])
	}
}

// able are the heights that can be asked for now.
func (l *lookBacks) able(w *Watcher) heights {
	l.refresh(w)
	able := l.want.from(l.lowest(w.tip.Height))
	// What lies above the cursor it will look at itself.
	able.remove(w.tip.Height+1, math.MaxUint32-1)
	if l.matching > 0 {
		able.remove(l.matching, l.matching)
	}
	now := w.now()
	for _, d := range l.deferred {
		if now.Before(d.until) {
			able.remove(d.lo, d.hi)
		}
	}
	return able
}

// pick is the next height to ask for, 0 if none can be now.
func (l *lookBacks) pick(w *Watcher, able heights) uint32 {
	if len(able) == 0 {
		return 0
	}
	// The blocks since the bound come first: a spend is likely there. The others
	// come downward: the lower, the likelier that they are pruned.
	if newer := able.from(cmp.Or(l.sinceHeight, LowestKept(w.tip.Height))); len(newer) > 0 {
		return newer[0][0]
	}
	return able[len(able)-1][1]
}

// LowestKept is the lowest height that bitcoind surely has.
func LowestKept(tip uint32) uint32 { return max(tip, KeptBlocks) - KeptBlocks + 1 }

// feed asks for the next old block, unless one is under way.
func (l *lookBacks) feed(ctx context.Context, w *Watcher, f *fetcher) {
	if f.busy || !w.tip.known() || w.now().Before(l.resume) || ctx.Err() != nil {
		return
	}
	able := l.able(w)
	height := l.pick(w, able)
	if height == 0 {
		return
	}
	ask := fetched{height: height, epoch: w.tip.epoch, gen: l.gen}
	if lo, hi := l.span(able, height); hi > 0 {
		if ask.scripts = w.sieve(); len(ask.scripts) > 0 {
			ask.lo, ask.hi = lo, hi
		}
	}
	l.next = height
	f.busy = true
	f.ask <- ask
}

// pause is how long feed has nothing to do.
func (l *lookBacks) pause(now time.Time) time.Duration {
	least := retryMost
	if d := l.resume.Sub(now); d > 0 {
		least = min(least, d)
	}
	for _, d := range l.deferred {
		if wait := d.until.Sub(now); wait > 0 {
			least = min(least, wait)
		}
	}
	return least
}

// take takes the answer for an old block; match looks at it.
func (l *lookBacks) take(w *Watcher, got fetched) {
	lo, hi := got.height, got.height
	if got.hi > 0 {
		lo, hi = got.lo, got.hi
	}
	switch {
	case got.err == nil && got.hi > 0:
		l.fails = 0
	case got.hi > 0 && errors.Is(got.err, ErrUnsupported):
		l.unsifted = true
	case got.err == nil:
		l.fails = 0
		l.matching = got.height
	case errors.Is(got.err, ErrPruned):
		l.floor = max(l.floor, got.height+1)
		l.failed(w, lo, hi, got.err)
	default:
		l.failed(w, lo, hi, got.err)
	}
}

// failed puts off blocks that cannot be read. Where nobody can tell what is
// pruned the ones below them are put off too: pruning goes upward.
func (l *lookBacks) failed(w *Watcher, lo, hi uint32, why error) {
	d := deferral{lo: lo, hi: hi, why: why, tries: 1}
	l.deferred = slices.DeleteFunc(l.deferred, func(old deferral) bool {
		if old.lo <= hi && lo <= old.hi {
			d.tries = max(d.tries, old.tries+1)
			return true
		}
		return false
	})
	most := retryMost
	if !l.floorKnown && lo < LowestKept(w.tip.Height) {
		d.lo, most = 1, prunedMost
	}
	now, first := w.now(), w.patience/patiencePart
	d.until = now.Add(min(first<<min(d.tries, 16), most))
	l.deferred = append(l.deferred, d)
	if l.fails > 0 {
		l.resume = now.Add(min(first<<min(l.fails, 6), time.Minute))
	}
	l.fails++
	l.stale = true
}

// match looks at an old block.
func (l *lookBacks) match(w *Watcher, got fetched) {
	if got.hi > 0 {
		l.sifted(w, got)
		return
	}
	l.matching = 0
	b := got.block
	if got.err != nil || got.epoch != w.tip.epoch {
		return // asked for again
	}
	hits, err := b.filter(w.filter())
	if err != nil {
		l.failed(w, b.Height, b.Height, err)
		return
	}
	prev := b.Header().PrevBlock
	if here, ok := w.tip.ring[b.Height]; ok && here.hash != b.Hash {
		l.failed(w, b.Height, b.Height, fmt.Errorf("block %d: another than before", b.Height))
		return
	}
	if above, ok := w.tip.ring[b.Height+1]; ok && above.prev != (chainhash.Hash{}) && above.prev != b.Hash {
		l.failed(w, b.Height, b.Height, fmt.Errorf("block %d: not the one before block %d", b.Height, b.Height+1))
		return
	}
	if below, ok := w.tip.ring[b.Height-1]; ok && below.hash != prev {
		// What was looked at below is not of this chain.
		w.takeBack(b.Height - 1)
		return
	}
	if last := &l.lastRef; last.height > 0 && last.epoch == got.epoch &&
		(last.height+1 == b.Height && last.hash != prev || last.height == b.Height+1 && last.prev != b.Hash) {
		// One of the two is not of the chain: both are looked at again.
		w.undo(last.height, last.height)
		w.gap(last.height, last.height)
		l.failed(w, b.Height, b.Height, fmt.Errorf("block %d: is not next to block %d", b.Height, last.height))
		last.height = 0
		return
	}
	l.lastRef.height, l.lastRef.epoch, l.lastRef.hash, l.lastRef.prev = b.Height, got.epoch, b.Hash, prev
	w.apply(b, hits)
	l.looked(w, b.Height)
}

// siftAtOnce bounds one question of a Sifter, in blocks.
const siftAtOnce = 1000

// span is the range around a height that can be sifted; hi is 0 where the block is
// to be read.
func (l *lookBacks) span(able heights, height uint32) (lo, hi uint32) {
	if l.unsifted || l.named.has(height) {
		return 0, 0
	}
	rest := slices.Clone(able)
	for _, n := range l.named {
		rest.remove(n[0], n[1])
	}
	for _, r := range rest {
		switch {
		case height == r[0]:
			return height, min(r[1], height+siftAtOnce-1)
		case r[0] < height && height <= r[1]:
			return max(r[0], max(height, siftAtOnce)-siftAtOnce+1), height
		}
	}
	return 0, 0
}

// sifted takes the answer of a Sifter: the blocks that it did not name hold
// nothing.
func (l *lookBacks) sifted(w *Watcher, got fetched) {
	if got.err != nil || got.epoch != w.tip.epoch || got.gen != l.gen {
		return // asked again
	}
	// The answer is of the source's best chain, which may be another than the
	// cursor's by now. Below what no reorganisation reaches it is the same.
	upTo := got.hi
	here, isHere := w.tip.ring[got.hi]
	above, isAbove := w.tip.ring[got.hi+1]
	switch {
	case isHere && here.hash != got.top, !isHere && isAbove && above.prev != (chainhash.Hash{}) && above.prev != got.top:
		l.failed(w, got.lo, got.hi, fmt.Errorf("block %d: another than before", got.hi))
		return
	case isHere, isAbove && above.prev != (chainhash.Hash{}):
	default:
		upTo = min(got.hi, max(w.tip.Height, reorgDepth)-reorgDepth)
	}
	for _, height := range got.named {
		if got.lo <= height && height <= got.hi {
			l.named.add(height, height)
		}
	}
	if upTo < got.lo {
		l.named.add(got.lo, got.hi) // nobody can tell: they are read
		return
	}
	for height := got.lo; height <= upTo; height++ {
		if !l.named.has(height) {
			l.looked(w, height)
		}
	}
	l.next = upTo
}

// looked notes that a block was looked at for all outpoints.
func (l *lookBacks) looked(w *Watcher, height uint32) {
	finished := map[*lookBack]bool{}
	for b := range l.all() {
		if b.left.has(height) {
			b.left.remove(height, height)
			finished[b] = len(b.left) == 0
		}
	}
	l.named.remove(height, height)
	if len(finished) == 0 {
		return
	}
	l.want.remove(height, height)
	for i := range l.deferred {
		switch d := &l.deferred[i]; {
		case height < d.lo || d.hi < height:
		case height == d.hi:
			d.hi = d.lo - 1 // it can be read: so may be the ones below
		default:
			d.lo = height + 1
		}
	}
	l.deferred = slices.DeleteFunc(l.deferred, func(d deferral) bool { return d.lo > d.hi })
	for _, o := range w.watched {
		if finished[o.back] || o.created == InBlock && o.block == nil && !o.unspent {
			w.touch(o)
		}
	}
}

// report says how far the old blocks are.
func (l *lookBacks) report(w *Watcher) LookBack {
	l.refresh(w)
	var r LookBack
	lowest := l.lowest(w.tip.Height)
	able := l.want.from(lowest)
	var missing heights
	for _, b := range l.want {
		if b[0] < lowest {
			missing.add(b[0], min(b[1], lowest-1))
		}
	}
	var why error
	for _, d := range l.deferred {
		for _, part := range able.from(d.lo) {
			if d.tries >= givenUp && part[0] <= d.hi {
				missing.add(part[0], min(part[1], d.hi))
				why = d.why
			}
		}
	}
	for _, m := range missing {
		able.remove(m[0], m[1])
	}
	r.Left, r.Missing = able.count(), missing.count()
	r.Done = r.Left == 0 && l.sinceReason == ""
	if len(missing) > 0 {
		r.MissingTo = missing[len(missing)-1][1]
	}
	if l.lo > 0 {
		r.From, r.To, r.Next = l.lo, l.hi, l.hi+1
		if r.Left > 0 {
			r.Next = able[0][0]
			if l.next > r.Next {
				r.Next = l.next
			}
		}
	}
	if r.Done {
		l.lo, l.hi, l.next = r.From, r.To, 0
	}
	switch {
	case l.sinceReason != "":
		r.Reason = fmt.Sprintf("%s; until it is known, only the newest %d blocks are scanned", l.sinceReason, KeptBlocks)
	case why != nil && !l.floorKnown:
		r.Reason = why.Error() + "; " + l.floorReason
	case why != nil:
		r.Reason = why.Error()
	case r.Missing > 0 && l.floorKnown:
		r.Reason = fmt.Sprintf("bitcoind has pruned the blocks below %d", l.floor)
	case r.Missing > 0:
		r.Reason = l.floorReason
	case l.open && r.From > 0 && !l.sinceTime.IsZero() && l.sinceHeight == 0 && l.asked == 0:
		r.Reason = fmt.Sprintf("%s; only the newest %d blocks are scanned", l.floorReason, KeptBlocks)
	}
	return r
}

// save writes the look-backs into a cursor.
func (l *lookBacks) save(c *Cursor) {
	c.Next = l.nextID
	for b := range l.all() {
		if b.members > 0 && (b != l.none || len(b.left) > 0) {
			c.LookBacks = append(c.LookBacks, CursorLookBack{ID: b.id, From: b.from, Base: b.base, Left: slices.Clone(b.left)})
		}
	}
}

// load takes them from a cursor.
func (l *lookBacks) load(c *Cursor) {
	l.loaded = true
	l.nextID = max(l.nextID, c.Next)
	for _, saved := range c.LookBacks {
		b := &lookBack{id: saved.ID, from: saved.From, base: saved.Base}
		if saved.ID == noneID {
			b = l.none
		} else {
			l.list = append(l.list, b)
			l.nextID = max(l.nextID, saved.ID+1)
		}
		b.left.addAll(saved.Left)
	}
	l.stale = true
}

// fetched is an old block, or why there is none.
type fetched struct {
	height, epoch, gen uint32
	block              *Block
	err                error
	// Where hi is not 0, lo..hi are sifted for scripts instead, and named are the
	// heights that may matter.
	lo, hi  uint32
	scripts [][]byte
	named   []uint32
	// top is the hash at hi, by the same source.
	top chainhash.Hash
}

// fetcher reads old blocks, one ahead of the one that is looked at.
type fetcher struct {
	ask, done chan fetched
	end       chan struct{}
	// busy: a block was asked for and is not taken yet. Belongs to Run.
	busy bool
}

func startFetcher(ctx context.Context, src Source) *fetcher {
	f := &fetcher{ask: make(chan fetched, 1), done: make(chan fetched, 1), end: make(chan struct{})}
	go func() {
		defer close(f.end)
		for {
			select {
			case <-ctx.Done():
				return
			case got := <-f.ask:
				if got.hi > 0 {
					got.named, got.err = src.(Sifter).Sift(ctx, got.lo, got.hi, got.scripts)
					if got.err == nil {
						got.top, got.err = src.HashAt(ctx, got.hi)
					}
				} else {
					got.block, got.err = src.Block(ctx, got.height)
				}
				f.done <- got
			}
		}
	}()
	return f
}

// wait returns when the goroutine has ended; the context of startFetcher has.
func (f *fetcher) wait() { <-f.end }
