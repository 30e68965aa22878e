package integration

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	h "github.com/glrecover/glrecover/integration/harness"
)

// claim is one cell: a channel of the lost node's, twice, and how it is closed. The
// first lost node is recovered by glrecover, the twin by Greenlight's own conversion
// and lightningd's recoverchannel.
type claim struct {
	name string
	peer h.Node
	// byPeer says that the peer opened it, push what it gave us then, in sat.
	byPeer bool
	push   uint64
	used   bool
	// htlcs says that payments are pending both ways; preimage that the user has the
	// one of what we were offered, and gives it.
	htlcs, preimage bool
	how             closing

	lanes [2]*h.Lane
	share [2]uint64
	// revoked is the peer's old commitment, hex.
	revoked [2]string
	txid    [2]string
	// recoverable is what BOLT 5 gives us, came what came back, both in sat.
	recoverable, came [2]uint64
	// ready is how many blocks after the close all of it was in the wallet.
	ready int
	acts  int
	end   string
}

// closing says who closes a channel, and when.
type closing int

const (
	// asked: the peer, because glrecover asks it.
	asked closing = iota
	// theirsBefore, mutualBefore, oursBefore and cheatBefore are in a block before the
	// import; oursMempool waits in the mempool then.
	theirsBefore
	mutualBefore
	oursBefore
	oursMempool
	cheatBefore
	// cheatAfter: the peer publishes what it has revoked when lightningd has the stub.
	cheatAfter
)

func (c closing) cheats() bool { return c == cheatBefore || c == cheatAfter }

// closesEnv has the test of every kind of close run.
const closesEnv = "GLRECOVER_CLOSES"

const (
	claimsBegin = "<!-- written by go test ./integration -run TestEveryKindOfCloseComesHome, with " + docsEnv + "=1 -->"
	claimsEnd   = "<!-- end of what the test of closes wrote -->"
)

// TestEveryKindOfCloseComesHome is the second table of docs/recovery.md: what the keys
// and the state can claim of each kind of close, by whom, and what came back.
func TestEveryKindOfCloseComesHome(t *testing.T) {
	if os.Getenv(closesEnv) == "" {
		t.Skip("every kind of close with seventeen real peers takes minutes: make closes runs it")
	}
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD, h.LND)
	src := h.AnySource()
	n := h.New(t)
	var lost [2]*h.CLN
	cln := map[string]*h.CLN{}
	var lnd *h.LNDNode
	cfg := src.Config()
	cfg.Hold = true
	plain, static := h.CLNConfig{}, h.CLNConfig{Options: []string{"dev-force-features=-23"}}
	hold, holdStatic := h.CLNConfig{Hold: true}, h.CLNConfig{Hold: true, Options: static.Options}
	type starting struct {
		name string
		cfg  h.CLNConfig
	}
	list := []starting{
		{"a", plain},
		{"b", static},
		{"c", plain},
		{"e", hold},
		{"f", holdStatic},
		{"g", plain},
		{"i", static},
		{"j", plain},
		{"k", plain},
		{"l", plain},
		{"m", hold},
		{"n", holdStatic},
		{"o", static},
		{"p", plain},
		{"q", plain},
		{"r", hold},
		{"s", static},
	}
	started := make([]*h.CLN, len(list))
	run := []func(){
		func() { lost[0] = n.CLN("lost", cfg) }, func() { lost[1] = n.CLN("twin", cfg) },
		func() { lnd = n.LND("lnd", "--maxpendingchannels=10") },
	}
	for i, s := range list {
		run = append(run, func() { started[i] = n.CLN(s.name, s.cfg) })
	}
	h.Together(t, run...)
	for i, s := range list {
		cln[s.name] = started[i]
	}
	cells := []*claim{
		{name: "the peer's, CLN, asked", peer: cln["a"], used: true},
		{name: "the peer's, CLN, static_remotekey, asked", peer: cln["b"], used: true},
		{name: "the peer's, CLN, never used, the peer opened and pushed 300,000", peer: cln["c"], byPeer: true, push: 300_000},
		{name: "the peer's, lnd, asked", peer: lnd, used: true},
		{name: "the peer's, CLN, payments both ways, preimage given", peer: cln["e"], used: true, htlcs: true, preimage: true},
		{name: "the peer's, CLN, static_remotekey, payments both ways, no preimage", peer: cln["f"], used: true, htlcs: true},
		{name: "the peer's, CLN, before the import", peer: cln["g"], used: true, how: theirsBefore},
		{name: "the peer's, CLN, static_remotekey, before the import", peer: cln["i"], used: true, how: theirsBefore},
		{name: "mutual, before the import", peer: cln["j"], used: true, how: mutualBefore},
		{name: "our commitment, before the import", peer: cln["k"], used: true, how: oursBefore},
		{name: "our commitment, opened by the peer, static_remotekey, before the import", peer: cln["o"], byPeer: true, used: true, how: oursBefore},
		{name: "our commitment, confirmed after the import", peer: cln["l"], used: true, how: oursMempool},
		{name: "revoked by the peer, before the import", peer: cln["p"], used: true, how: cheatBefore},
		{name: "revoked by the peer, after the import", peer: cln["q"], used: true, how: cheatAfter},
		{name: "revoked by the peer, payments in it, before the import", peer: cln["r"], used: true, how: cheatBefore},
		{name: "revoked by the peer, static_remotekey, after the import", peer: cln["s"], used: true, how: cheatAfter},
	}
	if src.Genuine { // the synthetic source has no signatures of HTLC transactions
		cells = append(cells,
			&claim{name: "our commitment, payments both ways, preimage given, fees of HTLC transactions from the wallet", peer: cln["m"], used: true, htlcs: true, preimage: true, how: oursBefore},
			&claim{name: "our commitment, static_remotekey, payments both ways, preimage given", peer: cln["n"], used: true, htlcs: true, preimage: true, how: oursBefore},
		)
	}
	prepare(t, n, cells, lost)
	backups, heirs := lose(t, n, src, cells, lost)
	versions := "lightningd " + cln["a"].Version() + ", lnd " + lnd.Version()
	if src.Genuine {
		versions += ", " + signerVersion(t)
	} else {
		versions += ", synthetic backups"
	}
	answer := claimAll(t, n, cells, heirs, backups)
	follow(t, n, cells, heirs, answer)
	writeClaims(t, cells, versions)
}

