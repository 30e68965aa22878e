package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// A backup is looked at while its node still runs: good when it is fresh, not
// when it is old, mended by glrecover snapshot; and then it is needed.
func TestBackupIsCheckedAndMendedBesideTheRunningNodeAndThenRecovers(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		var peer, quiet, node *h.CLN
		h.Together(t,
			func() { peer = n.CLN("peer", h.CLNConfig{}) },
			func() { quiet = n.CLN("quiet", h.CLNConfig{}) },
			func() { node = n.CLN("node", src.Config()) },
		)
		node.OmitPeer(quiet.ID)
		check := func(b h.Backup) h.Run {
			return n.Command("", "check", b.Path, "--node", node.Socket(), "--hsm-secret", node.SecretPath())
		}

		first := &h.Lane{From: node, To: peer, Sat: 1_000_000}
		n.OpenLanes(first)
		n.UseLane(first)
		old := src.Snapshot(node)
		wantRun(t, "a fresh backup", check(old), 0, "GOOD: no problem", "just as in the node", "this node's")

		second := &h.Lane{From: node, To: quiet, Sat: 600_000}
		n.OpenLanes(second)
		n.UseLane(second)
		for range 2 {
			n.PayOver(first, node, 10_000_000)
		}
		n.WaitSettled(first.Funding, node, peer)
		wantRun(t, "the same backup later", check(old), 1, "PROBLEM:", "if it cheats with one of these, it cannot be punished",
			"not in the backup and would be lost with your share of", "behind the node by")

		fresh := src.Snapshot(node)
		wantRun(t, "a fresh backup without an address", check(fresh), 1, "the backup has no address for this peer",
			"glrecover snapshot with --addresses or --node")
		mended := h.Backup{Path: filepath.Join(n.Dir, "mended.json"), Label: fresh.Label}
		wantRun(t, "snapshot", n.Command("", "snapshot", "--from", fresh.Path, "--to", mended.Path, "--node", node.Socket()), 0,
			quiet.ID, quiet.Address(), "from a connection")
		wantRun(t, "the mended backup", check(mended), 0, "GOOD: no problem", "2 of 2 channels can be recovered")
		node.Kill()

		me := heir(node)
		answer := me.Recover(mended)
		wantImported(t, me, answer, first.Funding, second.Funding)
		if c := answer.Of(second.Funding); c.Address != quiet.Address() || c.AddressSource != "backup" {
			t.Errorf("address %q from %q, want %s from the backup", c.Address, c.AddressSource, quiet.Address())
		}
		for _, l := range []*h.Lane{first, second} {
			wantCoin(t, n, me, answer, l)
		}
	})
}

// wantRun checks what a call of the command line ended with and printed.
// Lines are broken at spaces.
func wantRun(t *testing.T, what string, run h.Run, code int, says ...string) {
	t.Helper()
	text := strings.Join(strings.Fields(run.Text()), " ")
	if run.Code != code {
		t.Errorf("%s: exit code %d, want %d", what, run.Code, code)
	}
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("%s: %q is not said", what, s)
		}
	}
	if t.Failed() {
		t.Fatalf("%s:\n%s", what, run.Text())
	}
}

// A node with VLS has no Greenlight file, but a dump of vlsd's storage. It says
// the same, but for the peers' addresses: these come from gossip, which the heir
// has as soon as it is connected to anybody.
func TestDumpOfVLSDRecoversAsTheGreenlightFileDoes(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		var peer, anybody, node *h.CLN
		h.Together(t,
			func() { peer = announced(n, "peer") },
			func() { anybody = n.CLN("anybody", h.CLNConfig{}) },
			func() { node = n.CLN("node", src.Config()) },
		)
		anybody.Connect(peer)
		lane := &h.Lane{From: node, To: peer, Sat: 1_000_000, Announce: true}
		n.OpenLanes(lane)
		waitGossip(t, anybody, peer, peer.Address())
		// What the lost node says of itself later than its backup counts as a
		// sign of life.
		waitGossip(t, anybody, node)
		n.UseLane(lane)
		file := src.Lose(node)
		dump := h.Backup{Path: n.WriteFile("dump.txt", dumpOf(t, file.Bytes(t))), Label: file.Label}

		me := heir(node)
		me.Connect(anybody)
		waitGossip(t, me, peer, peer.Address())
		look := func(b h.Backup) *h.Answer {
			a, err := me.Glrecover(h.Params{"backup": b.Path, "decommissioned": true, "dry_run": true})
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		ofFile, ofDump := look(file), look(dump)
		for i := range ofFile.Channels {
			// The file has the address.
			ofFile.Channels[i].AddressSource = "gossip"
		}
		if !reflect.DeepEqual(ofFile.Channels, ofDump.Channels) {
			t.Errorf("the dump says:\n%s\nthe file says:\n%s", ofDump.Raw, ofFile.Raw)
		}

		answer := me.Recover(dump)
		wantImported(t, me, answer, lane.Funding)
		if c := answer.Of(lane.Funding); c.Address != peer.Address() || c.AddressSource != "gossip" {
			t.Errorf("address %q from %q, want %s from gossip", c.Address, c.AddressSource, peer.Address())
		}
		wantCoin(t, n, me, answer, lane)
	})
}

// announced starts a node that announces its address.
func announced(n *h.Net, name string) *h.CLN {
	node := n.NewCLN(name, h.CLNConfig{})
	node.Config.Options = []string{"dev-allow-localhost", "announce-addr=" + node.Address()}
	node.Start()
	return node
}

// waitGossip waits until node has the announcement of another, with these
// addresses.
func waitGossip(t *testing.T, node, other *h.CLN, addresses ...string) {
	t.Helper()
	h.Wait(t, node.Name+" to have gossip of "+other.Name, func() error {
		var a struct {
			Nodes []struct {
				LastTimestamp int64 `json:"last_timestamp"`
				Addresses     []struct {
					Address string `json:"address"`
					Port    int    `json:"port"`
				} `json:"addresses"`
			} `json:"nodes"`
		}
		if err := node.Call("listnodes", h.Params{"id": other.ID}, &a); err != nil {
			return err
		}
		var got []string
		for _, o := range a.Nodes {
			for _, at := range o.Addresses {
				got = append(got, fmt.Sprintf("%s:%d", at.Address, at.Port))
			}
		}
		if len(a.Nodes) != 1 || a.Nodes[0].LastTimestamp == 0 || !slices.Equal(got, addresses) {
			return fmt.Errorf("%+v", a.Nodes)
		}
		return nil
	})
}

// dumpOf writes a backup's state as vlsd --dump-storage prints it: lines
// "KEY = JSON @ VERSION" between what vlsd logs, without any peers.
func dumpOf(t *testing.T, raw []byte) []byte {
	t.Helper()
	values := parse(t, raw).values()
	var out strings.Builder
	out.WriteString("vlsd 0.14.0 starting\n")
	for _, key := range slices.Sorted(maps.Keys(values)) {
		entry := values[key].([]any)
		kind, id, _ := strings.Cut(key, "/")
		value := entry[1]
		switch kind {
		case "channels":
			const nodeID = 2 * 33
			key = "channel/" + id[:nodeID] + "/" + id[nodeID:]
		case "nodes":
			key = "node/entry/" + id
		case "nodestates":
			key = "node/state/" + id
		case "trackers":
			key = "node/tracker/" + id
		case "allowlists":
			key, value = "node/allowlist/"+id, map[string]any{"allowlist": value}
		default:
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s = %s @ %s\n", key, text, entry[0])
	}
	return []byte(out.String())
}
