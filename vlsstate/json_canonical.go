package vlsstate

import (
	"slices"
	"strconv"
	"strings"
)

// canonical returns a value in the form that the Greenlight signer signs
// (gl-client persist/canonical.rs): names sorted by their bytes, no spaces,
// serde_json's string escapes. raw must have passed checkJSON. exact is false
// where a number is no 64-bit integer: the signer writes none, so another tool
// has rewritten the file; its text is kept as it stands.
func canonical(raw []byte) (out []byte, exact bool, err error) {
	c := canonicaliser{scanner: scanner{data: raw}, out: make([]byte, 0, len(raw)), exact: true}
	c.space()
	if err := c.value(); err != nil {
		return nil, false, err
	}
	return c.out, c.exact, nil
}

type canonicaliser struct {
	scanner
	out   []byte
	exact bool
}

func (c *canonicaliser) value() error {
	start := c.pos
	switch c.peek() {
	case '{':
		return c.object()
	case '[':
		return c.array()
	case '"':
		if err := c.str(); err != nil {
			return err
		}
		c.out = appendString(c.out, unquote(c.data[start:c.pos]))
		return nil
	}
	if err := c.scanner.value(0); err != nil {
		return err
	}
	text := c.data[start:c.pos]
	if first := text[0]; (first == '-' || isDigit(first)) && !isInteger(string(text)) {
		c.exact = false
	}
	c.out = append(c.out, text...)
	return nil
}

func (c *canonicaliser) array() error {
	c.out = append(c.out, '[')
	c.pos++
	c.space()
	for c.peek() != ']' {
		if err := c.value(); err != nil {
			return err
		}
		c.space()
		if c.peek() == ',' {
			c.out = append(c.out, ',')
			c.pos++
			c.space()
		}
	}
	c.pos++
	c.out = append(c.out, ']')
	return nil
}

// span is one member as it stands in out: "name":value without comma.
type span struct {
	name     string
	from, to int
}

func (c *canonicaliser) object() error {
	c.out = append(c.out, '{')
	c.pos++
	c.space()
	begin := len(c.out)
	var spans []span
	sorted := true
	for c.peek() != '}' {
		start := c.pos
		if err := c.str(); err != nil {
			return err
		}
		name := unquote(c.data[start:c.pos])
		c.space()
		c.pos++ // the colon
		c.space()
		if len(spans) > 0 {
			sorted = sorted && spans[len(spans)-1].name < name
			c.out = append(c.out, ',')
		}
		if len(spans) == maxMembers {
			return errManyMembers
		}
		from := len(c.out)
		c.out = append(appendString(c.out, name), ':')
		if err := c.value(); err != nil {
			return err
		}
		spans = append(spans, span{name: name, from: from, to: len(c.out)})
		c.space()
		if c.peek() == ',' {
			c.pos++
			c.space()
		}
	}
	c.pos++
	if !sorted {
		if err := c.sort(begin, spans); err != nil {
			return err
		}
	}
	c.out = append(c.out, '}')
	return nil
}

// sort puts the members in out[begin:] into the order of their names.
func (c *canonicaliser) sort(begin int, spans []span) error {
	slices.SortFunc(spans, func(a, b span) int { return strings.Compare(a.name, b.name) })
	body := slices.Clone(c.out[begin:])
	c.out = c.out[:begin]
	for i, s := range spans {
		if i > 0 {
			if spans[i-1].name == s.name {
				return errSameName
			}
			c.out = append(c.out, ',')
		}
		c.out = append(c.out, body[s.from-begin:s.to-begin]...)
	}
	return nil
}

// isInteger reports whether a number's text is one that serde_json keeps as a
// 64-bit integer; it reads "-0" as a float.
func isInteger(text string) bool {
	if text == "-0" {
		return false
	}
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		return true
	}
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil
}

// appendString writes a string literal as serde_json does: two-letter escapes
// where there are any, \u00xx for other control characters, all else as it is.
func appendString(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := range len(s) {
		switch b := s[i]; b {
		case '"':
			out = append(out, '\\', '"')
		case '\\':
			out = append(out, '\\', '\\')
		case '\b':
			out = append(out, '\\', 'b')
		case '\f':
			out = append(out, '\\', 'f')
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			if b < 0x20 {
				out = append(out, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
			} else {
				out = append(out, b)
			}
		}
	}
	return append(out, '"')
}
