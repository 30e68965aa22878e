package chain_test

import (
	"context"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
)

// A light client downloads the blocks that matter and no others; an outpoint whose
// script nobody knows costs all of them.
func TestWatcherReadsOnlyBlocksThatASiftNames(t *testing.T) {
	w := newWatching(t, 100)
	w.light = true
	tx, op := w.chain.Pay(capacity, p2wsh)
	w.chain.Mine(tx)
	w.chain.MineN(1200)
	spend := spendOf(op)
	closed := w.chain.Mine(spend)
	w.chain.MineN(1500)
	w.start(nil, chain.Watch{OutPoint: op, PkScript: p2wsh, From: 1})
	s := w.until("the close", op, func(s chain.Sighting, _ chain.Update) bool { return s.Place == chain.InBlock })
	if s.TxID != spend.TxHash() || s.Height != closed.Height || !s.Searched {
		t.Errorf("%+v", s)
	}
	// The newest block, the close, and the funding unless the close came first.
	if read, _ := w.node.BlockRequests(); len(read) > 3 || !slices.Contains(read, closed.Height) {
		t.Errorf("blocks %v were read", read)
	}

	// What the close pays needs no script to be given: the close is in hand.
	child := chain.Outputs(spend)[0]
	w.Watch(chain.Watch{OutPoint: child, From: closed.Height})
	w.until("its output", child, func(s chain.Sighting, _ chain.Update) bool { return s.Place == chain.Unspent && s.Searched })
	if read, _ := w.node.BlockRequests(); len(read) > 5 {
		t.Errorf("blocks %v were read", read)
	}
	w.stop()

	_, unknown := w.chain.Pay(capacity, p2wsh)
	before, _ := w.node.BlockRequests()
	w.start(nil, chain.Watch{OutPoint: unknown, From: 2000})
	w.until("every block", unknown, func(s chain.Sighting, _ chain.Update) bool { return s.Searched })
	if read, _ := w.node.BlockRequests(); len(read)-len(before) < 800 {
		t.Errorf("%d blocks were read", len(read)-len(before))
	}
	w.stop()
}

// sieve is a source with filters, for Search.
type sieve struct {
	chain.Source
	c *chaintest.Chain
}

func (s sieve) Sift(_ context.Context, from, to uint32, scripts [][]byte) ([]uint32, error) {
	return s.c.Sift(from, to, scripts), nil
}

func TestSearchReadsOnlyBlocksThatASiftNames(t *testing.T) {
	c := chaintest.New("regtest", epoch)
	c.MineN(300)
	tx, op := c.Pay(capacity, p2wsh)
	c.Mine(tx)
	c.MineN(1300)
	spend := spendOf(op)
	c.Mine(spend)
	c.MineN(10)
	child := spendOf(chain.Outputs(spend)[0])
	c.Mine(child)
	c.MineN(1100)
	node := c.Node()
	src := sieve{chain.Join(c.Backend(), node), c}
	for name, req := range map[string]chain.SearchRequest{
		"a spend and what follows": {From: 1, OutPoints: []wire.OutPoint{op}, OutPointScripts: [][]byte{p2wsh}, Generations: 1},
		"an output to a script":    {From: 1, Scripts: [][]byte{p2wsh}},
		"an unknown script":        {From: 2600, OutPoints: []wire.OutPoint{op}},
	} {
		before, _ := node.BlockRequests()
		got, err := chain.Search(t.Context(), src, req)
		if err != nil || got.Next != got.Tip+1 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		read, _ := node.BlockRequests()
		switch blocks := len(read) - len(before); name {
		case "a spend and what follows":
			if len(got.Spends) != 2 || got.Spends[1].TxID != child.TxHash() || blocks > 4 {
				t.Errorf("%s: %+v, %d blocks", name, got.Spends, blocks)
			}
		case "an output to a script":
			if len(got.Found) != 1 || got.Found[0].OutPoint != op || blocks > 3 {
				t.Errorf("%s: %+v, %d blocks", name, got.Found, blocks)
			}
		default:
			if blocks != int(c.Height())-2600+1 {
				t.Errorf("%s: %d blocks", name, blocks)
			}
		}
	}
}
