package recovery

import (
	"encoding/hex"
	"testing"

	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

func readCorpus(t *testing.T, name string) *vlsstate.Backup {
	t.Helper()
	b, err := vlsstate.ReadFile(testdata.Corpus(name, "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hexOf(raw []byte) string { return hex.EncodeToString(raw) }
