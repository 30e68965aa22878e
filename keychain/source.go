package keychain

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"

	"github.com/glrecover/glrecover/failure"
)

// MaxSize is the most that is read of a secret's file or of stdin, in bytes.
// Twenty-four Japanese words take less than a tenth.
const MaxSize = 4096

// passphraseHashSize is what precedes the words in an hsm_secret of CLN 25.12
// and later: SHA256 of the seed, or zeros without a passphrase.
const passphraseHashSize = 32

// Ask asks the user for the passphrase of a secret. The keychain clears what
// it returns.
type Ask func() ([]byte, error)

// Source is what was read where a secret was said to be, not yet understood.
type Source struct {
	bytes *sealed[[]byte]
}

// Open reads a file. It must be a regular file of at most MaxSize bytes; with
// private nobody but its owner may have a right to it, which is demanded of a file
// that the user names (the node's own hsm_secret is lightningd's business). The
// error is a *failure.Error.
func Open(path string, private bool) (*Source, error) {
	// A fifo would block the open for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, unreadable("Check the path", "there is no file at %s", path).Wrap(err)
	case errors.Is(err, os.ErrPermission):
		return nil, unreadable("Run this as the file's owner", "this user may not read %s", path).Wrap(err)
	case err != nil:
		return nil, unreadable("Check the path", "%s cannot be opened", path).Wrap(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, unreadable("Check the path", "%s cannot be examined", path).Wrap(err)
	}
	if !info.Mode().IsRegular() {
		return nil, unreadable("Give the file that holds the secret", "%s is not a regular file", path)
	}
	if private && Shared(info) {
		return nil, unreadable(fmt.Sprintf("Run: chmod 400 '%s'", path),
			"%s has mode %04o: other users than its owner may access it", path, info.Mode().Perm())
	}
	return FromReader(f)
}

// Shared reports whether a file's mode lets other users than its owner access it.
func Shared(info os.FileInfo) bool { return modesCount && info.Mode().Perm()&0o077 != 0 }

// FromReader reads a secret to the end, stdin for example.
func FromReader(r io.Reader) (*Source, error) {
	raw := make([]byte, MaxSize+1)
	n, err := io.ReadFull(r, raw)
	s := FromBytes(raw[:n])
	switch {
	case err == nil:
		s.Wipe()
		return nil, unreadable("Give the file that holds the secret", "the file is larger than %d bytes, which no secret is", MaxSize)
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		s.Wipe()
		return nil, unreadable("Try again", "the secret cannot be read").Wrap(err)
	}
	return s, nil
}

// FromBytes takes what was typed at a prompt; it keeps and later clears raw.
func FromBytes(raw []byte) *Source { return &Source{bytes: seal(raw)} }

// raw is what was read; nil once it was wiped. The caller must not keep it.
func (s *Source) raw() []byte {
	if s == nil || s.bytes == nil {
		return nil
	}
	return *s.bytes.value
}

// Wipe clears what was read.
func (s *Source) Wipe() {
	clear(s.raw())
	if s != nil {
		s.bytes = nil
	}
}

// Format prints "(redacted)" for every verb.
func (Source) Format(f fmt.State, _ rune) { redact(f) }

// String returns "(redacted)".
func (Source) String() string { return redacted }

// MarshalText returns "(redacted)"; encoding/json uses it too.
func (Source) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Load opens a file and understands it: Open and Secret in one.
func Load(path string, private bool, ask Ask) (*Secret, error) {
	source, err := Open(path, private)
	if err != nil {
		return nil, err
	}
	defer source.Wipe()
	return source.Secret(ask)
}

// ErrPassphraseNeeded says that the secret has a passphrase and nobody can be
// asked for it.
var ErrPassphraseNeeded = errors.New("the secret needs its passphrase")

// codexStart begins codex32 text as lightningd takes it.
const codexStart = codexPrefix + "1"

// textKind says which text form it is: codex32 or words. CLN would take them for
// a file with words and a passphrase, so they go before the forms of files.
func textKind(text []byte) (Kind, bool) {
	switch {
	case len(text) > len(codexStart) && bytes.EqualFold(text[:len(codexStart)], []byte(codexStart)):
		return Codex32, true
	case isPhraseText(text):
		return Phrase, true
	}
	return 0, false
}

// fileKind tells CLN's own files apart as CLN does (common/hsm_secret.c).
func fileKind(raw []byte) (Kind, bool) {
	switch {
	case len(raw) == encryptedSize:
		return Encrypted, true
	case len(raw) > passphraseHashSize && isWords(raw[passphraseHashSize:]):
		if isZero(raw[:passphraseHashSize]) {
			return Mnemonic, true
		}
		return MnemonicPassphrase, true
	}
	return 0, false
}

// Secret understands the source. ask may be nil where nobody can be asked;
// then the error matches ErrPassphraseNeeded where a passphrase is needed. The
// error is a *failure.Error and says nothing of the content but lengths and
// positions.
//
// No text form has 32 bytes: random ones are a secret, whatever they look like.
func (s *Source) Secret(ask Ask) (*Secret, error) {
	text := cleanText(s.raw())
	defer clear(text)
	if len(s.raw()) != secretSize {
		if kind, ok := textKind(text); ok {
			return fromText(kind, text)
		}
		if kind, ok := fileKind(s.raw()); ok {
			if kind == Encrypted {
				return s.decrypted(ask)
			}
			return s.words(kind, ask)
		}
	}
	kind, secret, size := secretBytes(s.raw())
	defer clear(secret)
	if secret != nil {
		return newSecret(kind, secret), nil
	}
	do, hint := s.unknown(text)
	if hint == "" && kind != 0 {
		return nil, unreadable("Compare it with the original", "a %s of %d bytes, and a secret has 32", kind, size)
	}
	return nil, unreadable(do, "not a secret in any known form (%d bytes)%s", len(s.raw()), hint)
}

