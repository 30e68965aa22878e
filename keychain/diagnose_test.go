package keychain

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/glrecover/glrecover/channel"
)

// tellWords are twelve different words with a right checksum, none of which is
// in two lists.
const tellWords = "legal winner thank year wave sausage worth useful legal winner thank yellow"

// mixedWords are twelve words that all differ.
const mixedWords = "vessel ladder alter error federal sibling chat ability sun glass valve picture"

func nodeOfWords(t testing.TB, words string) channel.PubKey {
	t.Helper()
	return nodeOf(t, secretOf(t, []byte(words)))
}

func diagnose(t *testing.T, raw []byte, want channel.PubKey) Diagnosis {
	t.Helper()
	return FromBytes(slices.Clone(raw)).Diagnose(t.Context(), want)
}

func TestDiagnosisNamesTheMistake(t *testing.T) {
	raw := unhex(t, aboutSecret)
	about := pubKey(t, aboutNode)
	mixed := nodeOfWords(t, mixedWords)
	p, err := parsePhrase([]byte(mixedWords))
	if err != nil {
		t.Fatal(err)
	}
	whole := p.seed(nil)
	reversed := slices.Clone(raw)
	slices.Reverse(reversed)
	spanish := &phrase{lang: languages[1], words: p.words}
	if languages[1].name != "Spanish" || !spanish.checksum() {
		t.Fatal("no Spanish phrase")
	}
	words := strings.Fields(mixedWords)
	reorder := func(order ...int) []byte {
		out := make([]string, len(order))
		for i, o := range order {
			out[i] = words[o]
		}
		return []byte(strings.Join(out, " "))
	}
	with := func(place int, w string) []byte {
		out := slices.Clone(words)
		out[place-1] = w
		return []byte(strings.Join(out, " "))
	}
	halfText := nodeOf(t, secretOf(t, []byte(aboutSecret)[:32]))
	secondHalf := nodeOf(t, secretOf(t, whole[32:]))

	for _, c := range []struct {
		name    string
		raw     []byte
		want    channel.PubKey
		mistake Mistake
		certain bool
		text    string
	}{
		{"hsm_secret with a passphrase", passphraseFile(t), about, PassphraseMistake, true, "adds a passphrase"},
		{"0x before the digits", []byte("0x" + aboutSecret), about, TextMistake, true, "hex text"},
		{"base64", []byte(base64.StdEncoding.EncodeToString(raw)), about, TextMistake, true, "base64 text"},
		{"a newline behind the 32 bytes", append(slices.Clone(raw), '\n'), about, ExtraMistake, true, "1 more follow"},
		{"the whole seed", whole, mixed, SeedMistake, true, "first 32 bytes"},
		{"the whole seed as hex", []byte(hex.EncodeToString(whole)), mixed, SeedMistake, true, "as hex text"},
		{"the other half of the seed", []byte(mixedWords), secondHalf, SeedMistake, true, "second half"},
		{"reversed bytes", reversed, about, ReversedMistake, true, "reverse order"},
		{"a node made from the digits as text", []byte(aboutSecret), halfText, TextMistake, true, "first 32 characters"},
		{"node.seed cut to 32 characters", []byte(aboutSecret)[:32], about, TextMistake, false, "half of a secret's text"},
		{"64 foreign bytes", slices.Repeat([]byte{7}, 64), about, SeedMistake, false, "another node"},
		{"two words exchanged", reorder(0, 5, 2, 3, 4, 1, 6, 7, 8, 9, 10, 11), mixed, OrderMistake, true, "words 2 and 6"},
		{"a word moved", reorder(3, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11), mixed, OrderMistake, true, "word 1 belongs at place 4"},
		{"read along two columns of six", reorder(0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11), mixed, OrderMistake, true, "columns"},
		{"read along three columns of four", reorder(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11), mixed, OrderMistake, true, "columns"},
		{"read down what was in lines of three", reorder(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11), mixed, OrderMistake, true, "columns"},
		{"backwards", reorder(11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), mixed, OrderMistake, true, "reverse order"},
		{"in an hsm_secret, in another order", append(make([]byte, 32), reorder(1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)...), mixed, OrderMistake, true, "words 1 and 2"},
		{"in an hsm_secret, with a line end", mnemonicFile(aboutWords + "\n"), about, FormMistake, true, "lightningd refuses this file"},
		{"another word of the list", with(4, "era"), mixed, WordMistake, true, "word 4 is another one"},
		{"a word that is in no list", with(9, "sunn"), mixed, WordMistake, true, "word 9"},
		{"a word left out", reorder(0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11), mixed, MissingMistake, true, "word 7 is missing"},
		{"four letters of each word", []byte("vess ladd alte erro fede sibl chat abil sun glas valv pict"), mixed, ShortMistake, true, "first letters"},
		{"the Spanish words translated", []byte(mixedWords), nodeOf(t, secretOf(t, spanish.sentence())), LanguageMistake, true, "Spanish"},
		{"the English words translated", spanish.sentence(), mixed, LanguageMistake, true, "English"},
		{"words of another node", []byte(tellWords), mixed, OtherWordsMistake, false, "of another node"},
		{"another 32 bytes", slices.Repeat([]byte{7}, 32), about, UnknownMistake, false, "nothing that was tried"},
		{"two wrong words", []byte(strings.Replace(string(with(4, "xx")), "sun", "yy", 1)), mixed, UnknownMistake, false, "words 4, 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			d := diagnose(t, c.raw, c.want)
			if d.Mistake != c.mistake || d.Certain != c.certain || !strings.Contains(d.Found, c.text) || d.Do == "" {
				t.Errorf("%+v, want %s (certain %v) with %q", d, c.mistake, c.certain, c.text)
			}
			for _, w := range append(slices.Clone(words), aboutSecret[:8], "abandon") {
				if slices.Contains(strings.Fields(d.Found+" "+d.Do), w) {
					t.Errorf("the diagnosis has the word %s", w)
				}
			}
			t.Log(time.Since(start).Round(time.Millisecond))
		})
	}
}

func TestDiagnosisStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	d := FromBytes([]byte(tellWords)).Diagnose(ctx, pubKey(t, hunterNode))
	if d.Certain || time.Since(start) > time.Second {
		t.Errorf("%+v after %v", d, time.Since(start))
	}
}

func TestAccentsMayBeWrittenEitherWay(t *testing.T) {
	p, err := parsePhrase([]byte(mixedWords))
	if err != nil {
		t.Fatal(err)
	}
	text := string((&phrase{lang: languages[1], words: p.words}).sentence())
	composed := norm.NFC.String(text)
	if composed == text {
		t.Fatal("the phrase has no accent")
	}
	if nodeOfWords(t, text) != nodeOfWords(t, composed) {
		t.Error("two ways to write an accent make two nodes")
	}
}
