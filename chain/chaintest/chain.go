package chaintest

import (
	"sync"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
)

// Chain is a block chain and a mempool. Its methods may be called from several
// goroutines.
type Chain struct {
	mu      sync.Mutex
	name    string
	blocks  []*wire.MsgBlock // index is height
	mempool []*wire.MsgTx
	pruned  uint32 // blocks below are gone
	now     time.Time
	unique  uint32
}

// Interval is the time between two blocks unless SetTime intervenes.
const Interval = 10 * time.Minute

// New makes a chain of bitcoind's name ("regtest") with a genesis block of the
// given time.
func New(name string, genesis time.Time) *Chain {
	c := &Chain{name: name, now: genesis}
	c.mine(nil)
	return c
}

// Height is the tip's.
func (c *Chain) Height() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return uint32(len(c.blocks) - 1)
}

// SetTime sets the time of the next block.
func (c *Chain) SetTime(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// Mine adds a block with these transactions; the mempool forgets them and what
// conflicts with them.
func (c *Chain) Mine(txs ...*wire.MsgTx) *chain.Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mine(txs)
}

// MineN adds n blocks without transactions of interest.
func (c *Chain) MineN(n int) {
	for range n {
		c.Mine()
	}
}

// MineMempool adds a block with the whole mempool.
func (c *Chain) MineMempool() *chain.Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mine(c.mempool)
}

func (c *Chain) mine(txs []*wire.MsgTx) *chain.Block {
	height := uint32(len(c.blocks))
	block := &wire.MsgBlock{Header: wire.BlockHeader{
		Version: 4, Timestamp: c.now.Truncate(time.Second), Nonce: c.next(),
	}}
	if height > 0 {
		block.Header.PrevBlock = c.blocks[height-1].BlockHash()
	}
	c.now = c.now.Add(Interval)
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, wire.MaxPrevOutIndex), unique(c.next()), nil))
	coinbase.AddTxOut(wire.NewTxOut(50e8, []byte{0x51}))
	_ = block.AddTransaction(coinbase)
	for _, tx := range txs {
		_ = block.AddTransaction(tx)
		c.forget(tx)
	}
	c.blocks = append(c.blocks, block)
	return &chain.Block{Height: height, Hash: block.BlockHash(), Msg: block}
}

// forget removes tx and what conflicts with it from the mempool.
func (c *Chain) forget(tx *wire.MsgTx) {
	taken := map[wire.OutPoint]bool{}
	for _, in := range tx.TxIn {
		taken[in.PreviousOutPoint] = true
	}
	var rest []*wire.MsgTx
	for _, m := range c.mempool {
		conflict := false
		for _, in := range m.TxIn {
			conflict = conflict || taken[in.PreviousOutPoint]
		}
		if !conflict {
			rest = append(rest, m)
		}
	}
	c.mempool = rest
}

// Reorg takes the last depth blocks out of the chain; their transactions are
// back in the mempool if keep is set, else gone. Mine afterwards to have
// another tip.
func (c *Chain) Reorg(depth int, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cut := len(c.blocks) - depth
	for _, b := range c.blocks[cut:] {
		if keep {
			c.mempool = append(c.mempool, b.Transactions[1:]...)
		}
	}
	c.blocks = c.blocks[:cut]
}

// Prune deletes the blocks below height.
func (c *Chain) Prune(height uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pruned = height
}

// AddMempool puts a transaction into the mempool, in place of what conflicts.
func (c *Chain) AddMempool(tx *wire.MsgTx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(tx)
	c.mempool = append(c.mempool, tx)
}

// DropMempool empties the mempool.
func (c *Chain) DropMempool() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mempool = nil
}

// Mempool is a copy of the list of its transactions.
func (c *Chain) Mempool() []*wire.MsgTx {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*wire.MsgTx(nil), c.mempool...)
}

// Pay makes a transaction from nowhere with one output; it is in no block and
// no mempool yet.
func (c *Chain) Pay(valueSat int64, script []byte) (*wire.MsgTx, wire.OutPoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tx := wire.NewMsgTx(2)
	var from chainhash.Hash
	copy(from[:], unique(c.next()))
	from[31] = 0xee
	tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&from, 0), nil, nil))
	tx.AddTxOut(wire.NewTxOut(valueSat, script))
	return tx, wire.OutPoint{Hash: tx.TxHash()}
}

// SpendTo makes a transaction that spends the outpoints to one output.
func SpendTo(valueSat int64, script []byte, ops ...wire.OutPoint) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	for i := range ops {
		tx.AddTxIn(wire.NewTxIn(&ops[i], nil, nil))
	}
	tx.AddTxOut(wire.NewTxOut(valueSat, script))
	return tx
}

func (c *Chain) next() uint32 {
	c.unique++
	return c.unique
}

func unique(n uint32) []byte {
	return []byte{4, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
}

// output looks an output up: the block height that made it (-1: mempool), and
// whether a block or the mempool spends it.
func (c *Chain) output(op wire.OutPoint) (out *wire.TxOut, height int, spentInBlock bool, spentBy *wire.MsgTx) {
	look := func(tx *wire.MsgTx, at int) {
		if tx.TxHash() == op.Hash && int(op.Index) < len(tx.TxOut) {
			out, height = tx.TxOut[op.Index], at
		}
		for _, in := range tx.TxIn {
			if in.PreviousOutPoint != op {
				continue
			}
			if at >= 0 {
				spentInBlock = true
			} else {
				spentBy = tx
			}
		}
	}
	for at, b := range c.blocks {
		for _, tx := range b.Transactions {
			look(tx, at)
		}
	}
	for _, tx := range c.mempool {
		look(tx, -1)
	}
	return out, height, spentInBlock, spentBy
}
