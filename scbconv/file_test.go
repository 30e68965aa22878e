package scbconv

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"
)

// realFile makes the decrypted form of a real node's backup from its
// staticbackup.
func realFile(t testing.TB) (raw []byte, entries [][]byte) {
	t.Helper()
	text, err := os.ReadFile("../testdata/emergency_recover.json")
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		SCB []string `json:"scb"`
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	raw = binary.BigEndian.AppendUint16(raw, typeBackup)
	raw = binary.BigEndian.AppendUint64(raw, 1)
	raw = binary.BigEndian.AppendUint32(raw, 1795564424)
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(e.SCB)))
	for _, s := range e.SCB {
		entry, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
		raw = append(raw, entry...)
	}
	return raw, entries
}

func TestANodesOwnBackupIsReadEntryByEntry(t *testing.T) {
	raw, entries := realFile(t)
	f, err := DecodeFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	if f.Version != 1 || !f.Written.Equal(time.Unix(1795564424, 0)) || len(f.Entries) != len(entries) || len(entries) != 5 {
		t.Fatalf("version %d, written %s, %d entries", f.Version, f.Written, len(f.Entries))
	}
	for i, e := range f.Entries {
		if got, err := e.Encode(); err != nil || !bytes.Equal(got, entries[i]) {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	if got, err := f.Encode(); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("not the same bytes again: %v", err)
	}
	for n := range raw {
		if _, err := DecodeFile(raw[:n]); !errors.Is(err, ErrEntry) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := DecodeFile(append(bytes.Clone(raw), 0)); !errors.Is(err, ErrEntry) {
		t.Errorf("a byte too many: %v", err)
	}
}

func FuzzDecodeFile(f *testing.F) {
	raw, _ := realFile(f)
	f.Add(raw)
	f.Add(raw[:16])
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := DecodeFile(raw)
		if err != nil {
			return
		}
		again, err := file.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if len(file.Entries) > 0 && !bytes.Equal(again, raw) {
			t.Fatal("what was accepted is not encoded again to the same bytes")
		}
	})
}
