package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// watched is one outpoint and what is known of it.
type watched struct {
	Watch
	back *lookBack

	// block and pool are its spend in a block and in the mempool; latest is the
	// last one seen in either.
	block, pool, latest *Spend
	// seen are the heights at which spends were first seen.
	seen []firstSeen

	created   Place
	createdAt uint32
	output    *TxOut
	// unspent: the source said so, and each block since has been looked at.
	unspent bool

	// record is what an earlier run knew, until it is verified.
	record *Sighting
	// asked says that the source was asked once, queued that it is to be asked.
	asked, queued bool
	// last is what was told of it.
	told bool
	last Sighting
}

// firstSeen is when a spend was first seen.
type firstSeen struct {
	id     chainhash.Hash
	height uint32
}

// maxSeen bounds how many different spends of one outpoint are remembered.
const maxSeen = 16

// firstAt notes that a spend was seen at a height, and returns the first.
func (o *watched) firstAt(id chainhash.Hash, height uint32) uint32 {
	for i := range o.seen {
		if o.seen[i].id == id {
			o.seen[i].height = min(o.seen[i].height, height)
			return o.seen[i].height
		}
	}
	if len(o.seen) == maxSeen {
		o.seen = o.seen[1:]
	}
	o.seen = append(o.seen, firstSeen{id, height})
	return height
}

// knownUnspent reports whether no block spends o: the source said so, or the
// block that creates it is known, and each one since has been looked at.
func (o *watched) knownUnspent() bool {
	return o.block == nil && (o.unspent ||
		o.created == InBlock && o.createdAt >= o.back.from && len(o.back.left.from(o.createdAt)) == 0)
}

// settled reports whether old blocks have nothing more to say of o.
func (o *watched) settled() bool { return o.block != nil || o.knownUnspent() }

// spendBy is the spend of op by tx; nil if tx does not spend it.
func spendBy(op wire.OutPoint, tx *wire.MsgTx) *Spend {
	if tx == nil {
		return nil
	}
	for i, in := range tx.TxIn {
		if in.PreviousOutPoint == op {
			return &Spend{OutPoint: op, Tx: tx, TxID: tx.TxHash(), Input: uint32(i)}
		}
	}
	return nil
}

// add takes up outpoints. Where a record's look-back was is believed at the start
// only: later, blocks have been looked at without the outpoint.
func (w *Watcher) add(ws []Watch) {
	fresh := map[bool]*lookBack{} // by whether From is known
	for _, ask := range ws {
		if w.watched[ask.OutPoint] != nil {
			continue
		}
		o := &watched{Watch: ask, record: ask.Last}
		o.Last = nil
		w.watched[o.OutPoint] = o
		w.creators[o.OutPoint.Hash] = append(w.creators[o.OutPoint.Hash], o)
		if s := o.record; s != nil {
			if o.latest = spendBy(o.OutPoint, s.Tx); o.latest != nil {
				o.firstAt(o.latest.TxID, s.FirstSeen)
			}
			if w.starting {
				o.back = w.olds.of(s.LookBack)
			}
		}
		if o.back == nil {
			o.back = fresh[o.From > 0]
		}
		if o.back == nil {
			o.back = w.olds.begin(o.From, w.tip.Height)
			fresh[o.From > 0] = o.back
		}
		if o.From > 0 {
			o.back.extend(o.From)
		}
		o.back.members++
		w.enqueue(o)
		w.touch(o)
		w.olds.gen++
	}
}

// script is the scriptPubKey of o, as far as known.
func (w *Watcher) script(o *watched) []byte {
	if o.PkScript == nil && o.output != nil {
		o.PkScript = o.output.Script
	}
	if o.PkScript == nil {
		// It is an output of a spend that is watched, such as a close.
		for _, parent := range w.watched {
			if l := parent.latest; l != nil && l.TxID == o.OutPoint.Hash && int(o.OutPoint.Index) < len(l.Tx.TxOut) {
				o.PkScript = l.Tx.TxOut[o.OutPoint.Index].PkScript
			}
		}
	}
	return o.PkScript
}

// sieve is what a Sifter is asked with: the scripts of all outpoints for which old
// blocks are looked at. It is empty where one is not known, or nobody sifts.
func (w *Watcher) sieve() [][]byte {
	if _, ok := w.src.(Sifter); !ok {
		return nil
	}
	seen := map[string]bool{}
	var scripts [][]byte
	for _, o := range w.watched {
		if len(o.back.left) == 0 {
			continue
		}
		script := w.script(o)
		if len(script) == 0 {
			return nil
		}
		if !seen[string(script)] {
			seen[string(script)] = true
			scripts = append(scripts, script)
		}
	}
	return scripts
}

