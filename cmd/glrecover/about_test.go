package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

const (
	aboutWords  = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
	aboutNode   = "03653e90c1ce4660fd8505dd6d643356e93cfe202af109d382787639dd5890e87d"
	aboutSecret = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
	// The node of the corpus case fresh-outbound.
	birthNode = "02c109efc62908d440f0dc672bf9dd2c0da73cbed2ef4c8e002c721323ee2db12c"
)

// backupOf is a backup of the corpus under the node id of aboutWords; its
// signatures are wrong by that.
func backupOf(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpusDir, "fresh-outbound", "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "backup.json")
	if err := os.WriteFile(path, bytes.ReplaceAll(raw, []byte(birthNode), []byte(aboutNode)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
