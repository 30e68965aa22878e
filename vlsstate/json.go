package vlsstate

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds the nesting of what is indexed; a genuine entry needs 8 levels.
const maxDepth = 28

var (
	// errTruncated means that the text ended inside a value.
	errTruncated = errors.New("the JSON text ends too early")
	errSameName  = errors.New("an object names the same member twice")
	errDeep      = errors.New("nested too deeply")
)

// syntaxError says where a text stops being JSON, never what stands there.
type syntaxError struct {
	offset int64
	reason string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("no JSON at byte %d: %s", e.offset, e.reason)
}

// moreText is the complaint about what follows the end of the JSON.
const moreText = "more text after the end"

// reasons are what may be said of jsontext's complaints, which hold the text
// that they are about.
var reasons = []struct{ theirs, ours string }{
	{"invalid UTF-8", "not UTF-8"},
	{"max depth", "nested too deeply"},
	{"surrogate", "half a surrogate pair"},
	{"escape", "an unknown escape in a string"},
	{"in string", "a control character in a string"},
	{"in number", "no digit"},
	{"name must be a string", "no member name"},
	{"at start of string", "no member name"},
	{"after object name", "no colon"},
	{"expecting ',' or", "a comma or an end is missing"},
	{"after top-level value", moreText},
}

// jsonError turns a complaint of jsontext about a text that begins at offset
// into ours.
func jsonError(err error, offset int64) error {
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return errSameName
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errTruncated
	case !errors.As(err, &syntax):
		return err
	}
	text := syntax.Err.Error()
	for _, r := range reasons {
		if strings.Contains(text, r.theirs) {
			return &syntaxError{offset + syntax.ByteOffset, r.ours}
		}
	}
	return &syntaxError{offset + syntax.ByteOffset, "no value begins here"}
}

// canonicalForm are the options for the form that the Greenlight signer signs
// (gl-client persist/canonical.rs): names in order and once, no spaces, the
// shortest escapes as serde_json writes them, the text of numbers as it is.
var canonicalForm = []jsontext.Options{
	jsontext.ReorderRawObjects(true),
	jsontext.CanonicalizeRawInts(false),
	jsontext.CanonicalizeRawFloats(false),
}

// orderedForm is canonicalForm for a text whose names are in order.
var orderedForm = []jsontext.Options{
	jsontext.AllowDuplicateNames(true),
	jsontext.CanonicalizeRawInts(false),
	jsontext.CanonicalizeRawFloats(false),
}

// appendCanonical appends one value in canonical form.
func appendCanonical(dst, raw []byte) ([]byte, error) {
	n := len(dst)
	dst, err := jsontext.AppendFormat(dst, raw, canonicalForm...)
	if err != nil {
		return dst[:n], jsonError(err, 0)
	}
	return dst, nil
}

// canonical returns a value in canonical form. exact is false where a number is
// no 64-bit integer: the signer writes none, so another tool has rewritten the
// file; its text is kept as it stands.
func canonical(raw []byte) (out []byte, exact bool, err error) {
	if out, err = appendCanonical(nil, raw); err != nil {
		return nil, false, err
	}
	return out, allIntegers(out), nil
}

// allIntegers reports whether each number of a text that was made by
// appendCanonical is one that serde_json keeps as a 64-bit integer.
func allIntegers(canon []byte) bool {
	for i := 0; i < len(canon); i++ {
		switch c := canon[i]; {
		case c == '"':
			i = endOfString(canon, i) - 1
		case c == '-' || isDigit(c):
			start := i
			for i < len(canon) && isNumber(canon[i]) {
				i++
			}
			if text := canon[start:i]; (len(text) > 19 || c == '-' || !allDigits(text)) && !isInteger(string(text)) {
				return false
			}
			i--
		}
	}
	return true
}

// isInteger reports whether a number's text is a 64-bit integer; serde_json reads
// "-0" as a float.
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

func isNumber(c byte) bool {
	return isDigit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

func allDigits(text []byte) bool {
	for _, c := range text {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// appendString writes a string literal as serde_json does.
func appendString(out []byte, s string) []byte {
	// Fails for invalid UTF-8 alone, and then it writes what is left of it.
	out, _ = jsontext.AppendQuote(out, s)
	return out
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHexDigit(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
