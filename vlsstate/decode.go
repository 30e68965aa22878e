package vlsstate

import (
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
	x *index
	// root is the value that paths begin at.
	root int32
	err  *fieldError
	// ignored counts members that this version does not know.
	ignored int
}

// decodeText is a decoder of a text of its own, and its outermost value. A text
// that is no JSON is the decoder's complaint.
func decodeText(raw []byte) node {
	d := &decoder{x: new(index)}
	if err := d.x.read(raw); err != nil {
		d.fail("", "%v", err)
		return node{d, absent}
	}
	return node{d, 0}
}

func (d *decoder) fail(field, reason string, args ...any) {
	if d.err == nil {
		d.err = &fieldError{field: field, reason: fmt.Sprintf(reason, args...)}
	}
}

// node is a JSON value.
type node struct {
	d  *decoder
	at int32
}

// absent is the place of a value that is not there.
const absent = -1

func (n node) fail(reason string, args ...any) {
	if n.d.err == nil {
		n.d.fail(n.path(), reason, args...)
	}
}

func (n node) path() string {
	if n.at == absent {
		return ""
	}
	return n.d.x.path(n.d.root, n.at)
}

func (n node) raw() []byte {
	if n.at == absent {
		return nil
	}
	return n.d.x.raw(n.at)
}

func (n node) isNull() bool { return string(n.raw()) == "null" }

// with is the same value read by another decoder.
func (n node) with(d *decoder) node {
	d.x, d.root = n.d.x, n.d.root
	return node{d, n.at}
}

// objectNode is a JSON object whose members are read by name, each once.
type objectNode struct {
	node
	members []objectMember
}

type objectMember struct {
	// at is the member's value; its name is before it.
	at   int32
	read bool
}

func (n node) object() *objectNode {
	o := &objectNode{node: n}
	if n.d.err != nil {
		return o
	}
	raw := n.raw()
	if len(raw) == 0 || raw[0] != '{' {
		n.fail("not an object")
		return o
	}
	x := n.d.x
	o.members = make([]objectMember, 0, 16)
	for i := n.at + 1; i < x.vals[n.at].next; {
		o.members = append(o.members, objectMember{at: i + 1})
		i = x.vals[i+1].next
	}
	return o
}

func (o *objectNode) find(name string) *objectMember {
	for i := range o.members {
		if m := &o.members[i]; string(o.d.x.name(m.at-1)) == name {
			return m
		}
	}
	return nil
}

// get returns a member that must be there and takes it off the list.
func (o *objectNode) get(name string) node {
	if o.d.err != nil {
		return node{o.d, absent}
	}
	m := o.find(name)
	if m == nil {
		o.d.fail(join(o.path(), name), "missing")
		return node{o.d, absent}
	}
	m.read = true
	return node{o.d, m.at}
}

