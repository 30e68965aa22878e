package keychain

import (
	"context"
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

	edit := func(from, to int, digits string) string { return aboutSecret[:from] + digits + aboutSecret[to:] }

	for _, c := range []struct {
		name    string
		raw     []byte
		want    channel.PubKey
		mistake Mistake
		certain bool
		text    string
	}{
		{"hsm_secret with a passphrase", passphraseFile(t), about, PassphraseMistake, true, "adds a passphrase"},
		{"33 bytes", append(slices.Clone(raw), 7), about, ExtraMistake, true, "followed by one byte too many"},
		{"a byte before them", append([]byte{7}, raw...), about, ExtraMistake, true, "preceded by one byte too many"},
		{"the second half of 64 bytes", append(slices.Repeat([]byte{7}, 32), raw...), about, ExtraMistake, true, "the last 32 bytes are right"},
		{"hex digits of 33 bytes", []byte(aboutSecret + "07"), about, ExtraMistake, true, "first 32 bytes of the hex text"},
		{"hex digits in reverse order", []byte(hex.EncodeToString(reversed)), about, ReversedMistake, true, "hex text has the right 32 bytes in reverse order"},
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
		{"another word of the list", with(4, "era"), mixed, WordMistake, true, "word 4 is wrong"},
		{"a word that is in no list", with(9, "sunn"), mixed, WordMistake, true, "word 9"},
		{"a word left out", reorder(0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11), mixed, MissingMistake, true, "word 7 is missing"},
		{"a word written twice", []byte(strings.Replace(mixedWords, "chat", "chat chat", 1)), mixed, ExtraWordMistake, true, "word 7 appears twice"},
		{"a word too many", []byte("kaputt " + mixedWords), mixed, ExtraWordMistake, true, "word 1 does not belong there"},
		{"numbered words, two exchanged", []byte(numbered(strings.Fields(string(reorder(1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))))), mixed, OrderMistake, true, "words 1 and 2"},
		{"four letters of each word", []byte("vess ladd alte erro fede sibl chat abil sun glas valv pict"), mixed, ShortMistake, true, "first letters"},
		{"the Spanish words translated", []byte(mixedWords), nodeOf(t, secretOf(t, spanish.sentence())), LanguageMistake, true, "Spanish"},
		{"the English words translated", spanish.sentence(), mixed, LanguageMistake, true, "English"},
		{"words of another node", []byte(tellWords), mixed, OtherWordsMistake, false, "belong to another node"},
		{"a digit is another", []byte(edit(7, 8, "4")), about, DigitMistake, true, "digit 8 of the hex text is wrong"},
		{"two digits exchanged", []byte(edit(10, 12, aboutSecret[11:12]+aboutSecret[10:11])), about, DigitMistake, true, "digits 11 and 12 of the hex text are swapped"},
		{"a digit is missing", []byte(edit(63, 64, "")), about, DigitMistake, true, "digit 64 of the hex text is missing"},
		{"a digit too many", []byte(edit(0, 0, "9")), about, DigitMistake, true, "digit 1 of the hex text does not belong there"},
		{"letters for digits", []byte(strings.ReplaceAll(aboutSecret, "0", "O")), about, DigitMistake, true, "each of the characters 4, 5,"},
		{"a letter that is no digit", []byte(edit(20, 21, "x")), about, DigitMistake, true, "digit 21 of the hex text is wrong"},
		{"letters among the digits", []byte(edit(20, 22, "xy")), about, DigitMistake, false, "each of the characters 21, 22"},
		{"another 32 bytes", slices.Repeat([]byte{7}, 32), about, UnknownMistake, false, "none of the usual mistakes"},
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
