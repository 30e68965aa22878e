package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/lightningd/lightningdtest"
	"github.com/glrecover/glrecover/vlsstate"
)

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestOneBackupInIsTheSameBytesOut(t *testing.T) {
	for _, path := range backups(t) {
		to := filepath.Join(t.TempDir(), "copy.json")
		code, _, stderr := runCLI(t, "snapshot", "--from", path, "--to", to)
		if code != exitOK || stderr != "" {
			t.Fatalf("%s: exit code %d, %s", path, code, stderr)
		}
		want := mustRead(t, path)
		if !bytes.Equal(mustRead(t, to), want) {
			t.Errorf("%s: other bytes", path)
		}
		info, err := os.Stat(to)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
		// Given twice it is the same state, and so are the bytes.
		code, stdout, _ := runCLI(t, "snapshot", "--from", path, "--from", to, "--to", "-")
		if code != exitOK || stdout != string(want) {
			t.Errorf("%s: exit code %d, other bytes on standard output", path, code)
		}
	}
}

// dumpOf writes a genuine state as vlsd prints it with --dump-storage (VLS
// docs; vls-persist kvv.rs): KEY = JSON @ VERSION, no peers, no signatures.
func dumpOf(b *vlsstate.Backup) string {
	var s strings.Builder
	node := b.NodeID.String()
	for _, e := range b.Entries {
		kind, id, _ := strings.Cut(e.Key, "/")
		key, value := "", string(e.Value)
		switch vlsstate.Kind(kind) {
		case vlsstate.KindChannel:
			key = "channel/" + node + "/" + strings.TrimPrefix(id, node)
		case vlsstate.KindNode:
			key = "node/entry/" + id
		case vlsstate.KindNodeState:
			key = "node/state/" + id
		case vlsstate.KindTracker:
			key = "node/tracker/" + id
		case vlsstate.KindAllowlist:
			key, value = "node/allowlist/"+id, `{"allowlist":`+value+`}`
		default:
			continue
		}
		fmt.Fprintf(&s, "%s = %s @ %d\n", key, value, e.Version)
	}
	return s.String()
}

