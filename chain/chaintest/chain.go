package chaintest

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
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

	// paid are the transactions of Pay.
	paid map[chainhash.Hash]bool
	// What the blocks hold.
	made  map[chainhash.Hash]madeAt
	spent map[wire.OutPoint]int // the height that spends it
}

type madeAt struct {
	tx     *wire.MsgTx
	height int
}

// Interval is the time between two blocks unless SetTime intervenes.
const Interval = 10 * time.Minute

// New makes a chain of bitcoind's name ("regtest") with a genesis block of the
// given time.
func New(name string, genesis time.Time) *Chain {
	c := &Chain{name: name, now: genesis, paid: map[chainhash.Hash]bool{}, made: map[chainhash.Hash]madeAt{}, spent: map[wire.OutPoint]int{}}
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

// Mine adds a block with these transactions, less those that no chain can have
// here; the mempool forgets them and what conflicts with them.
func (c *Chain) Mine(txs ...*wire.MsgTx) *chain.Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mine(txs)
}

// MineN adds n blocks without transactions of interest; nobody sees some of them
// alone.
func (c *Chain) MineN(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		c.mine(nil)
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
		if !c.orphan(tx, block.Transactions) {
			_ = block.AddTransaction(tx)
		}
		c.forget(tx)
	}
	inBlock := make([]*btcutil.Tx, len(block.Transactions))
	for i, tx := range block.Transactions {
		inBlock[i] = btcutil.NewTx(tx)
	}
	block.Header.MerkleRoot = blockchain.CalcMerkleRoot(inBlock, false)
	for _, tx := range block.Transactions {
		c.made[tx.TxHash()] = madeAt{tx, int(height)}
		for _, in := range tx.TxIn {
			c.spent[in.PreviousOutPoint] = int(height)
		}
	}
	c.blocks = append(c.blocks, block)
	return c.raw(height)
}

// orphan reports whether tx spends an output of Pay that neither a block nor one
// of others makes: no chain has it.
func (c *Chain) orphan(tx *wire.MsgTx, others []*wire.MsgTx) bool {
	for _, in := range tx.TxIn {
		from := in.PreviousOutPoint.Hash
		if _, made := c.made[from]; made || !c.paid[from] {
			continue
		}
		if !slices.ContainsFunc(others, func(o *wire.MsgTx) bool { return o.TxHash() == from }) {
			return true
		}
	}
	return false
}

// raw is the block at a height as a backend gives it.
func (c *Chain) raw(height uint32) *chain.Block {
	b := c.blocks[height]
	var raw bytes.Buffer
	_ = b.Serialize(&raw) // a buffer takes everything
	return &chain.Block{Height: height, Hash: b.BlockHash(), Raw: raw.Bytes()}
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
	var back []*wire.MsgTx
	for _, b := range c.blocks[cut:] {
		for _, tx := range b.Transactions {
			delete(c.made, tx.TxHash())
			for _, in := range tx.TxIn {
				delete(c.spent, in.PreviousOutPoint)
			}
		}
		if keep {
			back = append(back, b.Transactions[1:]...)
		}
	}
	c.blocks = c.blocks[:cut]
	pool := append(back, c.mempool...)
	c.mempool = nil
	for _, tx := range pool {
		if !c.orphan(tx, c.mempool) {
			c.mempool = append(c.mempool, tx)
		}
	}
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
	c.addMempool(tx)
}

func (c *Chain) addMempool(tx *wire.MsgTx) {
	if c.forget(tx); !c.orphan(tx, c.mempool) {
		c.mempool = append(c.mempool, tx)
	}
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
	id := tx.TxHash()
	c.paid[id] = true
	return tx, wire.OutPoint{Hash: id}
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
	if m, ok := c.made[op.Hash]; ok && int(op.Index) < len(m.tx.TxOut) {
		out, height = m.tx.TxOut[op.Index], m.height
	}
	_, spentInBlock = c.spent[op]
	for _, tx := range c.mempool {
		if out == nil && tx.TxHash() == op.Hash && int(op.Index) < len(tx.TxOut) {
			out, height = tx.TxOut[op.Index], -1
		}
		for _, in := range tx.TxIn {
			if in.PreviousOutPoint == op {
				spentBy = tx
			}
		}
	}
	return out, height, spentInBlock, spentBy
}

// Spend is the transaction that spends an outpoint, with the height of its
// block (-1: the mempool); nil if none does.
func (c *Chain) Spend(op wire.OutPoint) (tx *wire.MsgTx, height int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _, inBlock, pool := c.output(op)
	if !inBlock {
		return pool, -1
	}
	height = c.spent[op]
	for _, tx := range c.blocks[height].Transactions {
		for _, in := range tx.TxIn {
			if in.PreviousOutPoint == op {
				return tx, height
			}
		}
	}
	return nil, -1
}

// Sift returns the heights from..to whose block pays to one of the scripts or
// spends what was paid to one, as a filter of BIP 158 would tell.
func (c *Chain) Sift(from, to uint32, scripts [][]byte) []uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := map[string]bool{}
	for _, s := range scripts {
		wanted[string(s)] = true
	}
	var found []uint32
	for h := from; h <= to && h < uint32(len(c.blocks)); h++ {
		if c.matters(c.blocks[h], wanted) {
			found = append(found, h)
		}
	}
	return found
}

func (c *Chain) matters(b *wire.MsgBlock, wanted map[string]bool) bool {
	for _, tx := range b.Transactions {
		for _, out := range tx.TxOut {
			if wanted[string(out.PkScript)] {
				return true
			}
		}
		for _, in := range tx.TxIn {
			prev := in.PreviousOutPoint
			if m, ok := c.made[prev.Hash]; ok && int(prev.Index) < len(m.tx.TxOut) && wanted[string(m.tx.TxOut[prev.Index].PkScript)] {
				return true
			}
		}
	}
	return false
}
