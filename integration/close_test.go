package integration

import (
	"encoding/json"
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

// minute is what an online peer has to close in.
const minute = time.Minute

// kind is one row of the table: a channel of the lost node, twice. The first
// lost node is recovered by glrecover, the second by Greenlight's own
// conversion and lightningd's recoverchannel, at the same time, with equal
// channels to the same peers.
type kind struct {
	name string
	// ours says that the lost node opened it.
	ours bool
	peer h.Node
	used bool
	// dialled says that the peer dialled the lost node, so that the backup has
	// no address to dial.
	dialled bool
	// htlcs says that payments are pending both ways.
	htlcs bool

	lanes [2]*h.Lane
	// share is what listpeerchannels of the lost node said last, in sat; what
	// it had offered and was pending is not in it.
	share [2]uint64
	got   [2]result
}

// result is what one way of recovery brought.
type result struct {
	// closed is how long after the command the close was in the mempool; zero
	// if the peer did not close by itself.
	closed time.Duration
	// tx closes the channel; where the peer did not, it was made to by hand.
	tx  h.Tx
	sat uint64
}

const (
	byGlrecover = iota
	byRecoverchannel
)

// What is pending each way where HTLCs are, in sat.
const (
	weOffered   = 40_000
	theyOffered = 25_000
)

// TestEveryOnlinePeerClosesWithinAMinuteAndTheCoinsComeBack is the table of
// docs/recovery.md.
func TestEveryOnlinePeerClosesWithinAMinuteAndTheCoinsComeBack(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD, h.LND, h.GLSigner)
	n := h.New(t)

	var solo, fresh, giver, static, several, holder *h.CLN
	var lnd, lndStatic *h.LNDNode
	var lost [2]*h.CLN
	start := func(at **h.CLN, name string, cfg h.CLNConfig) func() {
		return func() { *at = n.CLN(name, cfg) }
	}
	noAnchors := h.CLNConfig{Options: []string{"dev-force-features=-23"}}
	signed := h.CLNConfig{Signer: &h.Signer{}, Hold: true}
	h.Together(t,
		start(&lost[0], "lost", signed), start(&lost[1], "twin", signed),
		start(&solo, "solo", h.CLNConfig{}), start(&fresh, "fresh", h.CLNConfig{}),
		start(&giver, "giver", h.CLNConfig{}), start(&static, "static", noAnchors),
		start(&several, "several", h.CLNConfig{}), start(&holder, "holder", h.CLNConfig{Hold: true}),
		func() { lnd = n.LND("lnd", "--maxpendingchannels=10") },
		func() { lndStatic = n.LND("lnd-static", "--maxpendingchannels=10", "--protocol.no-anchors") },
	)
	kinds := []*kind{
		{name: "CLN, never used", ours: true, peer: fresh},
		{name: "CLN, used", ours: true, used: true, peer: solo},
		{name: "CLN, used, opened by the peer, which had dialled us: address given", used: true, dialled: true, peer: giver},
		{name: "CLN, used, static_remotekey", ours: true, used: true, peer: static},
		{name: "CLN, used, static_remotekey, opened by the peer", used: true, peer: static},
		{name: "CLN, three with one peer: used", ours: true, used: true, peer: several},
		{name: "CLN, three with one peer: used, opened by the peer", used: true, peer: several},
		{name: "CLN, three with one peer: never used", ours: true, peer: several},
		{name: "CLN, used, HTLCs pending both ways", ours: true, used: true, htlcs: true, peer: holder},
		{name: "lnd, used", ours: true, used: true, peer: lnd},
		{name: "lnd, used, opened by the peer", used: true, peer: lnd},
		{name: "lnd, used, static_remotekey", ours: true, used: true, peer: lndStatic},
	}
	compareTable(t, kinds)
	openAndUse(t, n, kinds, lost)
	versions := "lightningd " + solo.Version() + ", lnd " + lnd.Version() + ", " + signerVersion(t)

	backups, heirs := loseAndInherit(t, lost)
	answer := recoverBoth(t, n, kinds, heirs, backups)
	for _, k := range kinds {
		switch took := k.got[byGlrecover].closed; {
		case took == 0:
			t.Errorf("%s: the peer did not close", k.name)
		case took > minute:
			t.Errorf("%s: the peer took %s to close", k.name, took)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	credits(t, n, kinds, heirs, answer)
	writeTable(t, kinds, versions)
}

// openAndUse makes every channel of both lost nodes what its row says.
func openAndUse(t *testing.T, n *h.Net, kinds []*kind, lost [2]*h.CLN) {
	t.Helper()
	var lanes []*h.Lane
	byPeer := map[h.Node][]func(){}
	for _, k := range kinds {
		for i, node := range lost {
			l := &h.Lane{From: node, To: k.peer, Sat: 1_000_000}
			if !k.ours {
				l.From, l.To, l.Dialled = k.peer, node, !k.dialled
			}
			k.lanes[i] = l
			lanes = append(lanes, l)
			if k.used {
				byPeer[k.peer] = append(byPeer[k.peer], func() { n.UseLane(l) })
			}
		}
	}
	// Two channels between the same two nodes are not opened both ways at the
	// same time.
	var theirs []*h.Lane
	lanes = slices.DeleteFunc(lanes, func(l *h.Lane) bool {
		if l.From == h.Node(lost[0]) || l.From == h.Node(lost[1]) {
			return false
		}
		theirs = append(theirs, l)
		return true
	})
	n.OpenLanes(lanes...)
	n.OpenLanes(theirs...)
	var uses []func()
	for _, list := range byPeer {
		uses = append(uses, func() {
			for _, f := range list {
				f()
			}
		})
	}
	h.Together(t, uses...)

	for _, k := range kinds {
		for i, node := range lost {
			if k.htlcs {
				holder := k.peer.(*h.CLN)
				holder.HoldHTLCs()
				node.HoldHTLCs()
				n.OfferOver(k.lanes[i], node, weOffered*1000)
				n.OfferOver(k.lanes[i], holder, theyOffered*1000)
				waitPending(t, node, k.lanes[i].Funding, 2)
				waitPending(t, holder, k.lanes[i].Funding, 2)
			}
			k.share[i] = node.Channel(k.lanes[i].Funding).ToUs.Sat()
		}
	}
}

// waitPending waits until so many HTLCs are in both sides' commitments.
func waitPending(t *testing.T, node *h.CLN, funding h.Outpoint, want int) {
	t.Helper()
	h.Wait(t, "HTLCs in both commitments", func() error {
		c := node.Channel(funding)
		fixed := 0
		for _, x := range c.HTLCs {
			if x.State == "SENT_ADD_ACK_REVOCATION" || x.State == "RCVD_ADD_ACK_REVOCATION" {
				fixed++
			}
		}
		if fixed != want {
			return fmt.Errorf("%d of %d: %+v", fixed, want, c.HTLCs)
		}
		return nil
	})
}

// loseAndInherit ends both nodes for ever and starts their heirs: the first
// with the product, the second bare.
func loseAndInherit(t *testing.T, lost [2]*h.CLN) (backups [2]h.Backup, heirs [2]*h.CLN) {
	t.Helper()
	for i, node := range lost {
		backups[i] = h.Source{Genuine: true}.Lose(node)
	}
	h.Together(t,
		func() {
			heirs[0] = lost[0].Heir("heir", h.CLNConfig{Plugin: true})
			heirs[0].Start()
		},
		func() {
			heirs[1] = lost[1].Heir("twin-heir", h.CLNConfig{})
			heirs[1].Start()
		},
	)
	return backups, heirs
}

// recoverBoth gives the two commands and watches the mempool. The baseline is
// given as long as glrecover, and a whole minute where the table is written.
func recoverBoth(t *testing.T, n *h.Net, kinds []*kind, heirs [2]*h.CLN, backups [2]h.Backup) *h.Answer {
	t.Helper()
	var begun [2]time.Time
	begun[byRecoverchannel] = time.Now()
	stubs, err := heirs[byRecoverchannel].RecoverChannel(h.GLConvert(t, backups[byRecoverchannel].Path, false))
	// On a busy machine an opening that had succeeded can be tried again: one more
	// channel is no row of the table.
	if err != nil || len(stubs) < len(kinds) {
		t.Fatalf("recoverchannel: %d of %d stubs: %v", len(stubs), len(kinds), err)
	}
	begun[byGlrecover] = time.Now()
	answered := make(chan *h.Answer, 1)
	addresses := map[string]string{}
	for _, k := range kinds {
		if k.dialled {
			addresses[k.peer.NodeID()] = k.peer.Address()
		}
	}
	go func() {
		a, err := heirs[byGlrecover].Glrecover(h.Params{
			"backup": backups[byGlrecover].Path, "decommissioned": true, "addresses": addresses,
		})
		if err != nil {
			t.Error(err)
		}
		answered <- a
	}()

	var outputs []h.Outpoint
	for _, k := range kinds {
		outputs = append(outputs, k.lanes[0].Funding, k.lanes[1].Funding)
	}
	// The mempool is left alone until the time is up.
	if err := h.Poll(minute+10*time.Second, func() error {
		spent := n.Bitcoind.MempoolSpenders(outputs...)
		waiting := 0
		for _, k := range kinds {
			for i, l := range k.lanes {
				if txid, ok := spent[l.Funding]; ok && k.got[i].closed == 0 {
					k.got[i].closed = time.Since(begun[i])
					k.got[i].tx = n.Bitcoind.MempoolTx(txid)
				}
			}
			if k.got[byGlrecover].closed == 0 {
				waiting++
			}
		}
		if waiting > 0 {
			return fmt.Errorf("%d channels are open", waiting)
		}
		if writing() && time.Since(begun[byRecoverchannel]) < minute {
			return errors.New("the baseline has its minute")
		}
		return nil
	}); err != nil {
		for _, c := range heirs[byGlrecover].Status().Channels {
			t.Logf("%s %s: %s", c.ChannelID, c.State, c.Reason)
		}
		t.Fatalf("a minute after glrecover: %v", err)
	}
	select {
	case a := <-answered:
		if a == nil {
			t.FailNow()
		}
		return a
	case <-time.After(h.Timeout):
		t.Fatal("glrecover does not answer")
		return nil
	}
}

// credits lets the baseline's peers close by hand where they did not close by
// themselves, mines, and sees what is in the wallets.
func credits(t *testing.T, n *h.Net, kinds []*kind, heirs [2]*h.CLN, answer *h.Answer) {
	t.Helper()
	for _, k := range kinds {
		if k.got[byRecoverchannel].closed > 0 {
			continue
		}
		funding := k.lanes[byRecoverchannel].Funding
		var txid string
		switch p := k.peer.(type) {
		case *h.CLN:
			txid = p.ForceClose(funding)
		case *h.LNDNode:
			txid = p.ForceClose(funding)
		}
		k.got[byRecoverchannel].tx = n.Bitcoind.MempoolTx(txid)
	}
	for _, k := range kinds {
		waitStub(t, heirs[byGlrecover], k.lanes[byGlrecover].Funding)
	}
	// to_remote with anchors asks for one block (BOLT 3), without for none.
	n.Mine(1, heirs[0], heirs[1])
	me := heirs[byGlrecover]
	for _, k := range kinds {
		id := answer.Of(k.lanes[byGlrecover].Funding).ChannelID
		h.Wait(t, k.name+": the coin in the wallet", func() error { return me.HasOutputOf(k.got[byGlrecover].tx.Txid) })
		want := "credited"
		if k.htlcs {
			want = "outputs_waiting"
		}
		h.Wait(t, k.name+" to be "+want, func() error { return stateIs(me, id, want) })
		got := me.Received(k.got[byGlrecover].tx.Txid)
		k.got[byGlrecover].sat = got
		k.wantWhole(t, byGlrecover)
		c := me.Status().Of(id)
		if c.Recovered.Sat() != got || c.ClosingTxid != k.got[byGlrecover].tx.Txid {
			t.Errorf("%s: the status says %d sat of %s, the wallet has %d of %s", k.name, c.Recovered.Sat(), c.ClosingTxid, got, k.got[byGlrecover].tx.Txid)
		}
		// What we offered is claimed when it expires, what we were offered needs its
		// preimage.
		if k.htlcs && (c.Unclaimed.Sat()+c.Expected.Sat() != weOffered+theyOffered || !strings.Contains(c.Reason, "payment_sent") || !strings.Contains(c.Reason, "payment_received")) {
			t.Errorf("%s: %d sat named as unclaimed and %d as expected, want the HTLCs' %d: %s", k.name, c.Unclaimed.Sat(), c.Expected.Sat(), weOffered+theyOffered, c.Reason)
		}
	}
	// lightningd forgets a closed channel after 100 blocks: the baseline has
	// had its chance then, and glrecover has the end of the story.
	n.Mine(100, heirs[0], heirs[1])
	for _, k := range kinds {
		if !k.htlcs {
			id := answer.Of(k.lanes[byGlrecover].Funding).ChannelID
			h.Wait(t, k.name+" to be resolved", func() error { return stateIs(me, id, "resolved") })
		}
		k.got[byRecoverchannel].sat = heirs[byRecoverchannel].Received(k.got[byRecoverchannel].tx.Txid)
	}
}

// stateIs returns nil when glrecover-status has the channel in one of the
// states.
func stateIs(node *h.CLN, channelID string, states ...string) error {
	c := node.Status().Of(channelID)
	if c == nil {
		return errors.New("not in the status")
	}
	for _, s := range states {
		if c.State == s {
			return nil
		}
	}
	return fmt.Errorf("%s: %s", c.State, c.Reason)
}

// wantWhole checks what came back against the lost node's own books and the
// closing transaction: all of our share, less what the opener has to pay for
// the commitment.
func (k *kind) wantWhole(t *testing.T, way int) {
	t.Helper()
	share := k.share[way]
	if k.htlcs {
		// lightningd counts what it has offered as its own until it is settled.
		share -= weOffered
	}
	var cost uint64
	if k.ours {
		cost = k.lanes[way].Sat
		for _, o := range k.got[way].tx.Vout {
			if o.Value.Sat() != anchorSat {
				cost -= o.Value.Sat()
			}
		}
	}
	// Millisatoshis are rounded down on both sides.
	got := k.got[way].sat
	if got > share-cost || got+2 < share-cost {
		t.Errorf("%s: %d sat came back, want %d (share %d, fee and anchors %d): %+v", k.name, got, share-cost, share, cost, k.got[way].tx)
	}
}

const anchorSat = 330

const (
	docsEnv   = "GLRECOVER_WRITE_DOCS"
	docsBegin = "<!-- written by go test ./integration -run TestEveryOnlinePeer, with " + docsEnv + "=1 -->"
	docsEnd   = "<!-- end of what the test wrote -->"
)

func writing() bool { return os.Getenv(docsEnv) != "" }

var docsPath = filepath.Join("..", "docs", "recovery.md")

// readDocs returns the page around the measured part.
func readDocs(t *testing.T) (before, table, after string) {
	t.Helper()
	raw, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), docsBegin)
	if !ok {
		t.Fatalf("%s has no line %q", docsPath, docsBegin)
	}
	table, after, ok = strings.Cut(rest, docsEnd)
	if !ok {
		t.Fatalf("%s has no line %q", docsPath, docsEnd)
	}
	return before, table, after
}