// addressesOf are the backup's addresses as a user would give them.
func addressesOf(b *vlsstate.Backup) string {
	var list []string
	for id, p := range b.Peers {
		if slices.Contains(peersOf(b), id) {
			list = append(list, id.String()+"="+p.Addr)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

func TestADumpOfVLSConvertsToTheSameEntriesAsTheGreenlightFile(t *testing.T) {
	goldens := 0
	for _, path := range backups(t) {
		b, err := vlsstate.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		dump, made := filepath.Join(dir, "dump.txt"), filepath.Join(dir, "made.json")
		if err := os.WriteFile(dump, []byte(dumpOf(b)), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"snapshot", "--from", dump, "--to", made}
		if list := addressesOf(b); list != "" {
			args = append(args, "--addresses", list)
		}
		if code, _, stderr := runCLI(t, args...); code != exitOK {
			t.Fatalf("%s: exit code %d, %s", path, code, stderr)
		}
		for _, format := range []string{"glcli", "cln"} {
			flags := []string{"convert", "--format", format, "--skip-incomplete"}
			if format == "glcli" {
				flags = append(flags, "--json")
			}
			_, want, _ := runCLI(t, append(flags, path)...)
			_, got, _ := runCLI(t, append(flags, made)...)
			// Our own form leaves out a peer that had called, whose address the
			// user now gave.
			if inboundPeer(b) && format == "cln" {
				continue
			}
			if got != want || want == "" {
				t.Errorf("%s: %s differs:\n%s\nwant\n%s", path, format, got, want)
			}
		}
		// And the same as Greenlight's own program made.
		if filepath.Base(path) == "backup.json" {
			golden := mustRead(t, filepath.Join(filepath.Dir(path), "glclient-convert.json"))
			if golden[0] == '{' {
				_, got, _ := runCLI(t, "convert", "--format", "glcli", "--json", made)
				if got != string(golden) {
					t.Errorf("%s: other entries than Greenlight's:\n%s", path, got)
				}
				goldens++
			}
		}
	}
	if goldens < 12 {
		t.Errorf("only %d compared with Greenlight's own", goldens)
	}
}

func inboundPeer(b *vlsstate.Backup) bool {
	for _, p := range b.Peers {
		if p.Direction == vlsstate.In {
			return true
		}
	}
	return false
}

func TestADumpGetsTheDateOfItsFile(t *testing.T) {
	b, err := vlsstate.ReadFile(filepath.Join(corpusDir, "used-both-ways", "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	dump := filepath.Join(dir, "dump.txt")
	if err := os.WriteFile(dump, []byte(dumpOf(b)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ changed, want time.Time }{
		{time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC), time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC)},
		// Nothing was written in the future.
		{time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 6, 12, 0, 0, 0, time.UTC)},
	} {
		if err := os.Chtimes(dump, c.changed, c.changed); err != nil {
			t.Fatal(err)
		}
		_, stdout, stderr := runCLI(t, "snapshot", "--from", dump, "--to", "-")
		made, err := vlsstate.Read(bytes.NewReader([]byte(stdout)))
		if err != nil {
			t.Fatal(err, stderr)
		}
		if !made.CreatedAt.Equal(c.want) || made.Strategy.Kind != vlsstate.Never {
			t.Errorf("dated %s, strategy %s; want %s", made.CreatedAt, made.Strategy, c.want)
		}
	}
}

// standIn is a node that knows how to answer questions, and nothing else.
func standIn(t *testing.T, id string) *lightningdtest.Socket {
	t.Helper()
	s := lightningdtest.NewSocket(t)
	s.Answer("getinfo", map[string]any{"id": id, "network": "regtest", "blockheight": 140, "version": "v26.06.6"})
	return s
}

func TestSnapshotAddsTheAddressesOfARunningNode(t *testing.T) {
	const (
		nobody  = "03d3c86fc1e84364a9140801d61739c187e3411883cc60310b5d0647e03a034a03" // no entry
		inbound = "025fcfea3b31c0a6d962a02da4ed695d9bb92361510733f5af72c6d89b167590d9" // called from somewhere
		known   = "0399e0189836f3afef1a7d2b36fd866074257637b4fd64e94c277f200e6c72bf82" // dialled
	)
	path := corpusDir + "/three-peers/backup.json"
	b, err := vlsstate.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	announce := func(addresses ...any) any {
		return map[string]any{"nodes": []any{map[string]any{"addresses": addresses}}}
	}
	tor := map[string]any{"type": "torv3", "address": "oamiytq5lek3nxmuwpvnzix4psrl2x2ysu2ko7of7nxeij3szj5kseqd.onion", "port": 9735}
	v6 := map[string]any{"type": "ipv6", "address": "2001:db8::7", "port": 9736}
	connected := func(id, addr string) any {
		return map[string]any{"id": id, "connected": true, "num_channels": 1, "netaddr": []string{addr}, "features": "80"}
	}
	for _, c := range []struct {
		what      string
		gossip    map[string]any
		connected []any
		want      map[string]vlsstate.Peer
	}{
		{
			"gossip goes before a connection",
			map[string]any{nobody: announce(tor, v6), inbound: announce(v6)},
			[]any{connected(nobody, "192.0.2.7:9735")},
			map[string]vlsstate.Peer{
				nobody:  {Addr: tor["address"].(string) + ":9735", Direction: vlsstate.Out, Features: []byte{0x80}},
				inbound: {Addr: "[2001:db8::7]:9736", Direction: vlsstate.Out},
			},
		},
		{
			"a connection will do",
			nil,
			[]any{connected(nobody, "192.0.2.7:9735"), connected(inbound, "192.0.2.8:9999")},
			map[string]vlsstate.Peer{
				nobody:  {Addr: "192.0.2.7:9735", Direction: vlsstate.Out, Features: []byte{0x80}},
				inbound: {Addr: "192.0.2.8:9999", Direction: vlsstate.Out, Features: []byte{0x80}},
			},
		},
		{
			"a port of an outgoing connection is not to be dialled",
			nil,
			[]any{connected(nobody, "192.0.2.7:40000"), connected(inbound, "192.0.2.8:40001")},
			map[string]vlsstate.Peer{nobody: {Addr: "192.0.2.7:40000", Direction: vlsstate.In, Features: []byte{0x80}}},
		},
		{
			"what the signer dialled stays",
			map[string]any{known: announce(v6)},
			[]any{connected(known, "192.0.2.9:9735")},
			map[string]vlsstate.Peer{},
		},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := standIn(t, b.NodeID.String())
			s.Answer("listpeers", map[string]any{"peers": c.connected})
			s.Handle("listnodes", func(params json.RawMessage) (any, error) {
				var p struct{ ID string }
				if err := json.Unmarshal(params, &p); err != nil || p.ID == "" {
					t.Errorf("listnodes %s", params)
				}
				if answer, ok := c.gossip[p.ID]; ok {
					raw, _ := json.Marshal(answer)
					return json.RawMessage(strings.Replace(string(raw), `{"addresses"`, `{"nodeid":"`+p.ID+`","addresses"`, 1)), nil
				}
				return map[string]any{"nodes": []any{}}, nil
			})
			_, stdout, stderr := runCLI(t, "snapshot", "--from", path, "--to", "-", "--node", s.Path())
			made, err := vlsstate.Read(bytes.NewReader([]byte(stdout)))
			if err != nil {
				t.Fatal(err, stderr)
			}
			for id, p := range b.Peers {
				want, changed := c.want[id.String()]
				if !changed {
					want = p
				}
				if got := made.Peers[id]; got.Addr != want.Addr || got.Direction != want.Direction {
					t.Errorf("%s: %+v, want %+v", id, got, want)
				}
			}
			added := 0
			for id, p := range made.Peers {
				if want, ok := c.want[id.String()]; ok && p.Addr == want.Addr && p.Direction == want.Direction && bytes.Equal(p.Features, want.Features) {
					added++
				}
			}
			if added != len(c.want) {
				t.Errorf("%d of %d addresses: %+v", added, len(c.want), made.Peers)
			}
		})
	}
}

func TestSnapshotRefusesTheAddressesOfAnotherNode(t *testing.T) {
	to := filepath.Join(t.TempDir(), "b.json")
	s := standIn(t, "02b7aa02165569debb669cbc4688e83a8be4c3e2d9da96efb05a4ca1eb021ef081")
	code, _, stderr := runCLI(t, "snapshot", "--from", corpusDir+"/three-peers/backup.json", "--to", to, "--node", s.Path())
	if code != exitProblem || !strings.Contains(stderr, "wrong_node: the running node is 02b7aa") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	s.Close()
	code, _, stderr = runCLI(t, "snapshot", "--from", corpusDir+"/three-peers/backup.json", "--to", to, "--node", s.Path())
	if code != exitProblem || !strings.Contains(stderr, "node_unreachable: ") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("something was written")
	}
}

