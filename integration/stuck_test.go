package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	h "github.com/glrecover/glrecover/integration/harness"
)

const (
	// stuckBlocks is for how long a close may stay unconfirmed.
	stuckBlocks = 6
	// dearPerKW is what the rich heir takes blocks to ask for, in sat per 1000
	// weight: the lost nodes and the peer had agreed on a quarter of it.
	dearPerKW = 5000
	// heirsCoin is the coin that the rich heir has of its own, in sat.
	heirsCoin = 100_000
)

// inheritance is one lost node's channel and who inherits it.
type inheritance struct {
	lost, me *h.CLN
	lane     *h.Lane
	// share is what the lost node's own books said, in sat.
	share uint64
	id    string
	// closing is the peer's commitment.
	closing h.Tx
	// coin is the heir's own, in sat: what its children spend besides the anchor.
	coin uint64
}

// TestACloseThatNoMinerTakesIsPaidForByTheHeirAndMadeDearer: the peer of two
// lost nodes closes both channels and is gone, and no block takes the closes.
// One heir has a coin of its own: it pays for its close through our anchor, by
// itself, whatever is killed, and pays more when that does not help. The other
// is told what coin is missing, and pays when it comes, a quarter more than did
// not help: its lightningd takes the close's own fee to be enough.
func TestACloseThatNoMinerTakesIsPaidForByTheHeirAndMadeDearer(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		rich, poor := closedAndStuck(t, n, src)
		blocks := func(k int) {
			t.Helper()
			n.Bitcoind.MineEmpty(k)
			rich.me.WaitSynced()
			poor.me.WaitSynced()
		}

		blocks(stuckBlocks - 1)
		h.Holds(t, time.Second, "no child before its time", func() error { return onlyThese(n, rich.closing.Txid, poor.closing.Txid) })
		blocks(1)
		first := rich.waitChild(t, n, "")
		if alone, paid := rich.rates(t, n, first); alone >= dearPerKW || paid < dearPerKW {
			t.Errorf("the close pays %d sat per kw, with its child %d; want %d", alone, paid, dearPerKW)
		}
		rich.waitStatus(t, "blocks", fmt.Sprintf("%d sat were added", rich.added(first)), first.Txid)
		rich.wantCoinIn(t, n, first)
		poor.waitStatus(t, "fee", "needs_fee_input")
		address, amount := poor.asked(t)

		// The plugin is killed, then everything, and bitcoind forgets its mempool:
		// what comes back is the same child, from the record.
		rich.me.KillPlugin()
		rich.me.StartPluginAgain()
		rich.waitStatus(t, "blocks", first.Txid)
		h.Holds(t, time.Second, "no second child", func() error {
			return onlyThese(n, rich.closing.Txid, poor.closing.Txid, first.Txid)
		})
		rich.me.Kill()
		forgetMempool(t, n)
		rich.me.Start()
		blocks(1)
		h.Wait(t, "the same three transactions", func() error {
			return onlyThese(n, rich.closing.Txid, poor.closing.Txid, first.Txid)
		})

		// The user pays what was asked for, in a block that leaves the closes alone.
		poor.coin = amount
		payment := n.Bitcoind.Send(address, amount)
		var miner string
		n.Bitcoind.Must("getnewaddress", &miner)
		n.Bitcoind.Must("generateblock", nil, miner, []string{payment})
		late := poor.waitChild(t, n, "")
		if alone, paid := poor.rates(t, n, late); paid*100 < alone*124 || paid*100 > alone*127 {
			t.Errorf("the close pays %d sat per kw, with its child %d; want a quarter more", alone, paid)
		}
		poor.waitStatus(t, "blocks", "sat were added", late.Txid)
		poor.wantCoinIn(t, n, late)
		if again := rich.waitChild(t, n, ""); again.Txid != first.Txid {
			t.Errorf("a second child %s after 2 blocks", again.Txid)
		}

		blocks(stuckBlocks - 2)
		second := rich.waitChild(t, n, first.Txid)
		if slices.Contains(n.Bitcoind.Mempool(), first.Txid) {
			t.Errorf("the first child %s was not replaced", first.Txid)
		}
		if was, now := rich.added(first), rich.added(second); now*100 < was*125 {
			t.Errorf("the second child adds %d sat after %d: not dearer by a quarter", now, was)
		}
		rich.wantCoinIn(t, n, second)
		rich.waitStatus(t, "blocks", fmt.Sprintf("%d sat were added", rich.added(second)), second.Txid)

		n.Mine(1, rich.me, poor.me)
		for _, i := range []*inheritance{rich, poor} {
			h.Wait(t, "the coin in the wallet", func() error { return i.me.HasOutputOf(i.closing.Txid) })
			h.Wait(t, "the channel to be credited", func() error { return stateIs(i.me, i.id, "credited") })
			got := i.me.Received(i.closing.Txid)
			k := &kind{
				name: i.me.Name, ours: true, lanes: [2]*h.Lane{i.lane}, share: [2]uint64{i.share},
				got: [2]result{{tx: i.closing, sat: got}},
			}
			k.wantWhole(t, byGlrecover)
			if c := i.me.Status().Of(i.id); c.Recovered.Sat() != got {
				t.Errorf("%s: the status says %d sat of %d", i.me.Name, c.Recovered.Sat(), got)
			}
			t.Logf("MEASURED: %s: %d sat of a share of %d came back", i.me.Name, got, i.share)
		}
		h.Wait(t, "the change of the child", func() error { return rich.me.HasOutputOf(second.Txid) })
		if got := rich.me.Received(second.Txid); got != second.Vout[0].Value.Sat() {
			t.Errorf("%d sat of change, want %d", got, second.Vout[0].Value.Sat())
		}
		t.Logf("MEASURED: the rich heir's children pay %d and %d sat; the poor one was asked for a coin of %d sat, and its child pays %d",
			rich.added(first), rich.added(second), amount, poor.added(late))
	})
}

