package integration

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	h "github.com/glrecover/glrecover/integration/harness"
)

// rescueLine is one channel of it.
type rescueLine struct {
	ID    string `json:"channel_id"`
	Peer  string `json:"peer_id"`
	State string `json:"state"`
	From  string `json:"known_from"`
	Text  string `json:"text"`
	Paid  uint64 `json:"paid_sat"`
	Fee   uint64 `json:"fee_sat"`
}

// rescueEnd is what the scenarios read of the last event of glrecover rescue.
type rescueEnd struct {
	Done     bool         `json:"done"`
	NeedsYou bool         `json:"needs_you"`
	Channels []rescueLine `json:"channels"`
	Paid     uint64       `json:"paid_sat"`
	Fee      uint64       `json:"fee_sat"`
}

// rescuer is somebody with the words, a bitcoind and an address.
type rescuer struct {
	t    *testing.T
	n    *h.Net
	args []string
	dest string
	// exit is the exit code with which it shall end.
	exit int
}

func newRescuer(t *testing.T, n *h.Net, lost *h.CLN, args ...string) *rescuer {
	t.Helper()
	r := &rescuer{t: t, n: n}
	n.Bitcoind.Must("getnewaddress", &r.dest)
	r.args = append([]string{
		"rescue", "--json", "--hsm-secret", lost.SecretPath(), "--bitcoin-datadir", n.Bitcoind.Dir, "--to", r.dest,
		"--feerate", "2", "--journal", filepath.Join(n.Dir, "journal-"+r.dest[len(r.dest)-6:]), "--decommissioned",
	}, args...)
	return r
}

