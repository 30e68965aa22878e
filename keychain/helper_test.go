package keychain

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/testdata"
)

var corpus = testdata.Corpus()

// The words of BIP39's first vector without passphrase, and what the real
// lightningd v26.06.6 and lightning-hsmtool make of them.
const (
	aboutWords  = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
	aboutNode   = "03653e90c1ce4660fd8505dd6d643356e93cfe202af109d382787639dd5890e87d"
	aboutSecret = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
	// with the passphrase "hunter2"
	hunterNode = "0257656fbe3a0b08122576b3143068104341e80f2c3b2edd02d268bf75606317c2"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pubKey(t testing.TB, s string) channel.PubKey {
	t.Helper()
	k, err := channel.ParsePubKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// secretOf understands bytes that need no passphrase.
func secretOf(t testing.TB, raw []byte) *Secret {
	t.Helper()
	s, err := FromBytes(append([]byte(nil), raw...)).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func nodeOf(t testing.TB, s *Secret) channel.PubKey {
	t.Helper()
	id, err := s.NodeID()
	if err != nil {
		t.Fatal(err)
	}
	return id
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

// corpusCases lists the cases of the corpus with their secrets.
func corpusCases(t testing.TB) map[string]*Secret {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(corpus, "*", "hsm_secret.hex"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	cases := map[string]*Secret{}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		cases[filepath.Base(filepath.Dir(p))] = secretOf(t, unhex(t, strings.TrimSpace(string(text))))
	}
	return cases
}

// mnemonicFile is an hsm_secret with words and no passphrase.
func mnemonicFile(words string) []byte {
	return append(make([]byte, passphraseHashSize), words...)
}