// closedAndStuck brings two lost nodes with a used channel each to where their
// heirs, one with a coin and one without, see the peer's closes in the mempool.
// The peer is gone then: it would pay for its closes itself, in two weeks.
func closedAndStuck(t *testing.T, n *h.Net, src h.Source) (rich, poor *inheritance) {
	t.Helper()
	rich, poor = new(inheritance), new(inheritance)
	both := []*inheritance{rich, poor}
	var peer *h.CLN
	h.Together(t,
		func() { peer = n.CLN("peer", h.CLNConfig{}) },
		func() { rich.lost = n.CLN("lost", src.Config()) }, func() { poor.lost = n.CLN("lost-too", src.Config()) },
	)
	for _, i := range both {
		i.lane = &h.Lane{From: i.lost, To: peer, Sat: 1_000_000}
	}
	n.OpenLanes(rich.lane, poor.lane)
	backup := make([]h.Backup, len(both))
	for j, i := range both {
		n.UseLane(i.lane)
		i.share = i.lost.Channel(i.lane.Funding).ToUs.Sat()
		backup[j] = src.Lose(i.lost)
	}
	// A new lightningd looks back 30 blocks, and must not find the old change.
	n.Mine(40, peer)
	rich.me = rich.lost.Heir("rich", h.CLNConfig{Plugin: true, Options: []string{fmt.Sprintf("force-feerates=%d", dearPerKW)}})
	poor.me = poor.lost.Heir("poor", h.CLNConfig{Plugin: true})
	h.Together(t, func() { rich.me.Start() }, func() { poor.me.Start() })
	rich.coin = heirsCoin
	rich.me.FundWallet(heirsCoin)
	for _, i := range both {
		i.me.WaitSynced()
	}
	if outputs := poor.me.Outputs(); len(outputs) > 0 {
		t.Fatalf("the poor heir has %v", outputs)
	}
	for j, i := range both {
		answer := i.me.Recover(backup[j])
		i.id = answer.Of(i.lane.Funding).ChannelID
		i.closing = n.Bitcoind.MempoolTx(n.WaitSpent(i.lane.Funding))
		i.waitStatus(t, "blocks", "waits for its first confirmation", i.closing.Txid)
	}
	peer.Kill()
	return rich, poor
}

// onlyThese returns nil while the mempool holds these transactions and no
// other.
func onlyThese(n *h.Net, txids ...string) error {
	have := n.Bitcoind.Mempool()
	slices.Sort(have)
	slices.Sort(txids)
	if !slices.Equal(have, txids) {
		return fmt.Errorf("the mempool has %v, want %v", have, txids)
	}
	return nil
}

// anchors are the outputs of the close that pay for nothing but its fee.
func (i *inheritance) anchors() []h.Outpoint {
	var list []h.Outpoint
	for _, o := range i.closing.Vout {
		if o.Value.Sat() == anchorSat {
			list = append(list, h.Outpoint{Txid: i.closing.Txid, Vout: o.N})
		}
	}
	return list
}

