package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// Source is where a Watcher looks. A null of a backend is no answer: methods
// return an error then, or nil for unknown, and conclude nothing from it. Join
// makes one of lightningd's backend and bitcoind.
//
// Two block requests may be under way at once: one for a new block and one for
// an old one. A source that can serve only one makes the other wait.
type Source interface {
	// Best is the best block; its hash is the zero hash where the source tells
	// only the height.
	Best(ctx context.Context) (height uint32, hash chainhash.Hash, err error)
	// HashAt is the hash of the best chain's block at a height: ErrNoBlock
	// where there is no answer, ErrUnsupported where it would take the whole
	// block.
	HashAt(ctx context.Context, height uint32) (chainhash.Hash, error)
	// HeightBefore is a height from which on every block that was mined after t
	// can be found; ErrUnsupported where it would take whole blocks.
	HeightBefore(ctx context.Context, t time.Time) (uint32, error)
	// Block is the block at a height: ErrNoBlock where there is no answer,
	// ErrPruned where it is known to be deleted, ErrUnavailable where nobody
	// can be asked.
	Block(ctx context.Context, height uint32) (*Block, error)
	// Floor is the lowest height whose block can be had. Where nobody can tell,
	// ok is false, and reason says in half a sentence why not.
	Floor(ctx context.Context) (height uint32, ok bool, reason string)
	// Output asks for an output that is unspent in the chain; where there is
	// none, for one in the mempool. Nil is unknown.
	Output(ctx context.Context, op wire.OutPoint) (*UTXO, error)
	// Spenders are the transactions in the mempool that spend any of the
	// outpoints; ErrUnsupported where the mempool cannot be asked.
	Spenders(ctx context.Context, ops []wire.OutPoint) (map[wire.OutPoint]*wire.MsgTx, error)
}

// Sifter is a Source that can tell which old blocks matter without reading them:
// by filters (BIP 158) or by an index of scripts.
type Sifter interface {
	// Sift returns, ascending, the heights from..to (both included) whose block may
	// have an output that pays to one of the scripts, or an input that spends one.
	// No other block there has any. ErrUnsupported where blocks must be read.
	Sift(ctx context.Context, from, to uint32, scripts [][]byte) ([]uint32, error)
}

// Blind is a Source that cannot be asked for outputs: its nil says nothing at all, not
// even that an output is not there.
type Blind interface{ Blind() }

// Join makes a Source of lightningd's backend and bitcoind itself. bitcoind is
// asked first, each time anew, and the backend where it cannot be reached. node
// may be nil. Blocks come from bitcoind if possible: bcli's block method stalls
// lightningd's own polling, so one request of it is under way at any time.
func Join(backend Backend, node Node) Source {
	return &joined{backend: backend, node: node, block: make(chan struct{}, 1)}
}

type joined struct {
	backend Backend
	node    Node
	block   chan struct{} // a block request to the backend
}

// errNoNode stands for a bitcoind that is not configured.
var errNoNode = fmt.Errorf("%w: lightningd's backend cannot tell", ErrUnsupported)

// missed reports whether the node gave no answer at all, so that the backend is
// to be asked.
func missed(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() == nil && (errors.Is(err, errNoNode) || errors.Is(err, ErrUnavailable))
}

// Best implements Source.
func (j *joined) Best(ctx context.Context) (uint32, chainhash.Hash, error) {
	if j.node != nil {
		i, err := j.node.BlockchainInfo(ctx)
		if !missed(ctx, err) {
			return i.Blocks, i.BestBlock, err
		}
	}
	i, err := j.backend.ChainInfo(ctx)
	return i.Blocks, chainhash.Hash{}, err
}

// HashAt implements Source.
func (j *joined) HashAt(ctx context.Context, height uint32) (chainhash.Hash, error) {
	if j.node == nil {
		return chainhash.Hash{}, errNoNode
	}
	h, err := j.node.BlockHash(ctx, height)
	if missed(ctx, err) {
		return h, errNoNode
	}
	return h, err
}

