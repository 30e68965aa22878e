package keychain

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/glrecover/glrecover/channel"
)

// Mistake is the stable name of a way to hold the wrong secret.
type Mistake string

// The mistakes that can be told from what the user gave.
const (
	// UnknownMistake: nothing that was tried explains the other node id.
	UnknownMistake Mistake = "unknown"
	// PassphraseMistake: the words are right, but a passphrase was used with
	// them.
	PassphraseMistake Mistake = "passphrase"
	// TextMistake: hex or base64 text was kept where its bytes belong.
	TextMistake Mistake = "text_as_bytes"
	// SeedMistake: the whole 64-byte seed, or its other half, was kept.
	SeedMistake Mistake = "seed_of_64_bytes"
	// ExtraMistake: bytes before or behind the secret.
	ExtraMistake Mistake = "extra_bytes"
	// ReversedMistake: the bytes are in reverse order.
	ReversedMistake Mistake = "reversed_bytes"
	// DigitMistake: hex digits were typed wrong.
	DigitMistake Mistake = "hex_digits"
	// OrderMistake: the words are right, their order is not.
	OrderMistake Mistake = "word_order"
	// LanguageMistake: the words are translated; BIP39 has no translation.
	LanguageMistake Mistake = "word_language"
	// WordMistake: one word is another.
	WordMistake Mistake = "one_word"
	// MissingMistake: one word is missing.
	MissingMistake Mistake = "missing_word"
	// ExtraWordMistake: one word is too many, or stands there twice.
	ExtraWordMistake Mistake = "extra_word"
	// OtherWordsMistake: a whole phrase, but of another node; or the old node's
	// words had a passphrase.
	OtherWordsMistake Mistake = "other_words"
	// FormMistake: an hsm_secret holds the right words, but not as lightningd
	// takes them.
	FormMistake Mistake = "file_form"
	// ShortMistake: the words are shortened to their first letters.
	ShortMistake Mistake = "short_words"
)

// Diagnosis explains why a source makes another node than the wanted one.
type Diagnosis struct {
	Mistake Mistake
	// Certain is true where undoing the mistake gives the wanted node id, and
	// false where the form of the source makes the mistake likely.
	Certain bool
	// Found and Do are sentences without trailing full stops, free of content.
	Found string
	Do    string
}

// Diagnose looks for the mistake behind a secret that does not make the wanted
// node. It derives some thousand node ids at most (a few seconds for a phrase
// that is wrong in every way) and stops when ctx ends. Call it only after the
// source was understood and made another node, or was not understood.
func (s *Source) Diagnose(ctx context.Context, want channel.PubKey) Diagnosis {
	if d, ok := s.diagnoseBytes(want); ok {
		return d
	}
	text := cleanText(s.raw())
	defer clear(text)
	kind, ok := textKind(text)
	if !ok {
		if kind, ok = fileKind(s.raw()); ok && kind != Encrypted {
			clear(text)
			text = bytes.Clone(s.raw()[passphraseHashSize:])
		}
	}
	if !ok || kind == Codex32 || kind == Encrypted {
		if d, ok := diagnoseDigits(ctx, text, want); ok {
			return d
		}
		return s.likely(text)
	}
	d := diagnoseWords(ctx, text, want)
	if d.Certain && d.Mistake == PassphraseMistake {
		switch kind {
		case MnemonicPassphrase:
			d.Found, d.Do = "the words are the right ones, but this hsm_secret adds a passphrase to them, which makes a different node", "Use only the words: "+wordsOfFile
		case Mnemonic:
			// lightningd takes the same words in its own form for this node.
			d.Mistake, d.Do = FormMistake, "Create the right file from its words: "+wordsOfFile
			d.Found = "the words are the right ones, but lightningd refuses this file: they must be in small letters, with single spaces and no line end"
		}
	}
	return d
}

// makes reports whether 32 bytes are the secret of a node.
func makes(secret []byte, want channel.PubKey) bool {
	if len(secret) != secretSize {
		return false
	}
	s := newSecret(Raw, secret)
	defer s.Wipe()
	id, err := s.NodeID()
	return err == nil && id == want
}

