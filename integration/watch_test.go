package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	h "github.com/glrecover/glrecover/integration/harness"
)

// oldClose is a channel that both sides closed long before the import, and one
// heir of the lost node.
type oldClose struct {
	me      *h.CLN
	funding h.Outpoint
	closing string
	// height is that of its block, share what it pays to the lost node, in sat.
	height int
	share  uint64
	id     string
	// found is what glrecover's answer says of the lost node's wallet.
	found foundCoins
}

// month is how old the blocks of the closes are.
const month = 30 * 24 * time.Hour

// dated is the same backup, written at another time.
func dated(t *testing.T, n *h.Net, b h.Backup, at time.Time) h.Backup {
	t.Helper()
	d := parse(t, b.Bytes(t))
	d["created_at"] = at.UTC().Format(time.RFC3339)
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	b.Path = n.WriteFile("redated-"+filepath.Base(b.Path), raw)
	return b
}

// closeOld makes a lost node whose only channel was closed by both sides, in a
// block that is the newest now.
func closeOld(t *testing.T, n *h.Net, src h.Source, peer *h.CLN, name string) (*h.CLN, h.Backup, oldClose) {
	t.Helper()
	node := n.CLN(name, src.Config())
	l := &h.Lane{From: node, To: peer, Sat: 500_000}
	n.OpenLanes(l)
	n.UseLane(l)
	c := oldClose{funding: l.Funding, share: node.Channel(l.Funding).ToUs.Sat()}
	c.closing = node.MutualClose(l.Funding)
	n.Mine(1, node)
	c.height = n.Bitcoind.Height()
	return node, src.Lose(node), c
}

// recover calls glrecover.
func (c *oldClose) recover(t *testing.T, b h.Backup) *h.Answer {
	t.Helper()
	answer := c.me.Recover(b)
	c.id = answer.Of(c.funding).ChannelID
	if err := json.Unmarshal(answer.Raw, &c.found); err != nil {
		t.Errorf("%s: %v", c.me.Name, err)
	}
	return answer
}

// comesBack waits until glrecover has found the close and claims it, mines, and sees
// the coin in wallet and status: without a rescan.
func (c *oldClose) comesBack(t *testing.T, n *h.Net) {
	t.Helper()
	sweep := c.isClaimed(t, n)
	n.Mine(6, c.me)
	c.arrives(t, sweep)
}

