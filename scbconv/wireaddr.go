package scbconv

import (
	"encoding/binary"
	"errors"

	"golang.org/x/crypto/cryptobyte"
)

// append writes a wireaddr: kind, for DNS the length, the bytes, the port.
func (a Address) append(b []byte) []byte {
	b = append(b, byte(a.kind))
	if a.kind == DNS {
		b = append(b, byte(len(a.host)))
	}
	b = append(b, a.host...)
	return binary.BigEndian.AppendUint16(b, a.port)
}

func readAddress(s *cryptobyte.String) (Address, error) {
	var (
		kind uint8
		size int
		host []byte
		a    Address
	)
	errShort := errors.New("cut short")
	if !s.ReadUint8(&kind) {
		return a, errShort
	}
	switch a.kind = Kind(kind); a.kind {
	case IPv4:
		size = 4
	case IPv6:
		size = 16
	case TorV3:
		size = onionSize
	case DNS:
		var n uint8
		if !s.ReadUint8(&n) {
			return a, errShort
		}
		size = int(n)
	case torV2:
		return a, errors.New("a Tor v2 address; Tor v2 no longer exists")
	default:
		return a, errors.New("unknown kind of address")
	}
	if !s.ReadBytes(&host, size) || !s.ReadUint16(&a.port) {
		return a, errShort
	}
	a.host = string(host)
	return a, a.check()
}
