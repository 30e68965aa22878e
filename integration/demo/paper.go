package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	h "github.com/glrecover/glrecover/integration/harness"
)

// onPaper shows what needs no node, on a backup of the genuine signer.
func onPaper(t h.TB, reason string) {
	s := &teller{t: t}
	root, err := h.Root()
	if err != nil {
		t.Fatalf("%v", err)
	}
	glrecover := h.PluginBinary(t)
	dir := filepath.Join(root, "testdata", "corpus", "used-both-ways")
	backup := filepath.Join(dir, "backup.json")
	t.Logf("No node can be run here (%s). This is what needs none.", reason)

	s.step("A backup that the genuine Greenlight signer wrote")
	s.command("glrecover", "inspect", "testdata/corpus/used-both-ways/backup.json")
	s.say("%s", run(t, glrecover, "inspect", backup))

	s.step("What the plugin would send to lightningd")
	s.command("glrecover", "convert", "testdata/corpus/used-both-ways/backup.json")
	ours := scb(t, run(t, glrecover, "convert", backup))
	for _, entry := range ours {
		s.say("%s... (%d bytes)", entry[:72], len(entry)/2)
	}

	s.step("Greenlight's own conversion of the same file")
	raw, err := os.ReadFile(filepath.Join(dir, "glclient-convert.json"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	var greenlight struct {
		Request struct {
			SCB []string `json:"scb"`
		} `json:"request"`
	}
	if err := json.Unmarshal(raw, &greenlight); err != nil {
		t.Fatalf("%v", err)
	}
	s.command("glrecover", "convert", "--format", "glcli", "testdata/corpus/used-both-ways/backup.json")
	if same := scb(t, run(t, glrecover, "convert", "--format", "glcli", backup)); slices.Equal(same, greenlight.Request.SCB) {
		s.say("byte for byte what Greenlight's converter writes")
	} else {
		t.Errorf("   NOT what Greenlight's converter writes")
	}
	for i, entry := range ours {
		s.say("ours is %d bytes, Greenlight's %d: the peer's revoked secrets are left out, because with them", len(entry)/2, len(greenlight.Request.SCB[i])/2)
		s.say("lightningd gives up at the first output that it cannot name, and nothing comes back.")
	}

	t.Logf("\nNOT SHOWN, for want of lightningd and bitcoind: the refusal without a statement, the dry run against\na chain, the import, the peer's close, and the coin in the wallet. With both on PATH, or with Docker: make demo.")
}

func scb(t h.TB, raw string) []string {
	var a struct {
		SCB []string `json:"scb"`
	}
	if err := json.Unmarshal([]byte(raw), &a); err != nil {
		t.Fatalf("glrecover convert: %v", err)
	}
	return a.SCB
}

func run(t h.TB, name string, args ...string) string {
	var errOut bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", args[0], err, errOut.String())
	}
	return string(bytes.TrimRight(out, "\n"))
}
