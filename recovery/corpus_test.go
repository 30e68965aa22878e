package recovery

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/glrecover/glrecover/vlsstate"
)

func corpusPath(parts ...string) string {
	return filepath.Join(append([]string{"..", "testdata", "corpus"}, parts...)...)
}

func readCorpus(t *testing.T, name string) *vlsstate.Backup {
	t.Helper()
	b, err := vlsstate.ReadFile(corpusPath(name, "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readCorpusText(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(corpusPath(name, "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// absolute is the path of a corpus backup as a user would give it.
func absolute(t *testing.T, name string) string {
	t.Helper()
	p, err := filepath.Abs(corpusPath(name, "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func hexOf(raw []byte) string { return hex.EncodeToString(raw) }