// Commands that repair a file. Each hands what is right to hsm-secret, which makes
// the file and checks it against the backup.
const (
	wordsOfFile  = "tail -c +33 FILE | glrecover hsm-secret BACKUP"
	firstBytes   = "head -c 32 FILE | glrecover hsm-secret BACKUP"
	bytesTurned  = "xxd -p -c 1 FILE | tac | glrecover hsm-secret BACKUP"
	digitsTurned = "glrecover hsm-secret BACKUP, and type the hex digits from the last pair to the first"
)

// diagnoseBytes tries the ways in which 32 right bytes get a wrong form that
// Secret does not read.
func (s *Source) diagnoseBytes(want channel.PubKey) (Diagnosis, bool) {
	certain := func(m Mistake, found, do string) (Diagnosis, bool) {
		return Diagnosis{Mistake: m, Certain: true, Found: found, Do: do}, true
	}
	raw := s.raw()
	if len(raw) > secretSize && makes(raw[:secretSize], want) {
		if isHex(raw[:secretSize]) {
			// The other way round: the text of the digits was taken for the key.
			return certain(TextMistake, "the node was started with the first 32 characters of this hex text as its secret; it needs exactly those bytes", "Use them: "+firstBytes)
		}
		return certain(ExtraMistake, fmt.Sprintf("the first 32 bytes are right, followed by %s too many", several(len(raw)-secretSize)), "Use only the first ones: "+firstBytes)
	}
	if len(raw) > secretSize && makes(raw[len(raw)-secretSize:], want) {
		return certain(ExtraMistake, fmt.Sprintf("the last 32 bytes are right, preceded by %s too many", several(len(raw)-secretSize)), "Use the last ones: tail -c 32 FILE | glrecover hsm-secret BACKUP")
	}
	if len(raw) == secretSize && turned(raw, want) {
		return certain(ReversedMistake, "the 32 bytes are the right ones in reverse order", "Reverse them: "+bytesTurned)
	}
	text := cleanText(raw)
	defer clear(text)
	kind, data := byteText(text)
	defer clear(data)
	switch size := len(data); {
	case size == secretSize && turned(data, want):
		return certain(ReversedMistake, fmt.Sprintf("the %s has the right 32 bytes in reverse order", kind), "Use: "+digitsTurned)
	case size > secretSize && size != seedSize && makes(data[:secretSize], want):
		return certain(ExtraMistake, fmt.Sprintf("the first 32 bytes of the %s are right, followed by %s too many", kind, several(size-secretSize)), "Give only the first 32 bytes")
	case size > secretSize && makes(data[size-secretSize:], want):
		return certain(ExtraMistake, fmt.Sprintf("the last 32 bytes of the %s are right, preceded by %s too many", kind, several(size-secretSize)), "Give only the last 32 bytes")
	}
	return Diagnosis{}, false
}