// optional returns nil where the member is missing or null.
func (o *objectNode) optional(name string) *node {
	if o.d.err != nil || o.find(name) == nil {
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

// left counts the members that nobody asked for.
func (o *objectNode) left() int {
	n := 0
	for i := range o.members {
		if !o.members[i].read {
			n++
		}
	}
	return n
}

// done counts what nobody asked for.
func (o *objectNode) done() {
	if o.d.err == nil {
		o.d.ignored += o.left()
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
	raw := n.raw()
	if len(raw) == 0 || raw[0] != '[' {
		n.fail("not an array")
		return nil
	}
	var out []node
	x := n.d.x
	for i := n.at + 1; i < x.vals[n.at].next; i = x.vals[i].next {
		if len(out) == limit {
			n.fail("more than %d elements", limit)
			return nil
		}
		out = append(out, node{n.d, i})
	}
	return out
}

// tuple returns exactly count elements; on a complaint they are absent.
func (n node) tuple(count int) []node {
	out := n.array(count)
	if n.d.err == nil && len(out) != count {
		n.fail("%d elements, want %d", len(out), count)
	}
	for len(out) < count {
		out = append(out, node{n.d, absent})
	}
	return out
}

// uint reads an integer from 0 to limit, inclusive.
func (n node) uint(limit uint64) uint64 {
	if n.d.err != nil {
		return 0
	}
	raw := n.raw()
	if len(raw) == 0 || !isDigit(raw[0]) {
		n.fail("not an unsigned integer")
		return 0
	}
	v, err := strconv.ParseUint(string(raw), 10, 64)
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
	switch string(n.raw()) {
	case "true":
		return true
	case "false":
		return false
	}
	n.fail("neither true nor false")
	return false
}

func (n node) str() string { return string(n.text()) }

// text is a string's text; it may be part of the indexed text.
func (n node) text() []byte {
	if n.d.err != nil {
		return nil
	}
	raw := n.raw()
	if len(raw) == 0 || raw[0] != '"' {
		n.fail("not a string")
		return nil
	}
	return n.d.x.name(n.at)
}

// hex reads a string of lower-case hex digits and appends their bytes.
func (n node) hex(out []byte) []byte {
	text := n.text()
	if n.d.err != nil {
		return nil
	}
	out, ok := appendHex(out, text)
	if !ok {
		n.fail("not lower-case hex")
		return nil
	}
	return out
}

func (n node) hash() (out [32]byte) {
	var space [64]byte
	raw := n.hex(space[:0])
	if n.d.err == nil && len(raw) != len(out) {
		n.fail("%d bytes, want %d", len(raw), len(out))
		return out
	}
	copy(out[:], raw)
	return out
}

func (n node) pubKey() channel.PubKey {
	text := n.text()
	if n.d.err != nil {
		return channel.PubKey{}
	}
	key, reason := parsePubKey(text)
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
	raw := n.raw()
	if len(raw) == 0 || raw[0] != '[' {
		n.fail("not an array of byte values")
		return nil
	}
	x := n.d.x
	out := make([]byte, 0, min(limit, int(x.vals[n.at].next-n.at-1)))
	if len(raw) == 2 {
		return out
	}
	// The text is canonical: "[0,25,255]".
	v := 0
	for i, c := range raw[1:] {
		switch {
		case isDigit(c) && v <= 255:
			v = 10*v + int(c-'0')
			continue
		case c != ',' && c != ']' || v > 255 || !isDigit(raw[i]):
			n.fail("not an array of byte values")
			return nil
		case len(out) == limit:
			n.fail("more than %d bytes", limit)
			return nil
		}
		out = append(out, byte(v))
		v = 0
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

// hexDigits holds 16 and the value of each lower-case hex digit, 0 for all else.
var hexDigits = func() (t [256]byte) {
	for i, c := range []byte("0123456789abcdef") {
		t[c] = 16 | byte(i)
	}
	return t
}()

// appendHex appends the bytes that lower-case hex digits say; ok is false where the
// text is anything else.
func appendHex[T string | []byte](out []byte, s T) (_ []byte, ok bool) {
	good := byte(16)
	for i := 0; i+1 < len(s); i += 2 {
		hi, lo := hexDigits[s[i]], hexDigits[s[i+1]]
		good &= hi & lo
		out = append(out, hi<<4|lo&15)
	}
	return out, good != 0 && len(s)%2 == 0
}

// parsePubKey is channel.ParsePubKey for lower-case digits only; reason is ""
// where the key is good.
func parsePubKey[T string | []byte](s T) (key channel.PubKey, reason string) {
	var space [channel.PubKeySize]byte
	raw, ok := appendHex(space[:0], s)
	if !ok {
		return key, "not lower-case hex"
	}
	if len(raw) != channel.PubKeySize {
		return key, fmt.Sprintf("%s: %d hex digits, want %d", channel.ErrPubKey, len(s), 2*channel.PubKeySize)
	}
	key, err := channel.PubKeyFromBytes(raw)
	if err != nil {
		return key, err.Error()
	}
	return key, ""
}
