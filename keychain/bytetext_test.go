package keychain

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// What xxd, hexdump and od print of the secret of aboutWords.
const (
	xxdText = `00000000: 5eb0 0bbd dcf0 6908 4889 a8ab 9155 5681  ^.....i.H....UV.
00000010: 65f5 c453 ccb8 5e70 811a aed6 f6da 5fc1  e..S..^p......_.
`
	hexdumpC = `00000000  5e b0 0b bd dc f0 69 08  48 89 a8 ab 91 55 56 81  |^.....i.H....UV.|
00000010  65 f5 c4 53 cc b8 5e 70  81 1a ae d6 f6 da 5f c1  |e..S..^p......_.|
00000020
`
	hexdumpText = `0000000 b05e bd0b f0dc 0869 8948 aba8 5591 8156
0000010 f565 53c4 b8cc 705e 1a81 d6ae daf6 c15f
0000020
`
	// of the same with a line end behind it
	hexdump33 = `0000000 b05e bd0b f0dc 0869 8948 aba8 5591 8156
0000010 f565 53c4 b8cc 705e 1a81 d6ae daf6 c15f
0000020 000a                                   
0000021
`
	odX = `0000000 b05e bd0b f0dc 0869 8948 aba8 5591 8156
0000020 f565 53c4 b8cc 705e 1a81 d6ae daf6 c15f
0000040
`
	odTX1 = `0000000 5e b0 0b bd dc f0 69 08 48 89 a8 ab 91 55 56 81
0000020 65 f5 c4 53 cc b8 5e 70 81 1a ae d6 f6 da 5f c1
0000040
`
	odTX1Z = `000000 5e b0 0b bd dc f0 69 08 48 89 a8 ab 91 55 56 81  >^.....i.H....UV.<
000010 65 f5 c4 53 cc b8 5e 70 81 1a ae d6 f6 da 5f c1  >e..S..^p......_.<
000020
`
	odText = `0000000 130136 136413 170334 004151 104510 125650 052621 100526
0000020 172545 051704 134314 070136 015201 153256 155366 140537
0000040
`
	pythonText = `b'^\xb0\x0b\xbd\xdc\xf0i\x08H\x89\xa8\xab\x91UV\x81e\xf5\xc4S\xcc\xb8^p\x81\x1a\xae\xd6\xf6\xda_\xc1'`
	jsonText   = `[94, 176, 11, 189, 220, 240, 105, 8, 72, 137, 168, 171, 145, 85, 86, 129, 101, 245, 196, 83, 204, 184, 94, 112, 129, 26, 174, 214, 246, 218, 95, 193]`
	// A phrase of lnd's own test vectors (aezeed/cipherseed_test.go).
	aezeedWords = "ability liquid travel stem barely drastic pact cupboard apple thrive morning oak feature tissue couch old math inform success suggest drink motion know royal"
)

// numbered is "1. WORD" in lines.
func numbered(words []string) string {
	var b strings.Builder
	for i, w := range words {
		fmt.Fprintf(&b, "%d. %s\n", i+1, w)
	}
	return b.String()
}

