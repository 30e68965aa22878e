package chain_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
)

// watching is a Watcher under way over a chain in memory.
type watching struct {
	t     *testing.T
	chain *chaintest.Chain
	back  *chaintest.Backend
	node  *chaintest.Node
	// fault, if set, may refuse a question: its name ("block", "hash", ...) and
	// height.
	fault  func(what string, height uint32) error
	faulty sync.Mutex
	// lie, if set, changes a block before it is given.
	lie func(*chain.Block) *chain.Block

	*chain.Watcher
	mu     sync.Mutex
	seen   map[wire.OutPoint]chain.Sighting
	last   chain.Update
	count  int
	news   chan struct{}
	stop   context.CancelFunc
	ended  chan struct{}
	noNode bool
	// light: the source has filters and neither mempool nor outputs.
	light bool
	// since is the bound of the look-back, if not zero.
	since time.Time
	// parallel: other tests have goroutines too.
	parallel bool
	// check, if set, is shown each update; seen has it already.
	check func(chain.Update)
}

// doors are the backend and the node with the faults of a watching.
type doors struct {
	chain.Source
	w *watching
}

func (d doors) ask(what string, height uint32) error {
	d.w.faulty.Lock()
	defer d.w.faulty.Unlock()
	if d.w.fault == nil {
		return nil
	}
	return d.w.fault(what, height)
}

func (d doors) Best(ctx context.Context) (uint32, chainhash.Hash, error) {
	if err := d.ask("best", 0); err != nil {
		return 0, chainhash.Hash{}, err
	}
	return d.Source.Best(ctx)
}

func (d doors) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	if err := d.ask("block", height); err != nil {
		return nil, err
	}
	b, err := d.Source.Block(ctx, height)
	d.w.faulty.Lock()
	defer d.w.faulty.Unlock()
	if err == nil && d.w.lie != nil {
		b = d.w.lie(b)
	}
	return b, err
}

func (d doors) HashAt(ctx context.Context, height uint32) (chainhash.Hash, error) {
	if err := d.ask("hash", height); err != nil {
		return chainhash.Hash{}, err
	}
	return d.Source.HashAt(ctx, height)
}

func (d doors) HeightBefore(ctx context.Context, t time.Time) (uint32, error) {
	if err := d.ask("time", 0); err != nil {
		return 0, err
	}
	return d.Source.HeightBefore(ctx, t)
}

func (d doors) Output(ctx context.Context, op wire.OutPoint) (*chain.UTXO, error) {
	if err := d.ask("output", 0); err != nil {
		return nil, err
	}
	return d.Source.Output(ctx, op)
}

func (d doors) Spenders(ctx context.Context, ops []wire.OutPoint) (map[wire.OutPoint]*wire.MsgTx, error) {
	if err := d.ask("mempool", 0); err != nil {
		return nil, err
	}
	return d.Source.Spenders(ctx, ops)
}

// filters is what a light client is.
type filters struct{ doors }

func (f filters) Output(context.Context, wire.OutPoint) (*chain.UTXO, error) { return nil, nil }

func (f filters) Spenders(context.Context, []wire.OutPoint) (map[wire.OutPoint]*wire.MsgTx, error) {
	return nil, chain.ErrUnsupported
}

func (f filters) Sift(_ context.Context, from, to uint32, scripts [][]byte) ([]uint32, error) {
	if err := f.ask("sift", from); err != nil {
		return nil, err
	}
	return f.w.chain.Sift(from, to, scripts), nil
}

// newWatching has a chain of some blocks, and bitcoind next to lightningd's
// backend.
func newWatching(t *testing.T, blocks int) *watching {
	t.Helper()
	c := chaintest.New("regtest", epoch)
	c.MineN(blocks)
	return &watching{t: t, chain: c, back: c.Backend(), node: c.Node()}
}

func (w *watching) setFault(f func(what string, height uint32) error) {
	w.faulty.Lock()
	defer w.faulty.Unlock()
	w.fault = f
}

func (w *watching) setLie(f func(*chain.Block) *chain.Block) {
	w.faulty.Lock()
	defer w.faulty.Unlock()
	w.lie = f
}

// start runs a Watcher over the chain; cursor and ws are of an earlier run.
func (w *watching) start(cursor *chain.Cursor, ws ...chain.Watch) {
	w.t.Helper()
	before := runtime.NumGoroutine()
	var node chain.Node
	if !w.noNode {
		node = w.node
	}
	var src chain.Source = doors{chain.Join(w.back, node), w}
	if w.light {
		src = filters{src.(doors)}
	}
	w.Watcher = chain.NewWatcher(src, chain.Every(2*time.Millisecond), chain.Patience(20*time.Millisecond))
	if cursor != nil {
		w.Restore(*cursor)
	}
	if !w.since.IsZero() {
		w.LookBackSince(w.since)
	}
	w.Watch(ws...)
	w.mu.Lock()
	w.seen, w.news = map[wire.OutPoint]chain.Sighting{}, make(chan struct{}, 1)
	w.last, w.count = chain.Update{}, 0
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	w.ended = ended
	go func() {
		defer close(ended)
		w.Run(ctx, w.got)
	}()
	w.stop = func() {
		cancel()
		<-ended
		for range 100 {
			if w.parallel || runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(time.Millisecond)
		}
		w.t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
	}
	w.t.Cleanup(func() { cancel(); <-ended })
}

