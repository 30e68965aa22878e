package vlsstate

import (
	"encoding/json"
	"errors"
	"iter"
)

// maxMembers bounds the names of one object that are held at a time; a
// genuine file has one name per channel and per peer.
const maxMembers = 1 << 17

var (
	errSameName    = errors.New("an object names the same member twice")
	errManyMembers = errors.New("an object has too many members")
	errKind        = errors.New("not the expected kind of JSON value")
)

// member is one name and its raw value.
type member struct {
	name string
	raw  []byte
}

// objectMembers lists an object's members in file order. raw must have passed
// checkJSON.
func objectMembers(raw []byte) ([]member, error) {
	s := scanner{data: raw}
	s.space()
	if s.peek() != '{' {
		return nil, errKind
	}
	s.pos++
	s.space()
	var out []member
	for s.peek() != '}' {
		start := s.pos
		if err := s.str(); err != nil {
			return nil, err
		}
		name := unquote(raw[start:s.pos])
		s.space()
		s.pos++ // the colon
		s.space()
		start = s.pos
		if err := s.value(0); err != nil {
			return nil, err
		}
		if len(out) == maxMembers {
			return nil, errManyMembers
		}
		out = append(out, member{name: name, raw: raw[start:s.pos]})
		s.space()
		if s.peek() == ',' {
			s.pos++
			s.space()
		}
	}
	return out, nil
}

// object returns an object's members by name and refuses a name that occurs
// twice.
func object(raw []byte) (map[string][]byte, error) {
	list, err := objectMembers(raw)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(list))
	for _, m := range list {
		if _, twice := out[m.name]; twice {
			return nil, errSameName
		}
		out[m.name] = m.raw
	}
	return out, nil
}

// elements walks an array without building it; ok is false where raw, which
// must have passed checkJSON, is no array.
func elements(raw []byte) (seq iter.Seq2[int, []byte], ok bool) {
	s := scanner{data: raw}
	s.space()
	if s.peek() != '[' {
		return nil, false
	}
	return func(yield func(int, []byte) bool) {
		s := s
		s.pos++
		s.space()
		for i := 0; s.peek() != ']'; i++ {
			start := s.pos
			if err := s.value(0); err != nil {
				return
			}
			if !yield(i, raw[start:s.pos]) {
				return
			}
			s.space()
			if s.peek() == ',' {
				s.pos++
				s.space()
			}
		}
	}, true
}

// unquote returns the text of a string literal that passed checkJSON.
func unquote(literal []byte) string {
	for _, c := range literal {
		if c == '\\' {
			var out string
			// Cannot fail: checkJSON accepts a subset of what this does.
			_ = json.Unmarshal(literal, &out)
			return out
		}
	}
	return string(literal[1 : len(literal)-1])
}