// HeightBefore implements Source.
func (j *joined) HeightBefore(ctx context.Context, t time.Time) (uint32, error) {
	if j.node == nil {
		return 0, errNoNode
	}
	i, err := j.node.BlockchainInfo(ctx)
	if err != nil {
		if missed(ctx, err) {
			return 0, errNoNode
		}
		return 0, err
	}
	return HeightBefore(ctx, j.node, t, i.Blocks)
}

// Block implements Source.
func (j *joined) Block(ctx context.Context, height uint32) (*Block, error) {
	if j.node != nil {
		b, err := j.node.Block(ctx, height)
		if !missed(ctx, err) {
			return b, err
		}
	}
	select {
	case j.block <- struct{}{}:
		defer func() { <-j.block }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return j.backend.Block(ctx, height)
}

// Floor implements Source.
func (j *joined) Floor(ctx context.Context) (height uint32, ok bool, reason string) {
	if j.node == nil {
		return 0, false, "bitcoind itself is not configured"
	}
	i, err := j.node.BlockchainInfo(ctx)
	if err != nil {
		return 0, false, "bitcoind itself cannot be asked (" + err.Error() + ")"
	}
	return i.PruneHeight, true, ""
}

// Output implements Source.
func (j *joined) Output(ctx context.Context, op wire.OutPoint) (*UTXO, error) {
	if j.node != nil {
		u, err := j.node.TxOut(ctx, op, false)
		if u == nil && err == nil {
			if u, err = j.node.TxOut(ctx, op, true); u != nil && u.Confirmations > 0 {
				u = nil // confirmed between the two questions
			}
		}
		if !missed(ctx, err) {
			return u, err
		}
	}
	out, err := j.backend.UTXO(ctx, op)
	if out == nil || err != nil {
		return nil, err
	}
	return &UTXO{TxOut: *out, Confirmations: ConfirmationsUnknown}, nil
}

// spendersAtOnce bounds one question for the mempool.
const spendersAtOnce = 1000

// Spenders implements Source. A transaction that leaves the mempool between two
// questions is left out.
func (j *joined) Spenders(ctx context.Context, ops []wire.OutPoint) (map[wire.OutPoint]*wire.MsgTx, error) {
	if j.node == nil {
		return nil, errNoNode
	}
	found := map[wire.OutPoint]*wire.MsgTx{}
	txs := map[chainhash.Hash]*wire.MsgTx{}
	for len(ops) > 0 {
		n := min(len(ops), spendersAtOnce)
		by, err := j.node.Spenders(ctx, ops[:n])
		if err != nil {
			return nil, err
		}
		ops = ops[n:]
		for op, id := range by {
			if _, known := txs[id]; !known {
				t, err := j.node.Transaction(ctx, id, nil)
				if err != nil {
					return nil, err
				}
				txs[id] = nil
				if t != nil && t.Block == (chainhash.Hash{}) {
					txs[id] = t.Tx
				}
			}
			if txs[id] != nil {
				found[op] = txs[id]
			}
		}
	}
	return found, nil
}

// Headers is what HeightBefore asks: bitcoind has the headers of pruned blocks too.
type Headers interface {
	// HeaderAt is the header of the best chain's block at a height.
	HeaderAt(ctx context.Context, height uint32) (*wire.BlockHeader, error)
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
// of block times.
func HeightBefore(ctx context.Context, h Headers, t time.Time, tip uint32) (uint32, error) {
	target := t.Add(-timeMargin)
	var low uint32 // older than target, or 0
	for high := tip + 1; high-low > 1; {
		mid := low + (high-low)/2
		at, err := h.HeaderAt(ctx, mid)
		if err != nil {
			return 0, fmt.Errorf("height of a time: %w", err)
		}
		if at.Timestamp.Before(target) {
			low = mid
		} else {
			high = mid
		}
	}
	return max(low, medianBlocks) - medianBlocks, nil
}
