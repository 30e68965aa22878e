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
	ctx      = context.Background()
	capacity = int64(1_000_000)
)

// newChain is a chain with ten blocks above genesis.
func newChain() *chaintest.Chain {
	c := chaintest.New("regtest", epoch)
	c.MineN(10)
	return c
}

// search looks for the spends of outpoints from a height on.
func search(t *testing.T, src chain.Source, from uint32, ops ...wire.OutPoint) chain.SearchResult {
	t.Helper()
	res, err := chain.Search(ctx, src, chain.SearchRequest{From: from, OutPoints: ops})
	if err != nil {
		t.Fatal(err)
	}
	return res
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

	type spend struct {
		txid   chainhash.Hash
		height uint32
	}
	all := []spend{{close1.TxHash(), 15}, {sweep1.TxHash(), 15}, {third1.TxHash(), 16}, {close2.TxHash(), 17}}
	for generations, want := range [][]spend{{all[0], all[3]}, {all[0], all[1], all[3]}, all} {
		var heights []uint32
		res, err := chain.Search(ctx, chain.Join(c.Backend(), nil), chain.SearchRequest{
			From: 5, OutPoints: []wire.OutPoint{op1, op2}, Generations: generations,
			Progress: func(height, to uint32) { heights = append(heights, height) },
		})
		if err != nil || res.Tip != 17 || res.Missing != 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		if want := []uint32{5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}; !slices.Equal(heights, want) {
			t.Errorf("progress %v, want %v", heights, want)
		}
		var got []spend
		for _, s := range res.Spends {
			got = append(got, spend{s.TxID, s.Height})
			if !s.Spends(s.OutPoint) {
				t.Errorf("spend of %v does not spend it", s.OutPoint)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d generations: %v, want %v", generations, got, want)
		}
		if s := res.SpendOf(op2); s == nil || s.TxID != close2.TxHash() {
			t.Errorf("SpendOf = %v", s)
		}
	}
}

func TestOutputsToScriptsAreFoundInTheSamePass(t *testing.T) {
	c := newChain()
	fund, op := c.Pay(capacity, p2wsh)
	c.Mine(fund) // 11
	closing := chaintest.SpendTo(900_000, p2wpkh, op)
	swept := chaintest.SpendTo(890_000, p2wpkh, chain.Outputs(closing)[0])
	c.Mine(closing, swept) // 12
	res, err := chain.Search(ctx, chain.Join(c.Backend(), nil), chain.SearchRequest{
		From: 1, OutPoints: []wire.OutPoint{op}, Scripts: [][]byte{p2wpkh, p2wsh}, Generations: 1,
	})
	if err != nil || len(res.Spends) != 2 || res.Next != 13 {
		t.Fatalf("%+v, %v", res, err)
	}
	var got []wire.OutPoint
	for _, f := range res.Found {
		got = append(got, f.OutPoint)
		if f.Tx.TxHash() != f.OutPoint.Hash || uint64(f.Tx.TxOut[f.OutPoint.Index].Value) != f.ValueSat {
			t.Errorf("%+v", f)
		}
	}
	if want := []wire.OutPoint{op, chain.Outputs(closing)[0], chain.Outputs(swept)[0]}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestASearchEndsWhereTheBackendGoesDown(t *testing.T) {
	c := newChain()
	fund, op := c.Pay(capacity, p2wsh)
	c.Mine(fund)
	c.Mine(chaintest.SpendTo(1, p2wpkh, op)) // 12
	c.MineN(4)
	b := c.Backend()
	b.OnBlock(func(height uint32) {
		if height == 14 {
			b.SetDown(true)
		}
	})
	res, err := chain.Search(ctx, chain.Join(b, nil), chain.SearchRequest{From: 3, OutPoints: []wire.OutPoint{op}})
	if !errors.Is(err, chain.ErrUnavailable) || len(res.Spends) != 1 || res.Next != 14 {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestAReorganisationMeanwhileTakesBackWhatWasFound(t *testing.T) {
	c := newChain()
	fund, op := c.Pay(capacity, p2wsh)
	c.Mine(fund)                             // 11
	c.Mine(chaintest.SpendTo(1, p2wpkh, op)) // 12
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
	res := search(t, chain.Join(b, nil), 1, op)
	if len(res.Spends) != 1 || res.Spends[0].TxID != other.TxHash() || res.Spends[0].Height != 13 {
		t.Errorf("spends %v", res.Spends)
	}
}

func TestAChainThatBecomesShorterEndsAtItsTip(t *testing.T) {
	for _, at := range []uint32{14, 13} {
		c := newChain()
		fund, op := c.Pay(capacity, p2wsh)
		c.Mine(fund)
		c.Mine(chaintest.SpendTo(1, p2wpkh, op)) // 12
		c.MineN(2)
		b := c.Backend()
		once := false
		b.OnBlock(func(height uint32) {
			if height == at && !once {
				once = true
				c.Reorg(4, false) // tip 10
			}
		})
		if res := search(t, chain.Join(b, nil), 2, op); res.Tip != 10 || len(res.Spends) > 0 {
			t.Errorf("cut at request %d: %+v", at, res)
		}
	}
}

func TestASearchNeverAsksForPrunedBlocks(t *testing.T) {
	c := newChain()
	c.Prune(6)
	n, b := c.Node(), c.Backend()
	src := chain.Join(b, n)
	if res := search(t, src, 2); res.Missing != 4 || res.Tip != 10 {
		t.Errorf("%+v", res)
	}
	heights, _ := n.BlockRequests()
	if !slices.Equal(heights, []uint32{6, 7, 8, 9, 10}) {
		t.Errorf("asked for %v", heights)
	}
	if heights, _ := b.BlockRequests(); len(heights) != 0 {
		t.Errorf("bcli was asked for %v though bitcoind answers", heights)
	}
	res, err := chain.Search(ctx, src, chain.SearchRequest{From: 2, To: 4})
	if err != nil || res.Missing != 3 || res.Tip != 4 {
		t.Errorf("all pruned: %+v, %v", res, err)
	}
	// They are pruned while it looks.
	c = newChain()
	n = c.Node()
	n.OnBlock(func(uint32) { c.Prune(5) })
	if res := search(t, chain.Join(c.Backend(), n), 2); res.Missing != 3 || res.Tip != 10 {
		t.Errorf("pruned meanwhile: %+v", res)
	}
}

func TestASearchStopsWhenItsContextEnds(t *testing.T) {
	c := newChain()
	stop, cancel := context.WithCancel(ctx)
	last := uint32(0)
	_, err := chain.Search(stop, chain.Join(c.Backend(), nil), chain.SearchRequest{From: 1, Progress: func(height, _ uint32) {
		if last = height; height == 4 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || last != 4 {
		t.Errorf("up to %d, %v", last, err)
	}
}

func TestBcliServesWhenBitcoindIsDown(t *testing.T) {
	c := newChain()
	n := c.Node()
	n.SetDown(true)
	if res := search(t, chain.Join(c.Backend(), n), 8); res.Tip != 10 {
		t.Errorf("%+v", res)
	}
	b := c.Backend()
	b.SetDown(true)
	n.SetDown(false)
	if height, _, err := chain.Join(b, n).Best(ctx); err != nil || height != 10 {
		t.Errorf("bitcoind alone: %d, %v", height, err)
	}
}

func TestHeightBeforeATime(t *testing.T) {
	c := chaintest.New("regtest", epoch)
	c.MineN(400) // one block each ten minutes
	src := chain.Join(c.Backend(), c.Node())
	for name, tt := range map[string]struct {
		at        time.Time
		low, high uint32
	}{
		"now":                {epoch.Add(4000 * time.Minute), 301, 388},
		"long ago":           {epoch.Add(1000 * time.Minute), 51, 88},
		"before the chain":   {epoch.Add(-time.Hour), 0, 0},
		"in the far future":  {epoch.AddDate(1, 0, 0), 300, 400},
		"at the second hour": {epoch.Add(2 * time.Hour), 0, 0},
	} {
		if got, err := src.HeightBefore(ctx, tt.at); err != nil || got < tt.low || got > tt.high {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
	// It would take whole blocks.
	if _, err := chain.Join(c.Backend(), nil).HeightBefore(ctx, epoch); !errors.Is(err, chain.ErrUnsupported) {
		t.Errorf("by bcli: %v", err)
	}
	if h, err := chain.Join(c.Backend(), chaintest.New("regtest", epoch).Node()).HeightBefore(ctx, epoch.AddDate(1, 0, 0)); h != 0 || err != nil {
		t.Errorf("genesis only: %d, %v", h, err)
	}
}

func BenchmarkSearch(b *testing.B) {
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
	src := chain.Join(c.Backend(), nil)
	for b.Loop() {
		if _, err := chain.Search(ctx, src, chain.SearchRequest{From: 1, OutPoints: []wire.OutPoint{op}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/20, "µs/block")
}
