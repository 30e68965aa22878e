package vlsstate

import (
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
	msg := make([]byte, 0, len(signingDomain)+1+4+len(e.Key)+8+4+len(e.Value))
	msg = append(msg, signingDomain...)
	msg = append(msg, 0)
	msg = binary.BigEndian.AppendUint32(msg, uint32(len(e.Key)))
	msg = append(msg, e.Key...)
	msg = binary.BigEndian.AppendUint64(msg, e.Version)
	msg = binary.BigEndian.AppendUint32(msg, uint32(len(e.Value)))
	msg = append(msg, e.Value...)
	return sha256.Sum256(msg)
}

// splitKey returns the kind and the rest of an entry's key.
func splitKey(key string) (kind Kind, rest string) {
	head, rest, _ := strings.Cut(key, "/")
	switch k := Kind(head); k {
	case KindNode, KindNodeState, KindAllowlist, KindTracker, KindPeer, KindChannel:
		return k, rest
	}
	return KindUnknown, ""
}

const inexact = "it holds a number that is no 64-bit integer: another tool has rewritten the file"

// parseEntry reads [version, value] or [version, value, signature]. A good
// entry with a number that is no 64-bit integer, or with an unusable
// signature, comes with a note.
func parseEntry(key string, raw []byte) (e Entry, note string, err *fieldError) {
	d := &decoder{}
	top := node{d: d, raw: raw}
	parts := top.array(3)
	if d.err == nil && len(parts) < 2 {
		top.fail("fewer than two elements")
	}
	if d.err != nil {
		return e, "", &fieldError{reason: "an entry is [version, value] or [version, value, signature]: " + d.err.reason}
	}
	e.Key = key
	e.Version = node{d: d, path: "version", raw: parts[0].raw}.uint(math.MaxUint64)
	if d.err != nil {
		return e, "", d.err
	}
	value, exact, canonErr := canonical(parts[1].raw)
	if canonErr != nil {
		return e, "", &fieldError{reason: canonErr.Error()}
	}
	e.Value = value
	if e.Tombstone() && string(value) != "null" {
		return e, "", &fieldError{reason: "the version of a deleted entry, but a value"}
	}
	if !exact {
		note = inexact
	}
	if len(parts) == 3 {
		sig := node{d: d, path: "signature", raw: parts[2].raw}.byteValues(SignatureSize)
		if d.err != nil || len(sig) != SignatureSize {
			e.BadSignature = true
			return e, "the signature is not 64 byte values; it was ignored", nil
		}
		e.Signature = sig
	}
	return e, note, nil
}
