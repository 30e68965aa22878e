package chainview

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
)

// currentSource is the Source of the moment: bitcoind may be found after the Watcher
// was started.
type currentSource struct{ view *View }

func (c currentSource) now(ctx context.Context) chain.Source {
	return c.view.Source(ctx)
}

func (c currentSource) Best(ctx context.Context) (uint32, chainhash.Hash, error) {
	return c.now(ctx).Best(ctx)
}

func (c currentSource) HashAt(ctx context.Context, height uint32) (chainhash.Hash, error) {
	return c.now(ctx).HashAt(ctx, height)
}

func (c currentSource) HeightBefore(ctx context.Context, t time.Time) (uint32, error) {
	return c.now(ctx).HeightBefore(ctx, t)
}

func (c currentSource) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	return c.now(ctx).Block(ctx, height)
}

func (c currentSource) Floor(ctx context.Context) (uint32, bool, string) {
	return c.now(ctx).Floor(ctx)
}

func (c currentSource) Output(ctx context.Context, op wire.OutPoint) (*chain.UTXO, error) {
	return c.now(ctx).Output(ctx, op)
}

func (c currentSource) Spenders(ctx context.Context, ops []wire.OutPoint) (map[wire.OutPoint]*wire.MsgTx, error) {
	return c.now(ctx).Spenders(ctx, ops)
}

// Sift implements chain.Sifter where the Source of the moment does.
func (c currentSource) Sift(ctx context.Context, from, to uint32, scripts [][]byte) ([]uint32, error) {
	if s, ok := c.now(ctx).(chain.Sifter); ok {
		return s.Sift(ctx, from, to, scripts)
	}
	return nil, chain.ErrUnsupported
}
