package harness

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"path/filepath"
	"strings"

	"github.com/tyler-smith/go-bip39"
)

// Words are an English BIP39 phrase, as it was shown to the user.
type Words string

// seed is the 64-byte seed of BIP39.
func (w Words) seed(passphrase string) []byte {
	const rounds, size = 2048, 64 // BIP39
	seed, err := pbkdf2.Key(sha512.New, string(w), []byte("mnemonic"+passphrase), rounds, size)
	if err != nil {
		panic(err) // only for parameters that are none (crypto/pbkdf2)
	}
	return seed
}

// Secret is what Greenlight makes of the words: the first half of the seed
// without a passphrase.
func (w Words) Secret() Secret { return Secret(w.seed("")[:32]) }

// File is lightningd's own hsm_secret with these words (CLN
// common/hsm_secret.c): the hash of the seed, or 32 zero bytes without a
// passphrase, then the text.
func (w Words) File(passphrase string) []byte {
	head := make([]byte, sha256.Size)
	if passphrase != "" {
		sum := sha256.Sum256(w.seed(passphrase))
		head = sum[:]
	}
	return append(head, w...)
}

// Exchanged are the words with those at places i and j, counted from 1,
// exchanged.
func (w Words) Exchanged(i, j int) Words {
	list := strings.Fields(string(w))
	list[i-1], list[j-1] = list[j-1], list[i-1]
	return Words(strings.Join(list, " "))
}

// SecretPath is lightningd's hsm_secret.
func (n *CLN) SecretPath() string { return filepath.Join(n.Dir, "regtest", "hsm_secret") }

// NewWords are twelve random words.
func NewWords(t TB) Words {
	t.Helper()
	entropy, err := bip39.NewEntropy(128)
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	words, err := bip39.NewMnemonic(entropy)
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	return Words(words)
}
