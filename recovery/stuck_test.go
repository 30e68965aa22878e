package recovery

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/sweep"
)

// stuckStory is a channel whose close waits in the mempool, with a child maker
// of the test's. The mempool takes nothing that refuse has a reason against.
func stuckStory(t *testing.T, refuse func(*wire.MsgTx) string, build func(sweep.Request) (*sweep.Child, error)) (*story, *wire.MsgTx) {
	t.Helper()
	s := newStory(t, "used-both-ways")
	s.children().Feerate = func(context.Context) (uint32, error) { return 2000, nil }
	backend := s.chain.Backend()
	backend.Refuse = refuse
	s.deps.Backend = backend
	s.children().Build = func(_ context.Context, r sweep.Request) (*sweep.Child, error) { return build(r) }
	s.start()
	commit := s.theirCommitment().Tx
	s.closes(commit)
	s.begin()
	s.untilState(model.CloseSeen)
	s.announced()
	return s, commit
}

// announced waits until it is said what may be paid for the close.
func (s *story) announced() {
	s.t.Helper()
	s.until("the announcement", func() bool { return s.seen.Load().Channels[s.ch.Key].Fee.Announced > 0 })
}

// quiet mines blocks that do not take the close.
func (s *story) quiet(n int) {
	s.chain.MineN(n)
	s.BlockAdded()
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
	s, commit := stuckStory(t, nil, build)
	s.quiet(model.StuckBlocks - 1)
	s.look()
	if s.status().Channels[0].State != model.CloseSeen || len(made()) > 0 {
		t.Fatalf("%d children before %d blocks", len(made()), model.StuckBlocks)
	}
	s.quiet(1)
	s.until("the child in the mempool", func() bool { s.look(); return len(s.chain.Mempool()) == 2 })
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
	s.until("both again", func() bool { s.look(); return len(s.chain.Mempool()) == 2 })
	s.quiet(model.StuckBlocks)
	s.until("a dearer one", func() bool { s.look(); return len(made()) >= 2 })
	if r := made()[1]; r.Replaces == nil || r.Destination != "bcrt1p-recorded" {
		t.Errorf("the second request replaces nothing: %+v", r)
	}
}

func TestWithoutAUsefulEstimateTheFeeIsRaisedByQuartersAndNotForEver(t *testing.T) {
	var mu sync.Mutex
	var asked []uint32
	var last string
	paid := func() uint32 { mu.Lock(); defer mu.Unlock(); return asked[len(asked)-1] }
	s, commit := stuckStory(t, nil, func(r sweep.Request) (*sweep.Child, error) {
		mu.Lock()
		defer mu.Unlock()
		if n := len(asked); n > 0 && asked[n-1] == r.FeeratePerKW {
			return nil, sweep.ErrFeeSufficient
		}
		asked = append(asked, r.FeeratePerKW)
		tx := chaintest.SpendTo(100+int64(len(asked)), []byte{0x51}, wire.OutPoint{Hash: r.Parent.TxHash()})
		last = tx.TxHash().String()
		return &sweep.Child{Tx: tx, Txid: tx.TxHash(), Paid: sweep.Paid{FeeSat: 500, VSize: 200}, Package: sweep.Paid{FeeSat: 4 * uint64(r.FeeratePerKW), VSize: 1000}}, nil
	})
	s.children().Feerate = func(context.Context) (uint32, error) { return 1, nil }
	s.start()
	fee := s.ch.CapacitySat
	for _, o := range commit.TxOut {
		fee -= uint64(o.Value)
	}
	alone := uint32(fee * 1000 / uint64(4*commit.SerializeSize())) // it has no witness
	says := func(text string) bool { return strings.Contains(s.status().Channels[0].Reason, text) }
	// It is paid at a later block than it was announced at.
	s.announced()
	for n := 1; !says("adds nothing while the estimate"); n++ {
		s.quiet(model.StuckBlocks)
		s.until("the next child, or none", func() bool {
			// Blocks that come before it is on record count for the next one.
			child := s.seen.Load().Channels[s.ch.Key].Fee.Child
			mu.Lock()
			done := len(asked) == n && child != nil && child.Txid == last
			mu.Unlock()
			return done || says("adds nothing while the estimate")
		})
		if n > 20 {
			t.Fatalf("no end: %v sat per kw", asked)
		}
	}
	if asked[0] < alone+alone/5 || asked[0] > alone+alone*3/10 {
		t.Errorf("the first child asks for %d sat per kw, the close pays %d", asked[0], alone)
	}
	if last := paid(); last < 3*alone || last > 4*alone {
		t.Errorf("the last child asks for %d sat per kw, the close pays %d", last, alone)
	}
	for i := 2; i < len(asked)-1; i++ {
		if asked[i] != asked[i-1]+asked[i-1]/4 {
			t.Errorf("%v sat per kw", asked)
		}
	}
	if !says("500 sat were added") || s.status().Channels[0].WaitsFor != "fee" {
		t.Errorf("%+v", s.status().Channels[0])
	}
}

