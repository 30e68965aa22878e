package vlsstate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// index is where the values of a JSON text are, so that no part of it is read
// twice. The text is canonical, which leaves nothing to check.
type index struct {
	text []byte
	vals []val
	// odd says that a number may be no 64-bit integer, escaped that a string has an
	// escape.
	odd, escaped bool
	// around is how deep the text stands in the entry that it is a part of.
	around int
}

// errLong keeps the places in a text within 32 bits.
var errLong = errors.New("longer than 2 GiB")

// val is one value: a member's name is the val before that of its value.
type val struct {
	// text[start:end] is the value.
	start, end int32
	// next is the val after this one and all that is in it.
	next int32
}

// build takes the spaces out of a text that is known to be JSON, and indexes what
// is left; out is where it goes, and may be the beginning of the text itself. The
// error is errDeep.
func (x *index) build(out, text []byte) error {
	out = slices.Grow(out[:0], len(text))[:len(text)]
	vals, odd, escaped := x.vals[:0], false, false
	var open [maxDepth]int32
	depth, o := x.around, 0
	for i := 0; i < len(text); {
		c := text[i]
		start, from := i, o
		switch {
		case c <= ' ':
			// Two thirds of a signer's file are the spaces that begin its lines.
			for i++; i+8 <= len(text) && binary.LittleEndian.Uint64(text[i:]) == eightSpaces; {
				i += 8
			}
			continue
		case isDigit(c):
			for ; i < len(text) && isDigit(text[i]); i++ {
				out[o] = text[i]
				o++
			}
			odd = odd || i-start > 19
			if i < len(text) && !ends(text[i]) {
				odd = true
				digits := i
				i = endOfWord(text, i)
				o += copy(out[o:], text[digits:i])
			}
		case c == ',' || c == ':':
			i++
			out[o] = c
			o++
			continue
		case c == '{' || c == '[':
			if depth == maxDepth {
				return errDeep
			}
			open[depth] = int32(len(vals))
			depth++
			vals = append(vals, val{start: int32(o)})
			i++
			out[o] = c
			o++
			continue
		case c == '}' || c == ']':
			i++
			out[o] = c
			o++
			depth--
			top := &vals[open[depth]]
			top.end, top.next = int32(o), int32(len(vals))
			continue
		case c == '"':
			i = endOfString(text, i)
			escaped = escaped || bytes.IndexByte(text[start:i], '\\') >= 0
			o += copy(out[o:], text[start:i])
		default:
			odd = odd || c == '-'
			i = endOfWord(text, i)
			o += copy(out[o:], text[start:i])
		}
		vals = append(vals, val{int32(from), int32(o), int32(len(vals) + 1)})
	}
	x.vals, x.odd, x.escaped = vals, odd, escaped
	x.text = out[:o]
	return nil
}

// eightSpaces are as many spaces.
const eightSpaces = 0x2020202020202020

// ends reports whether a number or a literal ends before c.
func ends(c byte) bool { return c <= ' ' || c == ',' || c == ']' || c == '}' }

// endOfWord is the place after the number or literal that i is in.
func endOfWord(text []byte, i int) int {
	for i < len(text) && !ends(text[i]) {
		i++
	}
	return i
}

// read makes text canonical, in x's own memory, and indexes it.
func (x *index) read(text []byte) error {
	if len(text) > math.MaxInt32 {
		return errLong
	}
	// A signer writes names in order; to look for that first costs twice as much.
	canon, err := jsontext.AppendFormat(x.text[:0], text, orderedForm...)
	if err != nil {
		return jsonError(err, 0)
	}
	if err := x.build(canon, canon); err != nil || x.ordered() {
		return err
	}
	if canon, err = appendCanonical(canon[:0], text); err != nil {
		return err
	}
	return x.build(canon, canon)
}

// readJSON is read for what a decoder has let through. Where no string has an
// escape and the names are in order, the spaces are all that the canonical form
// does not have.
func (x *index) readJSON(text []byte) error {
	if len(text) > math.MaxInt32 || x.build(x.text, text) != nil || x.escaped || !x.ordered() {
		return x.read(text)
	}
	return nil
}

// ordered reports whether the names of each object ascend and so occur once.
func (x *index) ordered() bool {
	for i := range x.vals {
		at := int32(i)
		if x.text[x.vals[at].start] != '{' {
			continue
		}
		var last []byte
		for j := at + 1; j < x.vals[at].next; j = x.vals[j+1].next {
			name := x.raw(j)
			if bytes.IndexByte(name, '\\') >= 0 || last != nil && bytes.Compare(last[:len(last)-1], name[:len(name)-1]) >= 0 {
				return false
			}
			last = name
		}
	}
	return true
}

// endOfString is the place after the string literal that begins at i.
func endOfString(text []byte, i int) int {
	for i++; ; {
		i += bytes.IndexByte(text[i:], '"') + 1
		back := i - 2
		for text[back] == '\\' {
			back--
		}
		if (i-2-back)%2 == 0 {
			return i
		}
	}
}

func (x *index) raw(at int32) []byte { return x.text[x.vals[at].start:x.vals[at].end] }

// name is the text of a member's name, as it stands between its quotes; genuine
// names have no escapes.
func (x *index) name(at int32) []byte {
	raw := x.raw(at)
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	return []byte(unquote(raw))
}

// path names a value as seen from another around it: "a.b[2]".
func (x *index) path(from, at int32) string {
	path := ""
	for from != at {
		object := x.text[x.vals[from].start] == '{'
		inner := from
		for n, i := 0, from+1; i < x.vals[from].next; i = x.vals[i].next {
			name := i
			if object {
				i++
			}
			if i <= at && at < x.vals[i].next {
				if object {
					path = join(path, string(x.name(name)))
				} else {
					path += "[" + strconv.Itoa(n) + "]"
				}
				inner = i
				break
			}
			n++
		}
		if inner == from {
			return path
		}
		from = inner
	}
	return path
}

// unquote returns the text of a string literal that jsontext accepted.
func unquote(literal []byte) string {
	if bytes.IndexByte(literal, '\\') < 0 {
		return string(literal[1 : len(literal)-1])
	}
	out, _ := jsontext.AppendUnquote(nil, literal)
	return string(out)
}
