package chain_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
)

var seedsFlag = flag.Uint64("chain.seeds", 150, "how many seeds TestWatcherOnRandomChains takes")

// oracle knows every block that was ever mined.
type oracle struct {
	blocks map[chainhash.Hash]*wire.MsgBlock
}

func (o *oracle) note(b *chain.Block) {
	msg, err := b.Decode()
	if err != nil {
		panic(err)
	}
	o.blocks[b.Hash] = msg
}

// spend looks for the spend of op in the block of that hash and those below it,
// down to height.
func (o *oracle) spend(op wire.OutPoint, tip chainhash.Hash) (id, block chainhash.Hash) {
	for {
		b := o.blocks[tip]
		if b == nil {
			return chainhash.Hash{}, chainhash.Hash{}
		}
		for _, tx := range b.Transactions {
			for _, in := range tx.TxIn {
				if in.PreviousOutPoint == op {
					return tx.TxHash(), tip
				}
			}
		}
		tip = b.Header.PrevBlock
	}
}

// Random chains with mempool, reorganisations, restarts, and a backend that
// fails, is silent and lies: what is said is always true of the tip that it is
// said of, and once the backend behaves it is complete.
func TestWatcherOnRandomChains(t *testing.T) {
	seeds, steps := *seedsFlag, 60
	if testing.Short() {
		seeds, steps = 6, 25
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			randomChain(t, rand.New(rand.NewPCG(seed, 10)), steps)
		})
	}
}