// waitChild waits until a transaction of the mempool, other than this one,
// spends one anchor of the close.
func (i *inheritance) waitChild(t *testing.T, n *h.Net, other string) h.Tx {
	t.Helper()
	var child string
	err := h.Poll(h.Timeout, func() error {
		spent := n.Bitcoind.MempoolSpenders(i.anchors()...)
		for _, child = range spent {
		}
		if len(spent) != 1 || child == other {
			return fmt.Errorf("the anchors %v are spent by %v", i.anchors(), spent)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: no child but %q: %v; the status says %+v", i.me.Name, other, err, i.me.Status().Of(i.id))
	}
	return n.Bitcoind.MempoolTx(child)
}

// added is what a child pays, in sat: the heir's one coin and the anchor, less
// what comes back.
func (i *inheritance) added(child h.Tx) uint64 {
	return i.coin + anchorSat - child.Vout[0].Value.Sat()
}

// rates checks that bitcoind sees the child with its parent alone and lets it be
// replaced, and returns what the close pays by itself and with the child, in sat
// per 1000 weight.
func (i *inheritance) rates(t *testing.T, n *h.Net, child h.Tx) (alone, paid uint64) {
	t.Helper()
	var entry struct {
		Ancestors   int    `json:"ancestorcount"`
		Size        uint64 `json:"vsize"`
		Package     uint64 `json:"ancestorsize"`
		Replaceable bool   `json:"bip125-replaceable"`
	}
	n.Bitcoind.Must("getmempoolentry", &entry, child.Txid)
	if entry.Ancestors != 2 || !entry.Replaceable {
		t.Errorf("child %s: %+v", child.Txid, entry)
	}
	fee := i.lane.Sat
	for _, o := range i.closing.Vout {
		fee -= o.Value.Sat()
	}
	alone = fee * 1000 / (4 * (entry.Package - entry.Size))
	paid = (fee + i.added(child)) * 1000 / (4 * entry.Package)
	t.Logf("MEASURED: %s: the close pays %d sat (%d sat per kw), its child adds %d (%d sat per kw for %d vB)",
		i.me.Name, fee, alone, i.added(child), paid, entry.Package)
	return alone, paid
}

// wantCoinIn checks that the child spends the only coin of the heir, and that
// lightningd gives it to nobody else meanwhile.
func (i *inheritance) wantCoinIn(t *testing.T, n *h.Net, child h.Tx) {
	t.Helper()
	coins := i.me.Outputs()
	if len(coins) != 1 || coins[0].Amount.Sat() != i.coin || !coins[0].Reserved {
		t.Fatalf("the wallet has %+v", coins)
	}
	coin := h.Outpoint{Txid: coins[0].Txid, Vout: coins[0].Vout}
	if by := n.Bitcoind.MempoolSpenders(coin)[coin]; by != child.Txid {
		t.Errorf("the coin %s is spent by %q, want %s", coin, by, child.Txid)
	}
}

// forgetMempool starts bitcoind again without what waited in it.
func forgetMempool(t *testing.T, n *h.Net) {
	t.Helper()
	n.Bitcoind.Stop()
	if err := os.Remove(filepath.Join(n.Bitcoind.Dir, "regtest", "mempool.dat")); err != nil {
		t.Fatal(err)
	}
	n.Bitcoind.Start()
	if err := onlyThese(n); err != nil {
		t.Fatal(err)
	}
}

// waitStatus waits until the channel is close_seen, waits for this, and says
// all the words in its reason.
func (i *inheritance) waitStatus(t *testing.T, waitsFor string, words ...string) {
	t.Helper()
	h.Wait(t, i.me.Name+"'s status", func() error {
		s := i.me.Status().Of(i.id)
		if s == nil {
			return errors.New("not in the status")
		}
		missing := slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(s.Reason, w) })
		if s.State != "close_seen" || s.WaitsFor != waitsFor || missing {
			return fmt.Errorf("want close_seen (waits for %s) with %q, is %s (waits for %s): %s", waitsFor, words, s.State, s.WaitsFor, s.Reason)
		}
		return nil
	})
}

// asked is the address and the amount in sat that the status asks the user for.
func (i *inheritance) asked(t *testing.T) (address string, sat uint64) {
	t.Helper()
	s := i.me.Status().Of(i.id)
	_, text, _ := strings.Cut(s.Reason, "needs_fee_input: ")
	if _, err := fmt.Sscanf(text, "send at least %d sat to %s", &sat, &address); err != nil {
		t.Fatalf("no amount and address in %q: %v", s.Reason, err)
	}
	if !strings.Contains(s.Todo, address) {
		t.Errorf("todo %q does not name %s", s.Todo, address)
	}
	return address, sat
}
