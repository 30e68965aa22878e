package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
)

// reorgDepth is how many blocks back a Watcher remembers the hashes, and reads
// again where a reorganisation goes deeper than it remembers.
const reorgDepth = 144

// startTries is how many of the newest blocks are tried for a beginning.
const startTries = 6

// badTries is how often a new block is asked for before the ones above it are
// looked at without it.
const badTries = 3

// blockRef is a block's name and that of the one before it.
type blockRef struct{ hash, prev chainhash.Hash }

// tipCursor follows the best chain. Its fields belong to Run's goroutine.
type tipCursor struct {
	Tip
	// ring are the newest blocks looked at, by height.
	ring map[uint32]blockRef
	// best is the height of the best block, by the last answer.
	best uint32
	// behind counts the blocks above Tip.
	behind uint32
	// epoch counts reorganisations.
	epoch uint32
	// bad is the new block that cannot be read.
	bad struct {
		height uint32
		tries  int
		since  time.Time
	}
}

func (t *tipCursor) known() bool { return t.ring != nil }

// lookTip brings the cursor to the best block. The error is what stopped it
// before.
func (w *Watcher) lookTip(ctx context.Context) error {
	best, hash, err := w.src.Best(ctx)
	if err != nil {
		return err
	}
	t := &w.tip
	t.best = best
	if !t.known() {
		if err := w.start(ctx, best); err != nil {
			return err
		}
	}
	defer func() { t.behind = max(best, t.Height) - t.Height }()

	// Has the chain another block where the cursor is? Where the chain has
	// become shorter it is asked at its end.
	at := min(best, t.Height)
	if ref, ok := t.ring[at]; ok && (best < t.Height || hash != (chainhash.Hash{}) && best == t.Height) {
		got := hash
		if got == (chainhash.Hash{}) {
			if got, err = w.hashAt(ctx, at); err != nil {
				return fmt.Errorf("the best block is said to be %d, below %d: %w", best, t.Height, err)
			}
		}
		if got == ref.hash {
			if best < t.Height {
				return fmt.Errorf("the best block is said to be %d, which comes before block %d", best, t.Height)
			}
			return nil
		}
		for t.Height >= at {
			if err := w.disconnect(ctx); err != nil {
				return err
			}
		}
	}

	for t.Height < best {
		if err := ctx.Err(); err != nil {
			return err
		}
		next := t.Height + 1
		err := w.next(ctx, next)
		var reorg *reorgError
		switch {
		case err == nil:
			t.bad.tries = 0
		case errors.As(err, &reorg):
			if err := w.disconnect(ctx); err != nil {
				return err
			}
		default:
			if pass, moved := w.passes(ctx, next, best); moved {
				if err := w.disconnect(ctx); err != nil {
					return err
				}
			} else if !pass {
				return err
			}
		}
	}
	return nil
}

// grown reports whether the best block is another than the cursor's.
func (w *Watcher) grown(ctx context.Context) bool {
	best, hash, err := w.src.Best(ctx)
	return err == nil && (best != w.tip.Height || hash != w.tip.Hash)
}

// start takes the newest block that can be read as the beginning. What lies
// between the cursor of an earlier run and that block is looked back for, for
// the outpoints of that run.
func (w *Watcher) start(ctx context.Context, best uint32) error {
	b, err := w.newest(ctx, best)
	if err != nil {
		return err
	}
	ring := map[uint32]blockRef{}
	from := b.Height + 1
	w.mu.Lock()
	c := w.restored
	w.mu.Unlock()
	if c != nil {
		moved, err := w.moved(ctx, c, b.Height)
		if err != nil {
			return fmt.Errorf("block %d, the last one looked at: %w", c.Height, err)
		}
		if from = c.Height + 1; moved {
			from = max(min(c.Height, b.Height), reorgDepth) - reorgDepth + 1
		} else {
			ring[c.Height] = blockRef{hash: c.Hash}
		}
	}
	w.tip.ring = ring
	w.setTip(b)
	if c != nil {
		// Not before setTip, which counts the block as looked at: nothing of it was.
		w.olds.load(c)
	}
	w.gap(from, b.Height)
	w.starting = true
	w.steps()
	w.starting = false
	return nil
}

// newest is the newest block that can be read.
func (w *Watcher) newest(ctx context.Context, best uint32) (*Block, error) {
	var first error
	for height := best; best-height < startTries; height-- {
		b, err := w.src.Block(ctx, height)
		if err == nil {
			if _, err = b.filter(w.filter()); err == nil {
				return b, nil
			}
		}
		if first == nil {
			first = err
		}
		if height == 0 {
			break
		}
	}
	return nil, first
}

// moved reports whether the block of a cursor has left the chain while nobody
// looked. Where it is too deep to ask for, it has not.
func (w *Watcher) moved(ctx context.Context, c *Cursor, tip uint32) (bool, error) {
	if c.Hash == (chainhash.Hash{}) || c.Height > tip {
		return true, nil // what is there now is looked at again
	}
	got, err := w.src.HashAt(ctx, c.Height)
	if errors.Is(err, ErrUnsupported) {
		if c.Height+KeptBlocks <= tip {
			return false, nil
		}
		got, err = w.hashAt(ctx, c.Height)
	}
	return err == nil && got != c.Hash, err
}

// hashAt is the hash at a height, with the whole block where that is the only
// way.
func (w *Watcher) hashAt(ctx context.Context, height uint32) (chainhash.Hash, error) {
	hash, err := w.src.HashAt(ctx, height)
	if !errors.Is(err, ErrUnsupported) {
		return hash, err
	}
	b, err := w.src.Block(ctx, height)
	if err != nil {
		return chainhash.Hash{}, err
	}
	return b.Hash, nil
}

