package scbconv

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
	"golang.org/x/crypto/cryptobyte"

	"github.com/glrecover/glrecover/channel"
)

const (
	// MaxSize is the largest encoded entry, in bytes, that Decode looks at. The
	// largest possible one (a DNS name of 255 bytes, a full shachain) has 2,563.
	MaxSize = 4096
	// MaxChannelTypeSize is the longest channel type, in bytes; the feature bits
	// assigned so far need seven.
	MaxChannelTypeSize = 64
)

// The older form has CLN's internal kind of address at this offset, and only a
// wireaddr can follow (common/wireaddr.h ADDR_INTERNAL_WIREADDR). Read as
// today's form the same bytes are a Tor v3 address with a wrong checksum.
const (
	legacyAt      = 8 + 32 + channel.PubKeySize
	legacyAddress = 4
)

// ErrEntry is matched by every error of Decode, DecodeHex and Encode. The text
// names the field and never shows its content.
var ErrEntry = errors.New("not a static channel backup entry")

// Entry is one static channel backup entry. All integers are big endian on the
// wire.
type Entry struct {
	// DBID is the channel's number in lightningd's database. With the peer's
	// node id it determines every key of the channel.
	DBID      uint64
	ChannelID channel.ID
	// NodeID is the peer's.
	NodeID  channel.PubKey
	Address Address
	// Funding has its hash in internal byte order, as on the wire.
	Funding    wire.OutPoint
	FundingSat uint64
	// ChannelType is a feature bitmap (BOLT 2, bit 0 is the lowest bit of the
	// last byte). CLN writes no leading zero bytes, Greenlight does.
	ChannelType []byte
	// TLVs is nil in the older form (legacy_scb_chan), which CLN wrote before
	// v25.02 and which is in its documentation still: it has one more byte before
	// the address and ends after the channel type. Recoverchannel of today does
	// not read it.
	TLVs *TLVs
}

// TLVs are the records after the fixed part; nil means that the record is not
// there.
type TLVs struct {
	// Shachain is record 1: the peer's revealed per-commitment secrets.
	Shachain *Shachain
	// Basepoints is record 3: the peer's. Without it lightningd takes our own.
	Basepoints *Basepoints
	// Opener is record 5.
	Opener *channel.Side
	// Delay is record 7, in blocks. CLN writes it from one side's view and reads
	// it from the other's: what the reader needs is the delay that we impose on
	// the peer's to_local.
	Delay *uint16
}

// Basepoints are the four public keys of record 3, in wire order.
type Basepoints struct {
	Revocation channel.PubKey
	Payment    channel.PubKey
	HTLC       channel.PubKey
	Delayed    channel.PubKey
}

func fieldError(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrEntry, field, fmt.Sprintf(format, args...))
}

// Encode returns the entry's bytes. It refuses whatever Decode would refuse;
// the error matches ErrEntry. It does not check that an entry is fit for
// recoverchannel: Batch does.
func (e *Entry) Encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	var addr []byte
	if e.TLVs == nil {
		addr = append(addr, legacyAddress)
	}
	return e.marshal(e.Address.append(addr)), nil
}

// EncodeHex returns Encode's bytes as lower-case hex, the form of
// recoverchannel's parameter.
func (e *Entry) EncodeHex() (string, error) {
	raw, err := e.Encode()
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(raw), nil
}

// check is everything that Decode demands of the values.
func (e *Entry) check() error {
	if !e.NodeID.OnCurve() {
		return fieldError("node_id", "not a point on the curve")
	}
	if err := e.Address.check(); err != nil {
		return fieldError("addr", "%s", err)
	}
	if len(e.ChannelType) > MaxChannelTypeSize {
		return fieldError("channel_type", "%d bytes, at most %d", len(e.ChannelType), MaxChannelTypeSize)
	}
	if e.TLVs == nil {
		return nil
	}
	return e.TLVs.check()
}