func (w *watching) got(u chain.Update) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range u.Changed {
		w.seen[s.OutPoint] = s
	}
	w.last = u
	w.count++
	if w.check != nil {
		w.check(u)
	}
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// of is what is known of an outpoint, and the last update.
func (w *watching) of(op wire.OutPoint) (chain.Sighting, chain.Update) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[op], w.last
}

// until waits for a state of an outpoint.
func (w *watching) until(what string, op wire.OutPoint, ok func(chain.Sighting, chain.Update) bool) chain.Sighting {
	w.t.Helper()
	deadline := time.After(time.Minute)
	for {
		s, u := w.of(op)
		if ok(s, u) {
			return s
		}
		select {
		case <-w.news:
		case <-deadline:
			w.t.Fatalf("%s is not seen: %+v\n%+v", what, s, u)
		}
	}
}

func (w *watching) untilPlace(op wire.OutPoint, p chain.Place) chain.Sighting {
	w.t.Helper()
	return w.until(p.String(), op, func(s chain.Sighting, _ chain.Update) bool { return s.Place == p })
}

// caughtUp waits for the tip and the end of the look-back.
func (w *watching) caughtUp() chain.Update {
	w.t.Helper()
	tip := w.chain.Height()
	w.until(fmt.Sprintf("the look-back's end at block %d", tip), wire.OutPoint{}, func(_ chain.Sighting, u chain.Update) bool {
		return u.Tip.Height >= tip && u.LookBack.Done
	})
	_, u := w.of(wire.OutPoint{})
	return u
}

// quiet waits until the Watcher has looked a few times without a word.
func (w *watching) quiet() {
	w.t.Helper()
	for {
		w.mu.Lock()
		before := w.count
		w.mu.Unlock()
		w.Poke()
		time.Sleep(30 * time.Millisecond)
		w.mu.Lock()
		after := w.count
		w.mu.Unlock()
		if before == after {
			return
		}
	}
}

// fund mines a funding output.
func (w *watching) fund() wire.OutPoint {
	tx, op := w.chain.Pay(capacity, p2wsh)
	w.chain.Mine(tx)
	return op
}

func spendOf(op wire.OutPoint) *wire.MsgTx { return chaintest.SpendTo(900_000, p2wpkh, op) }

func TestASpendIsSeenFromTheMempoolIntoTheBlockAndBack(t *testing.T) {
	w := newWatching(t, 10)
	op := w.fund()
	made := w.chain.Height()
	w.start(nil, chain.Watch{OutPoint: op, PkScript: p2wsh})
	s := w.untilPlace(op, chain.Unspent)
	if s.Created != chain.InBlock || s.CreatedAt != made || s.Output == nil || s.Output.ValueSat != uint64(capacity) || !s.Searched {
		t.Errorf("%+v", s)
	}
	tx := spendOf(op)
	w.chain.AddMempool(tx)
	s = w.untilPlace(op, chain.InMempool)
	first := w.chain.Height()
	if s.TxID != tx.TxHash() || s.FirstSeen != first || s.Height != 0 {
		t.Errorf("%+v", s)
	}
	w.chain.MineN(3)
	b := w.chain.MineMempool()
	w.Poke()
	s = w.untilPlace(op, chain.InBlock)
	if s.Height != b.Height || s.Block != b.Hash || s.FirstSeen != first || s.Tx == nil {
		t.Errorf("%+v, want block %d", s, b.Height)
	}
	// A reorganisation takes it back; it is not forgotten.
	w.chain.Reorg(1, true)
	w.chain.MineN(2)
	s = w.untilPlace(op, chain.InMempool)
	if s.FirstSeen != first || s.TxID != tx.TxHash() {
		t.Errorf("%+v", s)
	}
	w.chain.DropMempool()
	s = w.untilPlace(op, chain.Unspent)
	if s.FirstSeen != first || s.Tx == nil {
		t.Errorf("the last transaction seen is forgotten: %+v", s)
	}
	other := chaintest.SpendTo(1, p2wsh, op)
	at := w.chain.Mine(other)
	s = w.untilPlace(op, chain.InBlock)
	if s.TxID != other.TxHash() || s.FirstSeen != at.Height {
		t.Errorf("another spend has its own height: %+v", s)
	}
	w.stop()
}

