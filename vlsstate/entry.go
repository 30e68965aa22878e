package vlsstate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"
)

// TombstoneVersion is the version of a deleted entry (gl-client persist.rs).
const TombstoneVersion uint64 = math.MaxUint64

// SignatureSize is the length of an entry's signature: compact ECDSA, r then
// s, big endian.
const SignatureSize = 64

// signingDomain separates these signatures from all others (gl-client 0.7.0).
const signingDomain = "greenlight/state-signing/v1"

// Entry is one versioned value of the signer's state as it stands in the file.
type Entry struct {
	Key     string
	Version uint64
	// Value is the value's JSON in canonical form: names sorted, no spaces;
	// empty where a vlsd store deleted the key.
	Value []byte
	// Signature is nil where the entry carries none, else SignatureSize bytes.
	Signature []byte
	// BadSignature is set where something else than a signature stands in its
	// place; Signature is nil then.
	BadSignature bool
}

// Tombstone reports whether the entry says that its key was deleted: the
// Greenlight signer gives it the highest version, a vlsd store the next
// version and no value.
func (e *Entry) Tombstone() bool { return e.Version == TombstoneVersion || len(e.Value) == 0 }

// Kind is the part of the key before the first slash.
func (e *Entry) Kind() Kind { k, _ := splitKey(e.Key); return k }

// SigningDigest is what an entry's signature signs:
// SHA256(domain || 0 || u32 len(key) || key || u64 version || u32 len(value)
// || value), integers big endian.
func SigningDigest(e *Entry) [32]byte {
	head := make([]byte, 0, len(signingDomain)+1+4+len(e.Key)+8+4)
	head = append(head, signingDomain...)
	head = append(head, 0)
	head = binary.BigEndian.AppendUint32(head, uint32(len(e.Key)))
	head = append(head, e.Key...)
	head = binary.BigEndian.AppendUint64(head, e.Version)
	head = binary.BigEndian.AppendUint32(head, uint32(len(e.Value)))
	h := sha256.New()
	h.Write(head)
	h.Write(e.Value)
	return [32]byte(h.Sum(head[:0]))
}

// splitKey returns the kind and the rest of an entry's key.
func splitKey(key string) (kind Kind, rest string) {
	head, rest, _ := strings.Cut(key, "/")
	switch k := Kind(head); k {
	case KindNode, KindNodeState, KindAllowlist, KindTracker, KindPeer, KindChannel, KindSplice, KindOlder:
		return k, rest
	}
	return KindUnknown, ""
}

const inexact = "it holds a number that is not a 64-bit integer: another tool has rewritten the file"

// parse reads [version, value] or [version, value, signature] and returns the
// value. A good entry with a number that is no 64-bit integer, or with an
// unusable signature, comes with a note.
func (p *part) parse(x *index) node {
	d := &decoder{x: x}
	top := node{d, 0}
	parts := top.array(3)
	if d.err == nil && len(parts) < 2 {
		top.fail("fewer than two elements")
	}
	if d.err != nil {
		p.err = &fieldError{reason: "an entry is [version, value] or [version, value, signature]: " + d.err.reason}
		return top
	}
	p.Version = parts[0].uint(math.MaxUint64)
	if d.err != nil {
		p.err = &fieldError{"version", d.err.reason}
		return top
	}
	value := node{&decoder{x: x, root: parts[1].at}, parts[1].at}
	p.Value = bytes.Clone(value.raw())
	if p.Tombstone() && string(p.Value) != "null" {
		p.err = &fieldError{reason: "has the version of a deleted entry, but also a value"}
		return top
	}
	if x.odd && !allIntegers(p.Value) {
		p.note = inexact
	}
	if len(parts) == 3 {
		sig := parts[2].byteValues(SignatureSize)
		if d.err != nil || len(sig) != SignatureSize {
			p.BadSignature, p.note = true, "the signature is not 64 byte values; it was ignored"
			return value
		}
		p.Signature = sig
	}
	return value
}