// next looks at the block above the cursor. A *reorgError says that the
// cursor's own block is not in the chain any more.
func (w *Watcher) next(ctx context.Context, height uint32) error {
	b, err := w.src.Block(ctx, height)
	if err != nil {
		return fmt.Errorf("block %d cannot be read: %w", height, err)
	}
	hits, err := b.filter(w.filter())
	if err != nil {
		return err
	}
	prev := b.Header().PrevBlock
	ref, ok := w.tip.ring[height-1]
	if !ok {
		if err := w.bridge(ctx, b); err != nil {
			return err
		}
		w.unsure() // another block may be where the one was left out
	}
	if ok && ref.hash != prev {
		below, err := w.hashAt(ctx, height-1)
		switch {
		case err != nil:
			return fmt.Errorf("block %d comes after another block %d, which cannot be read: %w", height, height-1, err)
		case below != ref.hash:
			return &reorgError{Height: height}
		}
		return fmt.Errorf("block %d: %w: it does not come after block %d", height, ErrBadBlock, height-1)
	}
	w.setTip(b)
	w.apply(b, hits)
	return nil
}

// bridge holds a block that comes after one that was left out against the
// newest one that was not.
func (w *Watcher) bridge(ctx context.Context, b *Block) error {
	var below uint32
	for height := range w.tip.ring {
		if height < b.Height {
			below = max(below, height)
		}
	}
	hash, err := w.hashAt(ctx, below)
	if err != nil {
		return fmt.Errorf("block %d, below block %d: %w", below, b.Height, err)
	}
	again, err := w.hashAt(ctx, b.Height)
	switch {
	case err != nil:
		return fmt.Errorf("block %d: %w", b.Height, err)
	case again != b.Hash:
		return fmt.Errorf("block %d: another one than a moment ago", b.Height)
	case hash != w.tip.ring[below].hash:
		return &reorgError{Height: b.Height}
	}
	return nil
}

// setTip moves the cursor to a block.
func (w *Watcher) setTip(b *Block) {
	h := b.Header()
	t := &w.tip
	t.Tip = Tip{Height: b.Height, Hash: b.Hash, Time: h.Timestamp}
	t.ring[b.Height] = blockRef{hash: b.Hash, prev: h.PrevBlock}
	if b.Height >= reorgDepth {
		delete(t.ring, b.Height-reorgDepth)
	}
	w.olds.looked(w, b.Height)
	w.requeue()
}

// passes reports whether the new block at a height is left out for now, after
// patience: the ones above it are looked at, it itself is looked back for. moved
// says instead that the block below it has left the chain.
func (w *Watcher) passes(ctx context.Context, height, best uint32) (pass, moved bool) {
	bad := &w.tip.bad
	if bad.height != height || bad.tries == 0 {
		bad.height, bad.tries, bad.since = height, 0, w.now()
	}
	bad.tries++
	if height >= best || bad.tries < badTries || w.now().Sub(bad.since) < w.patience || ctx.Err() != nil {
		return false, false
	}
	if ref, ok := w.tip.ring[height-1]; ok {
		// Nothing will be seen of a reorganisation below the block left out.
		switch below, err := w.hashAt(ctx, height-1); {
		case err != nil:
			return false, false
		case below != ref.hash:
			return false, true
		}
	}
	bad.tries = 0
	w.gap(height, height)
	w.unsure()
	delete(w.tip.ring, height)
	w.tip.Tip = Tip{Height: height}
	return true, false
}

// disconnect takes the cursor's block out: another one is at its height.
func (w *Watcher) disconnect(ctx context.Context) error {
	t := &w.tip
	height := t.Height
	below, ok := t.ring[height-1]
	if height == 0 {
		return errors.New("the chain has another genesis block than before")
	}
	if here := t.ring[height]; !ok && here.prev != (chainhash.Hash{}) {
		below, ok = blockRef{hash: here.prev}, true
		t.ring[height-1] = below
	}
	if !ok {
		return w.rewind(ctx)
	}
	t.epoch++
	delete(t.ring, height)
	w.undo(height, height)
	t.Tip = Tip{Height: height - 1, Hash: below.hash}
	return nil
}

// takeBack takes the cursor back below a height whose block is not of the best
// chain.
func (w *Watcher) takeBack(height uint32) {
	t := &w.tip
	t.epoch++
	w.undo(height, t.Height)
	for h := range t.ring {
		if h > height {
			delete(t.ring, h)
		}
	}
	// Its own is kept: that another one is there shows that it left.
	t.Tip = Tip{Height: height, Hash: t.ring[height].hash}
	w.do(nil)
}

// rewind goes back where the hashes do not reach: the blocks below are looked
// at again.
func (w *Watcher) rewind(ctx context.Context) error {
	t := &w.tip
	base := max(t.Height, reorgDepth) - reorgDepth
	b, err := w.src.Block(ctx, base)
	if err != nil {
		return fmt.Errorf("block %d, below a reorganisation, cannot be read: %w", base, err)
	}
	hits, err := b.filter(w.filter())
	if err != nil {
		return err
	}
	t.epoch++
	w.undo(base, t.Height)
	clear(t.ring)
	w.setTip(b)
	w.apply(b, hits)
	return nil
}

// reorgError says that the block before a new one is no longer the one that was
// looked at there.
type reorgError struct{ Height uint32 }

// Error names the height.
func (e *reorgError) Error() string {
	return fmt.Sprintf("the chain was reorganised below height %d", e.Height)
}
