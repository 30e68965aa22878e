package vlsstate

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds nesting. Genuine files need 11 levels.
const maxDepth = 32

// errTruncated means that the text ended inside a value.
var errTruncated = errors.New("the JSON text ends too early")

// syntaxError says where a text stops being JSON, never what stands there.
type syntaxError struct {
	offset int
	reason string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("no JSON at byte %d: %s", e.offset, e.reason)
}

// checkJSON accepts exactly one RFC 8259 value in UTF-8 with at most maxDepth
// levels. Everything that walks the text afterwards relies on it.
func checkJSON(data []byte) error {
	s := scanner{data: data}
	s.space()
	if err := s.value(0); err != nil {
		return err
	}
	s.space()
	if s.pos != len(data) {
		return s.fail("more text after the end")
	}
	return nil
}

type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) fail(reason string) error {
	return &syntaxError{offset: s.pos, reason: reason}
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte; NUL, which no JSON token begins with, at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) value(depth int) error {
	if s.pos >= len(s.data) {
		return errTruncated
	}
	switch c := s.data[s.pos]; {
	case c == '{' || c == '[':
		if depth >= maxDepth {
			return s.fail("nested too deeply")
		}
		return s.container(depth, c)
	case c == '"':
		return s.str()
	case c == '-' || isDigit(c):
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.fail("no value begins here")
}

func (s *scanner) container(depth int, open byte) error {
	closing := byte(']')
	if open == '{' {
		closing = '}'
	}
	s.pos++
	s.space()
	if s.peek() == closing {
		s.pos++
		return nil
	}
	for {
		if open == '{' {
			if err := s.name(); err != nil {
				return err
			}
		}
		if err := s.value(depth + 1); err != nil {
			return err
		}
		s.space()
		if s.pos >= len(s.data) {
			return errTruncated
		}
		switch s.data[s.pos] {
		case closing:
			s.pos++
			return nil
		case ',':
			s.pos++
			s.space()
		default:
			return s.fail("neither a comma nor an end")
		}
	}
}

// name reads an object member's name, the colon, and the space around it.
func (s *scanner) name() error {
	if s.pos >= len(s.data) {
		return errTruncated
	}
	if s.data[s.pos] != '"' {
		return s.fail("no member name")
	}
	if err := s.str(); err != nil {
		return err
	}
	s.space()
	if s.pos >= len(s.data) {
		return errTruncated
	}
	if s.data[s.pos] != ':' {
		return s.fail("no colon")
	}
	s.pos++
	s.space()
	return nil
}

func (s *scanner) literal(word string) error {
	for i := range len(word) {
		if s.pos+i >= len(s.data) {
			return errTruncated
		}
		if s.data[s.pos+i] != word[i] {
			return s.fail("no value begins here")
		}
	}
	s.pos += len(word)
	return nil
}

func (s *scanner) digits() error {
	if s.pos >= len(s.data) {
		return errTruncated
	}
	if !isDigit(s.data[s.pos]) {
		return s.fail("no digit")
	}
	for isDigit(s.peek()) {
		s.pos++
	}
	return nil
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		return s.digits()
	}
	return nil
}

// str reads a string: valid UTF-8, no raw control characters, no lone
// surrogates.
func (s *scanner) str() error {
	s.pos++
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case c < 0x20:
			return s.fail("a control character in a string")
		case c < utf8.RuneSelf:
			s.pos++
		default:
			r, n := utf8.DecodeRune(s.data[s.pos:])
			if r == utf8.RuneError && n == 1 {
				return s.fail("not UTF-8")
			}
			s.pos += n
		}
	}
	return errTruncated
}

func (s *scanner) escape() error {
	if s.pos+1 >= len(s.data) {
		return errTruncated
	}
	switch s.data[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
	default:
		return s.fail("an unknown escape in a string")
	}
	unit, err := s.codeUnit()
	if err != nil {
		return err
	}
	if unit < 0xd800 || unit > 0xdfff {
		return nil
	}
	if unit >= 0xdc00 {
		return s.fail("half a surrogate pair")
	}
	if s.pos+1 >= len(s.data) {
		return errTruncated
	}
	if s.data[s.pos] != '\\' || s.data[s.pos+1] != 'u' {
		return s.fail("half a surrogate pair")
	}
	low, err := s.codeUnit()
	if err != nil {
		return err
	}
	if low < 0xdc00 || low > 0xdfff {
		return s.fail("half a surrogate pair")
	}
	return nil
}

// codeUnit reads \uXXXX.
func (s *scanner) codeUnit() (rune, error) {
	if s.pos+6 > len(s.data) {
		return 0, errTruncated
	}
	var unit rune
	for _, c := range s.data[s.pos+2 : s.pos+6] {
		d := hexDigit(c)
		if d < 0 {
			return 0, s.fail("no hex digit in an escape")
		}
		unit = unit<<4 | d
	}
	s.pos += 6
	return unit, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func hexDigit(c byte) rune {
	switch {
	case isDigit(c):
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