// isClaimed waits for the heir's sweep of the close, in the mempool.
func (c *oldClose) isClaimed(t *testing.T, n *h.Net) h.SweepTx {
	t.Helper()
	begun := time.Now()
	var sweep h.SweepTx
	err := h.Poll(12*time.Minute, func() error { // a blind heir reads 3,000 blocks through bcli
		s := c.me.Status().Of(c.id)
		switch all := c.me.Sweeps(); {
		case s == nil:
			return fmt.Errorf("not in the status")
		case len(all.Transactions) != 1 || s.ClosingTxid != c.closing:
			return fmt.Errorf("%s (%s) closed by %q, %d sweeps: %s; todo %s", s.State, s.WaitsFor, s.ClosingTxid, len(all.Transactions), s.Reason, s.Todo)
		default:
			sweep = all.Transactions[0]
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v\n%s", c.me.Name, err, c.me.RawStatus())
	}
	h.Say("MEASURED: %s: %s claims the close in block %d after %s", t.Name(), c.me.Name, c.height, time.Since(begun))
	n.WaitMempool(sweep.Txid)
	return sweep
}

// arrives waits for the coin of the confirmed sweep, in the wallet and in the status.
func (c *oldClose) arrives(t *testing.T, sweep h.SweepTx) {
	t.Helper()
	h.WaitFor(t, 3*time.Minute, c.me.Name+": the coin in the wallet", func() error { return c.me.HasOutputOf(sweep.Txid) })
	if err := h.Poll(h.Timeout, func() error { return stateIs(c.me, c.id, "credited", "resolved") }); err != nil {
		t.Errorf("%s: the status says %v\n%s", c.me.Name, err, c.me.RawStatus())
		return
	}
	got := c.me.Received(sweep.Txid)
	if s := c.me.Status().Of(c.id); s.Recovered.Sat() != got {
		t.Errorf("%s: %d sat in the wallet, the status says %d", c.me.Name, got, s.Recovered.Sat())
	}
	// The opener pays the fee of the close, and of the sweep.
	if got > c.share || got+4_000 < c.share {
		t.Errorf("%s: %d sat came back of a share of %d", c.me.Name, got, c.share)
	}
	h.Say("MEASURED: %s: %s brought %d of %d sat", t.Name(), c.me.Name, got, c.share)
}

// byRescan restarts lightningd as it was named, and waits for coin and status.
func (c *oldClose) byRescan(t *testing.T, from int) {
	t.Helper()
	c.me.Stop()
	c.me.Launch(fmt.Sprintf("--rescan=-%d", from))
	h.WaitFor(t, 3*time.Minute, c.me.Name+": the coin in the wallet", func() error { return c.me.HasOutputOf(c.closing) })
	for _, o := range slices.Concat(c.found.Rescan.Brings, c.found.Rescan.Pruned) {
		if !slices.ContainsFunc(c.me.Outputs(), func(f h.FundsOutput) bool { return o == fmt.Sprintf("%s:%d", f.Txid, f.Vout) }) {
			t.Errorf("%s: the restart did not bring %s", c.me.Name, o)
		}
	}
	err := h.Poll(h.Timeout, func() error { return stateIs(c.me, c.id, "credited", "resolved") })
	if err != nil {
		t.Errorf("%s: after the restart the status says %v\n%s", c.me.Name, err, c.me.RawStatus())
		return
	}
	got := c.me.Received(c.closing)
	if s := c.me.Status().Of(c.id); s.Recovered.Sat() != got {
		t.Errorf("%s: %d sat in the wallet, the status says %d", c.me.Name, got, s.Recovered.Sat())
	}
	// The opener pays the fee of the close.
	if got > c.share || got+2_000 < c.share {
		t.Errorf("%s: %d sat came back of a share of %d", c.me.Name, got, c.share)
	}
	h.Say("MEASURED: %s: %s brought %d of %d sat with rescan=-%d", t.Name(), c.me.Name, got, c.share, from)
}

// TestClosesThatAreOlderThanTheImportComeBackWithoutARescan: closed by both sides
// 3,000 and 300 blocks before the import, before the backup was written or after; for
// heirs whose glrecover can ask bitcoind and for heirs whose lightningd alone can. Each
// lost node has one heir: two would claim one coin.
func TestClosesThatAreOlderThanTheImportComeBackWithoutARescan(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	src := h.Source{}
	begun := time.Now()
	n := h.NewOn(t, h.Chain{Born: begun.Add(-month)})
	older := begun.Add(-2 * month)
	type lostOne struct {
		node   *h.CLN
		backup h.Backup
		close  oldClose
	}
	lost := map[string]lostOne{}
	closes := func(peer *h.CLN, names ...string) {
		for _, name := range names {
			node, backup, c := closeOld(t, n, src, peer, name)
			if name == "far-after" || name == "near-blind" {
				backup = dated(t, n, backup, older)
			}
			lost[name] = lostOne{node, backup, c}
		}
		peer.Kill()
	}
	closes(n.CLN("peer", h.CLNConfig{}), "far-before", "far-after", "far-blind")
	far := lost["far-blind"].close.height
	n.Bitcoind.Mine(2700)
	closes(n.CLN("second", h.CLNConfig{}), "near-blind")
	near := lost["near-blind"].close.height
	n.Bitcoind.Now()
	n.Bitcoind.Mine(far + 3000 - n.Bitcoind.Height())
	if depth := n.Bitcoind.Height() - near; depth < 240 || depth > 300 {
		t.Fatalf("the near close is %d blocks deep", depth)
	}
	n.Bitcoind.Mine(near + 300 - n.Bitcoind.Height())
	h.Say("%s: the chain is made after %s", t.Name(), time.Since(begun))

	heirs := map[string]*oldClose{}
	var start []func()
	for name, l := range lost {
		c := l.close
		c.me = l.node.Heir(name+"-heir", h.CLNConfig{Plugin: true, HideBitcoind: strings.HasSuffix(name, "blind")})
		heirs[name] = &c
		start = append(start, func() {
			c.me.Start()
			c.recover(t, l.backup)
		})
	}
	h.Together(t, start...)
	h.Say("%s: every heir has called after %s", t.Name(), time.Since(begun))
	sweeps := map[string]h.SweepTx{}
	for _, name := range slices.Sorted(maps.Keys(heirs)) {
		sweeps[name] = heirs[name].isClaimed(t, n)
	}
	n.Bitcoind.Mine(6)
	for _, name := range slices.Sorted(maps.Keys(heirs)) {
		heirs[name].arrives(t, sweeps[name])
		h.Say("%s: %s done after %s", t.Name(), name, time.Since(begun))
	}
}

// TestClosesInPrunedBlocksAreListedWithTheRestartThatBringsThem: bitcoind has deleted
// the block of one close, 3,000 blocks ago, and has that of the other. An heir whose bitcoind cannot
// be asked is told what was not looked at.
func TestClosesInPrunedBlocksAreListedWithTheRestartThatBringsThem(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	src := h.Source{}
	n := h.NewOn(t, h.Chain{Options: []string{"prune=1", "fastprune=1"}})
	peer := n.CLN("peer", h.CLNConfig{})
	deepNode, deepBackup, deep := closeOld(t, n, src, peer, "deep")
	peer.Kill()
	n.Bitcoind.Mine(2_700)
	second := n.CLN("second", h.CLNConfig{})
	keptNode, keptBackup, kept := closeOld(t, n, src, second, "kept")
	second.Kill()
	n.Bitcoind.Mine(300)
	whole := n.Bitcoind.Copy()
	var floor int
	n.Bitcoind.Must("pruneblockchain", &floor, kept.height-1)
	if floor < deep.height {
		t.Fatalf("pruned up to %d only, the close is in block %d", floor, deep.height)
	}

	kept.me = keptNode.Heir("heir-of-kept", h.CLNConfig{Plugin: true})
	blind := deep
	deep.me = deepNode.Heir("heir-of-deep", h.CLNConfig{Plugin: true})
	blind.me = deepNode.Heir("blind", h.CLNConfig{Plugin: true, HideBitcoind: true, Options: []string{"bitcoin-retry-timeout=3"}})
	h.Together(t, func() { deep.me.Start() }, func() { kept.me.Start() }, func() { blind.me.Start() })

	kept.recover(t, keptBackup)
	kept.comesBack(t, n)

	answer := deep.recover(t, deepBackup)
	found := deep.found
	ours := func(o string) bool { return strings.HasPrefix(o, deep.closing) }
	if !slices.ContainsFunc(found.Rescan.Pruned, ours) || found.Rescan.Needs >= deep.height || found.Rescan.Needs < 1 {
		t.Errorf("the close of block %d is not among what is pruned: %+v", deep.height, found.Rescan)
	}
	if steps := strings.Join(answer.NextSteps, "\n"); !strings.Contains(steps, fmt.Sprintf("rescan=-%d ", found.Rescan.Needs)) || !strings.Contains(steps, "not pruned") {
		t.Errorf("next steps:\n%s", steps)
	}
	h.Say("MEASURED: %s: pruned up to %d: %+v", t.Name(), floor, found.Rescan)

	blind.recover(t, deepBackup)
	h.Wait(t, "what was not looked at", func() error {
		if s := blind.me.Status(); !strings.Contains(s.Chain.LookBack, "could not be scanned") {
			return fmt.Errorf("look-back %q", s.Chain.LookBack)
		}
		return nil
	})
	h.Say("MEASURED: %s: %s", t.Name(), blind.me.Status().Chain.LookBack)

	// A bitcoind that has all blocks takes the place of the pruned one.
	blind.me.Kill()
	kept.me.Kill()
	n.Bitcoind.Become(whole)
	deep.byRescan(t, found.Rescan.Needs)
}

// TestAReorganisationMovesOrDropsTwoClosesOfOneBlock: both closes come into one
// block while glrecover does not run. A reorganisation of one block drops them,
// and bitcoind loses them with its mempool; one of six blocks moves them. Nothing
// is called recovered that is not, nothing is paid, and the coins come.
func TestAReorganisationMovesOrDropsTwoClosesOfOneBlock(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	src := h.Source{}
	n := h.New(t)
	lost := n.CLN("lost", src.Config())
	peers := []*h.CLN{n.CLN("one", h.CLNConfig{}), n.CLN("two", h.CLNConfig{})}
	var lanes []*h.Lane
	for _, p := range peers {
		lanes = append(lanes, &h.Lane{From: lost, To: p, Sat: 1_000_000})
	}
	n.OpenLanes(lanes...)
	var shares []uint64
	for _, l := range lanes {
		n.UseLane(l)
		shares = append(shares, lost.Channel(l.Funding).ToUs.Sat())
	}
	backup := src.Lose(lost)
	n.Mine(40, peers[0], peers[1])
	me := heir(lost)
	me.FundWallet(heirsCoin)
	coin := me.Outputs()[0]
	answer := me.Recover(backup)
	var closes, ids []string
	for i, l := range lanes {
		closes, ids = append(closes, n.WaitSpent(l.Funding)), append(ids, answer.Of(l.Funding).ChannelID)
		waitStub(t, me, l.Funding)
		peers[i].Kill()
	}
	all := func(what string, ok func(s *h.ChannelStatus) bool) {
		t.Helper()
		err := h.Poll(h.Timeout, func() error {
			for _, id := range ids {
				if s := me.Status().Of(id); !ok(s) {
					return fmt.Errorf("%s: %d sat recovered: %s", s.State, s.Recovered.Sat(), s.Reason)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, me.RawStatus())
		}
	}
	credited := func(what string) {
		t.Helper()
		all(what, func(s *h.ChannelStatus) bool { return s.State == "credited" })
		for i, id := range ids {
			got := me.Received(closes[i])
			if s := me.Status().Of(id); s.Recovered.Sat() != got || got > shares[i] || got+5_000 < shares[i] {
				t.Errorf("%s: %d sat of a share of %d in the wallet, the status says %d", what, got, shares[i], s.Recovered.Sat())
			}
		}
	}
	unconfirmed := func(what string) {
		t.Helper()
		all(what, func(s *h.ChannelStatus) bool { return s.State != "credited" && s.Recovered == 0 })
	}

	me.KillPlugin()
	at := n.Bitcoind.Mine(1)
	me.WaitSynced()
	me.StartPluginAgain()
	credited("closed while the plugin was stopped")

	n.Bitcoind.Invalidate(at)
	forgetMempool(t, n)
	n.Bitcoind.MineEmpty(2)
	unconfirmed("dropped by one block")
	h.Wait(t, "the closes to be sent again", func() error { return onlyThese(n, closes...) })
	at = n.Bitcoind.Mine(1)
	credited("mined again")

	n.Bitcoind.Invalidate(at)
	n.Bitcoind.MineEmpty(1)
	at = n.Bitcoind.Mine(1)
	credited("moved by one block")

	n.Bitcoind.MineEmpty(5)
	me.WaitSynced()
	n.Bitcoind.Invalidate(at)
	n.Bitcoind.MineEmpty(2)
	unconfirmed("dropped by six blocks")
	if err := onlyThese(n, closes...); err != nil {
		t.Error(err)
	}
	n.Bitcoind.Mine(1)
	n.Bitcoind.MineEmpty(5)
	credited("moved by six blocks")

	n.Mine(100, me)
	all("at the end", func(s *h.ChannelStatus) bool { return s.State == "resolved" })
	for _, o := range me.Outputs() {
		if o.Txid == coin.Txid && (o.Status != "confirmed" || o.Reserved) {
			t.Errorf("the wallet's own coin is %s, reserved %v: something was paid", o.Status, o.Reserved)
		}
	}
	h.Say("MEASURED: %s: %d and %d sat of %v", t.Name(), me.Received(closes[0]), me.Received(closes[1]), shares)
}

// TestBitcoindFailsInTheMiddleOfALookBack: the only thing that knows the old blocks
// is away for some seconds while they are looked through. Nothing is concluded from
// that, the status says so, and the close is found when it is back.
func TestBitcoindFailsInTheMiddleOfALookBack(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	src := h.Source{}
	n := h.NewOn(t, h.Chain{Born: time.Now().Add(-month)})
	peer := n.CLN("peer", h.CLNConfig{})
	node, backup, c := closeOld(t, n, src, peer, "lost")
	peer.Kill()
	n.Bitcoind.Now()
	n.Bitcoind.Mine(1_500)
	c.me = node.Heir("heir", h.CLNConfig{Plugin: true, HideBitcoind: true})
	c.me.Start()
	c.recover(t, backup)
	h.Wait(t, "the look-back to be under way", func() error {
		if s := c.me.Status(); !strings.Contains(s.Chain.LookBack, "have not been scanned yet") {
			return fmt.Errorf("look-back %q", s.Chain.LookBack)
		}
		return nil
	})
	n.Bitcoind.Stop()
	h.Wait(t, "the status to say that bitcoind is away", func() error {
		if s := c.me.Status(); s.Chain.Trouble == "" {
			return fmt.Errorf("trouble %q, look-back %q", s.Chain.Trouble, s.Chain.LookBack)
		}
		return nil
	})
	s := c.me.Status()
	if of := s.Of(c.id); of.ClosingTxid != "" || of.State == "needs_operator" || of.State == "peer_forgot_channel" {
		t.Errorf("concluded from silence: %+v", of)
	}
	h.Say("MEASURED: %s: %s; %s", t.Name(), s.Chain.Trouble, s.Chain.LookBack)
	n.Bitcoind.Start()
	c.comesBack(t, n)
}

// TestACloseIsReplacedByAnother: the peer's commitment is in a block and its coin in
// the wallet. A reorganisation drops it, and the lost node's own commitment, which
// somebody had kept, is mined in its place: nothing of the first is called recovered
// any more.
func TestACloseIsReplacedByAnother(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	src := h.Source{}
	n := h.New(t)
	lost, peer := n.CLN("lost", src.Config()), n.CLN("peer", h.CLNConfig{})
	l := &h.Lane{From: lost, To: peer, Sat: 1_000_000}
	n.OpenLanes(l)
	n.UseLane(l)
	backup := src.Snapshot(lost)
	peer.Kill()
	ours := lost.ForceClose(l.Funding)
	var raw string
	n.Bitcoind.Must("getrawtransaction", &raw, ours)
	lost.Kill()
	forgetMempool(t, n)
	peer.Start()
	n.Mine(40, peer)

	me := heir(lost)
	id := me.Recover(backup).Of(l.Funding).ChannelID
	theirs := n.WaitSpent(l.Funding)
	if theirs == ours {
		t.Fatal("the peer has published our own commitment")
	}
	waitStub(t, me, l.Funding)
	is := func(what string, ok func(s *h.ChannelStatus) bool) *h.ChannelStatus {
		t.Helper()
		var s *h.ChannelStatus
		err := h.Poll(h.Timeout, func() error {
			if s = me.Status().Of(id); !ok(s) {
				return fmt.Errorf("%s, closed by %s, %d sat recovered: %s", s.State, s.ClosingTxid, s.Recovered.Sat(), s.Reason)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, me.RawStatus())
		}
		return s
	}
	at := n.Bitcoind.Mine(1)
	first := is("the peer's close", func(s *h.ChannelStatus) bool { return s.State == "credited" && s.ClosingTxid == theirs })

	n.Bitcoind.Invalidate(at)
	forgetMempool(t, n)
	n.Bitcoind.Must("generateblock", nil, n.Bitcoind.NewAddress(), []string{raw})
	n.Bitcoind.MineEmpty(2)
	s := is("our own commitment in its place", func(s *h.ChannelStatus) bool { return s.ClosingTxid == ours && s.State != "close_seen" })
	if s.Recovered > 0 || s.State == "credited" {
		t.Errorf("%s: %d sat are called recovered: %s", s.State, s.Recovered.Sat(), s.Reason)
	}
	h.Say("MEASURED: %s: %d sat of the peer's close, then %s: %s", t.Name(), first.Recovered.Sat(), s.State, s.Reason)
}