// prepare opens and uses the channels, and notes the commitments that will be revoked.
func prepare(t *testing.T, n *h.Net, cells []*claim, lost [2]*h.CLN) {
	t.Helper()
	var ours, theirs []*h.Lane
	for _, c := range cells {
		for i, node := range lost {
			l := &h.Lane{From: node, To: c.peer, Sat: 1_000_000, PushSat: c.push}
			if c.byPeer {
				l.From, l.To, l.Dialled = c.peer, node, true // so that the backup has its address
				theirs = append(theirs, l)
			} else {
				ours = append(ours, l)
			}
			c.lanes[i] = l
		}
	}
	// bitcoind's wallet has no more than 25 unconfirmed transactions in a row.
	for part := range slices.Chunk(append(ours, theirs...), 20) {
		n.OpenLanes(part...)
	}
	var uses []func()
	for _, c := range cells {
		if !c.used {
			continue
		}
		uses = append(uses, func() {
			for i, node := range lost {
				n.UseLane(c.lanes[i])
				if !c.how.cheats() {
					continue
				}
				cheat := c.peer.(*h.CLN)
				if cheat.Config.Hold {
					cheat.HoldHTLCs()
					n.OfferOver(c.lanes[i], node, weOffered*1000)
					waitPending(t, cheat, c.lanes[i].Funding, 1)
				}
				c.revoked[i] = cheat.SignedCommitment(node.ID)
				if cheat.Config.Hold {
					cheat.ReleaseHTLCs()
					n.WaitSettled(c.lanes[i].Funding, node, cheat)
				}
				n.PayOver(c.lanes[i], node, 20_000_000)
				n.WaitSettled(c.lanes[i].Funding, node, cheat)
			}
		})
	}
	h.Together(t, uses...)
	for _, c := range cells {
		for i, node := range lost {
			if c.htlcs {
				holder := c.peer.(*h.CLN)
				holder.HoldHTLCs()
				node.HoldHTLCs()
				n.OfferOver(c.lanes[i], node, weOffered*1000)
				n.OfferPreimage(c.lanes[i], holder, node, theyOffered*1000, preimageOf(c, i))
				waitPending(t, node, c.lanes[i].Funding, 2)
				waitPending(t, holder, c.lanes[i].Funding, 2)
			}
		}
	}
	for _, c := range cells {
		for i, node := range lost {
			c.share[i] = node.Channel(c.lanes[i].Funding).ToUs.Sat()
		}
	}
}

