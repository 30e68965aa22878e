package vlsstate

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/glrecover/glrecover/failure"
)

// Encode writes the backup file as the Greenlight signer writes it (gl-client
// write_snapshot: serde_json's pretty form, two spaces, a newline at the end).
// It takes CreatedAt, NodeID, Strategy and Entries; tombstones are left out.
// Reading a genuine file and encoding it gives the same bytes.
//
// The error has the name invalid_parameter where one of the four is missing,
// backup_too_large where Parse would refuse the result.
func Encode(b *Backup) ([]byte, error) {
	var out bytes.Buffer
	err := EncodeTo(&out, b)
	return out.Bytes(), err
}

// EncodeTo is Encode, entry by entry; an error of w is returned as it is.
func EncodeTo(w io.Writer, b *Backup) error {
	switch {
	case b.CreatedAt.IsZero():
		return failure.New(failure.InvalidParameter, "", "a backup needs its creation time")
	case b.NodeID.IsZero():
		return failure.New(failure.InvalidParameter, "", "a backup needs its node id")
	}
	strategy, err := b.Strategy.encode()
	if err != nil {
		return err
	}
	out := []byte("{\n")
	out = appendField(out, "version", strconv.AppendInt(nil, Version, 10))
	out = append(out, ",\n"...)
	out = appendField(out, "created_at", appendString(nil, b.CreatedAt.UTC().Format(time.RFC3339Nano)))
	out = append(out, ",\n"...)
	out = appendField(out, "node_id", appendString(nil, b.NodeID.String()))
	out = append(out, ",\n"...)
	out = appendField(out, "strategy", strategy)
	out = append(out, ",\n"+`  "state": {`+"\n"+`    "values": {`...)
	first, size := true, int64(0)
	for i := range b.Entries {
		e := &b.Entries[i]
		if e.Tombstone() {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, "\n      "...)
		out = append(appendString(out, e.Key), ": "...)
		out = appendPretty(out, e.encode(), 3)
		if size += int64(len(out)); size > MaxSize {
			return tooLarge()
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
		out = out[:0]
	}
	if !first {
		out = append(out, "\n    "...)
	}
	_, err = w.Write(append(out, "}\n  }\n}\n"...))
	return err
}

func appendField(out []byte, name string, canonical []byte) []byte {
	out = append(out, "  "...)
	out = append(appendString(out, name), ": "...)
	return appendPretty(out, canonical, 1)
}

func (s Strategy) encode() ([]byte, error) {
	switch {
	case s.Kind == Never && s.Updates == 0, s.Kind == NewChannelsOnly && s.Updates == 0:
		return appendString(nil, s.String()), nil
	case s.Kind == UnknownStrategy:
		// What no signer wrote, no schedule wrote.
		return appendString(nil, Strategy{}.String()), nil
	case s.Kind == Periodic && s.Updates > 0:
		return fmt.Appendf(nil, `{"periodic":{"updates":%d}}`, s.Updates), nil
	}
	return nil, failure.New(failure.InvalidParameter,
		"Give never, new_channels_only, or periodic with at least 1 update", "the strategy is %s", s)
}

// encode returns the entry as compact JSON.
func (e *Entry) encode() []byte {
	out := append([]byte{'['}, strconv.FormatUint(e.Version, 10)...)
	out = append(append(out, ','), e.Value...)
	switch {
	case e.BadSignature:
		// A broken signature stays broken: without it, the entry would pass for
		// one that was never signed.
		out = append(out, ",[]"...)
	case len(e.Signature) > 0:
		out = append(out, ",["...)
		for i, b := range e.Signature {
			if i > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendUint(out, uint64(b), 10)
		}
		out = append(out, ']')
	}
	return append(out, ']')
}

// appendPretty appends compact JSON in serde_json's pretty form, as the value
// of a member at the given level of indentation.
func appendPretty(out, compact []byte, level int) []byte {
	newline := func(level int) { out = append(append(out, '\n'), bytes.Repeat([]byte("  "), level)...) }
	for i := 0; i < len(compact); i++ {
		switch c := compact[i]; c {
		case '{', '[':
			out = append(out, c)
			if compact[i+1] == c+2 { // the closing one, two after it in ASCII
				out = append(out, c+2)
				i++
				continue
			}
			level++
			newline(level)
		case '}', ']':
			level--
			newline(level)
			out = append(out, c)
		case ',':
			out = append(out, c)
			newline(level)
		case ':':
			out = append(out, ": "...)
		case '"':
			end := endOfString(compact, i)
			out = append(out, compact[i:end]...)
			i = end - 1
		default:
			out = append(out, c)
		}
	}
	return out
}
