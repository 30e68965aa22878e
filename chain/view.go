package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// View joins lightningd's backend with bitcoind itself, where that can be
// reached. Blocks come from bitcoind if possible: bcli's block method stalls
// lightningd's own polling. Its methods may be called from several goroutines;
// one block request is under way at any time.
type View struct {
	backend Backend
	node    Node // nil where there are no credentials
	block   chan struct{}
}

// New makes a View. node may be nil.
func New(backend Backend, node Node) *View {
	return &View{backend: backend, node: node, block: make(chan struct{}, 1)}
}

// HasNode reports whether bitcoind itself can be asked, as far as known.
func (v *View) HasNode() bool { return v.node != nil }

// Tip is the height of the best block.
func (v *View) Tip(ctx context.Context) (uint32, error) {
	i, err := v.Info(ctx)
	return i.Blocks, err
}

// Info is the state of the chain, from lightningd's backend and, if that fails,
// from bitcoind.
func (v *View) Info(ctx context.Context) (Info, error) {
	i, err := v.backend.ChainInfo(ctx)
	if err != nil && v.node != nil {
		if n, nodeErr := v.node.BlockchainInfo(ctx); nodeErr == nil {
			return n.Info, nil
		}
	}
	return i, err
}

// PruneHeight is the lowest height whose block can be had; known is false where
// only lightningd's backend answers, which does not say. On a node that is not
// pruned it is 0, true.
func (v *View) PruneHeight(ctx context.Context) (height uint32, known bool) {
	if v.node == nil {
		return 0, false
	}
	i, err := v.node.BlockchainInfo(ctx)
	if err != nil {
		return 0, false
	}
	return i.PruneHeight, true
}

// Block is the block at a height. Errors match ErrNoBlock, ErrPruned or
// ErrUnavailable where that is the cause.
func (v *View) Block(ctx context.Context, height uint32) (*Block, error) {
	select {
	case v.block <- struct{}{}:
		defer func() { <-v.block }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if v.node != nil {
		b, err := v.node.Block(ctx, height)
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return b, err
		}
	}
	return v.backend.Block(ctx, height)
}

// hash is the hash of the block at a height, without the block if possible.
func (v *View) hash(ctx context.Context, height uint32) (chainhash.Hash, error) {
	if v.node != nil {
		h, err := v.node.BlockHash(ctx, height)
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return h, err
		}
	}
	b, err := v.Block(ctx, height)
	if err != nil {
		return chainhash.Hash{}, err
	}
	return b.Hash, nil
}

// Confirmed reports whether the block is (still) the best chain's block at that
// height. False without an error means that a reorganisation took it out. The
// zero hash (a transaction in the mempool) is never confirmed.
func (v *View) Confirmed(ctx context.Context, block chainhash.Hash, height uint32) (bool, error) {
	if block == (chainhash.Hash{}) {
		return false, nil
	}
	h, err := v.hash(ctx, height)
	if errors.Is(err, ErrNoBlock) {
		return false, nil
	}
	return h == block, err
}

// blockTime is the time in a block's header.
func (v *View) blockTime(ctx context.Context, height uint32) (time.Time, error) {
	if v.node != nil {
		h, err := v.node.HeaderAt(ctx, height)
		if err == nil {
			return h.Timestamp, nil
		}
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return time.Time{}, err
		}
	}
	b, err := v.Block(ctx, height)
	if err != nil {
		return time.Time{}, err
	}
	return b.Msg.Header.Timestamp, nil
}

// Block times are loose: a header may be two hours ahead of real time, and must
// only be later than the median of the eleven blocks before it (consensus
// rules).
const (
	timeMargin   = 2 * time.Hour
	medianBlocks = 11
)

// HeightBefore is a height from which on every block that was mined after t can
// be found: two hours and eleven blocks of margin are taken for the looseness
// of block times. It asks for few blocks, the newest first, so that it does not
// wander into pruned ones; where it meets the end of what there is, that is the
// answer.
func (v *View) HeightBefore(ctx context.Context, t time.Time) (uint32, error) {
	tip, err := v.Tip(ctx)
	if err != nil {
		return 0, fmt.Errorf("height of a time: %w", err)
	}
	floor, _ := v.PruneHeight(ctx)
	target := t.Add(-timeMargin)
	older := func(height uint32) (bool, error) {
		at, err := v.blockTime(ctx, height)
		if errors.Is(err, ErrPruned) {
			return true, nil
		}
		return at.Before(target), err
	}

	// Backwards in doubling steps to a block that is older, then halving.
	var low uint32
	high := tip
	for step := uint32(1); ; step *= 2 {
		height := floor
		if high > floor && high-floor > step {
			height = high - step
		}
		is, err := older(height)
		if err != nil {
			return 0, fmt.Errorf("height of a time: %w", err)
		}
		if is {
			low = height
			break
		}
		if height == floor {
			return floor, nil
		}
		high = height
	}
	for high-low > 1 && high > low {
		mid := low + (high-low)/2
		is, err := older(mid)
		if err != nil {
			return 0, fmt.Errorf("height of a time: %w", err)
		}
		if is {
			low = mid
		} else {
			high = mid
		}
	}
	if low < floor+medianBlocks {
		return floor, nil
	}
	return low - medianBlocks, nil
}

// Send publishes a transaction through lightningd's backend. One that is known
// already is no error; one that was refused is a *RejectedError.
func (v *View) Send(ctx context.Context, tx *wire.MsgTx, allowHighFees bool) error {
	return v.backend.SendRaw(ctx, tx, allowHighFees)
}

// packager is what a bitcoind can do that takes packages.
type packager interface {
	SubmitPackage(ctx context.Context, txs ...*wire.MsgTx) error
}

// SendPackage publishes a child with its unconfirmed parents, the child last,
// judged by the fee of all together: the way in for a parent whose own fee the
// mempool does not take. Without bitcoind, or with one that takes no packages,
// the transactions are sent one by one, and the first refusal is the error.
func (v *View) SendPackage(ctx context.Context, txs ...*wire.MsgTx) error {
	if p, ok := v.node.(packager); ok {
		if err := p.SubmitPackage(ctx, txs...); !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrUnavailable) {
			return err
		}
	}
	for _, tx := range txs {
		if err := v.Send(ctx, tx, false); err != nil {
			return err
		}
	}
	return nil
}