// compareTable fails where the page does not have the rows of this scenario.
func compareTable(t *testing.T, kinds []*kind) {
	t.Helper()
	_, table, _ := readDocs(t)
	if writing() {
		return
	}
	var have []string
	for _, line := range strings.Split(table, "\n") {
		if name, ok := strings.CutPrefix(line, "| "); ok {
			name, _, _ = strings.Cut(name, " |")
			have = append(have, name)
		}
	}
	want := []string{"channel"}
	for _, k := range kinds {
		want = append(want, k.name)
	}
	if strings.Join(have, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s has the rows %q, this scenario %q: run it with %s=1", docsPath, have, want, docsEnv)
	}
}

// writeTable prints what was measured, and puts it into the page when asked to.
func writeTable(t *testing.T, kinds []*kind, versions string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "\nMeasured %s on regtest with %s.\n\n", time.Now().UTC().Format(time.DateOnly), versions)
	b.WriteString("| channel | our share | glrecover: closed after | came back | Greenlight's conversion, recoverchannel: closed after | came back |\n")
	b.WriteString("|---|---:|---:|---:|---:|---:|\n")
	var sums [3]uint64
	for _, k := range kinds {
		var cells []string
		for i := range k.got {
			r := &k.got[i]
			when := fmt.Sprintf("%.0f s", r.closed.Seconds())
			if r.closed == 0 {
				when = "never"
			}
			cells = append(cells, when, fmt.Sprint(r.sat))
			sums[1+i] += r.sat
		}
		sums[0] += k.share[0]
		fmt.Fprintf(&b, "| %s | %d | %s |\n", k.name, k.share[0], strings.Join(cells, " | "))
		t.Logf("MEASURED: %s: share %d: glrecover %s %s sat, recoverchannel %s %s sat", k.name, k.share[0], cells[0], cells[1], cells[2], cells[3])
	}
	fmt.Fprintf(&b, "\nTogether: %d sat of our share in the backup, %d came back with glrecover, %d with Greenlight's conversion and recoverchannel.\n\n", sums[0], sums[1], sums[2])
	if !writing() {
		return
	}
	before, _, after := readDocs(t)
	if err := os.WriteFile(docsPath, []byte(before+docsBegin+b.String()+docsEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// signerVersion is the version of Greenlight's crate that the signer is built
// with.
func signerVersion(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("glsigner", "Cargo.lock"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), "name = \"gl-client\"\nversion = ")
	var version string
	if !ok || json.NewDecoder(strings.NewReader(rest)).Decode(&version) != nil {
		t.Fatal("Cargo.lock does not say which gl-client it is")
	}
	return "gl-client " + version
}