// forget drops an outpoint.
func (w *Watcher) forget(op wire.OutPoint) {
	o := w.watched[op]
	if o == nil {
		return
	}
	o.back.members--
	delete(w.watched, op)
	delete(w.dirty, o)
	w.olds.stale = true
	var rest []*watched
	for _, other := range w.creators[op.Hash] {
		if other != o {
			rest = append(rest, other)
		}
	}
	if w.creators[op.Hash] = rest; rest == nil {
		delete(w.creators, op.Hash)
	}
}

// touch notes that o may have changed.
func (w *Watcher) touch(o *watched) {
	w.dirty[o] = true
	w.olds.stale = true
}

// enqueue has the source asked for o.
func (w *Watcher) enqueue(o *watched) {
	if !o.queued {
		o.queued = true
		w.queue = append(w.queue, o)
	}
}

// filter looks for the spends and the creation of what is watched.
func (w *Watcher) filter() blockFilter {
	return blockFilter{
		spends:  func(op wire.OutPoint) bool { return w.watched[op] != nil },
		creates: func(id chainhash.Hash) bool { return w.creators[id] != nil },
	}
}

// apply takes what a block of the best chain has.
func (w *Watcher) apply(b *Block, hits []blockTx) {
	for _, hit := range hits {
		for i, in := range hit.tx.TxIn {
			o := w.watched[in.PreviousOutPoint]
			if o == nil {
				continue
			}
			o.block = &Spend{OutPoint: o.OutPoint, Tx: hit.tx, TxID: hit.id, Input: uint32(i), Height: b.Height, Block: b.Hash}
			o.pool, o.latest, o.unspent, o.record = nil, o.block, false, nil
			o.firstAt(hit.id, b.Height)
			w.touch(o)
		}
		for _, o := range w.creators[hit.id] {
			if int(o.OutPoint.Index) >= len(hit.tx.TxOut) {
				continue
			}
			out := hit.tx.TxOut[o.OutPoint.Index]
			o.output = &TxOut{ValueSat: uint64(out.Value), Script: out.PkScript}
			o.created, o.createdAt = InBlock, b.Height
			w.touch(o)
		}
	}
}

// undo forgets what the blocks of a range had: they left the chain.
func (w *Watcher) undo(lo, hi uint32) {
	within := func(height uint32) bool { return lo <= height && height <= hi }
	for _, o := range w.watched {
		spent, made := o.block != nil && within(o.block.Height), o.created == InBlock && within(o.createdAt)
		if spent {
			o.block = nil
		}
		if made {
			o.created, o.createdAt = Unknown, 0
		}
		if spent || made {
			o.unspent = false
			w.enqueue(o)
			w.touch(o)
		}
	}
}

// gap has blocks looked at for all outpoints.
func (w *Watcher) gap(lo, hi uint32) {
	for b := range w.olds.all() {
		b.left.add(max(lo, b.from), hi)
	}
	for _, o := range w.watched {
		w.touch(o)
	}
}

// touchAll notes that the outpoints of a look-back may have changed.
func (w *Watcher) touchAll(b *lookBack) {
	for _, o := range w.watched {
		if o.back == b {
			w.touch(o)
		}
	}
}

// unsure forgets what the source said: a block was left out since.
func (w *Watcher) unsure() {
	for _, o := range w.watched {
		if o.block == nil {
			o.unspent = false
			w.enqueue(o)
			w.touch(o)
		}
	}
}

// requeue has the source asked again, with a new block, for what it may know
// more of now. lightningd's backend starts a program for each question.
func (w *Watcher) requeue() {
	limit := 1000
	if !w.olds.floorKnown {
		limit = 10
	}
	for _, o := range w.watched {
		if len(w.queue) >= limit {
			return
		}
		if o.block == nil && (!o.knownUnspent() || o.created == InMempool || o.created == Unknown && w.olds.floorKnown) {
			w.enqueue(o)
		}
	}
}

// inMempool takes what the mempool says of o; nil if nothing spends it there.
func (w *Watcher) inMempool(o *watched, s *Spend) {
	if s == nil && o.pool == nil || s != nil && o.pool != nil && s.TxID == o.pool.TxID {
		return
	}
	if o.pool = s; s != nil {
		o.latest = s
		o.firstAt(s.TxID, max(w.tip.best, w.tip.Height))
	}
	w.touch(o)
}

// ask asks for the outpoints of the queue, a bounded number; again says that
// there are more.
func (w *Watcher) ask(ctx context.Context) (again bool) {
	var later []*watched
	defer func() { w.queue = append(w.queue, later...) }()
	for range askStep {
		if len(w.queue) == 0 {
			return false
		}
		o := w.queue[0]
		w.queue = w.queue[1:]
		if w.watched[o.OutPoint] != o {
			continue // forgotten
		}
		done, err := w.askFor(ctx, o)
		if ctx.Err() != nil {
			later = append(later, o)
			return false
		}
		if !o.asked {
			o.asked = true
			w.dirty[o] = true
		}
		if err != nil {
			later = append(later, o)
			w.note(err)
			if errors.Is(err, ErrUnavailable) {
				for _, o := range w.queue {
					if !o.asked {
						o.asked = true
						w.dirty[o] = true
					}
				}
				return false
			}
			continue
		}
		if !done {
			later = append(later, o)
			continue
		}
		o.queued = false
	}
	return len(w.queue) > 0
}

