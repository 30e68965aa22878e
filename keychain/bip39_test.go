package keychain

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

// The vectors are those of BIP39's reference implementation; the passphrase is
// TREZOR throughout.
func TestPhrasesOfEveryLanguageMakeTheSeedOfTheVectors(t *testing.T) {
	var vectors []struct{ Language, Words, Seed string }
	readJSON(t, "testdata/bip39.json", &vectors)
	seen := map[string]int{}
	for _, v := range vectors {
		p, err := parsePhrase([]byte(v.Words))
		if err != nil {
			t.Errorf("%s: %v", v.Language, err)
			continue
		}
		if got := hex.EncodeToString(p.seed([]byte("TREZOR"))); got != v.Seed {
			t.Errorf("%s: seed %s, want %s", v.Language, got, v.Seed)
		}
		seen[p.lang.name]++
	}
	// One Chinese list holds most words of the other: which of the two is
	// found does not matter, the seed comes from the text.
	for _, l := range languages {
		if seen[l.name] == 0 && !strings.HasPrefix(l.name, "Chinese") {
			t.Errorf("no vector in %s", l.name)
		}
	}
}

func TestAPhraseErrorNamesPlacesAndNoWord(t *testing.T) {
	words := strings.Fields(aboutWords)
	with := func(changes map[int]string) string {
		w := slices.Clone(words)
		for i, s := range changes {
			w[i-1] = s
		}
		return strings.Join(w, " ")
	}
	for _, c := range []struct {
		name, text string
		count      int
		unknown    []int
	}{
		{"thirteen words", aboutWords + " zoo", 13, nil},
		{"twenty-seven words", strings.Repeat("abandon ", 27), 27, nil},
		{"one foreign word", with(map[int]string{3: "kaputt"}), 12, []int{3}},
		{"three foreign words", with(map[int]string{1: "kaputt", 7: "krumm", 12: "schief"}), 12, []int{1, 7, 12}},
		{"wrong last word", with(map[int]string{12: "abandon"}), 12, nil},
	} {
		_, err := parsePhrase([]byte(c.text))
		var p *PhraseError
		if !errors.As(err, &p) || !errors.Is(err, ErrPhrase) || p.Words != c.count || !slices.Equal(p.Unknown, c.unknown) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, w := range strings.Fields(c.text) {
			if slices.Contains(strings.Fields(err.Error()), w) && w != "a" {
				t.Errorf("%s: the error has the word: %v", c.name, err)
			}
		}
	}
}

func TestEveryWordHasItsOwnFirstFourLetters(t *testing.T) {
	// ShortMistake depends on it.
	seen := map[string]bool{}
	for _, w := range english().words {
		p := w[:min(4, len(w))]
		if seen[p] {
			t.Fatalf("%s is not unique", p)
		}
		seen[p] = true
	}
	for _, l := range languages {
		if len(l.words) != listSize || len(l.index()) != listSize {
			t.Errorf("%s has %d words", l.name, len(l.index()))
		}
	}
}