// marshal writes the entry with an address that is already encoded; it checks
// nothing.
func (e *Entry) marshal(addr []byte) []byte {
	var b cryptobyte.Builder
	b.AddUint64(e.DBID)
	b.AddBytes(e.ChannelID[:])
	b.AddBytes(e.NodeID[:])
	b.AddBytes(addr)
	b.AddBytes(e.Funding.Hash[:])
	b.AddUint32(e.Funding.Index)
	b.AddUint64(e.FundingSat)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.ChannelType) })
	if e.TLVs != nil {
		tlvs := e.TLVs.marshal()
		b.AddUint32(uint32(len(tlvs)))
		b.AddBytes(tlvs)
	}
	return b.BytesOrPanic()
}

// DecodeHex reads the hex form. Upper-case digits are refused: no program
// writes them, and they would not come back the same.
func DecodeHex(s string) (*Entry, error) {
	if len(s) > 2*MaxSize {
		return nil, fieldError("length", "%d hex digits, at most %d", len(s), 2*MaxSize)
	}
	raw, err := hex.DecodeString(s)
	if err != nil || strings.ContainsAny(s, "ABCDEF") {
		return nil, fieldError("text", "not lower-case hex")
	}
	return Decode(raw)
}

// Decode reads one entry, of today's form or the older one, and nothing after
// it. The error matches ErrEntry and names the field.
func Decode(raw []byte) (*Entry, error) {
	if len(raw) > MaxSize {
		return nil, fieldError("length", "%d bytes, at most %d", len(raw), MaxSize)
	}
	e, err := decode(raw, false)
	if err != nil && len(raw) > legacyAt && raw[legacyAt] == legacyAddress {
		if old, errOld := decode(raw, true); errOld == nil {
			return old, nil
		}
	}
	return e, err
}

// decode reads one entry that fills raw.
func decode(raw []byte, legacy bool) (*Entry, error) {
	s := cryptobyte.String(raw)
	e, err := readEntry(&s, legacy)
	switch {
	case err != nil:
		return nil, err
	case legacy && !s.Empty():
		return nil, fieldError("length", "%d bytes too many", len(s))
	case !s.Empty():
		return nil, fieldError("tlvs", "%d bytes follow the last record", len(s))
	}
	return e, nil
}

// readEntry reads one entry and leaves what follows it.
func readEntry(s *cryptobyte.String, legacy bool) (*Entry, error) {
	var (
		e    Entry
		err  error
		hash chainhash.Hash
		typ  cryptobyte.String
	)
	if !s.ReadUint64(&e.DBID) {
		return nil, fieldError("dbid", "cut short")
	}
	if !s.CopyBytes(e.ChannelID[:]) {
		return nil, fieldError("channel_id", "cut short")
	}
	if e.NodeID, err = readKey(s, "node_id"); err != nil {
		return nil, err
	}
	if legacy {
		s.Skip(1)
	}
	if e.Address, err = readAddress(s); err != nil {
		return nil, fieldError("addr", "%s", err)
	}
	if !s.CopyBytes(hash[:]) || !s.ReadUint32(&e.Funding.Index) {
		return nil, fieldError("funding", "cut short")
	}
	e.Funding.Hash = hash
	if !s.ReadUint64(&e.FundingSat) {
		return nil, fieldError("funding_sats", "cut short")
	}
	if !s.ReadUint16LengthPrefixed(&typ) {
		return nil, fieldError("channel_type", "cut short")
	}
	if len(typ) > MaxChannelTypeSize {
		return nil, fieldError("channel_type", "%d bytes, at most %d", len(typ), MaxChannelTypeSize)
	}
	if len(typ) > 0 {
		e.ChannelType = append([]byte(nil), typ...)
	}
	if legacy {
		return &e, nil
	}
	var (
		size uint32
		tlvs []byte
	)
	if !s.ReadUint32(&size) || uint64(size) > uint64(len(*s)) || !s.ReadBytes(&tlvs, int(size)) {
		return nil, fieldError("tlvs", "cut short")
	}
	if e.TLVs, err = readTLVs(tlvs); err != nil {
		return nil, err
	}
	return &e, nil
}

func readKey(s *cryptobyte.String, field string) (channel.PubKey, error) {
	var raw []byte
	if !s.ReadBytes(&raw, channel.PubKeySize) {
		return channel.PubKey{}, fieldError(field, "cut short")
	}
	key, err := channel.PubKeyFromBytes(raw)
	if err != nil {
		return channel.PubKey{}, fieldError(field, "not a point on the curve")
	}
	return key, nil
}