// preimageOf is the preimage of what a cell's peer offered.
func preimageOf(c *claim, i int) string {
	raw := make([]byte, 32)
	copy(raw, fmt.Sprintf("%d %s", i, c.name))
	return hex.EncodeToString(raw)
}

// lose closes what is closed before, ends both nodes for ever and starts their heirs.
func lose(t *testing.T, n *h.Net, src h.Source, cells []*claim, lost [2]*h.CLN) (backups [2]h.Backup, heirs [2]*h.CLN) {
	t.Helper()
	for i, node := range lost {
		for _, c := range cells {
			if c.how == mutualBefore {
				c.txid[i] = node.MutualClose(c.lanes[i].Funding)
			}
		}
		backups[i] = src.Snapshot(node)
	}
	for _, c := range cells {
		if c.how == oursBefore || c.how == oursMempool {
			if peer, is := c.peer.(*h.CLN); is {
				peer.Kill()
			}
		}
	}
	for i, node := range lost {
		for _, c := range cells {
			if c.how == oursBefore {
				c.txid[i] = node.ForceClose(c.lanes[i].Funding)
			}
		}
		for _, c := range cells {
			if c.how == oursMempool {
				c.revoked[i] = node.SignedCommitment(c.peer.NodeID())
			}
		}
		node.Kill()
	}
	for _, c := range cells {
		for i := range lost {
			switch c.how {
			case theirsBefore:
				c.txid[i] = c.peer.(*h.CLN).ForceClose(c.lanes[i].Funding)
			case cheatBefore:
				c.txid[i] = n.Bitcoind.SendRaw(c.revoked[i])
			case asked, mutualBefore, oursBefore, oursMempool, cheatAfter:
			}
		}
		if c.how == theirsBefore || c.how.cheats() {
			c.peer.(*h.CLN).Kill()
		}
	}
	for _, c := range cells {
		c.judge(n)
	}
	n.Bitcoind.Mine(1)
	h.Together(t,
		func() { heirs[0] = lost[0].Heir("heir", h.CLNConfig{Plugin: true}); heirs[0].Start() },
		func() { heirs[1] = lost[1].Heir("twin-heir", h.CLNConfig{}); heirs[1].Start() },
	)
	heirs[0].FundWallet(300_000) // a coin for the fees of HTLC transactions
	for _, c := range cells {
		for i := range lost {
			if c.how == oursMempool {
				c.txid[i] = n.Bitcoind.SendRaw(c.revoked[i])
			}
		}
		c.judge(n)
	}
	return backups, heirs
}

// judge says what BOLT 5 gives us of a close that is in the mempool.
func (c *claim) judge(n *h.Net) {
	for i := range c.txid {
		if c.txid[i] == "" || c.recoverable[i] > 0 {
			continue
		}
		tx := n.Bitcoind.MempoolTx(c.txid[i])
		var all uint64
		for _, o := range tx.Vout {
			if o.Value.Sat() != anchorSat {
				all += o.Value.Sat()
			}
		}
		switch {
		case c.how.cheats():
			c.recoverable[i] = all
			continue
		case c.byPeer:
			c.recoverable[i] = c.share[i]
		default:
			c.recoverable[i] = c.share[i] - (c.lanes[i].Sat - all)
		}
		if c.preimage {
			c.recoverable[i] += theyOffered
		}
	}
}

