package recovery

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

// counted makes the service count the children that it wants, and the most
// that one may cost.
func (w *world) counted() (built *atomic.Int32, most *atomic.Uint64) {
	built, most = new(atomic.Int32), new(atomic.Uint64)
	w.children().Feerate = func(context.Context) (uint32, error) { return 2000, nil }
	w.children().Build = func(_ context.Context, r sweep.Request) (*sweep.Child, error) {
		built.Add(1)
		most.Store(r.MaxFeeSat)
		tx := chaintest.SpendTo(100, []byte{0x51}, wire.OutPoint{Hash: r.Parent.TxHash()})
		return &sweep.Child{
			Tx: tx, Txid: tx.TxHash(), Paid: sweep.Paid{FeeSat: 500, VSize: 200}, Package: sweep.Paid{FeeSat: 2000, VSize: 1000}, Destination: "x",
		}, nil
	}
	return built, most
}

// TestACloseThatWasThereBeforeTheImportIsNotStuckYet: it has waited for nobody
// knows how long, and the count begins when we see it.
func TestACloseThatWasThereBeforeTheImportIsNotStuckYet(t *testing.T) {
	s := newStory(t, "used-both-ways")
	built, _ := s.counted()
	s.start()
	s.chain.AddMempool(s.theirCommitment().Tx)
	s.begin()
	s.untilState(model.CloseSeen)
	s.announced()
	s.quiet(model.StuckBlocks - 1)
	s.looked()
	s.lookTwice()
	if n := built.Load(); n > 0 {
		t.Fatalf("%d children for a close that was seen %d blocks ago: %s", n, model.StuckBlocks-1, s.status().Channels[0].Reason)
	}
	// The count survives a restart, and ends.
	s.start()
	s.looked()
	s.quiet(1)
	s.until("the child", func() bool { s.look(); return built.Load() == 1 })
}

// TestACloseThatConfirmsDuringTheLookBackIsNotPaidFor: the blocks of ten weeks
// are looked at for another channel, and the one with the close comes last.
func TestACloseThatConfirmsDuringTheLookBackIsNotPaidFor(t *testing.T) {
	w := newWorld(t, "closed-one", true)
	built, _ := w.counted()
	keys, err := w.deps.OpenKeys(w.facts, w.node.info.ID)
	if err != nil {
		t.Fatal(err)
	}
	open := -1
	b := readCorpus(t, "closed-one")
	for i, c := range b.Channels {
		if !c.State.Closed {
			open = i
		}
	}
	text, _ := w.fund(testdata.Read(t, "closed-one", "backup.json"), b.Channels[open], keys)
	w.chain.MineN(10_000)
	if b, err = vlsstate.Read(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	node := w.chain.Node()
	node.OnBlock(func(uint32) { time.Sleep(4 * time.Millisecond) })
	w.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return node }
	w.start()
	s := &story{world: w, backup: text, ch: b.Channels[open], keys: keys}
	s.closes(s.theirCommitment().Tx)
	s.begin()
	s.untilState(model.CloseSeen)
	s.mine(1)
	s.untilState(model.OutputsWaiting) // new blocks come first
	if s.seen.Load().LookBack.Done {
		t.Fatal("the look-back is over: the test shows nothing")
	}
	s.chain.MineN(model.StuckBlocks + 2)
	s.BlockAdded()
	s.until("the tip", func() bool { s.look(); return s.seen.Load().Tip.Height == s.chain.Height() })
	s.lookTwice()
	if n, pool := built.Load(), s.chain.Mempool(); n > 0 || len(pool) > 0 {
		t.Errorf("%d children for a close that has %d confirmations; in the mempool: %v", n, model.StuckBlocks+3, pool)
	}
}

// bcliBackend answers as bcli does while bitcoind is busy: a null for a block
// that bitcoin-cli could not name (plugins/bcli.c).
type bcliBackend struct {
	*chaintest.Backend
	busy *atomic.Bool
}