func TestAWalletWithoutCoinsIsToldWhatItNeeds(t *testing.T) {
	var tries atomic.Int32
	var full atomic.Bool
	refuse := func(*wire.MsgTx) string {
		if full.Load() {
			return "mempool min fee not met"
		}
		return ""
	}
	s, commit := stuckStory(t, refuse, func(sweep.Request) (*sweep.Child, error) {
		tries.Add(1)
		return nil, &sweep.NeedsFeeInputError{AmountSat: 4321, Address: "bcrt1pneeded"}
	})
	s.quiet(model.StuckBlocks)
	// At once: who reads the todo looks for the amount.
	s.until("the reason", func() bool {
		r := s.status().Channels[0].Reason
		return strings.Contains(r, "needs_fee_input") && strings.Contains(r, "4321") && strings.Contains(r, "bcrt1pneeded")
	})
	if got := s.state(); got != model.CloseSeen {
		t.Errorf("state %s", got)
	}
	if c := s.status().Channels[0]; c.WaitsFor != "fee" || !strings.Contains(c.Todo, "bcrt1pneeded") {
		t.Errorf("waits for %s, todo %q", c.WaitsFor, c.Todo)
	}
	// The wallet may list the coin when its block has been looked at already: no
	// further block is waited for, and no try is made without a coin.
	s.looked()
	if n := tries.Load(); n != 1 {
		t.Errorf("%d tries without a coin at one height", n)
	}
	coin := chaintest.SpendTo(4321, []byte{0x51}, wire.OutPoint{Hash: commit.TxHash(), Index: 9})
	s.credit(coin, 0)
	s.look()
	s.until("another try", func() bool { return tries.Load() == 2 })
	// Out of the mempool, it still is the fee that is missing.
	full.Store(true)
	s.chain.DropMempool()
	s.quiet(1)
	s.until("the close to be missed", func() bool { return s.state() == model.CloseRequested })
	if c := s.status().Channels[0]; c.WaitsFor != "fee" || !strings.Contains(c.Todo, "bcrt1pneeded") {
		t.Errorf("waits for %s, todo %q", c.WaitsFor, c.Todo)
	}
}

func TestAFeeThatCostsTooMuchIsTriedAgainAndAsksForNoCoin(t *testing.T) {
	s, _ := stuckStory(t, nil, func(sweep.Request) (*sweep.Child, error) {
		return nil, &sweep.UneconomicError{FeeratePerKW: 250_000, FeeSat: 9, MaxFeeSat: 8}
	})
	s.quiet(model.StuckBlocks)
	s.until("the reason", func() bool { return strings.Contains(s.status().Channels[0].Reason, "uneconomic_at 1000 sat/vB") })
	if c := s.status().Channels[0]; c.WaitsFor != "fee" || !strings.HasPrefix(c.Todo, "nothing") {
		t.Errorf("waits for %s, todo %q", c.WaitsFor, c.Todo)
	}
}

func TestAChildThatIsNotTakenIsNotSaidToHelp(t *testing.T) {
	var full, replacing atomic.Bool
	full.Store(true)
	refuse := func(tx *wire.MsgTx) string {
		if full.Load() && len(tx.TxOut) == 1 {
			return "too-long-mempool-chain"
		}
		return ""
	}
	s, _ := stuckStory(t, refuse, func(r sweep.Request) (*sweep.Child, error) {
		if replacing.Load() {
			return nil, &sweep.NeedsFeeInputError{AmountSat: 4321, Address: "bcrt1pneeded"}
		}
		tx := chaintest.SpendTo(100, []byte{0x51}, wire.OutPoint{Hash: r.Parent.TxHash()})
		return &sweep.Child{Tx: tx, Txid: tx.TxHash(), Paid: sweep.Paid{FeeSat: 500, VSize: 200}, Destination: "bcrt1pneeded"}, nil
	})
	says := func(words ...string) {
		t.Helper()
		s.until(strings.Join(words, ", "), func() bool {
			r := s.status().Channels[0].Reason
			return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(r, w) })
		})
	}
	s.quiet(model.StuckBlocks)
	says("was not accepted", "too-long-mempool-chain")
	if r := s.status().Channels[0].Reason; strings.Contains(r, "were added") {
		t.Errorf("reason %q", r)
	}
	full.Store(false)
	s.quiet(1)
	says("500 sat were added")
	if r := s.status().Channels[0].Reason; strings.Contains(r, "not taken") {
		t.Errorf("reason %q", r)
	}
	// A dearer one needs a coin: what was added still is.
	replacing.Store(true)
	s.quiet(model.StuckBlocks)
	says("500 sat were added", "cannot be raised further", "needs_fee_input")
}