// The first version was blind to new blocks for as long as a look at the old
// ones took.
func TestNewBlocksNeverWaitForOldOnes(t *testing.T) {
	w := newWatching(t, 10)
	closed, open := w.fund(), w.fund()
	w.chain.Mine(spendOf(closed))
	w.chain.MineN(3000)
	w.node.OnBlock(func(uint32) { time.Sleep(4 * time.Millisecond) }) // a quick bitcoind
	w.start(nil, chain.Watch{OutPoint: closed}, chain.Watch{OutPoint: open})
	w.LookBackFrom(20)
	w.untilPlace(open, chain.Unspent)
	w.until("the look-back", closed, func(_ chain.Sighting, u chain.Update) bool { return u.LookBack.Left > 1000 })

	tx := spendOf(open)
	w.chain.AddMempool(tx)
	w.untilPlace(open, chain.InMempool)
	w.chain.MineMempool()
	w.Poke()
	begun := time.Now()
	w.untilPlace(open, chain.InBlock)
	took := time.Since(begun)
	_, u := w.of(open)
	if u.LookBack.Done || u.LookBack.Left < 500 {
		t.Errorf("the look-back was over: %+v", u.LookBack)
	}
	if took > time.Second {
		t.Errorf("a new block was looked at after %v", took)
	}
	w.stop()
}

// bcli says null when bitcoin-cli fails, for whatever reason.
func TestNullIsNoReorganisation(t *testing.T) {
	for _, noNode := range []bool{false, true} {
		w := newWatching(t, 10)
		w.noNode = noNode
		op := w.fund()
		tx := spendOf(op)
		w.chain.Mine(tx)
		w.start(nil, chain.Watch{OutPoint: op, From: 5})
		w.untilPlace(op, chain.InBlock)

		var nulls int
		w.setFault(func(what string, height uint32) error {
			if what == "best" || what == "mempool" {
				return nil
			}
			nulls++
			return fmt.Errorf("%s %d: %w", what, height, chain.ErrNoBlock)
		})
		w.chain.MineN(2)
		w.until("the trouble", op, func(_ chain.Sighting, u chain.Update) bool { return u.Trouble != "" && u.Behind == 2 })
		if s, _ := w.of(op); s.Place != chain.InBlock {
			t.Errorf("a null unconfirmed it: %+v", s)
		}
		w.setFault(nil)
		u := w.caughtUp()
		if s, _ := w.of(op); s.Place != chain.InBlock || nulls == 0 || u.Trouble != "" || u.Behind != 0 {
			t.Errorf("%+v after %d nulls, %+v", s, nulls, u)
		}
		w.stop()
	}
}

// The first version scanned from block 1 where the height of the backup's date
// could not be asked for, and the second nothing: the newest blocks are looked at
// and said, and the others when the height is known.
func TestTheBoundIsAskedForAgain(t *testing.T) {
	w := newWatching(t, 10)
	op, lately := w.fund(), w.fund()
	w.chain.MineN(600)
	at := w.chain.Mine(spendOf(op))
	since := epoch.Add(time.Duration(at.Height) * chaintest.Interval)
	w.chain.MineN(400)
	last := w.chain.Mine(spendOf(lately))
	w.chain.MineN(50)
	var asked []uint32
	w.setFault(func(what string, height uint32) error {
		switch what {
		case "time":
			return context.DeadlineExceeded
		case "block":
			asked = append(asked, height)
		}
		return nil
	})
	w.since = since
	w.start(nil, chain.Watch{OutPoint: op}, chain.Watch{OutPoint: lately})
	if s := w.untilPlace(lately, chain.InBlock); s.Height != last.Height {
		t.Errorf("%+v", s)
	}
	w.until("the end of the newest blocks", op, func(_ chain.Sighting, u chain.Update) bool { return u.LookBack.From > 0 && u.LookBack.Left == 0 })
	s, u := w.of(op)
	if l := u.LookBack; l.Done || l.From != w.chain.Height()-287 || !strings.Contains(l.Reason, "is unknown") ||
		!strings.Contains(l.Reason, "only the newest 288 blocks are scanned") {
		t.Errorf("%+v", l)
	}
	if s.Place != chain.Unknown || s.Searched {
		t.Errorf("%+v", s)
	}
	w.faulty.Lock()
	if low := slices.Min(asked); low != w.chain.Height()-287 {
		t.Errorf("looked at from %d on", low)
	}
	w.fault = func(what string, height uint32) error {
		if what == "block" {
			asked = append(asked, height)
		}
		return nil
	}
	w.faulty.Unlock()
	s = w.untilPlace(op, chain.InBlock)
	if s.Height != at.Height {
		t.Errorf("%+v", s)
	}
	w.faulty.Lock()
	if low := slices.Min(asked); low+30 < at.Height {
		t.Errorf("looked at from %d on, the date is that of block %d", low, at.Height)
	}
	w.faulty.Unlock()
	w.stop()
}