func (b bcliBackend) Block(ctx context.Context, h uint32) (*chain.Block, error) {
	if b.busy.Load() {
		return nil, fmt.Errorf("block %d: %w", h, chain.ErrNoBlock)
	}
	return b.Backend.Block(ctx, h)
}

// busyNode refuses everything for a moment.
type busyNode struct {
	*chaintest.Node
	busy *atomic.Bool
}

func (n busyNode) BlockHash(ctx context.Context, h uint32) (chainhash.Hash, error) {
	if n.busy.Load() {
		return chainhash.Hash{}, chain.ErrUnavailable
	}
	return n.Node.BlockHash(ctx, h)
}

func (n busyNode) Block(ctx context.Context, h uint32) (*chain.Block, error) {
	if n.busy.Load() {
		return nil, chain.ErrUnavailable
	}
	return n.Node.Block(ctx, h)
}

// TestABusyBitcoindUnconfirmsNoClose: no answer is no reorganisation, and
// nothing is paid for what it seems to undo.
func TestABusyBitcoindUnconfirmsNoClose(t *testing.T) {
	s := newStory(t, "used-both-ways")
	built, _ := s.counted()
	var busy atomic.Bool
	s.deps.Backend = bcliBackend{s.chain.Backend(), &busy}
	s.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return busyNode{s.chain.Node(), &busy} }
	s.start()
	commit := s.closed(1)
	s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
	s.untilState(model.Credited)
	busy.Store(true)
	for range model.StuckBlocks + 2 {
		s.chain.MineN(1)
		s.BlockAdded()
		for range 5 {
			s.look()
			time.Sleep(20 * time.Millisecond)
			if st := s.state(); st != model.Credited {
				t.Fatalf("in the busy moment: %s: %s", st, s.status().Channels[0].Reason)
			}
		}
	}
	busy.Store(false)
	s.mine(model.FinalConfs)
	s.untilState(model.Resolved)
	if n := built.Load(); n > 0 {
		t.Errorf("%d children", n)
	}
}

// TestWhatMayBePaidIsSaidBeforeItIsPaid: in the answer, in the status while the
// close still waits in good time, and never more than that.
func TestWhatMayBePaidIsSaidBeforeItIsPaid(t *testing.T) {
	percent := func(n uint64) *uint64 { return &n }
	for name, c := range map[string]struct {
		said *uint64
		want uint64
	}{"by default": {nil, 10}, "three": {percent(3), 3}, "nothing": {percent(0), 0}} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t, "used-both-ways")
			built, most := s.counted()
			s.start()
			s.closes(s.theirCommitment().Tx)
			p := s.params()
			p.MaxFeePercent = c.said
			a, err := s.recover(p)
			if err != nil {
				t.Fatal(err)
			}
			if a.MaxFeePercent != c.want || !strings.Contains(strings.Join(a.NextSteps, "\n"), "max_fee_percent") {
				t.Errorf("the answer: %d, %q", a.MaxFeePercent, a.NextSteps)
			}
			s.untilState(model.CloseSeen)
			// It is on record, and a later call without it changes nothing.
			s.start()
			s.begin()
			s.looked()
			if c.want > 0 {
				s.announced()
			}
			st := s.status()
			limit := s.ch.State.CounterpartyCommit.ToCountersignerSat * c.want / 100
			announced := fmt.Sprintf("up to %d sat", limit)
			if st.MaxFeePercent != c.want || strings.Contains(st.Channels[0].Reason, announced) != (c.want > 0) {
				t.Errorf("the status: %d, %q, want %q", st.MaxFeePercent, st.Channels[0].Reason, announced)
			}
			s.quiet(model.StuckBlocks)
			if c.want == 0 {
				s.until("the reason", func() bool {
					s.look()
					return strings.Contains(s.status().Channels[0].Reason, "does not raise its fee, because max_fee_percent is 0")
				})
				s.looked()
				if n := built.Load(); n > 0 {
					t.Errorf("%d children", n)
				}
				return
			}
			s.until("the child", func() bool { s.look(); return built.Load() == 1 })
			if got := most.Load(); got != limit {
				t.Errorf("up to %d sat may be paid, announced %d", got, limit)
			}
		})
	}
}
