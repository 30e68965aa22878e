package keychain

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"github.com/tyler-smith/go-bip39/wordlists"
	"golang.org/x/crypto/pbkdf2"
	"golang.org/x/text/unicode/norm"
)

// language is one BIP39 word list. Greenlight's words are English; the others
// serve phrases of other wallets and tell what a user mixed up.
type language struct {
	name  string
	words []string
	// index maps the NFKD form of a word to its place.
	index func() map[string]uint16
}

const listSize = 2048

func newLanguage(name string, words []string) *language {
	l := &language{name: name, words: words}
	l.index = sync.OnceValue(func() map[string]uint16 {
		m := make(map[string]uint16, listSize)
		for i, w := range words {
			m[norm.NFKD.String(w)] = uint16(i)
		}
		return m
	})
	return l
}

// english comes first: where two lists share all words, it is meant.
var languages = []*language{
	newLanguage("English", wordlists.English),
	newLanguage("Spanish", wordlists.Spanish),
	newLanguage("French", wordlists.French),
	newLanguage("Italian", wordlists.Italian),
	newLanguage("Czech", wordlists.Czech),
	newLanguage("Japanese", wordlists.Japanese),
	newLanguage("Korean", wordlists.Korean),
	newLanguage("Chinese (simplified)", wordlists.ChineseSimplified),
	newLanguage("Chinese (traditional)", wordlists.ChineseTraditional),
}

// english is the list of Greenlight and of CLN.
func english() *language { return languages[0] }

// CountWords is how many words of a text are in Greenlight's list.
func CountWords(text string) (n int) {
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		if _, listed := english().index()[word]; listed {
			n++
		}
	}
	return n
}

// ErrPhrase is matched by every PhraseError.
var ErrPhrase = errors.New("not a BIP39 phrase")

// PhraseError says what is wrong with a phrase without naming a word.
type PhraseError struct {
	// Words is the number of words.
	Words int
	// Unknown are the places, counted from 1, of the words that are not in the
	// list; Language is the list.
	Unknown  []int
	Language string
	// Repeated are the places of words that are the same as the one before.
	Repeated []int
	// Aezeed is true where the words are lnd's, in a format of its own.
	Aezeed bool
}

// Error names the count, the places or the checksum.
func (e *PhraseError) Error() string {
	switch {
	case e.Aezeed:
		return "these 24 words belong to an lnd wallet (aezeed); no Greenlight node is made from such words"
	case !validWordCount(e.Words):
		text := fmt.Sprintf("a BIP39 phrase has 12, 15, 18, 21 or 24 words, this one has %d", e.Words)
		if len(e.Repeated) > 0 && validWordCount(e.Words-len(e.Repeated)) {
			text += "; the same word stands at " + places(e.Repeated, "place %s and at the place before it", "places %s and at the place before each")
		}
		return text
	case len(e.Unknown) > 0:
		return places(e.Unknown, "word %s is", "words %s are") + fmt.Sprintf(" not in the %s BIP39 list", e.Language)
	}
	return "each word is in the list, but the phrase's checksum is wrong: a word is wrong, or the words are in the wrong order"
}

// places writes numbers into the text for one or for more of them.
func places(numbers []int, one, many string) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = fmt.Sprint(n)
	}
	if len(numbers) > 1 {
		one = many
	}
	return fmt.Sprintf(one, strings.Join(texts, ", "))
}

// Is matches ErrPhrase.
func (e *PhraseError) Is(target error) bool { return target == ErrPhrase }

func validWordCount(n int) bool { return n >= 12 && n <= 24 && n%3 == 0 }

// phrase is a list of words of one language, as places in the list.
type phrase struct {
	lang  *language
	words []uint16
}

func (p *phrase) wipe() { clear(p.words) }

// fields splits text into words as a person may have typed them: any spaces,
// any case, any Unicode form.
func fields(text []byte) [][]byte {
	return bytes.FieldsFunc(lowered(text), unicode.IsSpace)
}

func wipeFields(words [][]byte) {
	for _, w := range words {
		clear(w)
	}
}

// lookup finds words in one list; unknown are places counted from 1.
func (l *language) lookup(words [][]byte) (p *phrase, unknown []int) {
	p = &phrase{lang: l, words: make([]uint16, 0, len(words))}
	index := l.index()
	for i, w := range words {
		place, ok := index[string(w)]
		if !ok {
			unknown = append(unknown, i+1)
		}
		p.words = append(p.words, place)
	}
	return p, unknown
}

// parsePhrase reads the phrase in a text, with a right checksum. The error is a
// *PhraseError.
func parsePhrase(text []byte) (*phrase, error) {
	words := bestWords(text)
	defer wipeFields(words)
	return parseWords(words)
}

// parseWords reads words as a phrase with a right checksum, in English or, if
// they are not all English, in any other language. The error is a *PhraseError
// about the list that knows the most words.
func parseWords(words [][]byte) (*phrase, error) {
	if !validWordCount(len(words)) {
		return nil, &PhraseError{Words: len(words), Repeated: repeated(words)}
	}
	var best *PhraseError
	for _, l := range languages {
		p, unknown := l.lookup(words)
		if len(unknown) == 0 && p.checksum() {
			return p, nil
		}
		aezeed := len(unknown) == 0 && p.isAezeed()
		p.wipe()
		if best == nil || len(unknown) < len(best.Unknown) {
			best = &PhraseError{Words: len(words), Unknown: unknown, Language: l.name, Aezeed: aezeed}
		}
	}
	return nil, best
}

// repeated are the places, counted from 1, of words that are the same as the one
// before.
func repeated(words [][]byte) []int {
	var at []int
	for i := 1; i < len(words); i++ {
		if bytes.Equal(words[i], words[i-1]) {
			at = append(at, i+1)
		}
	}
	return at
}

// entropy returns the 11 bits of each word and how many bits of them are
// checksum. BIP39: one bit of checksum for each 32 bits of entropy.
func (p *phrase) entropy() (data []byte, checksum byte, bits int) {
	total := 11 * len(p.words)
	bits = total / 33
	size := (total - bits) / 8
	data = make([]byte, 0, size+1)
	var acc uint32
	var have int
	for _, w := range p.words {
		acc, have = acc<<11|uint32(w), have+11
		for have >= 8 && len(data) < size {
			have -= 8
			data = append(data, byte(acc>>have))
		}
	}
	return data, byte(acc) & (1<<bits - 1), bits
}

// checksum reports whether the phrase's checksum is right.
func (p *phrase) checksum() bool {
	data, want, bits := p.entropy()
	defer clear(data)
	sum := sha256.Sum256(data)
	return sum[0]>>(8-bits) == want
}

// sentence is the text that the seed is made from: NFKD, single spaces.
func (p *phrase) sentence() []byte {
	var b bytes.Buffer
	for i, w := range p.words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(norm.NFKD.String(p.lang.words[w]))
	}
	return b.Bytes()
}

// seed is the 64-byte BIP39 seed.
func (p *phrase) seed(passphrase []byte) []byte {
	text := p.sentence()
	defer clear(text)
	return seedOf(text, passphrase)
}

// seedOf stretches a sentence as BIP39 says: PBKDF2-HMAC-SHA512, 2048 rounds.
func seedOf(sentence, passphrase []byte) []byte {
	salt := append([]byte("mnemonic"), passphrase...)
	defer clear(salt)
	return pbkdf2.Key(sentence, salt, 2048, seedSize, sha512.New)
}