// askFor asks for one outpoint. Without an error and not done, the answer is
// for another block than the cursor's.
func (w *Watcher) askFor(ctx context.Context, o *watched) (done bool, err error) {
	if o.record != nil {
		if err := w.verify(ctx, o); err != nil {
			return false, err
		}
		o.record = nil
		w.touch(o)
	}
	if o.block != nil {
		return true, nil
	}
	u, err := w.src.Output(ctx, o.OutPoint)
	if err != nil {
		return false, fmt.Errorf("output %s cannot be queried: %w", o.OutPoint, err)
	}
	if u == nil {
		if o.created == InMempool {
			o.created, o.unspent = Unknown, false
			w.touch(o)
		}
		return true, nil
	}
	created, at := Unknown, uint32(0)
	switch {
	case u.Confirmations == ConfirmationsUnknown:
	case u.BestBlock != w.tip.Hash || uint32(u.Confirmations) > w.tip.Height+1:
		// Also for an output in the mempool: a reorganisation may have put it
		// there, and the cursor's own chain spends it.
		return false, nil
	case u.Confirmations == 0:
		created = InMempool
	default:
		created, at = InBlock, w.tip.Height+1-uint32(u.Confirmations)
	}
	if created != Unknown {
		o.created, o.createdAt = created, at
	}
	o.output = &TxOut{ValueSat: u.ValueSat, Script: bytes.Clone(u.Script)}
	o.unspent = true
	w.move(o, w.olds.none)
	w.touch(o)
	return true, nil
}

// verify holds what the record has of o against the chain.
func (w *Watcher) verify(ctx context.Context, o *watched) error {
	s := o.record
	if s.Place != InBlock || o.latest == nil || s.Height > w.tip.Height {
		return nil
	}
	hash, deep := w.tip.ring[s.Height].hash, false
	if hash == (chainhash.Hash{}) {
		var err error
		hash, err = w.src.HashAt(ctx, s.Height)
		switch {
		case errors.Is(err, ErrUnsupported) && s.Height+KeptBlocks <= w.tip.Height:
			deep = true // no reorganisation goes there, and nobody can be asked
		case errors.Is(err, ErrUnsupported):
			hash, err = w.hashAt(ctx, s.Height)
			fallthrough
		default:
			if err != nil {
				return fmt.Errorf("block %d, which spends %s by the record: %w", s.Height, o.OutPoint, err)
			}
		}
	}
	if !deep && hash != s.Block {
		// It was taken back while nobody looked: it may be anywhere near.
		w.move(o, w.olds.begin(max(s.Height, reorgDepth+1)-reorgDepth, w.tip.Height))
		w.touch(o)
		return nil
	}
	found := *o.latest
	found.Height, found.Block = s.Height, s.Block
	o.block, o.latest, o.pool, o.unspent = &found, &found, nil, false
	if s.Created == InBlock && s.CreatedAt <= s.Height {
		o.created, o.createdAt = InBlock, s.CreatedAt
	}
	w.touch(o)
	return nil
}

// move puts o into another look-back.
func (w *Watcher) move(o *watched, to *lookBack) {
	o.back.members--
	o.back = to
	to.members++
}

// sighting is what is known of o.
func (w *Watcher) sighting(o *watched) Sighting {
	s := Sighting{
		OutPoint: o.OutPoint, Created: o.created, CreatedAt: o.createdAt, Output: o.output,
		Searched: o.settled() || w.olds.searched(o.back), LookBack: o.back.id,
	}
	if l := o.latest; l != nil {
		s.Tx, s.TxID, s.Input = l.Tx, l.TxID, l.Input
		for _, f := range o.seen {
			if f.id == l.TxID {
				s.FirstSeen = f.height
			}
		}
	}
	switch {
	case o.block != nil:
		s.Place, s.Height, s.Block = InBlock, o.block.Height, o.block.Block
	case o.pool != nil:
		s.Place = InMempool
	case o.knownUnspent():
		s.Place = Unspent
	}
	return s
}

// sameSighting reports whether two sightings of one outpoint say the same.
func sameSighting(a, b *Sighting) bool {
	return a.Place == b.Place && a.TxID == b.TxID && a.Input == b.Input && a.Height == b.Height &&
		a.Block == b.Block && a.FirstSeen == b.FirstSeen && a.Created == b.Created &&
		a.CreatedAt == b.CreatedAt && a.Searched == b.Searched && a.LookBack == b.LookBack &&
		(a.Output == nil) == (b.Output == nil) &&
		(a.Output == nil || a.Output.ValueSat == b.Output.ValueSat && bytes.Equal(a.Output.Script, b.Output.Script))
}
