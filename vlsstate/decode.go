package vlsstate

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/glrecover/glrecover/channel"
)

// fieldError is a typed decoder's complaint about one field.
type fieldError struct{ field, reason string }

func (e *fieldError) Error() string { return e.field + ": " + e.reason }

// decoder keeps the first complaint; every read after it returns zero values,
// so that callers check once, at the end.
type decoder struct {
	err *fieldError
	// ignored counts members that this version does not know.
	ignored int
}

func (d *decoder) fail(field, reason string, args ...any) {
	if d.err == nil {
		d.err = &fieldError{field: field, reason: fmt.Sprintf(reason, args...)}
	}
}

// node is a JSON value with the path that leads to it.
type node struct {
	d    *decoder
	path string
	raw  []byte
}

func (n node) fail(reason string, args ...any) { n.d.fail(n.path, reason, args...) }

func (n node) isNull() bool { return string(n.raw) == "null" }

// object is a JSON object whose members are read by name, each once.
type objectNode struct {
	node
	members map[string][]byte
}

func (n node) object() *objectNode {
	o := &objectNode{node: n}
	if n.d.err != nil {
		return o
	}
	members, err := object(n.raw)
	switch {
	case errors.Is(err, errKind):
		n.fail("not an object")
	case err != nil:
		n.fail("%v", err)
	}
	o.members = members
	return o
}

// get returns a member that must be there and takes it off the list.
func (o *objectNode) get(name string) node {
	child := node{d: o.d, path: join(o.path, name)}
	if o.d.err != nil {
		return child
	}
	raw, ok := o.members[name]
	if !ok {
		child.fail("missing")
		return child
	}
	delete(o.members, name)
	child.raw = raw
	return child
}

// optional returns nil where the member is missing or null.
func (o *objectNode) optional(name string) *node {
	if _, ok := o.members[name]; !ok || o.d.err != nil {
		return nil
	}
	child := o.get(name)
	if child.isNull() {
		return nil
	}
	return &child
}

// nullable returns nil where the member is null; it must be there.
func (o *objectNode) nullable(name string) *node {
	child := o.get(name)
	if o.d.err != nil || child.isNull() {
		return nil
	}
	return &child
}

// done counts what nobody asked for.
func (o *objectNode) done() {
	if o.d.err == nil {
		o.d.ignored += len(o.members)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// array returns the elements of an array of at most limit elements.
func (n node) array(limit int) []node {
	if n.d.err != nil {
		return nil
	}
	seq, ok := elements(n.raw)
	if !ok {
		n.fail("not an array")
		return nil
	}
	var out []node
	for i, raw := range seq {
		if i == limit {
			n.fail("more than %d elements", limit)
			return nil
		}
		out = append(out, node{d: n.d, path: n.path + "[" + strconv.Itoa(i) + "]", raw: raw})
	}
	return out
}

// tuple returns exactly count elements; on a complaint they are empty nodes.
func (n node) tuple(count int) []node {
	out := n.array(count)
	if n.d.err == nil && len(out) != count {
		n.fail("%d elements, want %d", len(out), count)
	}
	for len(out) < count {
		out = append(out, node{d: n.d, path: n.path})
	}
	return out
}

// uint reads an integer from 0 to limit, inclusive.
func (n node) uint(limit uint64) uint64 {
	if n.d.err != nil {
		return 0
	}
	if len(n.raw) == 0 || !isDigit(n.raw[0]) {
		n.fail("not an unsigned integer")
		return 0
	}
	v, err := strconv.ParseUint(string(n.raw), 10, 64)
	if err != nil {
		n.fail("not an unsigned 64-bit integer")
		return 0
	}
	if v > limit {
		n.fail("more than %d", limit)
		return 0
	}
	return v
}

func (n node) boolean() bool {
	if n.d.err != nil {
		return false
	}
	switch string(n.raw) {
	case "true":
		return true
	case "false":
		return false
	}
	n.fail("neither true nor false")
	return false
}

func (n node) str() string {
	if n.d.err != nil {
		return ""
	}
	if len(n.raw) == 0 || n.raw[0] != '"' {
		n.fail("not a string")
		return ""
	}
	return unquote(n.raw)
}

// hex reads a string of lower-case hex digits.
func (n node) hex() []byte {
	raw, ok := lowerHex(n.str())
	if !ok {
		n.fail("not lower-case hex")
	}
	return raw
}

func (n node) hash() (out [32]byte) {
	raw := n.hex()
	if n.d.err == nil && len(raw) != len(out) {
		n.fail("%d bytes, want %d", len(raw), len(out))
		return out
	}
	copy(out[:], raw)
	return out
}

func (n node) pubKey() channel.PubKey {
	s := n.str()
	if n.d.err != nil {
		return channel.PubKey{}
	}
	key, reason := parsePubKey(s)
	if reason != "" {
		n.fail("%s", reason)
	}
	return key
}

// byteValues reads an array of byte values of at most limit bytes, as serde
// writes a Vec<u8>.
func (n node) byteValues(limit int) []byte {
	if n.d.err != nil {
		return nil
	}
	seq, ok := elements(n.raw)
	if !ok {
		n.fail("not an array of byte values")
		return nil
	}
	out := []byte{}
	for i, raw := range seq {
		v, err := strconv.ParseUint(string(raw), 10, 8)
		if err != nil {
			n.fail("not an array of byte values")
			return nil
		}
		if i == limit {
			n.fail("more than %d bytes", limit)
			return nil
		}
		out = append(out, byte(v))
	}
	return out
}

// bytes32 reads an array of exactly 32 byte values.
func (n node) bytes32() (out [32]byte) {
	raw := n.byteValues(len(out))
	if n.d.err == nil && len(raw) != len(out) {
		n.fail("%d bytes, want %d", len(raw), len(out))
	}
	copy(out[:], raw)
	return out
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func lowerHex(s string) ([]byte, bool) {
	if !isLowerHex(s) {
		return nil, false
	}
	raw, err := hex.DecodeString(s)
	return raw, err == nil
}

// parsePubKey is channel.ParsePubKey for lower-case digits only; reason is ""
// where the key is good.
func parsePubKey(s string) (key channel.PubKey, reason string) {
	if _, ok := lowerHex(s); !ok {
		return key, "not lower-case hex"
	}
	key, err := channel.ParsePubKey(s)
	if err != nil {
		return key, err.Error()
	}
	return key, ""
}
