package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

// laterOf wraps the state that the node side stored later into a backup.
func laterOf(t *testing.T, name, file string) string {
	t.Helper()
	b, err := vlsstate.Read(bytes.NewReader(testdata.Wrapped(t, mustRead(t, filepath.Join(corpusDir, name, file)))))
	if err != nil {
		t.Fatal(err)
	}
	b.CreatedAt = time.Date(2026, 11, 24, 23, 59, 0, 0, time.UTC)
	data, err := vlsstate.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "later.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDiffReadsLikeThis(t *testing.T) {
	before := filepath.Join(corpusDir, "stale", "backup.json")
	after := laterOf(t, "stale", "signer_state_after.json")
	code, stdout, stderr := runCLI(t, "diff", before, after)
	if code != exitProblem || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	golden := filepath.Join("testdata", "golden", "diff-stale.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(stdout), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := mustRead(t, golden); !bytes.Equal([]byte(stdout), want) {
		t.Errorf("%s\nwant\n%s", stdout, want)
	}
	// The other way round it is the mirror image.
	_, back, _ := runCLI(t, "diff", after, before)
	if !strings.Contains(back, "A is newer") || strings.Contains(back, "B is newer") {
		t.Error(back)
	}
}

type sideForTest struct {
	Problems []struct {
		Reason string `json:"reason"`
	} `json:"problems"`
}

// diffForTest reads the JSON as a program would, by its names.
type diffForTest struct {
	Same     bool        `json:"same"`
	Order    string      `json:"order"`
	A        sideForTest `json:"a"`
	B        sideForTest `json:"b"`
	Channels []struct {
		PeerID string   `json:"peer_id"`
		Order  string   `json:"order"`
		Fields []string `json:"fields"`
		A      struct {
			Presence string `json:"presence"`
			Channel  *struct {
				ShareMsat uint64 `json:"last_known_share_msat"`
				Holder    uint64 `json:"next_holder_commit_num"`
			} `json:"channel"`
		} `json:"a"`
		B struct {
			Presence string `json:"presence"`
			Version  uint64 `json:"version"`
			Channel  *struct {
				ShareMsat uint64 `json:"last_known_share_msat"`
				Holder    uint64 `json:"next_holder_commit_num"`
			} `json:"channel"`
		} `json:"b"`
	} `json:"channels"`
	Peers []struct {
		PeerID string          `json:"peer_id"`
		A      json.RawMessage `json:"a"`
	} `json:"peers"`
	Other map[string]int `json:"other"`
}

func diffJSON(t *testing.T, a, b string) (diffForTest, int) {
	t.Helper()
	code, stdout, stderr := runCLI(t, "diff", "--json", a, b)
	var d diffForTest
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatal(err, stderr)
	}
	return d, code
}

func TestDiffForProgramsHasBothSides(t *testing.T) {
	d, code := diffJSON(t, filepath.Join(corpusDir, "stale", "backup.json"), laterOf(t, "stale", "signer_state_after.json"))
	if code != exitProblem || d.Same || d.Order != "newer" || len(d.Channels) != 1 {
		t.Fatalf("exit code %d, %+v", code, d)
	}
	c := d.Channels[0]
	if c.Order != "newer" || c.A.Channel.Holder != 0 || c.B.Channel.Holder == 0 || c.A.Channel.ShareMsat != 1_000_000_000 ||
		c.B.Channel.ShareMsat >= 1_000_000_000 || fmt.Sprint(c.Fields) !=
		"[next_holder_commit_num next_counterparty_commit_num next_counterparty_revoke_num last_known_share]" {
		t.Errorf("%+v, %+v, %+v", c, c.A.Channel, c.B.Channel)
	}
}

func TestWhatCannotBeReadIsNotTheSame(t *testing.T) {
	path := filepath.Join(corpusDir, "three-peers", "backup.json")
	b, err := vlsstate.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// One file has an entry that is cut off, the other none at all.
	key := b.Entries.Recoverable()[0]
	b.Entries = slices.DeleteFunc(b.Entries, func(e vlsstate.Entry) bool { return e.Key == key })
	without, err := vlsstate.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	lacks, cut := filepath.Join(dir, "lacks.json"), filepath.Join(dir, "cut.json")
	cutOff := strings.Replace(string(without), `"values": {`, `"values": {"`+key+`": [1],`, 1)
	if err := errors.Join(os.WriteFile(lacks, without, 0o600), os.WriteFile(cut, []byte(cutOff), 0o600)); err != nil {
		t.Fatal(err)
	}
	d, code := diffJSON(t, lacks, cut)
	if code != exitProblem || d.Same || d.Order != "same" || len(d.B.Problems) != 1 || len(d.A.Problems) != 0 {
		t.Errorf("exit code %d, %+v", code, d)
	}
	code, stdout, stderr := runCLI(t, "diff", lacks, cut)
	if code != exitProblem || strings.Contains(stdout, "the same state") || !strings.Contains(stderr, "glrecover: B: channel ") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

func TestEveryGenuineBackupIsTheSameAsItself(t *testing.T) {
	for _, path := range backups(t) {
		d, code := diffJSON(t, path, path)
		if code != exitOK || !d.Same || d.Order != "same" || len(d.Channels)+len(d.Peers)+len(d.Other) != 0 {
			t.Errorf("%s: exit code %d, %+v", path, code, d)
		}
	}
}

// A dump has everything but the peers.
func TestADumpLacksThePeersOnly(t *testing.T) {
	for _, path := range backups(t) {
		b, err := vlsstate.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dump := filepath.Join(t.TempDir(), "dump.txt")
		if err := os.WriteFile(dump, []byte(dumpOf(b)), 0o600); err != nil {
			t.Fatal(err)
		}
		d, code := diffJSON(t, dump, path)
		if code != exitProblem || d.Order != "newer" || len(d.Channels)+len(d.Other) != 0 || len(d.Peers) != len(b.Peers) {
			t.Errorf("%s: exit code %d, %+v", path, code, d)
		}
		for _, p := range d.Peers {
			if string(p.A) != "null" {
				t.Errorf("%s: the dump has peer %s", path, p.PeerID)
			}
		}
	}
}