// One old block that cannot be read keeps that one outpoint waiting.
func TestAnOldBlockThatCannotBeRead(t *testing.T) {
	w := newWatching(t, 10)
	a, b := w.fund(), w.fund()
	first := w.chain.Mine(spendOf(a))
	w.chain.MineN(20)
	second := w.chain.Mine(spendOf(b))
	w.chain.MineN(20)
	w.setFault(func(what string, height uint32) error {
		if what == "block" && height == first.Height {
			return fmt.Errorf("input/output error")
		}
		return nil
	})
	w.start(nil, chain.Watch{OutPoint: a, From: 5}, chain.Watch{OutPoint: b, From: 5})
	w.untilPlace(b, chain.InBlock)
	w.chain.MineN(1)
	w.until("the next block", a, func(_ chain.Sighting, u chain.Update) bool { return u.Tip.Height == w.chain.Height() })
	if s, _ := w.of(a); s.Place != chain.Unknown || s.Searched {
		t.Errorf("%+v", s)
	}
	if s, _ := w.of(b); s.Height != second.Height {
		t.Errorf("%+v", s)
	}
	w.setFault(nil)
	if s := w.untilPlace(a, chain.InBlock); s.Height != first.Height {
		t.Errorf("%+v", s)
	}
	w.caughtUp()
	w.stop()
}

// One new block that cannot be read does not make the ones above it wait for
// long, and is read later.
func TestANewBlockThatCannotBeRead(t *testing.T) {
	for _, noNode := range []bool{false, true} {
		w := newWatching(t, 10)
		w.noNode = noNode
		a, b := w.fund(), w.fund()
		w.start(nil, chain.Watch{OutPoint: a}, chain.Watch{OutPoint: b})
		w.untilPlace(a, chain.Unspent)
		w.untilPlace(b, chain.Unspent)
		bad := w.chain.Height() + 1
		w.setFault(func(what string, height uint32) error {
			if what == "block" && height == bad {
				return fmt.Errorf("input/output error")
			}
			return nil
		})
		w.chain.Mine(spendOf(a))
		w.until("the trouble", a, func(_ chain.Sighting, u chain.Update) bool { return u.Trouble != "" && u.Behind == 1 })
		w.chain.MineN(2)
		w.chain.Mine(spendOf(b))
		w.untilPlace(b, chain.InBlock)
		s, _ := w.of(a)
		if s.Place != chain.Unknown || s.Searched {
			t.Errorf("%v: the block was not looked at, and yet: %+v", noNode, s)
		}
		w.setFault(nil)
		if s = w.untilPlace(a, chain.InBlock); s.Height != bad {
			t.Errorf("%+v", s)
		}
		w.stop()
	}
}

// What happens while lightningd is down is seen after the next start.
func TestSpendsWhileDown(t *testing.T) {
	for _, noNode := range []bool{false, true} {
		w := newWatching(t, 10)
		w.noNode = noNode
		spent, open, gone := w.fund(), w.fund(), w.fund()
		early := spendOf(gone)
		w.chain.Mine(early)
		ops := []wire.OutPoint{spent, open, gone}
		var ws []chain.Watch
		for _, op := range ops {
			ws = append(ws, chain.Watch{OutPoint: op, From: 5})
		}
		w.start(nil, ws...)
		w.untilPlace(gone, chain.InBlock)
		w.untilPlace(spent, chain.Unspent)
		w.untilPlace(open, chain.Unspent)
		u := w.caughtUp()
		w.stop()
		for i, op := range ops {
			s, _ := w.of(op)
			ws[i].Last = &s
		}
		tx := spendOf(spent)
		at := w.chain.Mine(tx)
		w.chain.MineN(200)

		var asked []uint32
		w.setFault(func(what string, height uint32) error {
			if what == "block" {
				asked = append(asked, height)
			}
			return nil
		})
		w.start(&u.Cursor, ws...)
		if s := w.untilPlace(spent, chain.InBlock); s.Height != at.Height {
			t.Errorf("%+v", s)
		}
		w.untilPlace(open, chain.Unspent)
		if s := w.untilPlace(gone, chain.InBlock); s.TxID != early.TxHash() {
			t.Errorf("%+v", s)
		}
		w.caughtUp()
		w.faulty.Lock()
		slices.Sort(asked)
		for i, h := range asked[1:] {
			if h == asked[i] && h != w.chain.Height() && h != ws[2].Last.Height {
				t.Errorf("%v: block %d was read twice", noNode, h)
			}
		}
		if asked[0] < ws[2].Last.Height {
			t.Errorf("%v: block %d was looked at in the first run already", noNode, asked[0])
		}
		w.faulty.Unlock()
		w.stop()
	}
}