// claimAll gives both commands, and lets the remaining closes happen.
func claimAll(t *testing.T, n *h.Net, cells []*claim, heirs [2]*h.CLN, backups [2]h.Backup) *h.Answer {
	t.Helper()
	scb := h.Convert(t, backups[1])
	if backups[1].Label == "genuine" {
		scb = h.GLConvert(t, backups[1].Path, false)
	}
	if _, err := heirs[1].RecoverChannel(scb); err != nil {
		t.Fatal(err)
	}
	answer := heirs[0].Recover(backups[0])
	for _, c := range cells {
		if c.how != asked {
			continue
		}
		c.txid[0] = n.WaitSpent(c.lanes[0].Funding)
		switch p := c.peer.(type) {
		case *h.CLN:
			if txid, err := n.Bitcoind.Spender(c.lanes[1].Funding); err == nil {
				c.txid[1] = txid
			} else {
				c.txid[1] = p.ForceClose(c.lanes[1].Funding)
			}
			p.Kill()
		case *h.LNDNode:
			c.txid[1] = p.ForceClose(c.lanes[1].Funding)
		}
	}
	for _, c := range cells {
		if c.how == cheatAfter {
			waitStub(t, heirs[0], c.lanes[0].Funding)
			for i := range heirs {
				c.txid[i] = n.Bitcoind.SendRaw(c.revoked[i])
			}
		}
		c.judge(n)
	}
	return answer
}