// fromText reads codex32 or words.
func fromText(kind Kind, text []byte) (*Secret, error) {
	if kind == Codex32 {
		joined := bytes.Join(bytes.Fields(text), nil)
		defer clear(joined)
		raw, err := decodeCodex32(codexPrefix, joined)
		if err != nil {
			return nil, unreadable("Check each character", "the codex32 text has a wrong length or checksum, or is a share").Wrap(err)
		}
		defer clear(raw)
		return newSecret(Codex32, raw), nil
	}
	p, err := parsePhrase(text)
	if wrong := new(PhraseError); errors.As(err, &wrong) && wrong.Aezeed {
		return nil, unreadable("Look for the words that the Greenlight app showed", "%s", err).Wrap(err)
	}
	if err != nil {
		return nil, unreadable("Compare the words with what you wrote down", "%s", err).Wrap(err)
	}
	defer p.wipe()
	seed := p.seed(nil)
	defer clear(seed)
	// Greenlight keeps only the first half.
	return newSecret(Phrase, seed[:secretSize]), nil
}

// opensslMagic begins what openssl enc writes: 64 bytes for 32.
const opensslMagic = "Salted__"

// unknown says as much as helps about what is in no known form.
func (s *Source) unknown(text []byte) (do, hint string) {
	digits := bytes.Join(bytes.Fields(text), nil)
	defer clear(digits)
	begins := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return bytes.HasPrefix(text, []byte(p)) })
	}
	switch {
	case isHex(digits) && len(digits)%2 != 0:
		hint = fmt.Sprintf(": %d hex digits, and a secret has 64", len(digits))
	case begins("-----BEGIN PGP", "\x85", "\x8c\x0d"):
		return "Decrypt it: gpg -d FILE | glrecover hsm-secret BACKUP", ": it looks like a file that gpg encrypted"
	case begins("-----BEGIN AGE", "age-encryption.org/"):
		return "Decrypt it: age -d FILE | glrecover hsm-secret BACKUP", ": it is a file that age encrypted"
	case begins(opensslMagic, "U2FsdGVkX1"):
		return "Decrypt it with openssl enc -d and the cipher that it was encrypted with", ": it is a file that openssl enc encrypted"
	case begins("xprv", "yprv", "zprv", "tprv", "uprv", "vprv"):
		return "Look for the twelve words", ": it is an extended private key, and the secret that it was made from cannot be computed from it"
	}
	return "Use the 32-byte hsm_secret, the 64 hex digits, or the twelve words", hint
}

func (s *Source) decrypted(ask Ask) (*Secret, error) {
	passphrase, err := asked(ask)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	raw, err := decrypt(s.raw(), passphrase)
	if err != nil {
		return nil, failure.New(failure.WrongSecret, "Try again", "the passphrase is not the one of this hsm_secret, or the file is damaged").Wrap(err)
	}
	defer clear(raw)
	return newSecret(Encrypted, raw), nil
}

// errForm says that an hsm_secret holds words, but not as lightningd takes them.
var errForm = errors.New("the words of the hsm_secret are not in lightningd's form")

// words reads the two hsm_secret forms of CLN 25.12. CLN makes the seed from
// the very bytes in the file, and accepts no others than the sentence itself.
func (s *Source) words(kind Kind, ask Ask) (*Secret, error) {
	text := s.raw()[passphraseHashSize:]
	words := fields(text)
	defer wipeFields(words)
	p, unknown := english().lookup(words)
	defer p.wipe()
	if !validWordCount(len(words)) || len(unknown) > 0 || !p.checksum() {
		err := &PhraseError{Words: len(words), Unknown: unknown, Language: english().name}
		return nil, unreadable("The file is damaged: use another copy or the words", "the hsm_secret holds no valid words: %s", err).Wrap(err)
	}
	sentence := p.sentence()
	defer clear(sentence)
	if !bytes.Equal(text, sentence) {
		return nil, unreadable("Create the right file from its words: "+wordsOfFile,
			"lightningd refuses this hsm_secret: its words must be in small letters, with single spaces and no line end").Wrap(errForm)
	}
	var passphrase []byte
	if kind == MnemonicPassphrase {
		var err error
		if passphrase, err = asked(ask); err != nil {
			return nil, err
		}
		defer clear(passphrase)
	}
	seed := seedOf(text, passphrase)
	defer clear(seed)
	if kind == MnemonicPassphrase {
		if sum := sha256.Sum256(seed); subtle.ConstantTimeCompare(sum[:], s.raw()[:passphraseHashSize]) != 1 {
			return nil, failure.New(failure.WrongSecret, "Try again", "the passphrase is not the one of this hsm_secret").Wrap(errPassphrase)
		}
	}
	return newSecret(kind, seed), nil
}

func asked(ask Ask) ([]byte, error) {
	if ask == nil {
		return nil, failure.New(failure.NeedsSecret, "Use a 32-byte hsm_secret, or let glrecover verify ask for the passphrase at a terminal",
			"this hsm_secret has a passphrase").Wrap(ErrPassphraseNeeded)
	}
	passphrase, err := ask()
	if err != nil {
		return nil, unreadable("Try again", "no passphrase was read").Wrap(err)
	}
	return passphrase, nil
}

func unreadable(do, found string, args ...any) *failure.Error {
	return failure.New(failure.SecretUnreadable, do, found, args...)
}