// A reorganisation while lightningd is down moves a close, or drops it.
func TestReorganisationWhileDown(t *testing.T) {
	for _, depth := range []int{1, 6} {
		for _, noNode := range []bool{false, true} {
			w := newWatching(t, 200)
			w.noNode = noNode
			moved, dropped := w.fund(), w.fund()
			txs := []*wire.MsgTx{spendOf(moved), spendOf(dropped)}
			w.chain.Mine(txs...)
			w.chain.MineN(depth - 1)
			ws := []chain.Watch{{OutPoint: moved, From: 150}, {OutPoint: dropped, From: 150}}
			w.start(nil, ws...)
			first := w.untilPlace(moved, chain.InBlock).FirstSeen
			w.untilPlace(dropped, chain.InBlock)
			u := w.caughtUp()
			w.stop()
			for i := range ws {
				s, _ := w.of(ws[i].OutPoint)
				ws[i].Last = &s
			}
			w.chain.Reorg(depth, false)
			w.chain.MineN(depth)
			at := w.chain.Mine(txs[0])
			w.chain.MineN(5)

			w.start(&u.Cursor, ws...)
			s := w.untilPlace(moved, chain.InBlock)
			if s.Height != at.Height || s.FirstSeen != first {
				t.Errorf("%d, %v: %+v, want block %d first seen at %d", depth, noNode, s, at.Height, first)
			}
			s = w.untilPlace(dropped, chain.Unspent)
			if s.TxID != txs[1].TxHash() || s.FirstSeen == 0 {
				t.Errorf("the dropped close is forgotten: %+v", s)
			}
			w.stop()
		}
	}
}

// Without bitcoind itself the newest blocks are looked at; more where asked.
func TestWithoutBitcoindOnlyTheNewestBlocks(t *testing.T) {
	w := newWatching(t, 10)
	w.noNode = true
	op := w.fund()
	at := w.chain.Mine(spendOf(op))
	w.chain.MineN(900)
	w.start(nil, chain.Watch{OutPoint: op, From: 5})
	w.LookBackSince(epoch)
	u := w.caughtUp()
	heights, most := w.back.BlockRequests()
	low := slices.Min(heights)
	if want := w.chain.Height() - 287; low != want || most != 1 {
		t.Errorf("looked at from %d on, want %d; %d at once", low, want, most)
	}
	if u.LookBack.Missing == 0 || u.LookBack.MissingTo != low-1 || !strings.Contains(u.LookBack.Reason, "bitcoind itself is not configured") {
		t.Errorf("%+v", u.LookBack)
	}
	if s, _ := w.of(op); s.Place != chain.Unknown || s.Searched {
		t.Errorf("%+v", s)
	}
	w.LookBackFrom(8)
	if s := w.untilPlace(op, chain.InBlock); s.Height != at.Height {
		t.Errorf("%+v", s)
	}
	w.stop()
}

// What was not looked at is of interest as long as a spend is looked for.
func TestNoLookBackIsNamedWhenEverySpendIsFound(t *testing.T) {
	w := newWatching(t, 10)
	w.noNode = true
	op := w.fund()
	w.chain.MineN(700)
	w.chain.Mine(spendOf(op))
	w.chain.MineN(3)
	w.since = epoch
	w.start(nil, chain.Watch{OutPoint: op})
	w.untilPlace(op, chain.InBlock)
	w.until("no more word of old blocks", op, func(_ chain.Sighting, u chain.Update) bool { return u.LookBack.Done && u.LookBack.Reason == "" })
	w.stop()
}

// Where nobody tells what is pruned, a block that cannot be read stands for all
// below it: bcli, and lightningd with it, waits for each of them for a minute.
func TestWithoutBitcoindAPrunedBlockStandsForAllBelow(t *testing.T) {
	w := newWatching(t, 10)
	w.noNode = true
	op := w.fund()
	w.chain.Mine(spendOf(op))
	w.chain.MineN(900)
	floor := w.chain.Height() - 400
	w.chain.Prune(floor)
	w.start(nil, chain.Watch{OutPoint: op})
	w.LookBackFrom(5)
	w.until("the old blocks to be given up", op, func(_ chain.Sighting, u chain.Update) bool { return u.LookBack.MissingTo >= floor-1 })
	_, u := w.of(op)
	if l := u.LookBack; l.Left > 0 || l.Missing != floor-5 || l.MissingTo != floor-1 || !strings.Contains(l.Reason, "bitcoind itself is not configured") {
		t.Errorf("%+v", l)
	}
	w.stop()
	heights, _ := w.back.BlockRequests()
	if low := slices.Min(heights); low != floor-1 {
		t.Errorf("block %d was asked for, and block %d cannot be read", low, floor-1)
	}
	if s, _ := w.of(op); s.Place != chain.Unknown {
		t.Errorf("%+v", s)
	}
}

