package chain_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
)

func TestFundingEvidence(t *testing.T) {
	type world struct {
		c    *chaintest.Chain
		b    *chaintest.Backend
		n    *chaintest.Node
		fund *wire.MsgTx
		q    chain.FundingQuery
	}
	confirmed := func(w *world) { w.c.Mine(w.fund); w.c.MineN(2) }
	other := append(bytes.Clone(p2wsh[:33]), 1)
	tests := []struct {
		name    string
		noNode  bool
		arrange func(*world)
		state   chain.FundingState
		conf    int
		problem string
		reason  string
	}{
		{"unspent, bitcoind says how deep", false, confirmed, chain.FundingUnspent, 3, "", "3 confirmations"},
		{"unspent, bcli cannot say how deep", true, confirmed, chain.FundingUnspent, chain.ConfirmationsUnknown, "", "does not say whether"},
		{"in the mempool", false, func(w *world) { w.c.AddMempool(w.fund) }, chain.FundingUnconfirmed, 0, "", "mempool"},
		{"in the mempool, bcli cannot tell", true, func(w *world) { w.c.AddMempool(w.fund) }, chain.FundingUnspent, chain.ConfirmationsUnknown, "", "does not say whether"},
		{"never there", false, func(*world) {}, chain.FundingUnknown, chain.ConfirmationsUnknown, "", "block scan"},
		{"never there, by bcli", true, func(*world) {}, chain.FundingUnknown, chain.ConfirmationsUnknown, "", "no answer"},
		{"spent in a block, nobody scanned", false, func(w *world) {
			confirmed(w)
			w.c.Mine(chaintest.SpendTo(1, p2wpkh, w.q.OutPoint))
		}, chain.FundingUnknown, chain.ConfirmationsUnknown, "", "block scan"},
		{"spent in the mempool", false, func(w *world) {
			confirmed(w)
			w.c.AddMempool(chaintest.SpendTo(1, p2wpkh, w.q.OutPoint))
		}, chain.FundingSpent, chain.ConfirmationsUnknown, "", "mempool"},
		{"funding and spend in the mempool", false, func(w *world) {
			w.c.AddMempool(w.fund)
			w.c.AddMempool(chaintest.SpendTo(1, p2wpkh, w.q.OutPoint))
		}, chain.FundingSpent, chain.ConfirmationsUnknown, "", "mempool"},
		{"spent in the mempool, by bcli", true, func(w *world) {
			confirmed(w)
			w.c.AddMempool(chaintest.SpendTo(1, p2wpkh, w.q.OutPoint))
		}, chain.FundingUnknown, chain.ConfirmationsUnknown, "", "no answer"},
		{"everything down", false, func(w *world) {
			confirmed(w)
			w.b.SetDown(true)
			w.n.SetDown(true)
		}, chain.FundingUnknown, chain.ConfirmationsUnknown, "", "failed"},
		{"bitcoind down, bcli up", false, func(w *world) {
			confirmed(w)
			w.n.SetDown(true)
		}, chain.FundingUnspent, chain.ConfirmationsUnknown, "", "does not say whether"},
		{"another value", false, func(w *world) { confirmed(w); w.q.CapacitySat = 5 }, chain.FundingUnspent, 3, chain.FundingMismatch, "1000000 sat"},
		{"another 2-of-2", true, func(w *world) { confirmed(w); w.q.Script = other }, chain.FundingUnspent, chain.ConfirmationsUnknown, chain.FundingMismatch, "2-of-2"},
		{"our key unknown, right kind", false, func(w *world) { confirmed(w); w.q.Script = nil }, chain.FundingUnspent, 3, "", ""},
		{"our key unknown, wrong kind", false, func(w *world) {
			w.fund, w.q.OutPoint = w.c.Pay(capacity, p2wpkh)
			w.q.Script = nil
			confirmed(w)
		}, chain.FundingUnspent, 3, chain.FundingMismatch, "kind"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &world{c: newChain()}
			w.b, w.n = w.c.Backend(), w.c.Node()
			w.fund, w.q.OutPoint = w.c.Pay(capacity, p2wsh)
			w.q.CapacitySat, w.q.Script = uint64(capacity), p2wsh
			tt.arrange(w)
			var n chain.Node
			if !tt.noNode {
				n = w.n
			}
			e := chain.Evidence(ctx, chain.Join(w.b, n), w.q)
			if e.State != tt.state || e.Confirmations != tt.conf || e.Problem != tt.problem {
				t.Errorf("got %+v", e)
			}
			if !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("reason %q lacks %q", e.Reason, tt.reason)
			}
			if (e.State == chain.FundingSpent) != (e.Spend != nil) {
				t.Error("spent without the spending transaction, or the reverse")
			}
			if e.Spend != nil && (!e.Spend.Spends(w.q.OutPoint) || e.Spend.Height != 0) {
				t.Errorf("spend %+v", e.Spend)
			}
		})
	}
}

func TestSpendFromAScanIsCheckedAgainstTheChain(t *testing.T) {
	c := newChain()
	fund, op := c.Pay(capacity, p2wsh)
	c.Mine(fund)
	tx := chaintest.SpendTo(1, p2wpkh, op)
	c.MineN(3)
	c.Mine(tx) // 15
	b, n := c.Backend(), c.Node()
	both := chain.Join(b, n)
	res := search(t, both, 1, op)
	q := chain.FundingQuery{OutPoint: op, CapacitySat: uint64(capacity), Script: p2wsh, Spend: res.SpendOf(op)}
	if e := chain.Evidence(ctx, both, q); e.State != chain.FundingSpent || e.Spend.Height != 15 {
		t.Errorf("confirmed spend: %+v", e)
	}

	// With everything down the transaction is still in hand.
	b.SetDown(true)
	n.SetDown(true)
	if e := chain.Evidence(ctx, both, q); e.State != chain.FundingSpent || !strings.Contains(e.Reason, "checking it again failed") {
		t.Errorf("down: %+v", e)
	}
	b.SetDown(false)
	n.SetDown(false)

	c.Reorg(1, true)
	c.Mine()
	if e := chain.Evidence(ctx, both, q); e.State != chain.FundingSpent || e.Spend.Height != 0 {
		t.Errorf("back in the mempool: %+v", e)
	}
	c.DropMempool()
	if e := chain.Evidence(ctx, both, q); e.State != chain.FundingUnspent {
		t.Errorf("spend gone: %+v", e)
	}
	c.AddMempool(tx)
	if e := chain.Evidence(ctx, chain.Join(b, nil), q); e.State != chain.FundingUnknown || !strings.Contains(e.Reason, "no longer in the chain") {
		t.Errorf("bcli alone: %+v", e)
	}

	// A spend of something else proves nothing.
	q.Spend.OutPoint.Index++
	c.DropMempool()
	if e := chain.Evidence(ctx, both, q); e.State != chain.FundingUnspent {
		t.Errorf("foreign spend: %+v", e)
	}
}