func randomChain(t *testing.T, r *rand.Rand, steps int) {
	w := newWatching(t, 20+r.IntN(20))
	kind := r.IntN(4)
	w.noNode, w.light, w.parallel = kind == 0, kind == 1, true
	all := oracle{blocks: map[chainhash.Hash]*wire.MsgBlock{}}
	var ops []wire.OutPoint
	scripts := map[wire.OutPoint][]byte{}
	unmined := map[wire.OutPoint]*wire.MsgTx{}
	firsts := map[string]uint32{}

	mine := func(txs ...*wire.MsgTx) { w.faulty.Lock(); all.note(w.chain.Mine(txs...)); w.faulty.Unlock() }
	for h := range w.chain.Height() + 1 {
		b, err := w.node.Block(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		all.note(b)
	}

	// The record: what was told, and the cursor that came with it.
	record := map[wire.OutPoint]chain.Sighting{}
	var cursor *chain.Cursor
	left := map[wire.OutPoint]bool{}

	// check holds an update against all blocks.
	check := func(u chain.Update) {
		for _, s := range u.Changed {
			if left[s.OutPoint] { // told before it was forgotten
				delete(w.seen, s.OutPoint)
				continue
			}
			record[s.OutPoint] = s
		}
		cursor = &u.Cursor
		if u.Tip.Hash == (chainhash.Hash{}) {
			return
		}
		w.faulty.Lock()
		defer w.faulty.Unlock()
		for op, s := range w.seen {
			id, block := all.spend(op, u.Tip.Hash)
			switch {
			case s.Place == chain.InBlock && (id != s.TxID || block != s.Block):
				t.Errorf("at %d: %v in block %d %v, which is not so", u.Tip.Height, op, s.Height, s.Block)
			case s.Place == chain.Unspent && !w.noNode && id != (chainhash.Hash{}):
				t.Errorf("at %d: %v unspent; a block spends it", u.Tip.Height, op)
			case s.Place != chain.InBlock && s.Place != chain.InMempool && s.Searched && !w.noNode && id != (chainhash.Hash{}):
				t.Errorf("at %d: all blocks searched for %v, and one spends it", u.Tip.Height, op)
			case s.Place == chain.InMempool && (s.Tx == nil || s.Tx.TxIn[s.Input].PreviousOutPoint != op):
				t.Errorf("%v in the mempool without its transaction", op)
			}
			if s.Tx != nil {
				key := op.String() + s.TxID.String()
				if was, ok := firsts[key]; s.FirstSeen == 0 || ok && s.FirstSeen > was {
					t.Errorf("first seen at %d, before at %d", s.FirstSeen, was)
				}
				firsts[key] = s.FirstSeen
			}
		}
	}
	watchOf := func(op wire.OutPoint) chain.Watch {
		watch := chain.Watch{OutPoint: op, PkScript: scripts[op], From: 1}
		w.mu.Lock()
		defer w.mu.Unlock()
		if s, ok := record[op]; ok {
			watch.Last = &s
		}
		return watch
	}
	// late are outpoints of the record that are not watched for some time.
	var late []wire.OutPoint
	leave := func(op wire.OutPoint) {
		late = append(late, op)
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.seen, op)
		if s, ok := record[op]; ok {
			s.LookBack = 0
			record[op] = s
		}
		left[op] = true
	}
	start := func(c *chain.Cursor) {
		var ws []chain.Watch
		w.mu.Lock()
		clear(left)
		w.mu.Unlock()
		late = nil
		for _, op := range ops {
			if c != nil && r.IntN(4) == 0 {
				leave(op)
				continue
			}
			ws = append(ws, watchOf(op))
		}
		w.check = check
		w.start(c, ws...)
	}
	watchLate := func() {
		for _, op := range late {
			watch := watchOf(op)
			w.mu.Lock()
			delete(left, op)
			w.mu.Unlock()
			w.Watch(watch)
		}
		late = nil
	}
	trouble := func(level int) {
		if level == 0 {
			w.setFault(nil)
			w.setLie(nil)
			return
		}
		dice := rand.New(rand.NewPCG(r.Uint64(), 1))
		w.setFault(func(what string, height uint32) error {
			if dice.IntN(100) >= level {
				return nil
			}
			return []error{chain.ErrUnavailable, chain.ErrNoBlock, context.DeadlineExceeded, errors.New("EIO")}[dice.IntN(4)]
		})
		w.setLie(func(b *chain.Block) *chain.Block {
			if dice.IntN(200) >= level || len(ops) == 0 {
				return b
			}
			msg, err := b.Decode()
			if err != nil {
				t.Error(err)
				return b
			}
			if dice.IntN(2) == 0 || len(msg.Transactions) == 1 {
				msg.Transactions = append(msg.Transactions, spendOf(ops[dice.IntN(len(ops))]))
			} else {
				msg.Transactions = msg.Transactions[:1]
			}
			var raw strings.Builder
			if err := msg.Serialize(&raw); err != nil {
				t.Error(err)
			}
			return &chain.Block{Height: b.Height, Hash: b.Hash, Raw: []byte(raw.String())}
		})
	}
	newOutpoint := func() {
		script := append(bytes.Clone(p2wsh[:33]), byte(len(ops)))
		tx, op := w.chain.Pay(capacity+int64(len(ops)), script)
		scripts[op] = script
		switch r.IntN(3) {
		case 0:
			w.chain.AddMempool(tx)
		case 1:
			mine(tx)
		default:
			unmined[op] = tx
		}
		w.faulty.Lock() // a lie may name it
		ops = append(ops, op)
		w.faulty.Unlock()
	}
	for range 6 {
		newOutpoint()
	}
	start(nil)
	for step := range steps {
		switch op := ops[r.IntN(len(ops))]; r.IntN(13) {
		case 0, 1:
			mine()
		case 2, 3:
			pool := w.chain.Mempool()
			mine(pool...)
		case 4:
			if _, at := w.chain.Spend(op); at < 0 && unmined[op] == nil {
				// Another transaction each time: the last one may be replaced.
				tx := spendOf(op)
				tx.LockTime = uint32(step)
				w.chain.AddMempool(tx)
			}
		case 5:
			if _, at := w.chain.Spend(op); at < 0 && unmined[op] == nil {
				mine(spendOf(op))
			}
		case 6:
			depth := 1 + r.IntN(6)
			w.faulty.Lock()
			w.chain.Reorg(depth, r.IntN(2) == 0)
			for range depth + r.IntN(3) - 1 {
				all.note(w.chain.Mine())
			}
			all.note(w.chain.MineMempool())
			if w.noNode {
				all.note(w.chain.Mine()) // lightningd's backend tells heights only
			}
			w.faulty.Unlock()
		case 7:
			w.chain.DropMempool()
		case 8:
			newOutpoint()
			op := ops[len(ops)-1]
			w.Watch(chain.Watch{OutPoint: op, PkScript: scripts[op], From: 1})
		case 9:
			trouble(r.IntN(4) * 20)
		case 10:
			w.stop()
			// The record has the latest transaction of an outpoint only.
			firsts = map[string]uint32{}
			for op, s := range record {
				if s.Tx != nil {
					firsts[op.String()+s.TxID.String()] = s.FirstSeen
				}
			}
			start(cursor)
		case 11:
			for _, o := range slices.SortedFunc(maps.Keys(unmined), func(a, b wire.OutPoint) int { return strings.Compare(a.String(), b.String()) }) {
				mine(unmined[o])
				delete(unmined, o)
				break
			}
		case 12:
			time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
		}
		if r.IntN(2) == 0 {
			w.Poke()
		}
		if r.IntN(4) == 0 {
			watchLate()
		}
		if op := ops[r.IntN(len(ops))]; r.IntN(20) == 0 && !slices.Contains(late, op) {
			w.Forget(op)
			leave(op)
		}
	}
	watchLate()

	trouble(0)
	mine()
	for _, op := range ops {
		tx, at := w.chain.Spend(op)
		w.until(fmt.Sprintf("the truth of %v (%v at %d)", op, tx != nil, at), op, func(s chain.Sighting, u chain.Update) bool {
			if u.Tip.Height != w.chain.Height() || u.Trouble != "" || u.Behind > 0 {
				return false
			}
			switch {
			case tx != nil && at >= 0:
				return s.Place == chain.InBlock && s.TxID == tx.TxHash() && int(s.Height) == at
			case w.noNode, w.light:
				return s.Place != chain.InBlock && s.Searched
			case tx != nil:
				return s.Place == chain.InMempool && s.TxID == tx.TxHash()
			}
			there, err := w.node.TxOut(t.Context(), op, true)
			if err != nil {
				t.Error(err)
			}
			return s.Searched && s.Place == map[bool]chain.Place{true: chain.Unspent, false: chain.Unknown}[there != nil]
		})
	}
	w.stop()
}