// Without a new block none is read.
func TestALookWithoutANewBlockReadsNone(t *testing.T) {
	w := newWatching(t, 20)
	w.noNode = true
	op := w.fund()
	w.start(nil, chain.Watch{OutPoint: op})
	w.untilPlace(op, chain.Unspent)
	w.caughtUp()
	before, _ := w.back.BlockRequests()
	for range 10 {
		w.quiet()
	}
	if after, _ := w.back.BlockRequests(); len(after) != len(before) {
		t.Errorf("%d blocks read without a new one", len(after)-len(before))
	}
	w.stop()
}

// Below a pruned node's height nothing is asked for, and what is missing is
// said.
func TestPrunedBlocksAreSaid(t *testing.T) {
	w := newWatching(t, 10)
	lost, found := w.fund(), w.fund()
	w.chain.Mine(spendOf(lost))
	w.chain.MineN(100)
	at := w.chain.Mine(spendOf(found))
	w.chain.MineN(400)
	w.chain.Prune(at.Height - 5)
	w.start(nil, chain.Watch{OutPoint: lost, From: 12}, chain.Watch{OutPoint: found, From: 12})
	w.untilPlace(found, chain.InBlock)
	u := w.caughtUp()
	heights, _ := w.node.BlockRequests()
	if low := slices.Min(heights); low != at.Height-5 {
		t.Errorf("block %d was asked for", low)
	}
	if u.LookBack.Missing != at.Height-5-12 || u.LookBack.MissingTo != at.Height-6 || !strings.Contains(u.LookBack.Reason, "pruned") {
		t.Errorf("%+v", u.LookBack)
	}
	if s, _ := w.of(lost); s.Place != chain.Unknown || s.Searched {
		t.Errorf("%+v", s)
	}
	w.stop()
}

// A close on record whose block is pruned stays, and stops nobody.
func TestARecordedSpendInAPrunedBlock(t *testing.T) {
	for _, noNode := range []bool{false, true} {
		w := newWatching(t, 10)
		w.noNode = noNode
		op := w.fund()
		w.chain.Mine(spendOf(op))
		w.start(nil, chain.Watch{OutPoint: op, From: 5})
		w.untilPlace(op, chain.InBlock)
		u := w.caughtUp()
		w.stop()
		s, _ := w.of(op)
		w.chain.MineN(400)
		w.chain.Prune(w.chain.Height() - 288)
		other := w.fund()
		before, _ := w.back.BlockRequests()
		w.start(&u.Cursor, chain.Watch{OutPoint: op, From: 5, Last: &s}, chain.Watch{OutPoint: other})
		w.untilPlace(other, chain.Unspent)
		if again := w.untilPlace(op, chain.InBlock); again.Height != s.Height {
			t.Errorf("%+v", again)
		}
		heights, _ := w.back.BlockRequests()
		if noNode && slices.Min(heights[len(before):]) < w.chain.Height()-287 {
			t.Errorf("a pruned block was asked for")
		}
		w.stop()
	}
}

// bitcoind that cannot be reached at first is asked again.
func TestBitcoindComesAndGoes(t *testing.T) {
	w := newWatching(t, 10)
	op := w.fund()
	at := w.chain.Mine(spendOf(op))
	w.chain.MineN(700)
	w.node.SetDown(true)
	w.start(nil, chain.Watch{OutPoint: op, From: 5})
	u := w.caughtUp()
	if !strings.Contains(u.LookBack.Reason, "bitcoind itself cannot be asked") || u.MempoolSeen {
		t.Errorf("%+v", u)
	}
	w.node.SetDown(false)
	if s := w.untilPlace(op, chain.InBlock); s.Height != at.Height {
		t.Errorf("%+v", s)
	}
	w.until("the mempool", op, func(_ chain.Sighting, u chain.Update) bool { return u.MempoolSeen && u.Trouble == "" })
	w.node.SetDown(true)
	w.back.SetDown(true)
	w.until("the trouble", op, func(s chain.Sighting, u chain.Update) bool {
		return strings.HasPrefix(u.Trouble, "since 20") && s.Place == chain.InBlock
	})
	w.stop()
}