func several(bytes int) string {
	if bytes == 1 {
		return "one byte"
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// turned reports whether bytes in reverse order make a node.
func turned(data []byte, want channel.PubKey) bool {
	reversed := bytes.Clone(data)
	defer clear(reversed)
	slices.Reverse(reversed)
	return makes(reversed, want)
}

// likely names what the form alone suggests.
func (s *Source) likely(text []byte) Diagnosis {
	switch {
	case len(s.raw()) == secretSize && isHex(s.raw()):
		return Diagnosis{
			Mistake: TextMistake,
			Found:   "these 32 bytes are hex digits: half of a secret's text, as when vlsd's node.seed was cut to the size of an hsm_secret",
			Do:      "Give all 64 digits: glrecover hsm-secret BACKUP < node.seed",
		}
	case len(s.raw()) == seedSize && !isHex(text):
		return Diagnosis{
			Mistake: SeedMistake,
			Found:   "64 bytes look like a whole BIP39 seed, but its first 32 bytes make another node",
			Do:      "Check that this is the seed of the right words",
		}
	}
	return Diagnosis{
		Mistake: UnknownMistake,
		Found:   "none of the usual mistakes explains it",
		Do:      "Look for the secret of the backup's node",
	}
}

// diagnoseWords tries the ways in which a phrase goes wrong, the cheap ones
// first.
func diagnoseWords(ctx context.Context, text []byte, want channel.PubKey) Diagnosis {
	words := bestWords(text)
	defer wipeFields(words)
	tries := &search{ctx: ctx, want: want}
	if d, ok := tries.short(words); ok {
		return d
	}
	p, err := parseWords(words)
	if err == nil {
		defer p.wipe()
		if d, ok := tries.phrase(p); ok {
			return d
		}
	}
	l, unknown := closest(words)
	list, _ := l.lookup(words)
	defer list.wipe()
	for _, try := range []func(*phrase, []int) (Diagnosis, bool){tries.order, tries.oneWord, tries.missing, tries.extra} {
		if d, ok := try(list, unknown); ok {
			return d
		}
	}
	if err == nil {
		return Diagnosis{
			Mistake: OtherWordsMistake,
			Found:   "the words are a complete phrase with a valid checksum, but they belong to another node; or the old node used a passphrase, which Greenlight never does",
			Do:      "Look for the words of the backup's node",
		}
	}
	return Diagnosis{
		Mistake: UnknownMistake,
		Found:   err.Error() + ", and changing one word or the order of two does not give the node",
		Do:      "Compare the words with what you wrote down",
	}
}

// closest is the language whose list knows the most words.
func closest(words [][]byte) (*language, []int) {
	var best *language
	var fewest []int
	for _, l := range languages {
		p, unknown := l.lookup(words)
		p.wipe()
		if best == nil || len(unknown) < len(fewest) {
			best, fewest = l, unknown
		}
	}
	return best, fewest
}

// search compares candidate phrases with one node id.
type search struct {
	ctx  context.Context
	want channel.PubKey
}

// hit derives the node of a phrase if its checksum is right.
func (t *search) hit(p *phrase) bool {
	if t.ctx.Err() != nil || !p.checksum() {
		return false
	}
	seed := p.seed(nil)
	defer clear(seed)
	return makes(seed[:secretSize], t.want)
}

func certainWords(m Mistake, found, do string, args ...any) (Diagnosis, bool) {
	return Diagnosis{Mistake: m, Certain: true, Found: fmt.Sprintf(found, args...), Do: do}, true
}

// phrase tries a phrase that is whole and right in itself: without a
// passphrase, the other half of its seed, and its translations.
func (t *search) phrase(p *phrase) (Diagnosis, bool) {
	seed := p.seed(nil)
	defer clear(seed)
	switch {
	case makes(seed[:secretSize], t.want):
		return certainWords(PassphraseMistake, "the words alone make the right node; a passphrase was added to them", "Use only the words")
	case makes(seed[secretSize:], t.want):
		return certainWords(SeedMistake, "the node was made from the second half of these words' seed", "Use those 32 bytes as hsm_secret")
	}
	for _, l := range languages {
		if l == p.lang {
			continue
		}
		// The same numbers in another list: the checksum stays right.
		if t.hit(&phrase{lang: l, words: p.words}) {
			return certainWords(LanguageMistake,
				fmt.Sprintf("these are the right words in another language: the node was made from the %s words with the same numbers", l.name),
				fmt.Sprintf("Give the %s words as they were first shown", l.name))
		}
	}
	return Diagnosis{}, false
}

// order tries two words exchanged, one word moved, the words read by columns
// instead of rows, and backwards.
func (t *search) order(p *phrase, unknown []int) (Diagnosis, bool) {
	if len(unknown) > 0 || !validWordCount(len(p.words)) {
		return Diagnosis{}, false
	}
	n := len(p.words)
	try := &phrase{lang: p.lang, words: make([]uint16, n)}
	defer try.wipe()
	for i := range n {
		for j := i + 1; j < n; j++ {
			copy(try.words, p.words)
			try.words[i], try.words[j] = try.words[j], try.words[i]
			if t.hit(try) {
				return certainWords(OrderMistake, "words %d and %d are swapped", "Swap them", i+1, j+1)
			}
		}
	}
	for from := range n {
		for to := range n {
			moved := slices.Delete(slices.Clone(p.words), from, from+1)
			copy(try.words, slices.Insert(moved, to, p.words[from]))
			clear(moved)
			if from != to && t.hit(try) {
				return certainWords(OrderMistake, "word %d belongs at place %d", "Move it there", from+1, to+1)
			}
		}
	}
	for columns := 2; columns <= n; columns++ {
		if n%columns != 0 {
			continue
		}
		// columns == n reads backwards below.
		for i := range n {
			try.words[i] = p.words[i%columns*(n/columns)+i/columns]
		}
		if columns < n && t.hit(try) {
			return certainWords(OrderMistake, "the words were read down %d columns instead of along the lines, or the other way round", "Enter the words in the order of their numbers", columns)
		}
	}
	copy(try.words, p.words)
	slices.Reverse(try.words)
	if t.hit(try) {
		return certainWords(OrderMistake, "the words are in reverse order", "Enter them from the first to the last")
	}
	return Diagnosis{}, false
}

// oneWord tries every word of the list in the place of the one that is not in
// it, or of each.
func (t *search) oneWord(p *phrase, unknown []int) (Diagnosis, bool) {
	if len(unknown) > 1 || !validWordCount(len(p.words)) {
		return Diagnosis{}, false
	}
	try := &phrase{lang: p.lang, words: slices.Clone(p.words)}
	defer try.wipe()
	for i, word := range p.words {
		if len(unknown) == 1 && unknown[0] != i+1 {
			continue
		}
		for other := range uint16(listSize) {
			try.words[i] = other
			if t.hit(try) {
				return certainWords(WordMistake, "word %d is wrong: with another word in its place the node is the right one", "Look at that word again", i+1)
			}
		}
		try.words[i] = word
	}
	return Diagnosis{}, false
}

// missing tries every word of the list in every gap.
func (t *search) missing(p *phrase, unknown []int) (Diagnosis, bool) {
	n := len(p.words) + 1
	if len(unknown) > 0 || !validWordCount(n) {
		return Diagnosis{}, false
	}
	try := &phrase{lang: p.lang, words: make([]uint16, n)}
	defer try.wipe()
	for i := range n {
		copy(try.words, p.words[:i])
		copy(try.words[i+1:], p.words[i:])
		for other := range uint16(listSize) {
			try.words[i] = other
			if t.hit(try) {
				return certainWords(MissingMistake, "word %d is missing", "Look for it", i+1)
			}
		}
	}
	return Diagnosis{}, false
}

// extra leaves out each word: one that was written twice, or that is none of
// them.
func (t *search) extra(p *phrase, unknown []int) (Diagnosis, bool) {
	n := len(p.words) - 1
	if len(unknown) > 1 || !validWordCount(n) {
		return Diagnosis{}, false
	}
	try := &phrase{lang: p.lang, words: make([]uint16, n)}
	defer try.wipe()
	for i := range p.words {
		if len(unknown) == 1 && unknown[0] != i+1 {
			continue
		}
		copy(try.words, p.words[:i])
		copy(try.words[i:], p.words[i+1:])
		if !t.hit(try) {
			continue
		}
		found := "word %d does not belong there"
		if i+1 < len(p.words) && p.words[i] == p.words[i+1] {
			found = "word %d appears twice"
		}
		return certainWords(ExtraWordMistake, found, "Leave it out", i+1)
	}
	return Diagnosis{}, false
}

// short completes words of at least four letters, which are enough to tell
// English words apart.
func (t *search) short(words [][]byte) (Diagnosis, bool) {
	if !validWordCount(len(words)) {
		return Diagnosis{}, false
	}
	l := english()
	p, unknown := l.lookup(words)
	defer p.wipe()
	for _, place := range unknown {
		w := words[place-1]
		full := slices.IndexFunc(l.words, func(candidate string) bool {
			return len(w) >= 4 && len(w) < len(candidate) && candidate[:len(w)] == string(w)
		})
		if full < 0 {
			return Diagnosis{}, false
		}
		p.words[place-1] = uint16(full)
	}
	if len(unknown) == 0 || !t.hit(p) {
		return Diagnosis{}, false
	}
	return certainWords(ShortMistake, "the words are shortened to their first letters", "Write each word in full, as in the English BIP39 list")
}
