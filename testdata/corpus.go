// Package testdata reads the genuine backups and secrets that all packages' tests
// share: testdata/corpus, described in its README.md. It is for tests only, and
// knows nothing of what the files mean.
package testdata

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fewest is how many cases there are at least.
const fewest = 14

// Corpus is the absolute path of a file of the corpus, or of the corpus itself.
// Tests run in the directory of their package, somewhere below the module; a
// program that runs elsewhere gets a path where nothing is.
func Corpus(parts ...string) string {
	elsewhere := filepath.Join(append([]string{"testdata", "corpus"}, parts...)...)
	dir, err := os.Getwd()
	if err != nil {
		return elsewhere
	}
	for {
		corpus := filepath.Join(dir, "testdata", "corpus", "README.md")
		if _, err := os.Stat(corpus); err == nil {
			return filepath.Join(append([]string{filepath.Dir(corpus)}, parts...)...)
		}
		if dir == filepath.Dir(dir) {
			return elsewhere
		}
		dir = filepath.Dir(dir)
	}
}

// Read reads a file of the corpus.
func Read(t testing.TB, parts ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(Corpus(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Wrapped makes a backup, of January 2026, of the bare state that the node side keeps of its
// signer.
func Wrapped(t testing.TB, state []byte) []byte {
	t.Helper()
	_, node, ok := strings.Cut(string(state), `"nodes/`)
	const hexID = 66
	if !ok || len(node) < hexID {
		t.Fatal("the state names no node")
	}
	return fmt.Appendf(nil, `{"version":1,"created_at":"2026-01-01T00:00:00Z","node_id":"%s","strategy":"never","state":%s}`, node[:hexID], state)
}

// Secret is the 32 bytes of a case's hsm_secret.
func Secret(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(string(bytes.TrimSpace(Read(t, name, "hsm_secret.hex"))))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Cases are the names of the cases that have a backup.
func Cases(t testing.TB) []string {
	t.Helper()
	found, err := filepath.Glob(Corpus("*", "backup.json"))
	if err != nil || len(found) < fewest {
		t.Fatalf("%d cases (%v)", len(found), err)
	}
	names := make([]string, 0, len(found))
	for _, f := range found {
		names = append(names, filepath.Base(filepath.Dir(f)))
	}
	return names
}