func utf16LE(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

type keptSecret struct {
	name string
	raw  []byte
	kind Kind
	// words is true where it is mixedWords, else the secret of aboutWords.
	words bool
}

// kept are secrets as people keep them.
func kept(t testing.TB) []keptSecret {
	raw := unhex(t, aboutSecret)
	p, err := parsePhrase([]byte(aboutWords))
	if err != nil {
		t.Fatal(err)
	}
	seed := p.seed(nil)
	words := strings.Fields(mixedWords)
	pairs := make([]string, len(raw))
	escaped := make([]string, len(raw))
	for i, b := range raw {
		pairs[i], escaped[i] = fmt.Sprintf("0x%02x", b), fmt.Sprintf(`\x%02x`, b)
	}
	// Two columns of six, copied line by line.
	columns, labels, after, table := "", "", "", "| # | Word |\n|---|---|\n"
	for i := range 6 {
		columns += fmt.Sprintf("%2d. %-10s %2d. %s\n", i+1, words[i], i+7, words[i+6])
	}
	for i, w := range words {
		labels += fmt.Sprintf("word %d: %s\n", i+1, w)
		after += fmt.Sprintf("%s (%d), ", w, i)
		table += fmt.Sprintf("| %d | %s |\n", i+1, w)
	}
	return []keptSecret{
		{"0x before the digits", []byte("0x" + aboutSecret), Hex, false},
		{"digits in groups", []byte("5eb0 0bbd dcf0 6908 4889 a8ab 9155 5681\n65f5 c453 ccb8 5e70 811a aed6 f6da 5fc1\n"), Hex, false},
		{"a line that breaks within a byte", []byte(aboutSecret[:33] + "\r\n" + aboutSecret[33:] + "\r\n"), Hex, false},
		{"colons", []byte(strings.Join(pairs, ":")), Hex, false},
		{"an array in C", []byte("{" + strings.Join(pairs, ", ") + "};"), Hex, false},
		{"in quotation marks", []byte("“" + aboutSecret + "”\n"), Hex, false},
		{"with a name before it", []byte("node_seed = " + aboutSecret), Hex, false},
		{"as glrecover shows it", []byte("hex:     " + aboutSecret + "\n"), Hex, false},
		{"UTF-16 with a byte order mark", utf16LE(aboutSecret + "\r\n"), Hex, false},
		{"xxd -p", []byte(aboutSecret[:60] + "\n" + aboutSecret[60:] + "\n"), Hex, false},
		{"xxd", []byte(xxdText), HexDump, false},
		{"hexdump -C", []byte(hexdumpC), HexDump, false},
		{"hexdump", []byte(hexdumpText), HexDump, false},
		{"hexdump of a file with a line end", []byte(hexdump33), HexDump, false},
		{"od -x", []byte(odX), HexDump, false},
		{"od -tx1", []byte(odTX1), HexDump, false},
		{"od -A x -t x1z", []byte(odTX1Z), HexDump, false},
		{"od", []byte(odText), HexDump, false},
		{"base64", []byte(base64.StdEncoding.EncodeToString(raw) + "\n"), Base64, false},
		{"base64 without padding, for an URL", []byte(base64.RawURLEncoding.EncodeToString(raw)), Base64, false},
		{"base64 of hex digits", []byte(base64.StdEncoding.EncodeToString([]byte(aboutSecret))), Base64, false},
		{"escapes", []byte(strings.Join(escaped, "")), Escaped, false},
		{"bytes as Python prints them", []byte(pythonText), Escaped, false},
		{"bytes as JSON", []byte(jsonText), Numbers, false},
		{"a newline behind the 32 bytes", append(slices.Clone(raw), '\n'), Raw, false},
		{"the 64-byte seed", slices.Clone(seed), Seed, false},
		{"the 64-byte seed and a newline", append(slices.Clone(seed), '\n'), Seed, false},
		{"the 64-byte seed as hex", []byte(hex.EncodeToString(seed)), Hex, false},
		{"the 64-byte seed as base64", []byte(base64.StdEncoding.EncodeToString(seed)), Base64, false},

		{"numbered words", []byte(numbered(words)), Phrase, true},
		{"numbers at the words", []byte(strings.NewReplacer(". ", "", "\n", " ").Replace(numbered(words))), Phrase, true},
		{"two numbered columns", []byte(columns), Phrase, true},
		{"a label before each word", []byte(labels), Phrase, true},
		{"numbers from 0 behind the words", []byte(after), Phrase, true},
		{"a table", []byte(table), Phrase, true},
		{"commas", []byte(strings.Join(words, ", ")), Phrase, true},
		{"commas without spaces", []byte(strings.Join(words, ",")), Phrase, true},
		{"JSON", []byte(`{"mnemonic": "` + mixedWords + `"}`), Phrase, true},
		{"an array of JSON", []byte(`["` + strings.Join(words, `","`) + `"]`), Phrase, true},
		{"a label before the words", []byte("Seed phrase: " + mixedWords + "."), Phrase, true},
		{"a line of its own above", []byte("My seed phrase:\n" + mixedWords + "\n"), Phrase, true},
		{"zero-width spaces", []byte("\u200b" + strings.ReplaceAll(mixedWords, " ", " \u200b\u2060") + "\ufeff"), Phrase, true},
		{"no-break spaces", []byte(strings.ReplaceAll(mixedWords, " ", "\u00a0")), Phrase, true},
		{"bullets", []byte("• " + strings.Join(words, "\n• ")), Phrase, true},
		{"words in UTF-16", utf16LE(mixedWords), Phrase, true},
		{"codex32 in groups", []byte(" cl10 glre s088 a055 je79 jr0v hf5p e4eh nsm9 wvfg 949k 8rdv u9e9 5ukt aefu s0k3 fex0 ny80 r0 "), Codex32, false},
	}
}

func TestASecretIsReadAsPeopleKeepIt(t *testing.T) {
	about, mixed := pubKey(t, aboutNode), nodeOfWords(t, mixedWords)
	for _, c := range kept(t) {
		t.Run(c.name, func(t *testing.T) {
			want := about
			switch {
			case c.words:
				want = mixed
			case c.kind == Codex32:
				want = pubKey(t, "03caaab4955bea390820860a447922bf6ac13a9963917e5137f910e1bb42d9dd66")
			}
			secret, err := FromBytes(bytes.Clone(c.raw)).Secret(nil)
			if err != nil {
				t.Fatal(err)
			}
			if secret.Kind() != c.kind || nodeOf(t, secret) != want || !secret.WholeWallet() {
				t.Errorf("%s of node %s, want %s of %s", secret.Kind(), nodeOf(t, secret), c.kind, want)
			}
		})
	}
}

// One changed character must lead to an error or to another node, never to a
// crash, and never to a text that repeats the secret.
func TestASecretWithAWrongCharacterIsNotRepeated(t *testing.T) {
	for _, c := range kept(t) {
		for i := 0; i < len(c.raw); i += 1 + len(c.raw)/40 {
			raw := bytes.Clone(c.raw)
			raw[i] ^= 0x15
			given := bytes.Clone(raw)
			if _, err := FromBytes(raw).Secret(nil); err != nil {
				noEcho(t, given, err.Error())
			}
		}
	}
}

func FuzzByteText(f *testing.F) {
	for _, c := range kept(f) {
		if !c.words {
			f.Add(c.raw)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		kind, data := byteText(cleanText(text))
		if (kind == 0) != (data == nil) || len(data) > len(text) {
			t.Fatalf("%s of %d bytes from %d", kind, len(data), len(text))
		}
		// What was read is the same when it is written plainly.
		if len(data) == secretSize {
			if again, plain := byteText([]byte(hex.EncodeToString(data))); again != Hex || !bytes.Equal(plain, data) {
				t.Fatalf("%s read %x, then %x", kind, data, plain)
			}
		}
	})
}

func FuzzWords(f *testing.F) {
	for _, c := range kept(f) {
		if c.words {
			f.Add(c.raw)
		}
	}
	f.Add([]byte("1 2 3 a 99999999999999999999 b"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > MaxSize {
			return
		}
		p, err := parsePhrase(text)
		if err != nil {
			return
		}
		again, err := parsePhrase(p.sentence())
		if err != nil || !bytes.Equal(again.sentence(), p.sentence()) {
			t.Fatalf("a phrase that was read is another one when it is written: %v", err)
		}
	})
}
