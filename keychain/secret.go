package keychain

import (
	"errors"
	"fmt"
	"io"

	"github.com/glrecover/glrecover/channel"
)

// Kind says in which form a secret was found.
type Kind uint8

// The forms of a node's secret.
const (
	// Raw is an hsm_secret file of 32 bytes.
	Raw Kind = iota + 1
	// Encrypted is CLN's legacy hsm_secret of 73 bytes.
	Encrypted
	// Mnemonic is an hsm_secret of 32 zero bytes and words (CLN 25.12).
	Mnemonic
	// MnemonicPassphrase is an hsm_secret of a hash and words, which needs the
	// passphrase.
	MnemonicPassphrase
	// Hex is hex digits as text: vlsd's node.seed, or what lightningd --recover
	// takes.
	Hex
	// HexDump is the output of xxd, hexdump or od.
	HexDump
	// Base64 is base64 as text.
	Base64
	// Escaped is text with \x escapes for its bytes.
	Escaped
	// Numbers is a list of byte values, "[94, 176, ...]".
	Numbers
	// Seed is the whole 64-byte BIP39 seed.
	Seed
	// Codex32 is the text form of BIP 93 that lightningd --recover takes.
	Codex32
	// Phrase is BIP39 words as text, as a Greenlight app shows them.
	Phrase
)

// String describes the form for a person.
func (k Kind) String() string {
	switch k {
	case Raw:
		return "hsm_secret of 32 bytes"
	case Encrypted:
		return "encrypted hsm_secret (legacy)"
	case Mnemonic:
		return "hsm_secret with words"
	case MnemonicPassphrase:
		return "hsm_secret with words and a passphrase"
	case Hex:
		return "hex text"
	case HexDump:
		return "hex dump"
	case Base64:
		return "base64 text"
	case Escaped:
		return "bytes as escapes"
	case Numbers:
		return "list of byte values"
	case Seed:
		return "64-byte seed"
	case Codex32:
		return "codex32 text"
	case Phrase:
		return "BIP39 words"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

const (
	secretSize = 32
	seedSize   = 64
)

// ErrWiped is what every use of a wiped secret or key returns.
var ErrWiped = errors.New("the secret was wiped from memory")

// Secret is a node's secret. Node and channel keys come from its first 32
// bytes in every form (CLN hsmd/libhsmd.c). Print it with any verb and see no
// byte of it.
type Secret struct {
	kind Kind
	// seed is nil once it was wiped; size of its bytes are used.
	seed *sealed[[seedSize]byte]
	size int
}

func newSecret(kind Kind, seed []byte) *Secret {
	s := &Secret{kind: kind, seed: seal([seedSize]byte{}), size: len(seed)}
	copy(s.seed.value[:], seed)
	return s
}

// Kind returns the form in which the secret was found.
func (s *Secret) Kind() Kind { return s.kind }

// WholeWallet reports whether a lightningd that runs on this very file sees the
// on-chain coins of a node whose secret is the first 32 bytes. It does not for
// the two hsm_secret files with words: there the wallet comes from all 64
// bytes of the BIP39 seed, while node and channels are the same (measured on
// v26.06.6).
func (s *Secret) WholeWallet() bool {
	return s.kind != Mnemonic && s.kind != MnemonicPassphrase
}

// Wipe clears the secret. Every later use returns ErrWiped.
func (s *Secret) Wipe() {
	if s == nil || s.seed == nil {
		return
	}
	clear(s.seed.value[:])
	s.seed = nil
}

// key32 is the part that node and channel keys come from. The caller must not
// keep it.
func (s *Secret) key32() ([]byte, error) {
	if s == nil || s.seed == nil {
		return nil, ErrWiped
	}
	return s.seed.value[:secretSize], nil
}

// all is the whole seed, 32 or 64 bytes. The caller must not keep it.
func (s *Secret) all() ([]byte, error) {
	if s == nil || s.seed == nil {
		return nil, ErrWiped
	}
	return s.seed.value[:s.size], nil
}

// NodeID returns the node's public key.
func (s *Secret) NodeID() (channel.PubKey, error) {
	key, err := s.NodeKey()
	if err != nil {
		return channel.PubKey{}, err
	}
	defer key.Wipe()
	return key.ID(), nil
}

const redacted = "(redacted)"

// Format prints "(redacted)" for every verb.
func (Secret) Format(f fmt.State, _ rune) { redact(f) }

// String returns "(redacted)".
func (Secret) String() string { return redacted }

// MarshalText returns "(redacted)"; encoding/json uses it too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func redact(w io.Writer) {
	// fmt.State's writer keeps what it cannot write; there is nobody to tell.
	_, _ = io.WriteString(w, redacted)
}
