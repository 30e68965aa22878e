package scbconv

import (
	"golang.org/x/crypto/cryptobyte"

	"github.com/glrecover/glrecover/channel"
)

// Record types of scb_tlvs (CLN common/scb_wire.csv).
const (
	tlvShachain   = 1
	tlvBasepoints = 3
	tlvOpener     = 5
	tlvDelay      = 7
)

func (t *TLVs) check() error {
	if t.Shachain != nil {
		if err := t.Shachain.check(); err != nil {
			return fieldError("shachain", "%s", err)
		}
	}
	if b := t.Basepoints; b != nil {
		for _, k := range b.fields() {
			if !k.key.OnCurve() {
				return fieldError(k.name, "not a point on the curve")
			}
		}
	}
	if t.Opener != nil && *t.Opener > channel.Remote {
		return fieldError("opener", "neither 0 (local) nor 1 (remote)")
	}
	return nil
}

type namedKey struct {
	name string
	key  *channel.PubKey
}

// fields lists the keys in wire order.
func (b *Basepoints) fields() [4]namedKey {
	return [4]namedKey{
		{"revocation_basepoint", &b.Revocation},
		{"payment_basepoint", &b.Payment},
		{"htlc_basepoint", &b.HTLC},
		{"delayed_payment_basepoint", &b.Delayed},
	}
}

func (t *TLVs) marshal() []byte {
	var b cryptobyte.Builder
	if t.Shachain != nil {
		addRecord(&b, tlvShachain, t.Shachain.marshal())
	}
	if t.Basepoints != nil {
		var keys []byte
		for _, k := range t.Basepoints.fields() {
			keys = append(keys, k.key[:]...)
		}
		addRecord(&b, tlvBasepoints, keys)
	}
	if t.Opener != nil {
		addRecord(&b, tlvOpener, []byte{byte(*t.Opener)})
	}
	if t.Delay != nil {
		addRecord(&b, tlvDelay, []byte{byte(*t.Delay >> 8), byte(*t.Delay)})
	}
	return b.BytesOrPanic()
}

func addRecord(b *cryptobyte.Builder, typ uint64, value []byte) {
	addBigSize(b, typ)
	addBigSize(b, uint64(len(value)))
	b.AddBytes(value)
}

// readTLVs reads records until s is empty. All types but the four are errors,
// odd ones too: CLN writes no other, and one that we dropped would make the
// decoder lossy.
func readTLVs(s cryptobyte.String) (*TLVs, error) {
	t := new(TLVs)
	last := uint64(0) // 0 is no known type
	for !s.Empty() {
		var (
			typ, size uint64
			value     cryptobyte.String
		)
		if !readBigSize(&s, &typ) {
			return nil, fieldError("tlvs", "record type cut short or not minimal")
		}
		if typ <= last {
			return nil, fieldError("tlvs", "record types do not increase")
		}
		last = typ
		if !readBigSize(&s, &size) {
			return nil, fieldError("tlvs", "record length cut short or not minimal")
		}
		if size > uint64(len(s)) || !s.ReadBytes((*[]byte)(&value), int(size)) {
			return nil, fieldError("tlvs", "record cut short")
		}
		if err := t.readRecord(typ, &value); err != nil {
			return nil, err
		}
		if !value.Empty() {
			return nil, fieldError("tlvs", "record %d is too long", typ)
		}
	}
	return t, nil
}

func (t *TLVs) readRecord(typ uint64, value *cryptobyte.String) error {
	switch typ {
	case tlvShachain:
		s, err := readShachain(value)
		if err != nil {
			return fieldError("shachain", "%s", err)
		}
		t.Shachain = s
	case tlvBasepoints:
		t.Basepoints = new(Basepoints)
		for _, k := range t.Basepoints.fields() {
			key, err := readKey(value, k.name)
			if err != nil {
				return err
			}
			*k.key = key
		}
	case tlvOpener:
		var side uint8
		if !value.ReadUint8(&side) {
			return fieldError("opener", "cut short")
		}
		opener := channel.Side(side)
		if opener > channel.Remote {
			return fieldError("opener", "neither 0 (local) nor 1 (remote)")
		}
		t.Opener = &opener
	case tlvDelay:
		t.Delay = new(uint16)
		if !value.ReadUint16(t.Delay) {
			return fieldError("remote_to_self_delay", "cut short")
		}
	default:
		return fieldError("tlvs", "unknown record type")
	}
	return nil
}

// addBigSize writes BOLT 1's BigSize in its only form.
func addBigSize(b *cryptobyte.Builder, v uint64) {
	switch {
	case v < 0xfd:
		b.AddUint8(uint8(v))
	case v <= 0xffff:
		b.AddUint8(0xfd)
		b.AddUint16(uint16(v))
	case v <= 0xffffffff:
		b.AddUint8(0xfe)
		b.AddUint32(uint32(v))
	default:
		b.AddUint8(0xff)
		b.AddUint64(v)
	}
}

// readBigSize refuses a number that is longer than it need be.
func readBigSize(s *cryptobyte.String, v *uint64) bool {
	var first uint8
	if !s.ReadUint8(&first) {
		return false
	}
	switch first {
	case 0xfd:
		var n uint16
		if !s.ReadUint16(&n) || n < 0xfd {
			return false
		}
		*v = uint64(n)
	case 0xfe:
		var n uint32
		if !s.ReadUint32(&n) || n <= 0xffff {
			return false
		}
		*v = uint64(n)
	case 0xff:
		var n uint64
		if !s.ReadUint64(&n) || n <= 0xffffffff {
			return false
		}
		*v = n
	default:
		*v = uint64(first)
	}
	return true
}
