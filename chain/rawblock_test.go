package chain

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// everything lets each transaction pass.
var everything = blockFilter{
	spends:  func(wire.OutPoint) bool { return true },
	creates: func(chainhash.Hash) bool { return true },
}

// sampleBlock has n transactions besides the coinbase, every second one with
// witnesses; transaction i spends outpoint {i, i}.
func sampleBlock(n int) *wire.MsgBlock {
	b := &wire.MsgBlock{Header: wire.BlockHeader{Version: 4, Timestamp: time.Unix(1, 0)}}
	for i := range n + 1 {
		tx := wire.NewMsgTx(2)
		in := wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{byte(i), byte(i >> 8)}, Index: uint32(i)}, bytes.Repeat([]byte{0x51}, i%300), nil)
		if i%2 == 1 {
			in.Witness = wire.TxWitness{{}, bytes.Repeat([]byte{1}, 71), bytes.Repeat([]byte{2}, 33+i%300)}
		}
		tx.AddTxIn(in)
		for j := range 1 + i%3 {
			tx.AddTxOut(wire.NewTxOut(int64(1000*i+j), append([]byte{0, 20}, make([]byte, 20)...)))
		}
		tx.LockTime = uint32(i)
		_ = b.AddTransaction(tx)
	}
	b.Header.MerkleRoot = rootOf(b)
	return b
}

// rootOf is the merkle root by btcd.
func rootOf(b *wire.MsgBlock) chainhash.Hash {
	txs := make([]*btcutil.Tx, len(b.Transactions))
	for i, tx := range b.Transactions {
		txs[i] = btcutil.NewTx(tx)
	}
	return blockchain.CalcMerkleRoot(txs, false)
}

func rawOf(tb testing.TB, b *wire.MsgBlock) *Block {
	tb.Helper()
	var raw bytes.Buffer
	if err := b.Serialize(&raw); err != nil {
		tb.Fatal(err)
	}
	return &Block{Height: 7, Hash: b.BlockHash(), Raw: raw.Bytes()}
}

func TestFilterParsesOnlyWhatPasses(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 6, 300} {
		msg := sampleBlock(n)
		b := rawOf(t, msg)
		all, err := b.filter(everything)
		if err != nil || len(all) != n+1 {
			t.Fatalf("%d: %d, %v", n, len(all), err)
		}
		for i, tx := range all {
			if tx.id != msg.Transactions[i].TxHash() || tx.tx.WitnessHash() != msg.Transactions[i].WitnessHash() {
				t.Errorf("%d: transaction %d is another", n, i)
			}
		}
		spent := msg.Transactions[n].TxIn[0].PreviousOutPoint
		made := msg.Transactions[0].TxHash()
		two, err := b.filter(blockFilter{
			spends:  func(op wire.OutPoint) bool { return op == spent },
			creates: func(id chainhash.Hash) bool { return id == made },
		})
		if want := min(n+1, 2); err != nil || len(two) != want || two[0].id != made || two[want-1].id != msg.Transactions[n].TxHash() {
			t.Errorf("%d: %v, %v", n, two, err)
		}
	}
}

// A backend may lie: what the header does not commit to is no block.
func TestFilterBelievesOnlyTheMerkleRoot(t *testing.T) {
	lie := func(change func(*wire.MsgBlock)) *Block {
		b := sampleBlock(6)
		change(b)
		return rawOf(t, b)
	}
	good := rawOf(t, sampleBlock(6))
	cut, more := *good, *good
	cut.Raw = good.Raw[:len(good.Raw)-1]
	more.Raw = append(bytes.Clone(good.Raw), 0)
	head, none := *good, *good
	head.Raw = good.Raw[:headerBytes]
	none.Raw = append(bytes.Clone(good.Raw[:headerBytes]), 0)
	many := *good
	many.Raw = append(bytes.Clone(good.Raw[:headerBytes]), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	for name, b := range map[string]*Block{
		"a transaction left out": lie(func(b *wire.MsgBlock) { b.Transactions = b.Transactions[:6] }),
		"one made up":            lie(func(b *wire.MsgBlock) { b.Transactions = append(b.Transactions, wire.NewMsgTx(2)) }),
		"another amount":         lie(func(b *wire.MsgBlock) { b.Transactions[3].TxOut[0].Value++ }),
		"another input":          lie(func(b *wire.MsgBlock) { b.Transactions[3].TxIn[0].PreviousOutPoint.Index++ }),
		"another order": lie(func(b *wire.MsgBlock) {
			b.Transactions[1], b.Transactions[2] = b.Transactions[2], b.Transactions[1]
		}),
		"cut off": &cut, "trailing": &more, "header only": &head, "no transaction": &none, "too many": &many,
	} {
		if txs, err := b.filter(everything); !errors.Is(err, ErrBadBlock) || txs != nil {
			t.Errorf("%s: %d transactions, %v", name, len(txs), err)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, n := range []int{0, 1, 5} {
		var raw bytes.Buffer
		if err := sampleBlock(n).Serialize(&raw); err != nil {
			f.Fatal(err)
		}
		f.Add(raw.Bytes())
	}
	f.Add(make([]byte, 81))
	// The first block after the genesis block (main chain, height 1).
	one, err := hex.DecodeString("010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299" +
		"0101000000010000000000000000000000000000000000000000000000000000000000000000ffffffff0704ffff001d0104ffffffff0100f2052a0100000043410496b538e853519c726a2c91e61ec11600ae1390813a627c66fb8be7947be63c52da7589379515d4e0a604f8141781e62294721166bf621e73a82cbf2342c858eeac00000000")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(one)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < headerBytes {
			return
		}
		b := &Block{Height: 1, Hash: chainhash.DoubleHashH(raw[:headerBytes]), Raw: raw}
		txs, err := b.filter(everything)
		msg, decodeErr := b.Decode()
		right := decodeErr == nil && len(msg.Transactions) > 0 && rootOf(msg) == msg.Header.MerkleRoot
		if (err == nil) != right {
			t.Fatalf("filter: %v; btcd: %v", err, decodeErr)
		}
		if err != nil {
			return
		}
		for i, tx := range txs {
			if tx.id != msg.Transactions[i].TxHash() {
				t.Errorf("transaction %d is another", i)
			}
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	block := rawOf(b, sampleBlock(4000))
	watched := map[wire.OutPoint]bool{}
	for i := range 1000 {
		watched[wire.OutPoint{Hash: chainhash.Hash{0xff, byte(i), byte(i >> 8)}}] = true
	}
	f := blockFilter{
		spends:  func(op wire.OutPoint) bool { return watched[op] },
		creates: func(chainhash.Hash) bool { return false },
	}
	b.SetBytes(int64(len(block.Raw)))
	b.Run("filter", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := block.filter(f); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := block.Decode(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
