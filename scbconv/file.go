package scbconv

import (
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// Message types of a CLN node's own backup (common/scb_wire.csv).
const (
	typeLegacyBackup = 6135
	typeBackup       = 6137
)

// MaxFile is the largest decrypted backup in bytes that DecodeFile looks at.
const MaxFile = 1 << 20

// File is what a CLN node keeps in emergency.recover and gives its peers, after
// decryption.
type File struct {
	// Version is 1 so far.
	Version uint64
	// Written is in seconds resolution.
	Written time.Time
	Entries []*Entry
}

// DecodeFile reads a decrypted backup (static_chan_backup_with_tlvs, or the
// older static_chan_backup) and nothing after it. The error matches ErrEntry.
func DecodeFile(raw []byte) (*File, error) {
	if len(raw) > MaxFile {
		return nil, fieldError("length", "%d bytes, at most %d", len(raw), MaxFile)
	}
	s := cryptobyte.String(raw)
	var (
		typ, count uint16
		f          File
		seconds    uint32
	)
	if !s.ReadUint16(&typ) || (typ != typeBackup && typ != typeLegacyBackup) {
		return nil, fieldError("type", "not a channel backup of CLN")
	}
	if !s.ReadUint64(&f.Version) || !s.ReadUint32(&seconds) || !s.ReadUint16(&count) {
		return nil, fieldError("header", "cut short")
	}
	f.Written = time.Unix(int64(seconds), 0).UTC()
	for range count {
		e, err := readEntry(&s, typ == typeLegacyBackup)
		if err != nil {
			return nil, err
		}
		f.Entries = append(f.Entries, e)
	}
	if !s.Empty() {
		return nil, fieldError("length", "%d bytes too many", len(s))
	}
	return &f, nil
}

// Encode is the inverse of DecodeFile. The error is the first entry's.
func (f *File) Encode() ([]byte, error) {
	var b cryptobyte.Builder
	typ := uint16(typeBackup)
	if len(f.Entries) > 0 && f.Entries[0].TLVs == nil {
		typ = typeLegacyBackup
	}
	b.AddUint16(typ)
	b.AddUint64(f.Version)
	b.AddUint32(uint32(f.Written.Unix()))
	b.AddUint16(uint16(len(f.Entries)))
	for _, e := range f.Entries {
		raw, err := e.Encode()
		if err != nil {
			return nil, err
		}
		b.AddBytes(raw)
	}
	return b.Bytes()
}