// What a block's header does not commit to is not believed.
func TestLiesAreNotBelieved(t *testing.T) {
	w := newWatching(t, 10)
	op := w.fund()
	w.start(nil, chain.Watch{OutPoint: op})
	w.untilPlace(op, chain.Unspent)
	w.setLie(func(b *chain.Block) *chain.Block {
		msg, err := b.Decode()
		if err != nil {
			t.Error(err)
		}
		msg.Transactions = append(msg.Transactions, spendOf(op)) // under the same header
		var raw strings.Builder
		if err := msg.Serialize(&raw); err != nil {
			t.Error(err)
		}
		return &chain.Block{Height: b.Height, Hash: b.Hash, Raw: []byte(raw.String())}
	})
	w.chain.MineN(2)
	w.until("the trouble", op, func(s chain.Sighting, u chain.Update) bool {
		return strings.Contains(u.Trouble, "merkle root")
	})
	w.quiet()
	if s, _ := w.of(op); s.Place == chain.InBlock {
		t.Errorf("believed: %+v", s)
	}
	w.setLie(nil)
	w.until("the honest block", op, func(s chain.Sighting, u chain.Update) bool {
		return s.Place == chain.Unspent && u.Trouble == "" && u.Behind == 0 && s.Searched
	})
	w.stop()
}

// A thousand outpoints cost one pass, and the same number of questions for the
// mempool as one.
func TestAThousandOutpointsCostOnePass(t *testing.T) {
	w := newWatching(t, 10)
	var ws []chain.Watch
	spends := make([]*wire.MsgTx, 0, 1000)
	for range 10 {
		var funds []*wire.MsgTx
		for range 100 {
			tx, op := w.chain.Pay(capacity, p2wsh)
			funds = append(funds, tx)
			ws = append(ws, chain.Watch{OutPoint: op, From: 11})
			spends = append(spends, spendOf(op))
		}
		w.chain.Mine(funds...)
	}
	for i := range 100 {
		w.chain.Mine(spends[10*i : 10*i+10]...)
		w.chain.MineN(2)
	}
	w.start(nil, ws...)
	w.caughtUp()
	for i, watch := range ws {
		if s := w.untilPlace(watch.OutPoint, chain.InBlock); s.TxID != spends[i].TxHash() {
			t.Fatalf("%+v", s)
		}
	}
	heights, most := w.node.BlockRequests()
	slices.Sort(heights)
	if n := len(slices.Compact(slices.Clone(heights))); len(heights) > n+1 || n > 311 || most > 2 {
		t.Errorf("%d requests for %d blocks, %d at once", len(heights), n, most)
	}
	w.stop()
}

// A look-back goes on where it was after a restart.
func TestALookBackIsResumed(t *testing.T) {
	w := newWatching(t, 10)
	op := w.fund()
	w.chain.MineN(400)
	w.chain.Mine(spendOf(op))
	w.chain.MineN(5)
	w.node.OnBlock(func(uint32) { time.Sleep(time.Millisecond) })
	watch := chain.Watch{OutPoint: op, From: 11}
	w.start(nil, watch)
	w.until("some of the look-back", op, func(_ chain.Sighting, u chain.Update) bool {
		w.chain.MineN(1) // an update with each
		return u.LookBack.Next > 100
	})
	w.stop()
	s, u := w.of(op)
	watch.Last = &s
	if len(u.Cursor.LookBacks) != 1 {
		t.Fatalf("%+v", u.Cursor)
	}
	next := u.Cursor.LookBacks[0].Left[0][0]
	before, _ := w.node.BlockRequests()
	w.start(&u.Cursor, watch)
	w.untilPlace(op, chain.InBlock)
	after, _ := w.node.BlockRequests()
	if low := slices.Min(after[len(before):]); low < next {
		t.Errorf("block %d is read again; the look-back stood at %d", low, next)
	}
	// An outpoint that is new is looked for from its own height on.
	w.stop()
}

// A restart at the very block that a look-back has still to look at: the block is
// where the cursor begins anew, and nobody has looked into it.
func TestABlockThatIsStillToBeLookedAtIsNotTakenForLookedAtAtTheStart(t *testing.T) {
	for _, noNode := range []bool{false, true} {
		w := newWatching(t, 10)
		w.noNode = noNode
		op := w.fund()
		tip := w.chain.Mine(spendOf(op))
		w.start(&chain.Cursor{
			Height: tip.Height, Hash: tip.Hash, Next: 2,
			LookBacks: []chain.CursorLookBack{{ID: 1, From: 1, Left: [][2]uint32{{1, tip.Height}}}},
		}, chain.Watch{OutPoint: op, From: 1, Last: &chain.Sighting{OutPoint: op, LookBack: 1}})
		w.untilPlace(op, chain.InBlock)
		w.stop()
	}
}

func TestForgetAndEmptyWatch(t *testing.T) {
	w := newWatching(t, 10)
	op := w.fund()
	w.start(nil)
	w.caughtUp()
	w.Watch(chain.Watch{OutPoint: op}, chain.Watch{OutPoint: op})
	w.untilPlace(op, chain.Unspent)
	w.Forget(op, wire.OutPoint{Index: 7})
	w.chain.Mine(spendOf(op))
	w.caughtUp()
	w.quiet()
	if s, _ := w.of(op); s.Place != chain.Unspent {
		t.Errorf("told of what is forgotten: %+v", s)
	}
	w.Watch(chain.Watch{OutPoint: op, From: 5})
	w.untilPlace(op, chain.InBlock)
	w.stop()
}

