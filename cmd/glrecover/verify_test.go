package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTheTableOfAProvenBackup(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	raw, err := os.ReadFile(filepath.Join(corpusDir, "used-both-ways", "hsm_secret.hex"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, raw, 0o400); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "golden", "verify-used-both-ways.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	c := &cli{
		stdin: bytes.NewReader(nil), stdout: &out, stderr: &errs,
		now: func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) },
	}
	code := c.run([]string{"verify", "--hsm-secret", secret, filepath.Join(corpusDir, "used-both-ways", "backup.json")})
	if code != exitOK || out.String() != string(want) || errs.Len() > 0 {
		t.Errorf("exit code %d, %s, and\n%s", code, &errs, &out)
	}
}
