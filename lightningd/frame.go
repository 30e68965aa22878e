package lightningd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

const (
	// MaxMessage is the largest parameter object or array, in bytes, that a
	// request may carry; a larger one is skipped and refused.
	MaxMessage = 16 << 20
	// maxHead caps id and method. lightningd puts the caller's id into its
	// own.
	maxHead = 1 << 20
	// maxKey is longer than the names that matter.
	maxKey = 64
)

// errNotObject ends a stream: lightningd sends nothing but JSON objects.
var errNotObject = errors.New("lightningd's stream: not a JSON object")

// message is one JSON-RPC request or notification. Its members are those that
// lightningd itself looked at: the first of each name, compared byte for byte.
// Whoever calls lightningd decides how the object looks, for lightningd
// forwards it whole; a second "method" must not reach us.
type message struct {
	// id is the raw JSON of a string or a number; nil if there is none, and
	// for an id that is neither.
	id json.RawMessage
	// hasID is also true for an id that is neither.
	hasID  bool
	method string
	// params is valid JSON, or nil where there is none.
	params json.RawMessage
	// tooLarge and malformed say why params is nil although there were some.
	tooLarge  bool
	malformed bool
}

// framer cuts lightningd's stream into messages by their structure, so that
// blank lines mean nothing and the size of a message is bounded before it is
// stored. It checks no more than it needs: encoding/json judges the rest.
type framer struct{ r *bufio.Reader }

func newFramer(r io.Reader) *framer {
	return &framer{r: bufio.NewReaderSize(r, 64<<10)}
}

// next returns io.EOF at the end of the stream between two messages, and
// io.ErrUnexpectedEOF within one.
func (f *framer) next() (message, error) {
	for {
		c, err := f.r.ReadByte()
		if err != nil {
			return message{}, err
		}
		if isSpace(c) {
			continue
		}
		if c != '{' {
			return message{}, errNotObject
		}
		break
	}
	s := scan{depth: 1}
	for s.depth > 0 {
		if _, err := f.r.Peek(1); errors.Is(err, io.EOF) {
			return message{}, io.ErrUnexpectedEOF
		} else if err != nil {
			return message{}, err
		}
		buf, _ := f.r.Peek(f.r.Buffered()) // never more than is there
		if _, err := f.r.Discard(s.feed(buf)); err != nil {
			return message{}, err
		}
	}
	return s.message(), nil
}

// scan follows one object. At depth 1 it collects the key, then the value that
// the key names.
type scan struct {
	depth    int
	inString bool
	escaped  bool
	inValue  bool

	key              []byte
	keyTooLong       bool
	id, meth, params member
	// into is the member whose value is being read, nil for an unknown one.
	into *member
}

// member is the raw value of one top-level member.
type member struct {
	raw      []byte
	seen     bool
	tooLarge bool
}

// feed takes bytes up to the end of the object and returns how many it took.
func (s *scan) feed(buf []byte) int {
	i := 0
	for i < len(buf) && s.depth > 0 {
		start := i
		if s.inString {
			i = s.inText(buf, i)
			s.keep(buf[start:i])
			continue
		}
		for i < len(buf) && !structural[buf[i]] {
			i++
		}
		if part := buf[start:i]; s.inValue {
			s.keep(part)
		} else {
			s.keep(bytes.TrimSpace(part)) // around a key
		}
		if i < len(buf) {
			s.structure(buf[i : i+1])
			i++
		}
	}
	return i
}

// inText returns the index after the string's end, or len(buf).
func (s *scan) inText(buf []byte, i int) int {
	for ; i < len(buf); i++ {
		switch {
		case s.escaped:
			s.escaped = false
		case buf[i] == '\\':
			s.escaped = true
		case buf[i] == '"':
			s.inString = false
			return i + 1
		}
	}
	return i
}

// structural marks what matters outside of strings.
var structural = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true, ':': true, ',': true}

// structure follows one structural character.
func (s *scan) structure(char []byte) {
	switch char[0] {
	case '"':
		s.inString = true
	case '{', '[':
		s.depth++
	case '}', ']':
		s.depth--
	case ':':
		if s.depth == 1 && !s.inValue {
			s.startValue()
			return
		}
	case ',':
		if s.depth == 1 {
			s.endMember()
			return
		}
	}
	if s.depth > 0 {
		s.keep(char)
	}
}

func (s *scan) keep(part []byte) {
	if !s.inValue {
		if len(s.key)+len(part) > maxKey {
			s.keyTooLong = true
			return
		}
		s.key = append(s.key, part...)
		return
	}
	if s.into == nil || s.into.tooLarge {
		return
	}
	limit := maxHead
	if s.into == &s.params {
		limit = MaxMessage
	}
	if len(s.into.raw)+len(part) > limit {
		s.into.raw, s.into.tooLarge = nil, true
		return
	}
	s.into.raw = append(s.into.raw, part...)
}

func (s *scan) startValue() {
	s.inValue = true
	if s.keyTooLong {
		return
	}
	switch string(s.key) {
	case `"id"`:
		s.into = &s.id
	case `"method"`:
		s.into = &s.meth
	case `"params"`:
		s.into = &s.params
	}
	if s.into != nil {
		if s.into.seen {
			s.into = nil
			return
		}
		s.into.seen = true
	}
}

func (s *scan) endMember() {
	s.inValue, s.into, s.key, s.keyTooLong = false, nil, s.key[:0], false
}

func (s *scan) message() message {
	var m message
	if s.id.seen {
		m.hasID = true
		id := bytes.TrimSpace(s.id.raw)
		if len(id) > 0 && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9') && json.Valid(id) {
			m.id = id
		}
	}
	if json.Unmarshal(s.meth.raw, &m.method) != nil {
		m.method = ""
	}
	m.tooLarge = s.params.tooLarge
	if s.params.seen && !m.tooLarge {
		if params := bytes.TrimSpace(s.params.raw); json.Valid(params) {
			m.params = params
		} else {
			m.malformed = true
		}
	}
	return m
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