// run lets it come to its end while blocks are found. killAfter, if not nil, says
// after which news it is killed and started again.
func (r *rescuer) run(killAfter func(line string) bool) (*rescueEnd, int) {
	r.t.Helper()
	kills := 0
	cmd := r.n.StartCommand(r.args...)
	seen := 0
	deadline := time.Now().Add(4 * time.Minute)
	for mined := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		code, ended := cmd.Ended()
		lines := cmd.Lines()
		if ended {
			if code != r.exit {
				r.t.Fatalf("exit %d after %d kills, want %d\n%s", code, kills, r.exit, cmd.Text())
			}
			break
		}
		killed := false
		for ; killAfter != nil && seen < len(lines) && !killed; seen++ {
			killed = killAfter(lines[seen])
		}
		if killed {
			cmd.Kill()
			kills, seen = kills+1, 0
			if kills%2 == 0 {
				r.n.Mine(1) // which nobody sees come
			}
			cmd, lines = r.n.StartCommand(r.args...), nil
		}
		if time.Now().After(deadline) {
			cmd.Kill()
			r.t.Fatalf("it comes to no end\n%s", cmd.Text())
		}
		// No more than that goes by before it speaks: it would have less news to be killed at.
		if len(lines) > 0 && time.Since(mined) > 700*time.Millisecond {
			r.n.Mine(1)
			mined = time.Now()
		}
	}
	lines := cmd.Lines()
	var last struct {
		End *rescueEnd `json:"end"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.End == nil || !last.End.Done {
		r.t.Fatalf("the last line is no end (%v):\n%s", err, cmd.Text())
	}
	return last.End, kills
}

// received is what the address has, in sat.
func (r *rescuer) received() uint64 {
	r.t.Helper()
	var btc json.Number
	r.n.Bitcoind.Must("getreceivedbyaddress", &btc, r.dest)
	whole, part, _ := strings.Cut(string(btc), ".")
	var a, b uint64
	_, _ = fmt.Sscanf(whole, "%d", &a)
	_, _ = fmt.Sscanf((part + "00000000")[:8], "%d", &b)
	return a*1e8 + b
}

// TestTheWordsAndOnePeerBringThreeChannelsToAnAddress: no backup and no lightningd.
// The user knows one CLN peer and an lnd peer; the other CLN peer, which has closed
// its channel already, is known from the copy that the first one kept. The program
// is killed at each news, and goes on.
func TestTheWordsAndOnePeerBringThreeChannelsToAnAddress(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		h.Need(t, h.LND)
		var node, one, two *h.CLN
		var lnd *h.LNDNode
		h.Together(t,
			func() { node = n.CLN("node", src.Config()) },
			func() { one = n.CLN("one", h.CLNConfig{}) },
			func() { two = n.CLN("two", h.CLNConfig{}) },
			func() { lnd = n.LND("lnd") },
		)
		lanes := []*h.Lane{{From: node, To: one, Sat: 1_000_000}, {From: node, To: two, Sat: 900_000}, {From: node, To: lnd, Sat: 800_000}}
		n.OpenLanes(lanes...)
		var share uint64
		for _, l := range lanes {
			n.UseLane(l)
			share += node.Channel(l.Funding).ToUs.Sat()
		}
		// The copy reaches a peer with the next message after a channel is ready.
		time.Sleep(3 * time.Second)
		node.Kill()
		n.WaitMempool(two.ForceClose(lanes[1].Funding))
		n.Mine(2, one, two, lnd)

		r := newRescuer(t, n, node, "--peer", one.ID+"@"+one.Address(), "--peer", lnd.NodeID()+"@"+lnd.Address())
		begun, height := time.Now(), n.Bitcoind.Height()
		states := map[string]bool{}
		end, kills := r.run(func(line string) bool {
			var e struct {
				Event   string
				Channel struct{ Channel_id, State string }
			}
			if json.Unmarshal([]byte(line), &e) != nil {
				return false
			}
			key := e.Event + e.Channel.Channel_id + e.Channel.State
			fresh := !states[key] && e.Event != "chain" && e.Event != "end"
			states[key] = true
			return fresh
		})
		t.Logf("MEASURED %s: %d of %d sat at the address (%d of fees), %d blocks, %s, killed %d times", src.Label(), end.Paid, share, end.Fee,
			n.Bitcoind.Height()-height, time.Since(begun).Round(time.Second), kills)
		for _, c := range end.Channels {
			t.Logf("  %s %s from %q: %s", c.ID[:12], c.State, c.From, c.Text)
		}
		if len(end.Channels) != 3 || end.NeedsYou || kills < 5 {
			t.Errorf("%d channels, %d kills", len(end.Channels), kills)
		}
		if got := r.received(); got != end.Paid {
			t.Errorf("%d sat came, %d were said to", got, end.Paid)
		}
		if end.Paid > share || end.Paid+15_000 < share {
			t.Errorf("%d sat came of %d", end.Paid, share)
		}
		sources := map[string]bool{}
		for _, c := range end.Channels {
			sources[c.Peer] = strings.Contains(c.From, "copy")
		}
		if !sources[two.ID] {
			t.Errorf("the closed channel is not known from a copy: %+v", end.Channels)
		}
	})
}

// TestTheSameBackupByThePluginAndByRescue: two nodes alike, one recovered by the plugin
// and one by rescue, bring the same, less the sweep's own fee. Not both for one node.
func TestTheSameBackupByThePluginAndByRescue(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		var first, second, peer *h.CLN
		h.Together(t,
			func() { first = n.CLN("first", src.Config()) },
			func() { second = n.CLN("second", src.Config()) },
			func() { peer = n.CLN("peer", h.CLNConfig{}) },
		)
		lanes := []*h.Lane{{From: first, To: peer, Sat: 1_000_000}, {From: second, To: peer, Sat: 1_000_000}}
		n.OpenLanes(lanes...)
		for _, l := range lanes {
			n.UseLane(l)
		}
		backup, other := src.Lose(first), src.Lose(second)
		me := heir(first)
		answer := me.Recover(backup)
		wantImported(t, me, answer, lanes[0].Funding)
		byPlugin := recovered(t, n, me, n.WaitSpent(lanes[0].Funding))
		// Beside the plugin's own lightningd nothing is rescued.
		beside := newRescuer(t, n, me, backup.Path)
		wantRun(t, "rescue beside the plugin", n.Command("", beside.args...), 1, "busy", me.Dir)

		r := newRescuer(t, n, second, other.Path)
		begun, height := time.Now(), n.Bitcoind.Height()
		end, _ := r.run(nil)
		t.Logf("MEASURED %s: plugin %d sat, rescue %d sat and %d of fees, %d blocks, %s", src.Label(), byPlugin, end.Paid, end.Fee,
			n.Bitcoind.Height()-height, time.Since(begun).Round(time.Second))
		if end.Paid+end.Fee != byPlugin || r.received() != end.Paid {
			t.Errorf("plugin %d, rescue %d + %d, at the address %d", byPlugin, end.Paid, end.Fee, r.received())
		}
	})
}

// line is the channel with a peer.
func (e *rescueEnd) line(t *testing.T, peer h.Node) rescueLine {
	t.Helper()
	at := slices.IndexFunc(e.Channels, func(c rescueLine) bool { return c.Peer == peer.NodeID() })
	if at < 0 {
		t.Fatalf("no channel with %s: %+v", peer.NodeName(), e.Channels)
	}
	return e.Channels[at]
}

// anOnion is a well-formed one.
const anOnion = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"

// TestAStaleBackupAndAPeerWithoutAChannel: the backup is from before a later channel,
// whose peer is at an onion address, and one peer that the user names has no channel at
// all. The peer of the backup's channel lies about its numbers: it says that it has lost
// its state, and later that it has gone on. Nothing is asked of it until it is honest.
func TestAStaleBackupAndAPeerWithoutAChannel(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		var node, one, later, stranger *h.CLN
		h.Together(t,
			func() { node = n.CLN("node", src.Config()) },
			func() { one = n.CLN("one", h.CLNConfig{}) },
			func() { later = n.CLN("later", h.CLNConfig{}) },
			func() { stranger = n.CLN("stranger", h.CLNConfig{}) },
		)
		first := &h.Lane{From: node, To: one, Sat: 1_000_000}
		n.OpenLanes(first)
		n.UseLane(first)
		backup := src.Snapshot(node)
		if !src.Genuine {
			node.Connect(one) // it was stopped for the snapshot
		}
		second := &h.Lane{From: node, To: later, Sat: 700_000}
		n.OpenLanes(second)
		n.UseLane(second)
		share := node.Channel(first.Funding).ToUs.Sat() + node.Channel(second.Funding).ToUs.Sat()
		time.Sleep(3 * time.Second)
		node.Kill()
		held := backup.Held(t, node, one)
		one.Stop()
		says := func(x *h.Caller, nextCommitment, nextRevocation uint64) {
			x.Init()
			x.Send(node.Reestablish(held, nextCommitment, nextRevocation))
			x.Drain()
		}
		liar := one.Impersonate(func(x *h.Caller) { says(x, 1, 0) })
		tor := socks5(t)
		tor.names = map[string]string{anOnion: later.Address()}

		r := newRescuer(t, n, node, "--peer", later.ID+"@"+anOnion+":9735", "--peer", stranger.ID+"@"+stranger.Address(),
			"--peer", one.ID+"@"+one.Address(), "--proxy", tor.addr, backup.Path)
		begun := time.Now()
		run := func(what string, exit int, state, text string) *rescueEnd {
			t.Helper()
			r.exit = exit
			end, _ := r.run(nil)
			t.Logf("MEASURED %s, %s: %d of %d sat at the address (%d of fees), %s", src.Label(), what, end.Paid, share, end.Fee, time.Since(begun).Round(time.Second))
			for _, c := range end.Channels {
				t.Logf("  %s %s from %q: %s", c.ID[:12], c.State, c.From, c.Text)
			}
			if c := end.line(t, one); c.State != state || !strings.Contains(c.Text, text) {
				t.Errorf("the liar's channel is %s: %s", c.State, c.Text)
			}
			if c := end.line(t, later); len(end.Channels) != 2 || c.From == "" || c.Paid == 0 {
				t.Errorf("the later channel: %+v", end.Channels)
			}
			return end
		}
		run("with the lie of a loss", 1, "peer_stale", "--override peer_stale")
		if tor.count() == 0 {
			t.Error("nothing went through the proxy")
		}
		var heard atomic.Int32
		liar.Turn(func(x *h.Caller) {
			if heard.Add(1) == 1 {
				says(x, held.Counterparty, held.Holder-1)
				return
			}
			says(x, held.Counterparty+1, held.Holder-1)
		})
		run("with the lie of progress", 1, "needs_operator", "--override numbers_moved")
		if err := n.StillUnspent(first.Funding); err != nil {
			t.Error(err)
		}
		liar.Leave()
		one.Start()
		end := run("with the honest peer", 0, "credited", "")
		if end.Paid > share || end.Paid+10_000 < share || r.received() != end.Paid {
			t.Errorf("%d sat came of %d", end.Paid, share)
		}
	})
}
