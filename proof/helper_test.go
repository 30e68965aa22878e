package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

var corpus = testdata.Corpus()

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// secretOf is the secret of a case of the corpus.
func secretOf(t testing.TB, name string) *keychain.Secret {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(corpus, name, "hsm_secret.hex"))
	if err != nil {
		t.Fatal(err)
	}
	return secretFrom(t, unhex(t, strings.TrimSpace(string(text))))
}

func secretFrom(t testing.TB, raw []byte) *keychain.Secret {
	t.Helper()
	s, err := keychain.FromBytes(raw).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stateFiles lists every backup and signer state of the corpus as case and
// file.
func stateFiles(t testing.TB) [][2]string {
	t.Helper()
	var files [][2]string
	for _, pattern := range []string{"backup*.json", "signer_state*.json"} {
		paths, err := filepath.Glob(filepath.Join(corpus, "*", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			files = append(files, [2]string{filepath.Base(filepath.Dir(p)), filepath.Base(p)})
		}
	}
	if len(files) < 15 {
		t.Fatalf("only %d files in the corpus", len(files))
	}
	return files
}

func readRaw(t testing.TB, name, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpus, name, file))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// parse reads a backup, or the bare state that the node side keeps.
func parse(t testing.TB, raw []byte, file string) *vlsstate.Backup {
	t.Helper()
	b, err := parseAny(t, raw, file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parseAny(t testing.TB, raw []byte, file string) (*vlsstate.Backup, error) {
	if strings.HasPrefix(file, "signer_state") {
		raw = testdata.Wrapped(t, raw)
	}
	return vlsstate.Read(bytes.NewReader(raw))
}

func load(t testing.TB, name, file string) *vlsstate.Backup {
	t.Helper()
	return parse(t, readRaw(t, name, file), file)
}

func verify(t testing.TB, b *vlsstate.Backup, s *keychain.Secret) *Report {
	t.Helper()
	r, err := Verify(b, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
