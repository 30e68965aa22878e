package keychain

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func isHex(text []byte) bool {
	for _, c := range text {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return false
		}
	}
	return len(text) > 0
}

func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// isWords reports whether bytes are text of several words: letters of any
// script and spaces, nothing else.
func isWords(text []byte) bool {
	plain := norm.NFKD.Append(nil, text...)
	defer clear(plain)
	for rest := plain; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if !isWordRune(r, size) {
			return false
		}
		rest = rest[size:]
	}
	return len(bytes.Fields(plain)) > 1
}

// isWordRune accepts letters with their marks (NFKD splits them), and spaces.
func isWordRune(r rune, size int) bool {
	if r == utf8.RuneError && size == 1 {
		return false
	}
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsSpace(r)
}
