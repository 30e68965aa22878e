package keychain

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/failure"
)

func asks(passphrase string) Ask {
	return func() ([]byte, error) { return []byte(passphrase), nil }
}

// encryptedFile was written by lightning-hsmtool v26.06.6 from the secret of
// the corpus case used-both-ways, with the passphrase "correct horse".
const encryptedFile = "032c0d219501b6e8b33dcb48e8b13e09597b896de7e8a9684c2edc0e1d5f414ce591707f4bcdc6353b89b02784f8a3bb1ced4906733d3548458163c040d63fc88f7e2b8386de9b2b82"

// passphraseFile is an hsm_secret of the words of aboutWords and "hunter2";
// lightning-hsmtool reads it as hunterNode.
func passphraseFile(t testing.TB) []byte {
	return append(unhex(t, "56128cb0a6346a5af416a67ceefda03d78fd775422c8a3f7668dca0ff2f8f262"), aboutWords...)
}

func TestEveryFormOfASecretIsUnderstood(t *testing.T) {
	for _, c := range []struct {
		name string
		raw  []byte
		ask  Ask
		kind Kind
		node string
	}{
		{"32 raw bytes", unhex(t, aboutSecret), nil, Raw, aboutNode},
		{"vlsd's node.seed", []byte(aboutSecret), nil, Hex, aboutNode},
		{"hex with a newline", []byte(aboutSecret + "\n"), nil, Hex, aboutNode},
		{"hex in capitals", []byte(strings.ToUpper(aboutSecret)), nil, Hex, aboutNode},
		{"hex after a byte order mark, line ends of Windows", []byte("\ufeff" + aboutSecret + "\r\n"), nil, Hex, aboutNode},
		{"words after a byte order mark", []byte("\ufeff" + aboutWords + "\r\n"), nil, Phrase, aboutNode},
		{"hsm_secret with words", mnemonicFile(aboutWords), nil, Mnemonic, aboutNode},
		{"hsm_secret with words and passphrase", passphraseFile(t), asks("hunter2"), MnemonicPassphrase, hunterNode},
		{"Greenlight's words", []byte(aboutWords), nil, Phrase, aboutNode},
		{"words as typed", []byte("  Abandon abandon\tabandon abandon abandon abandon\nabandon abandon abandon abandon abandon ABOUT \n"), nil, Phrase, aboutNode},
		{"legacy encrypted", unhex(t, encryptedFile), asks("correct horse"), Encrypted, "03caaab4955bea390820860a447922bf6ac13a9963917e5137f910e1bb42d9dd66"},
		{"codex32 by lightning-hsmtool", []byte("cl10glres088a055je79jr0vhf5pe4ehnsm9wvfg949k8rdvu9e95uktaefus0k3fex0ny80r0\n"), nil, Codex32, "03caaab4955bea390820860a447922bf6ac13a9963917e5137f910e1bb42d9dd66"},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := FromBytes(bytes.Clone(c.raw))
			secret, err := source.Secret(c.ask)
			if err != nil {
				t.Fatal(err)
			}
			if secret.Kind() != c.kind || nodeOf(t, secret) != pubKey(t, c.node) {
				t.Errorf("%s of node %s, want %s of %s", secret.Kind(), nodeOf(t, secret), c.kind, c.node)
			}
			if whole := c.kind != Mnemonic && c.kind != MnemonicPassphrase; secret.WholeWallet() != whole {
				t.Errorf("whole wallet: %v", secret.WholeWallet())
			}
			source.Wipe()
			if nodeOf(t, secret) != pubKey(t, c.node) {
				t.Error("wiping the source changed the secret")
			}
		})
	}
}

