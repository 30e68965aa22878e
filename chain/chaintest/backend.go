package chaintest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
)

// door is what Backend and Node have in common: it can be down, and notes block
// requests.
type door struct {
	c  *Chain
	mu sync.Mutex

	down     bool
	heights  []uint32
	inFlight int
	most     int
	hook     func(height uint32)
}

// SetDown makes every call fail with chain.ErrUnavailable, or stops that.
func (d *door) SetDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
}

// OnBlock sets a function that runs at each block request, before it is
// answered.
func (d *door) OnBlock(f func(height uint32)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = f
}

// BlockRequests are the heights that were asked for, in order, and the most
// requests that were under way at once.
func (d *door) BlockRequests() (heights []uint32, most int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]uint32(nil), d.heights...), d.most
}

func (d *door) up(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return fmt.Errorf("chaintest: %w", chain.ErrUnavailable)
	}
	return ctx.Err()
}

// enter notes a block request and returns the hook.
func (d *door) enter(height uint32) func(uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inFlight++
	d.most = max(d.most, d.inFlight)
	d.heights = append(d.heights, height)
	return d.hook
}

func (d *door) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inFlight--
}

// Block is the block at a height.
func (d *door) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	hook := d.enter(height)
	defer d.leave()
	if hook != nil {
		hook(height)
	}
	if err := d.up(ctx); err != nil {
		return nil, err
	}
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	switch {
	case int(height) >= len(d.c.blocks):
		return nil, fmt.Errorf("height %d: %w", height, chain.ErrNoBlock)
	case height < d.c.pruned:
		return nil, fmt.Errorf("height %d: %w", height, chain.ErrPruned)
	}
	return d.c.raw(height), nil
}

func (d *door) info(ctx context.Context) (chain.Info, error) {
	if err := d.up(ctx); err != nil {
		return chain.Info{}, err
	}
	tip := d.c.Height()
	return chain.Info{Chain: d.c.name, Headers: tip, Blocks: tip}, nil
}

// Backend is the chain as lightningd's backend shows it.
type Backend struct {
	door
	// Refuse, if set, is asked by SendRaw; a text is the reason to refuse.
	Refuse func(*wire.MsgTx) string
	// Fees is what EstimateFees answers.
	Fees chain.Fees
}

// Backend opens a door of its own to the chain.
func (c *Chain) Backend() *Backend { return &Backend{door: door{c: c}} }

var (
	_ chain.Backend = (*Backend)(nil)
	_ chain.Node    = (*Node)(nil)
)

// ChainInfo implements chain.Backend.
func (b *Backend) ChainInfo(ctx context.Context) (chain.Info, error) { return b.info(ctx) }

// UTXO implements chain.Backend: also nil if the door is down, as bcli does.
func (b *Backend) UTXO(ctx context.Context, op wire.OutPoint) (*chain.TxOut, error) {
	if err := b.up(ctx); err != nil {
		if errors.Is(err, chain.ErrUnavailable) {
			return nil, nil
		}
		return nil, err
	}
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	out, _, spent, by := b.c.output(op)
	if out == nil || spent || by != nil {
		return nil, nil
	}
	return &chain.TxOut{ValueSat: uint64(out.Value), Script: out.PkScript}, nil
}

// SendRaw implements chain.Backend.
func (b *Backend) SendRaw(ctx context.Context, tx *wire.MsgTx, _ bool) error {
	if err := b.up(ctx); err != nil {
		return err
	}
	if b.Refuse != nil {
		if why := b.Refuse(tx); why != "" {
			return &chain.RejectedError{Reason: why}
		}
	}
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	id := tx.TxHash()
	for _, block := range b.c.blocks {
		for _, known := range block.Transactions {
			if known.TxHash() == id {
				return nil
			}
		}
	}
	b.c.addMempool(tx)
	return nil
}

// EstimateFees implements chain.Backend.
func (b *Backend) EstimateFees(ctx context.Context) (chain.Fees, error) {
	return b.Fees, b.up(ctx)
}

// Node is the chain as bitcoind itself shows it.
type Node struct{ door }

// Node opens a door of its own to the chain.
func (c *Chain) Node() *Node { return &Node{door: door{c: c}} }

// BlockchainInfo implements chain.Node.
func (n *Node) BlockchainInfo(ctx context.Context) (chain.BlockchainInfo, error) {
	i, err := n.info(ctx)
	if err != nil {
		return chain.BlockchainInfo{}, err
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return chain.BlockchainInfo{
		Info: i, Pruned: n.c.pruned > 0, PruneHeight: n.c.pruned,
		BestBlock: n.c.blocks[len(n.c.blocks)-1].BlockHash(),
	}, nil
}

// HeaderAt implements chain.Node.
func (n *Node) HeaderAt(ctx context.Context, height uint32) (*wire.BlockHeader, error) {
	if err := n.up(ctx); err != nil {
		return nil, err
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if int(height) >= len(n.c.blocks) {
		return nil, fmt.Errorf("height %d: %w", height, chain.ErrNoBlock)
	}
	h := n.c.blocks[height].Header
	return &h, nil
}

// BlockHash implements chain.Node.
func (n *Node) BlockHash(ctx context.Context, height uint32) (chainhash.Hash, error) {
	h, err := n.HeaderAt(ctx, height)
	if err != nil {
		return chainhash.Hash{}, err
	}
	return h.BlockHash(), nil
}

// TxOut implements chain.Node.
func (n *Node) TxOut(ctx context.Context, op wire.OutPoint, mempool bool) (*chain.UTXO, error) {
	if err := n.up(ctx); err != nil {
		return nil, err
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	out, height, spent, by := n.c.output(op)
	if out == nil || spent || (mempool && by != nil) || (!mempool && height < 0) {
		return nil, nil
	}
	tip := len(n.c.blocks) - 1
	u := &chain.UTXO{
		TxOut:     chain.TxOut{ValueSat: uint64(out.Value), Script: out.PkScript},
		BestBlock: n.c.blocks[tip].BlockHash(),
	}
	if height >= 0 {
		u.Confirmations = tip - height + 1
	}
	return u, nil
}

// Spenders implements chain.Node.
func (n *Node) Spenders(ctx context.Context, ops []wire.OutPoint) (map[wire.OutPoint]chainhash.Hash, error) {
	if err := n.up(ctx); err != nil {
		return nil, err
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	found := map[wire.OutPoint]chainhash.Hash{}
	for _, op := range ops {
		if _, _, _, by := n.c.output(op); by != nil {
			found[op] = by.TxHash()
		}
	}
	return found, nil
}

// Transaction implements chain.Node, without a transaction index.
func (n *Node) Transaction(ctx context.Context, txid chainhash.Hash, block *chainhash.Hash) (*chain.Transaction, error) {
	if err := n.up(ctx); err != nil {
		return nil, err
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if block == nil {
		for _, tx := range n.c.mempool {
			if tx.TxHash() == txid {
				return &chain.Transaction{Tx: tx}, nil
			}
		}
		return nil, nil
	}
	for height, b := range n.c.blocks {
		if b.BlockHash() != *block || uint32(height) < n.c.pruned {
			continue
		}
		for _, tx := range b.Transactions {
			if tx.TxHash() == txid {
				return &chain.Transaction{Tx: tx, Block: *block, Confirmations: uint32(len(n.c.blocks) - height)}, nil
			}
		}
	}
	return nil, nil
}