// follow mines block by block until everything that can be is in the wallet.
func follow(t *testing.T, n *h.Net, cells []*claim, heirs [2]*h.CLN, answer *h.Answer) {
	t.Helper()
	me := heirs[0]
	var given []string
	for _, c := range cells {
		if c.preimage {
			given = append(given, preimageOf(c, 0))
			c.acts++
		}
	}
	begun := n.Bitcoind.Height()
	for blocks := 1; blocks <= 150; blocks++ {
		n.Mine(1, me)
		at := n.Bitcoind.Height()
		if err := h.Poll(30*time.Second, func() error {
			if s := me.Status(); s.Chain.Height != at {
				return fmt.Errorf("at %d", s.Chain.Height)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if blocks == 2 && len(given) > 0 {
			me.Sweeps(given...)
		}
		// What is due is made and sent within a moment.
		time.Sleep(700 * time.Millisecond)
		s, open := me.Status(), 0
		for _, c := range cells {
			x := s.Of(answer.Of(c.lanes[0].Funding).ChannelID)
			c.end, c.came[0] = x.State, x.Recovered.Sat()
			switch x.State {
			case "credited", "resolved":
				if c.ready == 0 {
					c.ready = at - begun
				}
			default:
				// The backup has no payment of a commitment that was revoked before it
				// was written: only the peer's transaction that takes it shows which.
				forgotten := c.how.cheats() && strings.Contains(x.Reason, "whose details the backup no longer has") &&
					c.came[0]+weOffered >= c.recoverable[0]*99/100
				if forgotten || c.htlcs && !c.preimage && c.came[0] >= c.recoverable[0]*97/100 {
					if c.ready == 0 {
						c.ready = at - begun
					}
					continue // what we were offered stays for whoever has the preimage
				}
				open++
			}
		}
		if open == 0 {
			break
		}
	}
	heirs[1].WaitSynced()
	for _, c := range cells {
		c.came[1] = heirs[1].ReceivedOf(c.txid[1])
		x := me.Status().Of(answer.Of(c.lanes[0].Funding).ChannelID)
		if c.ready == 0 {
			t.Errorf("%s: %s, %d of %d sat: %s", c.name, x.State, c.came[0], c.recoverable[0], x.Reason)
		}
		// Sweeps pay for themselves; millisatoshis are rounded down.
		if c.came[0] > c.recoverable[0] || c.came[0]*100 < c.recoverable[0]*95 {
			t.Errorf("%s: %d of %d sat came back: %s", c.name, c.came[0], c.recoverable[0], x.Reason)
		}
		var listed uint64
		for _, o := range me.Outputs() {
			for _, r := range x.RecoveredTo {
				if r == fmt.Sprintf("%s:%d", o.Txid, o.Vout) {
					listed += o.Amount.Sat()
				}
			}
		}
		if listed+2 < c.came[0] || listed > c.came[0]+2 {
			t.Errorf("%s: the status says %d sat, the wallet has %d in %v", c.name, c.came[0], listed, x.RecoveredTo)
		}
	}
}

// writeClaims prints what was measured, and puts it into the page when asked to.
func writeClaims(t *testing.T, cells []*claim, versions string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "\nMeasured %s on regtest with %s.\n\n", time.Now().UTC().Format(time.DateOnly), versions)
	b.WriteString("| close | recoverable by BOLT 5 | came back | recoverable and came back with Greenlight's conversion and recoverchannel | blocks until spendable | human acts |\n")
	b.WriteString("|---|---:|---:|---:|---:|---:|\n")
	var sums [4]uint64
	for _, c := range cells {
		line := fmt.Sprintf("| %s | %d | %d | %d, %d | %d | %d |", c.name, c.recoverable[0], c.came[0], c.recoverable[1], c.came[1], c.ready, c.acts)
		h.Say("MEASURED: %s", line)
		b.WriteString(line + "\n")
		for i, v := range []uint64{c.recoverable[0], c.came[0], c.recoverable[1], c.came[1]} {
			sums[i] += v
		}
	}
	fmt.Fprintf(&b, "\nTogether: %d of %d sat with glrecover, %d of %d with Greenlight's conversion and recoverchannel.\n\n", sums[1], sums[0], sums[3], sums[2])
	if !writing() || t.Failed() {
		return
	}
	raw, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), claimsBegin)
	_, after, ended := strings.Cut(rest, claimsEnd)
	if !ok || !ended {
		t.Fatal(errors.New(docsPath + " lacks the marks of this table"))
	}
	if err := os.WriteFile(docsPath, []byte(before+claimsBegin+b.String()+claimsEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestOnchaindDiesAndTheCoinGoesElsewhere: the heir's onchaind dies as soon as it is
// started, so that lightningd takes nothing of the peer's close. glrecover claims
// to_remote, to the user's destination at the user's feerate; no block takes it for six
// blocks, and a dearer transaction takes its place.
func TestOnchaindDiesAndTheCoinGoesElsewhere(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		peer := n.CLN("peer", h.CLNConfig{})
		node := n.CLN("node", src.Config())
		l := &h.Lane{From: node, To: peer, Sat: 1_000_000}
		n.OpenLanes(l)
		n.UseLane(l)
		share := node.Channel(l.Funding).ToUs.Sat()
		backup := src.Lose(node)

		dead := n.WriteFile("onchaind", []byte("#!/bin/sh\nexit 1\n"))
		if err := os.Chmod(dead, 0o700); err != nil {
			t.Fatal(err)
		}
		me := node.Heir("heir", h.CLNConfig{Plugin: true, Options: []string{"subdaemon=onchaind:" + dead}})
		me.Start()
		to := n.Bitcoind.NewAddress()
		answer, err := me.Glrecover(h.Params{"backup": backup.Path, "decommissioned": true, "destination": to, "feerate": "500perkw"})
		if err != nil {
			t.Fatal(err)
		}
		id := answer.Of(l.Funding).ChannelID
		n.WaitSpent(l.Funding)
		waitStub(t, me, l.Funding)
		n.Mine(2, me)
		var first h.SweepTx
		h.Wait(t, "a claim of glrecover's own", func() error {
			all := me.Sweeps()
			if len(all.Transactions) != 1 {
				return fmt.Errorf("%+v; %s", all, me.RawStatus())
			}
			first = all.Transactions[0]
			return nil
		})
		n.WaitMempool(first.Txid)
		if all := me.Sweeps(); all.Destination != to || first.PerKW < 450 || first.PerKW > 600 {
			t.Errorf("it pays to %s at %d sat per kw, want %s and 500", all.Destination, first.PerKW, to)
		}
		n.Bitcoind.MineEmpty(stuckBlocks)
		me.WaitSynced()
		var second h.SweepTx
		h.Wait(t, "a dearer one", func() error {
			second = me.Sweeps().Transactions[0]
			if !slices.Contains(second.Replaces, first.Txid) || !slices.Contains(n.Bitcoind.Mempool(), second.Txid) {
				return fmt.Errorf("%+v", second)
			}
			return nil
		})
		n.Mine(5, me)
		h.Wait(t, "five confirmations", func() error { return stateIs(me, id, "outputs_waiting") })
		n.Mine(1, me)
		h.Wait(t, "the sixth", func() error { return stateIs(me, id, "credited") })
		c := me.Status().Of(id)
		var got float64
		n.Bitcoind.Must("getreceivedbyaddress", &got, to)
		if sat := uint64(got*1e8 + 0.5); c.Recovered.Sat() != sat || sat == 0 {
			t.Errorf("the status says %d sat, the address got %d", c.Recovered.Sat(), sat)
		}
		h.Say("MEASURED: %s: %d of a share of %d sat, fees %d and then %d sat: %s", t.Name(), c.Recovered.Sat(), share, first.FeeSat, second.FeeSat, c.Reason)
	})
}