// Nothing but the length decides about 32 bytes, as in lightningd.
func TestThirtyTwoBytesAreASecretWhateverTheyLookLike(t *testing.T) {
	for _, raw := range []string{
		"abandon abandon abandon abandon ",
		"cl10glres088a055je79jr0vhf5pe4eh",
		"CL1\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09abcdefghijklmnopqrs",
		"5eb00bbddcf069084889a8ab91555681",
		"\ufeff\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
	} {
		secret, err := FromBytes([]byte(raw)).Secret(nil)
		if err != nil || secret.Kind() != Raw {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestWhatIsNoSecretIsRefusedWithoutEcho(t *testing.T) {
	flipped := unhex(t, encryptedFile)
	flipped[40] ^= 1
	for _, c := range []struct {
		name string
		raw  []byte
		ask  Ask
		want failure.Name
		text string
	}{
		{"nothing", nil, nil, failure.SecretUnreadable, "known form (0 bytes)"},
		{"31 bytes", bytes.Repeat([]byte{0xa7}, 31), nil, failure.SecretUnreadable, "31 bytes"},
		{"62 hex digits", []byte(aboutSecret[:62]), nil, failure.SecretUnreadable, "a hex text of 31 bytes, and a secret has 32"},
		{"63 hex digits", []byte(aboutSecret[:63]), nil, failure.SecretUnreadable, "63 hex digits, and a secret has 64"},
		{"xxd without its second line", []byte(xxdText[:strings.Index(xxdText, "\n")]), nil, failure.SecretUnreadable, "a hex dump of 16 bytes"},
		{"hexdump with two lines exchanged", []byte("0000010 f565 53c4 b8cc 705e 1a81 d6ae daf6 c15f\n0000000 b05e bd0b f0dc 0869 8948 aba8 5591 8156\n0000020\n"), nil, failure.SecretUnreadable, "not a secret in any known form"},
		{"31 escapes", []byte(strings.Repeat(`\xa7`, 31)), nil, failure.SecretUnreadable, "bytes as escapes of 31 bytes"},
		{"an armoured file", []byte("-----BEGIN PGP MESSAGE-----\nhQEMA5eb00bb\n-----END PGP MESSAGE-----\n"), nil, failure.SecretUnreadable, "that gpg encrypted. Decrypt it: gpg -d FILE"},
		{"an encrypted file of openssl", append([]byte("Salted__"), bytes.Repeat([]byte{0xa7}, 56)...), nil, failure.SecretUnreadable, "openssl enc"},
		{"a file of age", []byte("age-encryption.org/v1\n-> X25519 5eb00bbd\n"), nil, failure.SecretUnreadable, "that age encrypted"},
		{"an extended key", []byte("xprv9s21ZrQH143K3GJpoapnV8SFfukcVBSfeCficPSGfubmSFDxo1kuHnLisriDvSnRRuL2Qrg5ggqHKNVpxR86QEC8w35uxmGoggxtQTPvfUu"), nil, failure.SecretUnreadable, "extended private key"},
		{"the same as base64", []byte(base64.StdEncoding.EncodeToString(append([]byte("Salted__"), bytes.Repeat([]byte{0xa7}, 56)...))), nil, failure.SecretUnreadable, "openssl enc"},
		{"words of lnd", []byte(aezeedWords), nil, failure.SecretUnreadable, "to an lnd wallet (aezeed)"},
		{"numbered words with a wrong checksum", []byte(numbered(strings.Fields(strings.Replace(aboutWords, "about", "zebra", 1)))), nil, failure.SecretUnreadable, "checksum is wrong"},
		{"a word written twice", []byte(strings.Replace(mixedWords, "error", "error error", 1)), nil, failure.SecretUnreadable, "this one has 13; the same word stands at place 5 and at the place before it"},
		{"eleven words", []byte(strings.TrimSuffix(aboutWords, " about")), nil, failure.SecretUnreadable, "this one has 11"},
		{"a wrong checksum", []byte(strings.Replace(aboutWords, "about", "zebra", 1)), nil, failure.SecretUnreadable, "checksum is wrong"},
		{"a word that is none", []byte(strings.Replace(aboutWords, "abandon about", "xyzzy about", 1)), nil, failure.SecretUnreadable, "word 11 is not in the English"},
		{"two words that are none", []byte("qqqq wwww " + strings.TrimPrefix(aboutWords, "abandon abandon ")), nil, failure.SecretUnreadable, "words 1, 2 are not in the English"},
		{"a damaged hsm_secret with words", mnemonicFile(strings.Replace(aboutWords, "about", "zebra", 1)), nil, failure.SecretUnreadable, "no valid words"},
		{"an hsm_secret with words and a line end", mnemonicFile(aboutWords + "\n"), nil, failure.SecretUnreadable, "lightningd refuses this hsm_secret"},
		{"an hsm_secret with a capital", mnemonicFile("A" + aboutWords[1:]), nil, failure.SecretUnreadable, "lightningd refuses this hsm_secret"},
		{"an hsm_secret with two spaces", mnemonicFile(strings.Replace(aboutWords, " ", "  ", 1)), nil, failure.SecretUnreadable, "lightningd refuses this hsm_secret"},
		{"encrypted, nobody to ask", unhex(t, encryptedFile), nil, failure.NeedsSecret, "has a passphrase"},
		{"encrypted, wrong passphrase", unhex(t, encryptedFile), asks("wrong horse"), failure.WrongSecret, "is not the one of this hsm_secret"},
		{"encrypted, damaged", flipped, asks("correct horse"), failure.WrongSecret, "damaged"},
		{"words with passphrase, nobody to ask", passphraseFile(t), nil, failure.NeedsSecret, "has a passphrase"},
		{"words with passphrase, wrong one", passphraseFile(t), asks("hunter3"), failure.WrongSecret, "not the one"},
		{"codex32 with a wrong letter", []byte("cl10glres088a055je79jr0vhf5pe4ehnsm9wvfg949k8rdvu9e95uktaefus0k3fex0ny80r9"), nil, failure.SecretUnreadable, "checksum"},
		{"no passphrase typed", unhex(t, encryptedFile), func() ([]byte, error) { return nil, errors.New("eof") }, failure.SecretUnreadable, "no passphrase"},
	} {
		t.Run(c.name, func(t *testing.T) {
			secret, err := FromBytes(bytes.Clone(c.raw)).Secret(c.ask)
			if secret != nil || failure.NameOf(err) != c.want || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("error %v, want %s with %q", err, c.want, c.text)
			}
			noEcho(t, c.raw, err.Error())
		})
	}
}

// noEcho demands that a text repeats no word and no run of 8 characters of a
// secret, nor what was typed as a passphrase.
func noEcho(t *testing.T, raw []byte, text string) {
	t.Helper()
	given := string(cleanText(raw))
	for i := 0; i+8 <= len(given); i++ {
		if run := given[i : i+8]; strings.Contains(text, run) {
			t.Errorf("%q repeats %q of what was given", text, run)
		}
	}
	for _, word := range append(strings.Fields(given), "horse", "hunter") {
		if len(word) > 4 && word != "about" && strings.Contains(text, word) {
			t.Errorf("%q repeats the word %q", text, word)
		}
	}
}

// noEchoOfDigits is noEcho for any bytes: only runs with a digit or a capital
// count, since the error's own words might be the input.
func noEchoOfDigits(t *testing.T, raw []byte, text string) {
	t.Helper()
	for i := 0; i+8 <= len(raw); i++ {
		run := string(raw[i : i+8])
		if strings.ContainsAny(run, "023456789ABCDEF") && strings.Contains(text, run) && !strings.Contains(unreadableTexts, run) {
			t.Fatalf("%q repeats %q of what was given", text, run)
		}
	}
}

// unreadableTexts are the words of the errors that have digits or capitals.
const unreadableTexts = "12, 15, 18, 21 or 24 words, the 24 words are of an lnd wallet (aezeed) the 32-byte hsm_secret, the 64 hex digits, " +
	"a secret has 32 a secret has 64 BIP39 phrase has not in the English BIP39 list hsm_secret BACKUP tail -c +33 FILE. Compare Look Use Check"

func TestNobodyToAskIsTold(t *testing.T) {
	_, err := FromBytes(passphraseFile(t)).Secret(nil)
	if !errors.Is(err, ErrPassphraseNeeded) {
		t.Errorf("%v does not match ErrPassphraseNeeded", err)
	}
}

func writeFile(t *testing.T, data []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hsm_secret")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestANamedFileMustBeForItsOwnersEyes(t *testing.T) {
	for _, mode := range []os.FileMode{0o440, 0o444, 0o644, 0o610, 0o401} {
		path := writeFile(t, unhex(t, aboutSecret), mode)
		_, err := Load(path, true, nil)
		if failure.NameOf(err) != failure.SecretUnreadable || !strings.Contains(err.Error(), "chmod 400 '"+path+"'") {
			t.Errorf("mode %o: %v", mode, err)
		}
		if _, err := Load(path, false, nil); err != nil {
			t.Errorf("mode %o of the node's own file: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o400, 0o600} {
		secret, err := Load(writeFile(t, unhex(t, aboutSecret), mode), true, nil)
		if err != nil || nodeOf(t, secret) != pubKey(t, aboutNode) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestOnlyASmallRegularFileIsRead(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := mkfifo(fifo); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a directory":     t.TempDir(),
		"a fifo":          fifo,
		"a missing file":  filepath.Join(t.TempDir(), "none"),
		"a device":        "/dev/zero",
		"an oversize one": writeFile(t, make([]byte, MaxSize+1), 0o400),
	} {
		if _, err := Load(path, false, nil); failure.NameOf(err) != failure.SecretUnreadable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLocateTakesTheNodesOwnSecretFirst(t *testing.T) {
	own, other := pubKey(t, aboutNode), pubKey(t, hunterNode)
	dirWith := func(data []byte) string { return filepath.Dir(writeFile(t, data, 0o400)) }
	good := unhex(t, aboutSecret)
	for _, c := range []struct {
		name, dir, file string
		want            failure.Name
		text            string
	}{
		{"own file", dirWith(good), "", "", ""},
		{"own file, named one not looked at", dirWith(good), "/nonexistent", "", ""},
		{"named file where the node has none", t.TempDir(), writeFile(t, good, 0o400), "", ""},
		{"named file where the directory is unknown", "", writeFile(t, good, 0o400), "", ""},
		{"named file where the own one is encrypted", dirWith(unhex(t, encryptedFile)), writeFile(t, good, 0o400), "", ""},
		{"neither", t.TempDir(), "", failure.NeedsSecret, "there is no hsm_secret"},
		{"nothing known", "", "", failure.NeedsSecret, "directory is not known"},
		{"own one encrypted", dirWith(unhex(t, encryptedFile)), "", failure.NeedsSecret, "has a passphrase"},
		{"own one in no known form", dirWith([]byte("?")), "", failure.NeedsSecret, "in no known format"},
		{"own one is another node's", dirWith(make([]byte, 32)), "", failure.NeedsSecret, "belongs to another node"},
		{"named one readable by others", "", writeFile(t, good, 0o444), failure.SecretUnreadable, "chmod 400"},
		{"named one is another node's", "", writeFile(t, make([]byte, 32), 0o400), failure.WrongSecret, "this node is " + own.String()},
	} {
		t.Run(c.name, func(t *testing.T) {
			secret, err := Locate(c.dir, c.file, own)
			if c.want == "" {
				if err != nil || nodeOf(t, secret) != own {
					t.Fatalf("%v", err)
				}
				return
			}
			if secret != nil || failure.NameOf(err) != c.want || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("error %v, want %s with %q", err, c.want, c.text)
			}
			if c.want == failure.NeedsSecret && !strings.Contains(err.Error(), "glrecover hsm-secret") {
				t.Errorf("the error does not name the command that helps: %v", err)
			}
		})
	}
	if _, err := Locate(dirWith(good), "", other); failure.NameOf(err) != failure.NeedsSecret {
		t.Errorf("a secret of another node was taken: %v", err)
	}
}

func FuzzSourceNeverEchoesAndNeverPanics(f *testing.F) {
	for _, raw := range [][]byte{
		nil, []byte(aboutWords), []byte(aboutSecret), make([]byte, 32), mnemonicFile(aboutWords),
		passphraseFile(f), unhex(f, encryptedFile), []byte("cl10glres088a055je79jr0vhf5pe4ehnsm9wvfg949k8rdvu9e95uktaefus0k3fex0ny80r0"),
		[]byte("あいこくしん　あおぞら"), []byte(aezeedWords),
		{0xff, 0xfe, ' ', 'a'},
	} {
		f.Add(raw)
	}
	for _, k := range kept(f) {
		f.Add(k.raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		secret, err := FromBytes(bytes.Clone(raw)).Secret(nil)
		if (secret == nil) == (err == nil) {
			t.Fatalf("secret %v, error %v", secret, err)
		}
		if err == nil {
			if _, err := secret.NodeID(); err != nil {
				t.Fatal(err)
			}
			return
		}
		if failure.NameOf(err) == "" {
			t.Fatalf("an error without a name: %v", err)
		}
		// The errors have lengths and places, and else the same words for every
		// input: what they say of other bytes of the same form, they may say.
		if len(raw) >= 8 {
			noEchoOfDigits(t, raw, err.Error())
		}
	})
}
