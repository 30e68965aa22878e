package keychain

import (
	"bytes"
	"hash/crc32"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// wordTexts are the ways to take words out of a text, the plainest first: words
// between spaces; words in the order of their numbers; whatever are letters; the
// same without what stands before a colon. Only one of them makes a phrase with a
// right checksum. They are parts of plain.
func wordTexts(plain []byte) [][][]byte {
	texts := [][][]byte{bytes.FieldsFunc(plain, unicode.IsSpace)}
	if numbered := numberedWords(plain); numbered != nil {
		texts = append(texts, numbered)
	}
	texts = append(texts, bytes.FieldsFunc(plain, notWordRune))
	var unlabelled [][]byte
	for _, line := range bytes.Split(plain, []byte("\n")) {
		line = line[bytes.IndexAny(line, ":=")+1:]
		unlabelled = append(unlabelled, bytes.FieldsFunc(line, notWordRune)...)
	}
	return append(texts, unlabelled)
}

func notWordRune(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }

// numberedWords are the words of a text in which each has its number, sorted by
// it: columns may have been copied line by line. The numbers must be 1 to n, or 0
// to n-1, each once; they stand before all words or behind all words. Nil where
// that is not so.
func numberedWords(plain []byte) [][]byte {
	// Runs of letters and runs of digits, without what is between them.
	var runs [][]byte
	class := func(r rune) int {
		switch {
		case !notWordRune(r):
			return 1
		case '0' <= r && r <= '9':
			return 2
		}
		return 0
	}
	last := 0
	for at := 0; at < len(plain); {
		r, size := utf8.DecodeRune(plain[at:])
		c := class(r)
		switch {
		case c != 0 && c == last:
			n := len(runs) - 1
			runs[n] = runs[n][:len(runs[n])+size]
		case c != 0:
			runs = append(runs, plain[at:at+size])
		}
		last = c
		at += size
	}
	number := func(i int) (int, bool) {
		if i < 0 || i >= len(runs) {
			return 0, false
		}
		n, err := strconv.Atoi(string(runs[i]))
		return n, err == nil
	}
	words := map[int][]byte{}
	for step := range 2 {
		clear(words)
		valid := true
		for i := range runs {
			n, ok := number(i)
			if !ok {
				continue
			}
			// Before its word, or behind it.
			at := i + 1 - 2*step
			_, isNumber := number(at)
			if _, twice := words[n]; twice || at < 0 || at >= len(runs) || isNumber {
				valid = false
				break
			}
			words[n] = runs[at]
		}
		if valid && validWordCount(len(words)) {
			break
		}
		clear(words)
	}
	order := make([]int, 0, len(words))
	for n := range words {
		order = append(order, n)
	}
	slices.Sort(order)
	if len(order) == 0 || order[0] > 1 || order[len(order)-1]-order[0] != len(order)-1 {
		return nil
	}
	out := make([][]byte, len(order))
	for i, n := range order {
		out[i] = words[n]
	}
	return out
}

// bestWords are the words of a text as they make a phrase, else those that come
// closest to one. The caller wipes them.
func bestWords(text []byte) [][]byte {
	plain := lowered(text)
	defer clear(plain)
	var best [][]byte
	wrong := -1
	for _, words := range wordTexts(plain) {
		p, err := parseWords(words)
		if err == nil {
			p.wipe()
			return clones(words)
		}
		_, unknown := closest(words)
		n := len(unknown)
		if !validWordCount(len(words)) {
			n += len(words)
		}
		if wrong < 0 || n < wrong {
			best, wrong = words, n
		}
	}
	return clones(best)
}

// lowered is text in the form in which the lists are searched.
func lowered(text []byte) []byte {
	plain := norm.NFKD.Append(nil, text...)
	defer clear(plain)
	return bytes.ToLower(plain)
}

func clones(words [][]byte) [][]byte {
	out := make([][]byte, len(words))
	for i, w := range words {
		out[i] = bytes.Clone(w)
	}
	return out
}

// isPhraseText reports whether a text is words, with numbers, commas or labels
// between them perhaps: text, of which at least half of the runs of letters are
// in one BIP39 list.
func isPhraseText(text []byte) bool {
	if isWords(text) {
		return true
	}
	if !utf8.Valid(text) || bytes.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) }) {
		return false
	}
	plain := lowered(text)
	defer clear(plain)
	runs := bytes.FieldsFunc(plain, notWordRune)
	_, unknown := closest(runs)
	return len(runs) >= 3 && 2*len(unknown) <= len(runs)
}

// isAezeed reports whether 24 words are lnd's: it uses the English list for a
// format of its own, 33 bytes that begin with version 0 and end with the CRC-32
// (Castagnoli, big endian) of those before it (lnd aezeed/cipherseed.go).
func (p *phrase) isAezeed() bool {
	const words, size, sumSize = 24, 33, 4
	if len(p.words) != words || p.lang != english() {
		return false
	}
	data := make([]byte, 0, size)
	defer func() { clear(data) }()
	var acc uint32
	var have int
	for _, w := range p.words {
		acc, have = acc<<11|uint32(w), have+11
		for have >= 8 {
			have -= 8
			data = append(data, byte(acc>>have))
		}
	}
	body, sum := data[:size-sumSize], data[size-sumSize:]
	crc := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
	return body[0] == 0 && bytes.Equal(sum, []byte{byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)})
}
