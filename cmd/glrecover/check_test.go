package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/lightningd/lightningdtest"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/rehearsal"
)

// realNode answers as the real node of a case did.
func realNode(t *testing.T, name string) *lightningdtest.Socket {
	t.Helper()
	var said struct {
		ID       string          `json:"id"`
		Channels json.RawMessage `json:"channels"`
		Closed   json.RawMessage `json:"closed"`
		SCB      json.RawMessage `json:"staticbackup_scb"`
	}
	if err := json.Unmarshal(mustRead(t, filepath.Join(corpusDir, name, "node.json")), &said); err != nil {
		t.Fatal(err)
	}
	s := standIn(t, said.ID)
	s.Answer("listpeerchannels", map[string]any{"channels": said.Channels})
	s.Answer("listclosedchannels", map[string]any{"closedchannels": said.Closed})
	s.Answer("staticbackup", map[string]any{"scb": said.SCB})
	s.Answer("listnodes", map[string]any{"nodes": []any{}})
	return s
}

// secretFile is the secret of a case as check takes it.
func secretFile(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, mustRead(t, filepath.Join(corpusDir, name, "hsm_secret.hex")), 0o400); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckReadsLikeThis(t *testing.T) {
	for _, c := range []struct {
		name         string
		node, secret bool
		code         int
	}{
		{"three-peers", false, false, exitProblem},
		{"htlc-in-flight", true, true, exitOK},
		{"stale", true, true, exitOK},
		{"closed-one", true, false, exitOK},
	} {
		args := []string{"check", filepath.Join(corpusDir, c.name, "backup.json")}
		if c.node {
			args = append(args, "--node", realNode(t, c.name).Path())
		}
		if c.secret {
			args = append(args, "--hsm-secret", secretFile(t, c.name))
		}
		code, stdout, stderr := runCLI(t, args...)
		if code != c.code || stderr != "" {
			t.Errorf("%s: exit code %d, %s", c.name, code, stderr)
		}
		golden := filepath.Join("testdata", "golden", "check-"+c.name+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(stdout), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want := mustRead(t, golden); stdout != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, stdout, want)
		}
	}
}

// The stand-in fails the test on any method that it was not told.
func TestCheckAsksTheNodeOnlyWhatChangesNothing(t *testing.T) {
	s := realNode(t, "three-peers")
	_, stdout, _ := runCLI(t, "check", "--json", "--node", s.Path(), corpusDir+"/three-peers/backup.json")
	var report struct {
		Channels []struct {
			DBID uint64
			Node *struct{ Relation rehearsal.Relation }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Channels {
		if c.Node == nil || c.Node.Relation != rehearsal.SameNumbers {
			t.Errorf("channel %d: %+v", c.DBID, c.Node)
		}
	}
	allowed := []string{"getinfo", "listpeerchannels", "listclosedchannels", "staticbackup", "listnodes"}
	for _, call := range s.Calls() {
		if !slices.Contains(allowed, call.Method) {
			t.Errorf("%s was called", call.Method)
		}
	}
}

func TestANodeThatDoesNotAnswerIsAProblemAndTheRestIsStillSaid(t *testing.T) {
	s := realNode(t, "used-both-ways")
	s.Close()
	code, stdout, _ := runCLI(t, "check", "--node", s.Path(), corpusDir+"/used-both-ways/backup.json")
	if code != exitProblem || !strings.Contains(stdout, "did not answer") || !strings.Contains(stdout, "1 of 1 channel can be recovered") {
		t.Errorf("exit code %d, %s", code, stdout)
	}
}

func TestCheckTouchesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "backup.json")
	data := mustRead(t, filepath.Join(corpusDir, "used-both-ways", "backup.json"))
	if err := os.WriteFile(path, data, 0o400); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	runCLI(t, "check", path, "--node", realNode(t, "used-both-ways").Path(), "--hsm-secret", secretFile(t, "used-both-ways"))
	after, err := os.Stat(path)
	if err != nil || !after.ModTime().Equal(before.ModTime()) || string(mustRead(t, path)) != string(data) {
		t.Errorf("the backup was touched, %v", err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("%d files, %v", len(names), err)
	}
}

func TestNoInvoiceIsShownByCheckOrDiff(t *testing.T) {
	shown, hashes := "", 0
	for _, path := range backups(t) {
		_, text, _ := runCLI(t, "check", path)
		_, report, _ := runCLI(t, "check", "--json", path)
		// Against an empty state of the node everything differs.
		var file map[string]any
		if err := json.Unmarshal(mustRead(t, path), &file); err != nil {
			t.Fatal(err)
		}
		values := file["state"].(map[string]any)["values"].(map[string]any)
		file["state"] = map[string]any{"values": map[string]any{}}
		raw, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		empty := filepath.Join(t.TempDir(), "empty.json")
		if err := os.WriteFile(empty, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		_, changes, _ := runCLI(t, "diff", path, empty)
		_, changesJSON, _ := runCLI(t, "diff", "--json", path, empty)
		if changes == "" || changesJSON == "" {
			t.Fatalf("%s: no difference", path)
		}
		shown = text + report + changes + changesJSON
		for key, value := range values {
			if !strings.HasPrefix(key, "nodestates/") {
				continue
			}
			for _, invoice := range value.([]any)[1].(map[string]any)["invoices"].([]any) {
				hashes++
				if strings.Contains(shown, invoice.([]any)[0].(string)) {
					t.Errorf("%s: a payment hash is shown", path)
				}
			}
		}
		for _, word := range []string{"invoice", "payee", "preimage"} {
			if strings.Contains(shown, word) {
				t.Errorf("%s: shows %q", path, word)
			}
		}
	}
	if hashes < 20 {
		t.Fatalf("only %d invoices in the corpus", hashes)
	}
}

func TestAgesOfCheckAreWrittenInHoursOrDays(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"36h": 36 * time.Hour, "7d": 7 * 24 * time.Hour, "90m": 90 * time.Minute,
		"0": 0, "-1h": 0, "0d": 0, "d": 0, "1.5d": 0, "7": 0, "-7d": 0, "99999d": 0,
	} {
		got, err := parseAge(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func TestAPageStaysAPage(t *testing.T) {
	r := &rehearsal.Report{}
	for i := range 100 {
		c := rehearsal.Channel{Description: backup.Description{DBID: uint64(i + 1), ShareFrom: channel.FromCommitment}, Recoverable: true, Used: true}
		c.PeerID[0] = byte(i)
		r.Channels = append(r.Channels, c)
		if i < 40 {
			r.Findings = append(r.Findings, rehearsal.Finding{
				Level: rehearsal.Problem, Name: rehearsal.NotProven, PeerID: &r.Channels[i].PeerID, DBID: c.DBID, Text: "it is wrong",
			})
		}
	}
	text := checkText(r)
	for _, want := range []string{"channel 10 with ", " and 30 more: it is wrong", "60 channels without a problem are not listed"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > 100 {
			t.Errorf("a long line: %s", line)
		}
	}
}