// SCBs of a real node: the address of a channel that the peer opened may be
// where it called from.
func TestSnapshotTakesAddressesFromSCBs(t *testing.T) {
	for _, c := range []struct {
		from, peer, addr string
		dir              vlsstate.Direction
	}{
		{"three-peers", "03d3c86fc1e84364a9140801d61739c187e3411883cc60310b5d0647e03a034a03", "127.0.0.1:38738", vlsstate.Out},
		{"inbound-used", "0267f5cf4421817d104a77e546764e14d5492693e2a9cb347d37b38220a599b3b3", "127.0.0.1:49240", vlsstate.In},
	} {
		var node struct {
			SCB []string `json:"staticbackup_scb"`
		}
		if err := json.Unmarshal(mustRead(t, filepath.Join(corpusDir, c.from, "node.json")), &node); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(map[string]any{"scb": node.SCB})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		scb, dump := filepath.Join(dir, "scb.json"), filepath.Join(dir, "dump.txt")
		b, err := vlsstate.ReadFile(filepath.Join(corpusDir, c.from, "backup.json"))
		if err != nil {
			t.Fatal(err)
		}
		if os.WriteFile(scb, raw, 0o600) != nil || os.WriteFile(dump, []byte(dumpOf(b)), 0o600) != nil {
			t.Fatal("cannot write")
		}
		code, stdout, stderr := runCLI(t, "snapshot", "--from", dump, "--to", "-", "--scb", scb)
		made, err := vlsstate.Read(bytes.NewReader([]byte(stdout)))
		if err != nil || code != exitOK {
			t.Fatal(err, stderr)
		}
		found := false
		for id, p := range made.Peers {
			if id.String() == c.peer {
				found = p.Addr == c.addr && p.Direction == c.dir
			}
		}
		if !found {
			t.Errorf("%s: %+v", c.from, made.Peers)
		}
	}
}
