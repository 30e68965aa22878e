package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// sweepAnswer is what the scenario reads of glrecover sweep --json.
type sweepAnswer struct {
	Closes []struct {
		Txid   string `json:"txid"`
		Kind   string `json:"kind"`
		Claims []struct {
			Amount h.Msat `json:"amount_msat"`
			Role   string `json:"role"`
			Needs  string `json:"needs"`
			From   uint32 `json:"from_height"`
		} `json:"claims"`
	} `json:"closes"`
	Transactions []struct {
		Txid  string `json:"txid"`
		Paid  h.Msat `json:"paid_msat"`
		Error string `json:"error"`
		Sent  bool   `json:"sent"`
	} `json:"transactions"`
	Open     []string `json:"open"`
	NotFound []string `json:"not_found"`
	Wallet   []struct {
		Outpoint string `json:"outpoint"`
		Amount   h.Msat `json:"amount_msat"`
	} `json:"wallet"`
}

// A node that cannot run any more: one channel closed by the peer, one by the
// node itself, one by both, and the last one open. The command line and bitcoind
// bring it all home.
func TestSweepWithoutANodeBringsEveryCloseHome(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		node := n.CLN("node", src.Config())
		var peers []*h.CLN
		var lanes []*h.Lane
		for _, name := range []string{"closes", "closed", "agrees", "stays"} {
			peer := n.CLN(name, h.CLNConfig{Hold: true})
			peers = append(peers, peer)
			lanes = append(lanes, &h.Lane{From: node, To: peer, Sat: 1_000_000})
		}
		n.OpenLanes(lanes...)
		var share uint64
		for i, l := range lanes[:3] {
			n.UseLane(l)
			if src.Genuine && i < 2 {
				peers[i].HoldHTLCs()
				n.OfferOver(l, node, weOffered*1000)
				waitPending(t, node, l.Funding, 1)
			}
			share += node.Channel(l.Funding).ToUs.Sat() // what is offered included
		}
		agreed := node.MutualClose(lanes[2].Funding)
		peers[1].Kill() // it would agree to a mutual close
		ours := node.ForceClose(lanes[1].Funding)
		n.Mine(1, node)
		var own uint64
		coins := 0
		for _, o := range node.Outputs() {
			if o.Status == "confirmed" && o.Txid != agreed { // that one is swept with the closes
				own, coins = own+o.Amount.Sat(), coins+1
			}
		}
		backup := src.Lose(node)
		peers[2].Kill()
		peers[3].Kill()
		theirs := peers[0].ForceClose(lanes[0].Funding)
		n.WaitMempool(theirs)
		n.Mine(1, peers[0])
		peers[0].Kill() // it would take its share and leave ours alone

		var dest string
		n.Bitcoind.Must("getnewaddress", &dest)
		var paid uint64
		sent := map[string]bool{}
		kinds := map[string]string{}
		run := func(what string) *sweepAnswer {
			t.Helper()
			r := n.Command("", "sweep", "--json", "--hsm-secret", node.SecretPath(), "--bitcoind", n.Bitcoind.Dir, "--from", "1",
				"--to", dest, "--feerate", "5", "--broadcast", backup.Path)
			if r.Code != 0 {
				t.Fatalf("%s: exit %d\n%s", what, r.Code, r.Text())
			}
			var a sweepAnswer
			if err := json.Unmarshal([]byte(r.Stdout), &a); err != nil {
				t.Fatalf("%s: %v\n%s", what, err, r.Stdout)
			}
			for _, c := range a.Closes {
				kinds[c.Txid] = c.Kind
			}
			for _, tx := range a.Transactions {
				if !tx.Sent {
					t.Errorf("%s: %+v", what, tx)
				}
				if !sent[tx.Txid] {
					sent[tx.Txid] = true
					paid += tx.Paid.Sat()
				}
			}
			return &a
		}
		first := run("at once")
		if len(first.Closes) != 3 || len(first.Open) != 1 || len(first.NotFound) != 0 || !strings.HasPrefix(first.Open[0], peers[3].ID) {
			t.Errorf("%+v", first)
		}
		// Twice is not too often: what is in the mempool is sent again.
		before := len(sent)
		run("again")
		if len(sent) != before {
			t.Errorf("%d transactions more", len(sent)-before)
		}
		n.Bitcoind.Mine(12)
		run("after the delay")
		n.Bitcoind.Mine(110)
		run("after the expiry")
		n.Bitcoind.Mine(12)
		run("after the HTLC transaction's delay")
		n.Bitcoind.Mine(1)
		last := run("at the end")
		for _, c := range last.Closes {
			if len(c.Claims) != 0 {
				t.Errorf("%s: left: %+v", c.Kind, c.Claims)
			}
		}
		for txid, want := range map[string]string{agreed: "mutual", ours: "ours_current", theirs: "theirs_current"} {
			if kinds[txid] != want {
				t.Errorf("%s is %q, want %s", txid, kinds[txid], want)
			}
		}
		received := func(address string) string {
			var amount json.Number
			n.Bitcoind.Must("getreceivedbyaddress", &amount, address)
			return string(amount)
		}
		if got, want := received(dest), bitcoin(paid); got != want {
			t.Errorf("%s BTC came, %s were said to", got, want)
		}
		t.Logf("%d of %d sat came to the address in %d transactions (%s)", paid, share, len(sent), backup.Label)
		// Three commitments' fees and anchors, and the sweeps' own fees.
		if paid > share || paid+15_000 < share {
			t.Errorf("%d sat came of %d", paid, share)
		}

		// The node's own coins come by the secret alone.
		var other string
		n.Bitcoind.Must("getnewaddress", &other)
		wallet := func(args ...string) *sweepAnswer {
			t.Helper()
			r := n.Command("", append([]string{"sweep", "--wallet", "--json", "--hsm-secret", node.SecretPath(), "--bitcoind", n.Bitcoind.Dir}, args...)...)
			var a sweepAnswer
			if err := json.Unmarshal([]byte(r.Stdout), &a); err != nil || r.Code != 0 {
				t.Fatalf("exit %d, %v\n%s", r.Code, err, r.Text())
			}
			return &a
		}
		listed := wallet("--network", "regtest")
		var have uint64
		for _, c := range listed.Wallet {
			have += c.Amount.Sat()
		}
		// The node may have paid for its own close from one of them since.
		if len(listed.Wallet) != coins || have > own || have+3_000 < own || coins == 0 || len(listed.Transactions) != 0 {
			t.Errorf("%d coins with %d sat, the node had %d with %d", len(listed.Wallet), have, coins, own)
		}
		swept := wallet("--to", other, "--feerate", "5", "--broadcast", backup.Path)
		if len(swept.Transactions) != 1 || !swept.Transactions[0].Sent {
			t.Fatalf("%+v", swept)
		}
		n.Bitcoind.Mine(1)
		came := swept.Transactions[0].Paid.Sat()
		if got, want := received(other), bitcoin(came); got != want || came > own || came+5_000 < own {
			t.Errorf("%s BTC came of %d sat, %s were said to", got, own, want)
		}
		if left := wallet("--to", other, "--feerate", "5", "--broadcast"); len(left.Wallet)+len(left.Transactions) != 0 {
			t.Errorf("left: %+v", left)
		}
		t.Logf("%d of %d sat of the node's own wallet came to an address", came, own)
	})
}

// bitcoin is an amount in sat as bitcoind writes it.
func bitcoin(sat uint64) string { return fmt.Sprintf("%d.%08d", sat/1e8, sat%1e8) }
