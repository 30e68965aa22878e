package light

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/gcs/builder"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
	"github.com/lightninglabs/neutrino"
	"github.com/lightninglabs/neutrino/pushtx"

	"github.com/glrecover/glrecover/chain"
)

var (
	_ chain.Source = (*Client)(nil)
	_ chain.Sifter = (*Client)(nil)
	_ chain.Blind  = (*Client)(nil)
)

// Best implements chain.Source.
func (c *Client) Best(context.Context) (uint32, chainhash.Hash, error) {
	b, err := c.cs.BestBlock()
	if err != nil {
		return 0, chainhash.Hash{}, fmt.Errorf("%w: %w", chain.ErrUnavailable, err)
	}
	return uint32(b.Height), b.Hash, nil
}

// HashAt implements chain.Source.
func (c *Client) HashAt(ctx context.Context, height uint32) (chainhash.Hash, error) {
	best, _, err := c.Best(ctx)
	if err != nil {
		return chainhash.Hash{}, err
	}
	if height > best {
		return chainhash.Hash{}, fmt.Errorf("height %d: %w", height, chain.ErrNoBlock)
	}
	hash, err := c.cs.GetBlockHash(int64(height))
	if err != nil {
		return chainhash.Hash{}, fmt.Errorf("%w: hash of block %d: %w", chain.ErrUnavailable, height, err)
	}
	return *hash, nil
}

// HeaderAt is the header at a height.
func (c *Client) HeaderAt(ctx context.Context, height uint32) (*wire.BlockHeader, error) {
	hash, err := c.HashAt(ctx, height)
	if err != nil {
		return nil, err
	}
	h, err := c.cs.GetBlockHeader(&hash)
	if err != nil {
		return nil, fmt.Errorf("%w: header of block %d: %w", chain.ErrUnavailable, height, err)
	}
	return h, nil
}

// HeightBefore implements chain.Source.
func (c *Client) HeightBefore(ctx context.Context, t time.Time) (uint32, error) {
	tip, _, err := c.Best(ctx)
	if err != nil {
		return 0, err
	}
	return chain.HeightBefore(ctx, c, t, tip)
}

// Floor implements chain.Source: the nodes that are asked have all blocks.
func (c *Client) Floor(context.Context) (height uint32, ok bool, reason string) { return 0, true, "" }

// blockTime is how long one node may take for a block, and blockTries how many are
// asked.
const (
	blockTime  = 20 * time.Second
	blockTries = 3
)

// Block implements chain.Source. The block is held against its header's merkle
// root.
func (c *Client) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	hash, err := c.HashAt(ctx, height)
	if err != nil {
		return nil, err
	}
	block, err := wait(ctx, func() (*btcutil.Block, error) {
		return c.cs.GetBlock(hash, neutrino.Timeout(blockTime), neutrino.NumRetries(blockTries))
	})
	if err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", chain.ErrUnavailable, height, err)
	}
	raw, err := block.Bytes()
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", height, err)
	}
	return chain.NewBlock(height, hash, raw)
}

// Output implements chain.Source: nobody can be asked.
func (c *Client) Output(context.Context, wire.OutPoint) (*chain.UTXO, error) { return nil, nil }

// Blind implements chain.Blind.
func (c *Client) Blind() {}

// Spenders implements chain.Source: there is no mempool.
func (c *Client) Spenders(context.Context, []wire.OutPoint) (map[wire.OutPoint]*wire.MsgTx, error) {
	return nil, fmt.Errorf("the light client does not see the mempool: %w", chain.ErrUnsupported)
}

// filterBatch is how many filters are asked for at once (BIP 157 has at most 1000).
const filterBatch = 1000

// Sift implements chain.Sifter with the filters of the blocks, which are held
// against the filter headers that the nodes agree on.
func (c *Client) Sift(ctx context.Context, from, to uint32, scripts [][]byte) ([]uint32, error) {
	var named []uint32
	for height := from; height <= to; height++ {
		hash, err := c.HashAt(ctx, height)
		if err != nil {
			return nil, err
		}
		match, err := wait(ctx, func() (bool, error) {
			batch := min(to-height+1, filterBatch)
			filter, err := c.cs.GetCFilter(hash, wire.GCSFilterRegular, neutrino.OptimisticBatch(),
				neutrino.MaxBatchSize(int64(batch)), neutrino.NumRetries(blockTries))
			if err != nil || filter.N() == 0 {
				return false, err
			}
			return filter.MatchAny(builder.DeriveKey(&hash), scripts)
		})
		if err != nil {
			return nil, fmt.Errorf("%w: filter of block %d: %w", chain.ErrUnavailable, height, err)
		}
		if match {
			named = append(named, height)
		}
	}
	return named, nil
}

// Send gives transactions to the nodes, a child last. Nodes are silent about what
// they refuse: nil says that they were told. Each is told again with every block
// until one has it.
func (c *Client) Send(ctx context.Context, txs ...*wire.MsgTx) error {
	for _, tx := range txs {
		_, err := wait(ctx, func() (struct{}, error) { return struct{}{}, c.cs.SendTransaction(tx) })
		var refused *pushtx.BroadcastError
		switch {
		case err == nil, pushtx.IsBroadcastError(err, pushtx.Mempool, pushtx.Confirmed):
		case errors.As(err, &refused):
			return &chain.RejectedError{Reason: refused.Reason}
		default:
			return fmt.Errorf("%w: %w", chain.ErrUnavailable, err)
		}
	}
	return nil
}

// EstimateFees has no estimate: the user is asked.
func (c *Client) EstimateFees(context.Context) (chain.Fees, error) {
	return chain.Fees{FloorPerKVB: relayFloor}, nil
}

// relayFloor is what nodes relay at the least by default, in sat per 1000 virtual
// bytes.
const relayFloor = 1000

// wait does what cannot be told to stop, and leaves it behind where ctx ends.
func wait[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := do()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