// madeUp is a block of its own with a spend of op, which no chain has.
func madeUp(t *testing.T, b *chain.Block, op wire.OutPoint) *chain.Block {
	t.Helper()
	msg, err := b.Decode()
	if err != nil {
		t.Error(err)
		return b
	}
	fake := wire.MsgBlock{Header: msg.Header, Transactions: []*wire.MsgTx{spendOf(op)}}
	fake.Header.MerkleRoot = fake.Transactions[0].TxHash()
	fake.Header.Nonce++
	var raw strings.Builder
	if err := fake.Serialize(&raw); err != nil {
		t.Error(err)
	}
	return &chain.Block{Height: b.Height, Hash: fake.BlockHash(), Raw: []byte(raw.String())}
}

// An old block that does not belong to the chain is found out by its neighbours.
func TestAMadeUpOldBlockIsFoundOut(t *testing.T) {
	w := newWatching(t, 10)
	op := w.fund()
	tx := spendOf(op)
	tx.LockTime = 7
	w.chain.MineN(10)
	bad := w.chain.Height()
	w.chain.MineN(5)
	at := w.chain.Mine(tx)
	w.chain.MineN(5)
	lies := 1
	w.setLie(func(b *chain.Block) *chain.Block {
		if b.Height != bad || lies == 0 {
			return b
		}
		lies--
		return madeUp(t, b, op)
	})
	w.start(nil, chain.Watch{OutPoint: op, From: 11})
	w.until("the true spend", op, func(s chain.Sighting, u chain.Update) bool {
		return s.Place == chain.InBlock && s.Height == at.Height && u.LookBack.Done
	})
	if s, _ := w.of(op); s.TxID != tx.TxHash() || !s.Searched {
		t.Errorf("%+v", s)
	}
	w.stop()
}

// A new block on another one than ours, and silence about ours: nothing is taken
// back.
func TestAStrangeNewBlockAndSilenceIsNoReorganisation(t *testing.T) {
	w := newWatching(t, 10)
	op := w.fund()
	w.chain.Mine(spendOf(op))
	w.start(nil, chain.Watch{OutPoint: op, From: 5})
	w.untilPlace(op, chain.InBlock)
	w.setFault(func(what string, height uint32) error {
		if what == "hash" {
			return fmt.Errorf("%s %d: %w", what, height, chain.ErrNoBlock)
		}
		return nil
	})
	w.setLie(func(b *chain.Block) *chain.Block {
		msg, err := b.Decode()
		if err != nil {
			t.Error(err)
			return b
		}
		msg.Header.PrevBlock = chainhash.Hash{1}
		var raw strings.Builder
		if err := msg.Serialize(&raw); err != nil {
			t.Error(err)
		}
		return &chain.Block{Height: b.Height, Hash: msg.BlockHash(), Raw: []byte(raw.String())}
	})
	w.chain.MineN(1)
	w.until("the trouble", op, func(_ chain.Sighting, u chain.Update) bool {
		return strings.Contains(u.Trouble, "comes after another block")
	})
	w.quiet()
	if s, u := w.of(op); s.Place != chain.InBlock || u.Behind != 1 {
		t.Errorf("%+v, %+v", s, u)
	}
	w.setFault(nil)
	w.setLie(nil)
	w.caughtUp()
	w.stop()
}

// A block that was left out is replaced by another one before the next is read:
// what was said of outputs in between counts no more.
func TestABlockLeftOutMayBecomeAnother(t *testing.T) {
	w := newWatching(t, 10)
	w.noNode = true
	op := w.fund()
	w.start(nil, chain.Watch{OutPoint: op})
	w.untilPlace(op, chain.Unspent)
	bad := w.chain.Height() + 1
	unreadable := func(heights ...uint32) {
		w.setFault(func(what string, height uint32) error {
			if what == "block" && slices.Contains(heights, height) {
				return fmt.Errorf("input/output error")
			}
			return nil
		})
	}
	unreadable(bad, bad+1)
	w.chain.MineN(2)
	w.until("the block left out", op, func(s chain.Sighting, u chain.Update) bool {
		return u.Tip.Height == bad && s.Place == chain.Unspent
	})
	w.chain.Reorg(2, false)
	unreadable(bad)
	w.chain.Mine(spendOf(op))
	w.chain.MineN(2)
	w.until("the blocks above", op, func(_ chain.Sighting, u chain.Update) bool { return u.Tip.Height == bad+2 })
	w.setFault(nil)
	if s := w.untilPlace(op, chain.InBlock); s.Height != bad {
		t.Errorf("%+v", s)
	}
	w.stop()
}
