package recovery

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/sweep"
)

// stuckStory is a channel whose close waits in the mempool, with a child maker
// of the test's.
func stuckStory(t *testing.T, build func(r sweep.Request) (*sweep.Child, error)) (*story, *wire.MsgTx) {
	t.Helper()
	s := newStory(t, "used-both-ways")
	s.deps.Feerate = func(context.Context) (uint32, error) { return 2000, nil }
	s.deps.BuildChild = func(_ context.Context, r sweep.Request) (*sweep.Child, error) { return build(r) }
	s.start()
	commit := s.theirCommitment().Tx
	s.closes(commit)
	s.begin()
	s.untilState(CloseSeen)
	return s, commit
}

// quiet mines blocks that do not take the close.
func (s *story) quiet(n int) {
	s.chain.MineN(n)
	s.BlockAdded(s.chain.Height())
}

func TestAStuckCloseIsPaidForThroughOurAnchorAndDearerEachTime(t *testing.T) {
	var mu sync.Mutex
	var requests []sweep.Request
	made := func() []sweep.Request { mu.Lock(); defer mu.Unlock(); return slices.Clone(requests) }
	build := func(r sweep.Request) (*sweep.Child, error) {
		mu.Lock()
		defer mu.Unlock()
		requests = append(requests, r)
		anchor := wire.OutPoint{Hash: r.Parent.TxHash(), Index: 0}
		tx := chaintest.SpendTo(100+int64(len(requests)), []byte{0x51}, anchor)
		return &sweep.Child{
			Tx: tx, Txid: tx.TxHash(), Paid: sweep.Paid{FeeSat: 500, VSize: 200},
			Package: sweep.Paid{FeeSat: 2000, VSize: 1000}, Destination: "bcrt1p-recorded",
		}, nil
	}
	s, commit := stuckStory(t, build)
	s.quiet(stuckBlocks - 1)
	s.nudge()
	if s.status().Channels[0].State != CloseSeen || len(made()) > 0 {
		t.Fatalf("%d children before %d blocks", len(made()), stuckBlocks)
	}
	s.quiet(1)
	s.until("the child in the mempool", func() bool { s.nudge(); return len(s.chain.Mempool()) == 2 })
	r := made()[0]
	if r.FeeratePerKW != 2000 || r.Parent.TxHash() != commit.TxHash() || r.MaxFeeSat == 0 || r.Replaces != nil {
		t.Errorf("the request: %+v", r)
	}
	if r.MaxFeeSat > s.ch.State.CounterpartyCommit.ToCountersignerSat/2 {
		t.Errorf("up to %d sat may be paid for %d", r.MaxFeeSat, s.ch.State.CounterpartyCommit.ToCountersignerSat)
	}
	// The plugin is killed: the child is on record, and sent again with the next
	// block.
	s.chain.DropMempool()
	s.start()
	s.quiet(1)
	s.until("both again", func() bool { s.nudge(); return len(s.chain.Mempool()) == 2 })
	s.quiet(stuckBlocks)
	s.until("a dearer one", func() bool { s.nudge(); return len(made()) >= 2 })
	if r := made()[1]; r.Replaces == nil || r.Destination != "bcrt1p-recorded" {
		t.Errorf("the second request replaces nothing: %+v", r)
	}
}

func TestAWalletWithoutCoinsIsToldWhatItNeeds(t *testing.T) {
	s, _ := stuckStory(t, func(sweep.Request) (*sweep.Child, error) {
		return nil, &sweep.NeedsFeeInputError{AmountSat: 4321, Address: "bcrt1pneeded"}
	})
	s.quiet(stuckBlocks)
	s.until("the reason", func() bool {
		s.nudge()
		r := s.status().Channels[0].Reason
		return strings.Contains(r, "needs_fee_input") && strings.Contains(r, "4321") && strings.Contains(r, "bcrt1pneeded")
	})
	if got := s.state(); got != CloseSeen {
		t.Errorf("state %s", got)
	}
	if todo := s.status().Channels[0].Todo; !strings.Contains(todo, "bcrt1pneeded") {
		t.Errorf("todo %q", todo)
	}
}
