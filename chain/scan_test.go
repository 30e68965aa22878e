package chain_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
)

var (
	epoch    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p2wsh    = append([]byte{0x00, 0x20}, make([]byte, 32)...)
	p2wpkh   = append([]byte{0x00, 0x14}, make([]byte, 20)...)
	noHash   chainhash.Hash
	ctx      = context.Background()
	capacity = int64(1_000_000)
)

// newChain is a chain with ten blocks above genesis.
func newChain() *chaintest.Chain {
	c := chaintest.New("regtest", epoch)
	c.MineN(10)
	return c
}

func TestOnePassFindsManySpendsAndFollowsThem(t *testing.T) {
	c := newChain()
	fund1, op1 := c.Pay(capacity, p2wsh)
	fund2, op2 := c.Pay(capacity, p2wsh)
	c.Mine(fund1, fund2) // 11
	c.MineN(3)
	close1 := chaintest.SpendTo(900_000, p2wpkh, op1)
	sweep1 := chaintest.SpendTo(890_000, p2wpkh, chain.Outputs(close1)[0])
	third1 := chaintest.SpendTo(880_000, p2wpkh, chain.Outputs(sweep1)[0])
	c.Mine(close1, sweep1) // 15: child in the same block
	c.Mine(third1)         // 16
	close2 := chaintest.SpendTo(800_000, p2wsh, op2)
	c.Mine(close2) // 17

	var heights []uint32
	v := chain.New(c.Backend(), nil)
	res, err := v.Scan(ctx, chain.ScanRequest{
		From: 5, OutPoints: []wire.OutPoint{op1, op2}, Scripts: [][]byte{p2wpkh}, Generations: 1,
		Progress: func(p chain.ScanProgress) { heights = append(heights, p.Height) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Next != 18 || res.Missing != 0 {
		t.Errorf("next %d, missing %d", res.Next, res.Missing)
	}
	if want := []uint32{5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}; !slices.Equal(heights, want) {
		t.Errorf("progress %v, want %v", heights, want)
	}
	type spend struct {
		txid   chainhash.Hash
		height uint32
	}
	var got []spend
	for _, s := range res.Spends {
		got = append(got, spend{s.TxID, s.Height})
		if !s.Spends(s.OutPoint) {
			t.Errorf("spend of %v does not spend it", s.OutPoint)
		}
	}
	// third1 is the second generation: not followed.
	want := []spend{{close1.TxHash(), 15}, {sweep1.TxHash(), 15}, {close2.TxHash(), 17}}
	if !slices.Equal(got, want) {
		t.Errorf("spends %v, want %v", got, want)
	}
	// Found: both fundings' creations and every output to the script.
	var found []spend
	for _, f := range res.Found {
		found = append(found, spend{f.OutPoint.Hash, f.Height})
	}
	wantFound := []spend{
		{fund1.TxHash(), 11},
		{fund2.TxHash(), 11},
		{close1.TxHash(), 15},
		{sweep1.TxHash(), 15},
		{third1.TxHash(), 16},
	}
	if !slices.Equal(found, wantFound) {
		t.Errorf("found %v, want %v", found, wantFound)
	}
	if ok, err := v.Confirmed(ctx, res.Spends[0].Block, 15); !ok || err != nil {
		t.Errorf("Confirmed = %v, %v", ok, err)
	}
	if s := res.SpendOf(op2); s == nil || s.TxID != close2.TxHash() {
		t.Errorf("SpendOf = %v", s)
	}

	deep, err := v.Follow(ctx, close1, 15, 1, nil)
	if err != nil || len(deep.Spends) != 2 || deep.Spends[1].TxID != third1.TxHash() {
		t.Errorf("Follow: %v, %v", deep.Spends, err)
	}
}

func TestScanResumesWhereTheBackendWentDown(t *testing.T) {
	c := newChain()
	fund, op := c.Pay(capacity, p2wsh)
	c.Mine(fund)
	spend := chaintest.SpendTo(1, p2wpkh, op)
	c.MineN(4)
	c.Mine(spend) // 16
	c.MineN(2)

	b := c.Backend()
	b.OnBlock(func(height uint32) {
		if height == 14 {
			b.SetDown(true)
		}
	})
	v := chain.New(b, nil)
	res, err := v.Scan(ctx, chain.ScanRequest{From: 3, OutPoints: []wire.OutPoint{op}})
	if !errors.Is(err, chain.ErrUnavailable) {
		t.Fatalf("error %v", err)
	}
	if res.Next != 14 || len(res.Spends) != 0 || res.Last == noHash {
		t.Fatalf("next %d, last %v, spends %v", res.Next, res.Last, res.Spends)
	}
	b.OnBlock(nil)
	b.SetDown(false)
	res, err = v.Scan(ctx, chain.ScanRequest{From: res.Next, Prev: res.Last, OutPoints: []wire.OutPoint{op}})
	if err != nil || len(res.Spends) != 1 || res.Spends[0].Height != 16 {
		t.Fatalf("resumed: %v, %v", res.Spends, err)
	}
}

func TestResumingAfterAReorganisationSaysSo(t *testing.T) {
	c := newChain()
	v := chain.New(c.Backend(), nil)
	res, err := v.Scan(ctx, chain.ScanRequest{From: 3})
	if err != nil {
		t.Fatal(err)
	}
	c.Reorg(2, false)
	c.MineN(4)
	_, err = v.Scan(ctx, chain.ScanRequest{From: res.Next, Prev: res.Last})
	var reorg *chain.ReorgError
	if !errors.As(err, &reorg) || reorg.Height != 11 {
		t.Fatalf("error %v", err)
	}
}

func TestReorganisationWhileScanningTakesBackWhatItFound(t *testing.T) {
	c := newChain()
	fund, op := c.Pay(capacity, p2wsh)
	c.Mine(fund) // 11
	old := chaintest.SpendTo(1, p2wpkh, op)
	c.Mine(old) // 12
	c.MineN(2)
	other := chaintest.SpendTo(2, p2wsh, op)

	b := c.Backend()
	once := false
	b.OnBlock(func(height uint32) {
		if height == 14 && !once {
			once = true
			c.Reorg(3, false)
			c.Mine()
			c.Mine(other) // 13
			c.MineN(3)
		}
	})
	res, err := chain.New(b, nil).Scan(ctx, chain.ScanRequest{
		From: 1, OutPoints: []wire.OutPoint{op}, Scripts: [][]byte{p2wpkh},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Spends) != 1 || res.Spends[0].TxID != other.TxHash() || res.Spends[0].Height != 13 {
		t.Errorf("spends %v", res.Spends)
	}
	if len(res.Found) != 1 || res.Found[0].OutPoint != op {
		t.Errorf("found %v: the replaced transaction's output must be gone", res.Found)
	}
	if res.Next != 17 {
		t.Errorf("next %d", res.Next)
	}
}

func TestChainThatBecomesShorterEndsAtItsTip(t *testing.T) {
	for _, at := range []uint32{10, 9} {
		c := newChain()
		b := c.Backend()
		once := false
		b.OnBlock(func(height uint32) {
			if height == at && !once {
				once = true
				c.Reorg(4, false) // tip 6
			}
		})
		res, err := chain.New(b, nil).Scan(ctx, chain.ScanRequest{From: 2})
		if err != nil || res.Next != 7 {
			t.Errorf("cut at request %d: next %d, %v", at, res.Next, err)
		}
	}
	// The tip shrinks after the last block was read.
	c := newChain()
	v := chain.New(c.Backend(), nil)
	res, err := v.Scan(ctx, chain.ScanRequest{From: 2, Progress: func(p chain.ScanProgress) {
		if p.Height == 10 {
			c.Reorg(4, false)
		}
	}})
	if err != nil || res.Next != 7 {
		t.Errorf("cut after the tip: next %d, %v", res.Next, err)
	}
}

func TestScanNeverAsksBelowThePruneHeight(t *testing.T) {
	c := newChain()
	c.Prune(6)
	n := c.Node()
	b := c.Backend()
	res, err := chain.New(b, n).Scan(ctx, chain.ScanRequest{From: 2})
	if err != nil {
		t.Fatal(err)
	}
	if res.Missing != 4 || res.Next != 11 {
		t.Errorf("missing %d, next %d", res.Missing, res.Next)
	}
	heights, _ := n.BlockRequests()
	if !slices.Equal(heights, []uint32{6, 7, 8, 9, 10}) {
		t.Errorf("asked for %v", heights)
	}
	if heights, _ := b.BlockRequests(); len(heights) != 0 {
		t.Errorf("bcli was asked for %v though bitcoind answers", heights)
	}

	res, err = chain.New(b, n).Scan(ctx, chain.ScanRequest{From: 2, To: 4})
	if err != nil || res.Missing != 3 || res.Next != 5 {
		t.Errorf("all pruned: missing %d, next %d, %v", res.Missing, res.Next, err)
	}
}

func TestBlocksPrunedUnderTheScanAreCounted(t *testing.T) {
	c := newChain()
	n := c.Node()
	n.OnBlock(func(uint32) { c.Prune(5) })
	res, err := chain.New(c.Backend(), n).Scan(ctx, chain.ScanRequest{From: 2})
	if err != nil || res.Missing != 3 || res.Next != 11 {
		t.Errorf("missing %d, next %d, %v", res.Missing, res.Next, err)
	}
}

func TestOneBlockRequestAtATime(t *testing.T) {
	c := newChain()
	b := c.Backend()
	v := chain.New(b, nil)
	done := make(chan error)
	for range 4 {
		go func() {
			_, err := v.Scan(ctx, chain.ScanRequest{From: 1})
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if heights, most := b.BlockRequests(); most != 1 || len(heights) != 40 {
		t.Errorf("%d requests at once, %d in all", most, len(heights))
	}
}

func TestScanStopsWhenItsContextEnds(t *testing.T) {
	c := newChain()
	stop, cancel := context.WithCancel(ctx)
	res, err := chain.New(c.Backend(), nil).Scan(stop, chain.ScanRequest{From: 1, Progress: func(p chain.ScanProgress) {
		if p.Height == 4 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || res.Next != 5 {
		t.Errorf("next %d, %v", res.Next, err)
	}
}

func TestBcliServesWhenBitcoindIsDown(t *testing.T) {
	c := newChain()
	n := c.Node()
	n.SetDown(true)
	v := chain.New(c.Backend(), n)
	if res, err := v.Scan(ctx, chain.ScanRequest{From: 8}); err != nil || res.Next != 11 {
		t.Errorf("next %d, %v", res.Next, err)
	}
	b := c.Backend()
	b.SetDown(true)
	n.SetDown(false)
	if i, err := chain.New(b, n).Info(ctx); err != nil || i.Blocks != 10 {
		t.Errorf("bitcoind alone: %v, %v", i, err)
	}
}

func TestHeightBeforeATime(t *testing.T) {
	c := chaintest.New("regtest", epoch)
	c.MineN(400) // one block each ten minutes
	tests := map[string]struct {
		at   time.Time
		want func(uint32) bool
	}{
		"now":                {epoch.Add(4000 * time.Minute), func(h uint32) bool { return h > 300 && h <= 400-12 }},
		"long ago":           {epoch.Add(1000 * time.Minute), func(h uint32) bool { return h > 50 && h <= 100-12 }},
		"before the chain":   {epoch.Add(-time.Hour), func(h uint32) bool { return h == 0 }},
		"in the far future":  {epoch.AddDate(1, 0, 0), func(h uint32) bool { return h >= 300 && h <= 400 }},
		"at the second hour": {epoch.Add(2 * time.Hour), func(h uint32) bool { return h == 0 }},
	}
	for name, tt := range tests {
		for door, v := range map[string]*chain.View{
			"bcli":     chain.New(c.Backend(), nil),
			"bitcoind": chain.New(c.Backend(), c.Node()),
		} {
			got, err := v.HeightBefore(ctx, tt.at)
			if err != nil || !tt.want(got) {
				t.Errorf("%s by %s: %d, %v", name, door, got, err)
			}
		}
	}

	// Close in the past, few and new blocks are asked for.
	b := c.Backend()
	if _, err := chain.New(b, nil).HeightBefore(ctx, epoch.Add(3900*time.Minute)); err != nil {
		t.Fatal(err)
	}
	heights, _ := b.BlockRequests()
	if len(heights) > 12 || slices.Min(heights) < 340 {
		t.Errorf("asked for blocks %v", heights)
	}

	c.Prune(250)
	got, err := chain.New(c.Backend(), c.Node()).HeightBefore(ctx, epoch)
	if err != nil || got != 250 {
		t.Errorf("pruned: %d, %v", got, err)
	}
}

func TestHeightBeforeOnAGenesisOnlyChain(t *testing.T) {
	c := chaintest.New("regtest", epoch)
	if h, err := chain.New(c.Backend(), nil).HeightBefore(ctx, epoch.AddDate(1, 0, 0)); h != 0 || err != nil {
		t.Errorf("%d, %v", h, err)
	}
}

func TestConfirmedFollowsTheChain(t *testing.T) {
	for _, withNode := range []bool{false, true} {
		c := newChain()
		var n chain.Node
		if withNode {
			n = c.Node()
		}
		v := chain.New(c.Backend(), n)
		block := c.Mine()
		if ok, err := v.Confirmed(ctx, block.Hash, block.Height); !ok || err != nil {
			t.Errorf("fresh block: %v, %v", ok, err)
		}
		c.Reorg(1, false)
		if ok, err := v.Confirmed(ctx, block.Hash, block.Height); ok || err != nil {
			t.Errorf("cut off: %v, %v", ok, err)
		}
		c.Mine()
		if ok, err := v.Confirmed(ctx, block.Hash, block.Height); ok || err != nil {
			t.Errorf("replaced: %v, %v", ok, err)
		}
		if ok, err := v.Confirmed(ctx, noHash, 5); ok || err != nil {
			t.Errorf("mempool: %v, %v", ok, err)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	c := chaintest.New("regtest", epoch)
	for range 20 {
		var txs []*wire.MsgTx
		for range 2000 {
			tx, _ := c.Pay(1000, p2wpkh)
			txs = append(txs, tx)
		}
		c.Mine(txs...)
	}
	_, op := c.Pay(1000, p2wsh)
	v := chain.New(c.Backend(), nil)
	for b.Loop() {
		if _, err := v.Scan(ctx, chain.ScanRequest{From: 1, OutPoints: []wire.OutPoint{op}, Scripts: [][]byte{p2wsh}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/20, "µs/block")
}
