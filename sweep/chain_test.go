package sweep_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	h "github.com/glrecover/glrecover/integration/harness"
)

// testChain is where the matrix is played: bitcoind, or consensus rules in
// memory.
type testChain interface {
	height() uint32
	// fund makes confirmed outputs, in one block.
	fund(outs []*wire.TxOut) []wire.OutPoint
	// send offers a transaction of ours for the next block.
	send(tx *wire.MsgTx) error
	// block mines what was sent and what somebody else adds, and returns the
	// block's transactions.
	block(others ...*wire.MsgTx) []*wire.MsgTx
}

// memoryChain checks scripts, amounts, locktimes and relative locks.
type memoryChain struct {
	t      *testing.T
	at     uint32
	coins  map[wire.OutPoint]memoryCoin
	queued []*wire.MsgTx
}

type memoryCoin struct {
	out    *wire.TxOut
	height uint32
}

func newMemoryChain(t *testing.T) *memoryChain {
	return &memoryChain{t: t, at: 110, coins: map[wire.OutPoint]memoryCoin{}}
}

func (c *memoryChain) height() uint32 { return c.at }

func (c *memoryChain) fund(outs []*wire.TxOut) []wire.OutPoint {
	c.at++
	tx := wire.NewMsgTx(2)
	tx.LockTime = c.at
	tx.TxOut = outs
	var ops []wire.OutPoint
	for i, out := range outs {
		op := wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}
		c.coins[op] = memoryCoin{out, c.at}
		ops = append(ops, op)
	}
	return ops
}

// valid says whether the next block can hold tx.
func (c *memoryChain) valid(tx *wire.MsgTx) error {
	prevouts := map[wire.OutPoint]*wire.TxOut{}
	var in, out int64
	final := true
	for i, txin := range tx.TxIn {
		coin, ok := c.coins[txin.PreviousOutPoint]
		if !ok {
			return fmt.Errorf("input %d is missing or spent", i)
		}
		prevouts[txin.PreviousOutPoint] = coin.out
		in += coin.out.Value
		final = final && txin.Sequence == wire.MaxTxInSequenceNum
		if txin.Sequence&wire.SequenceLockTimeDisabled == 0 && c.at+1 < coin.height+txin.Sequence&wire.SequenceLockTimeMask {
			return fmt.Errorf("input %d is locked for %d blocks from %d on", i, txin.Sequence, coin.height)
		}
	}
	for _, txout := range tx.TxOut {
		out += txout.Value
	}
	if !final && tx.LockTime > c.at && tx.LockTime < txscript.LockTimeThreshold {
		return fmt.Errorf("locked until %d", tx.LockTime)
	}
	if in < out {
		return fmt.Errorf("pays %d out of %d", out, in)
	}
	fetcher := txscript.NewMultiPrevOutFetcher(prevouts)
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i, txin := range tx.TxIn {
		prev := prevouts[txin.PreviousOutPoint]
		engine, err := txscript.NewEngine(prev.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, prev.Value, fetcher)
		if err == nil {
			err = engine.Execute()
		}
		if err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
	}
	return nil
}

func (c *memoryChain) send(tx *wire.MsgTx) error {
	if err := c.valid(tx); err != nil {
		return err
	}
	c.queued = append(c.queued, tx)
	return nil
}

func (c *memoryChain) block(others ...*wire.MsgTx) []*wire.MsgTx {
	c.t.Helper()
	txs := slices.Concat(others, c.queued)
	c.queued = nil
	for _, tx := range txs {
		if err := c.valid(tx); err != nil {
			c.t.Fatalf("block %d: %s: %v", c.at+1, tx.TxHash(), err)
		}
		for _, in := range tx.TxIn {
			delete(c.coins, in.PreviousOutPoint)
		}
		for i, out := range tx.TxOut {
			c.coins[wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}] = memoryCoin{out, c.at + 1}
		}
	}
	c.at++
	return txs
}

// realChain is bitcoind on regtest, with its mempool policy.
type realChain struct {
	t *testing.T
	b *h.Bitcoind
}

func (c *realChain) height() uint32 {
	var n uint32
	c.b.Must("getblockcount", &n)
	return n
}

func (c *realChain) fund(outs []*wire.TxOut) []wire.OutPoint {
	c.t.Helper()
	ops := make([]wire.OutPoint, len(outs))
	var left []int
	for i := range outs {
		left = append(left, i)
	}
	// One payment cannot have the same address twice.
	for len(left) > 0 {
		pay, again := map[string]string{}, []int(nil)
		var now []int
		for _, i := range left {
			_, found, _, err := txscript.ExtractPkScriptAddrs(outs[i].PkScript, &chaincfg.RegressionNetParams)
			if err != nil || len(found) != 1 {
				c.t.Fatal("no address")
			}
			a := found[0].EncodeAddress()
			if pay[a] != "" {
				again = append(again, i)
				continue
			}
			pay[a] = fmt.Sprintf("%d.%08d", outs[i].Value/1e8, outs[i].Value%1e8)
			now = append(now, i)
		}
		var txid, raw string
		c.b.Must("sendmany", &txid, "", pay)
		c.b.Must("getrawtransaction", &raw, txid)
		tx := decode(c.t, raw)
		for _, i := range now {
			at := slices.IndexFunc(tx.TxOut, func(o *wire.TxOut) bool {
				return o.Value == outs[i].Value && bytes.Equal(o.PkScript, outs[i].PkScript)
			})
			if at < 0 {
				c.t.Fatal("the payment lacks an output")
			}
			ops[i] = wire.OutPoint{Hash: tx.TxHash(), Index: uint32(at)}
		}
		left = again
	}
	c.b.Mine(1)
	return ops
}

func (c *realChain) send(tx *wire.MsgTx) error {
	return c.b.Call("sendrawtransaction", nil, hexOf(tx))
}

func (c *realChain) block(others ...*wire.MsgTx) []*wire.MsgTx {
	c.t.Helper()
	list := []string{}
	for _, tx := range others {
		list = append(list, hexOf(tx))
	}
	var miner, raw string
	var made struct{ Hash string }
	c.b.Must("getnewaddress", &miner)
	c.b.Must("generateblock", &made, miner, append(list, c.b.Mempool()...))
	c.b.Must("getblock", &raw, made.Hash, 0)
	data, err := hex.DecodeString(raw)
	if err != nil {
		c.t.Fatal(err)
	}
	var block wire.MsgBlock
	if err := block.Deserialize(bytes.NewReader(data)); err != nil {
		c.t.Fatal(err)
	}
	return block.Transactions[1:]
}

func decode(t *testing.T, text string) *wire.MsgTx {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	tx := new(wire.MsgTx)
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	return tx
}
