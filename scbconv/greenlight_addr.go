package scbconv

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// greenlightAddress encodes an address as gl-client does, which is laxer than
// ParseAddress: any bytes are a host name, port 0 is a port, and the checksum of
// an onion address is not looked at. The errors are gl-client's own.
func greenlightAddress(addr string) ([]byte, error) {
	if b, ok := greenlightSocketAddr(addr); ok {
		return b, nil
	}
	colon := strings.LastIndexByte(addr, ':')
	if colon < 0 {
		return nil, fmt.Errorf("peer address %s is missing port", addr)
	}
	host := addr[:colon]
	// A Rust number may begin with a plus sign, a Go one may not.
	port, err := strconv.ParseUint(strings.TrimPrefix(addr[colon+1:], "+"), 10, 16)
	if err != nil {
		return nil, fmt.Errorf("invalid peer address port in %s", addr)
	}
	if strings.Contains(host, ":") {
		return nil, fmt.Errorf("IPv6 peer address %s must use [addr]:port form", addr)
	}
	if name, isOnion := strings.CutSuffix(host, onionSuffix); isOnion {
		raw, err := onionEncoding.DecodeString(strings.ToLower(name))
		if err != nil || len(name) != onionText || len(raw) != onionSize {
			return nil, fmt.Errorf("invalid Tor v3 peer address %s", addr)
		}
		return binary.BigEndian.AppendUint16(append([]byte{byte(TorV3)}, raw...), uint16(port)), nil
	}
	if host == "" || len(host) > 255 {
		return nil, fmt.Errorf("DNS peer address host length is invalid in %s", addr)
	}
	b := append([]byte{byte(DNS), byte(len(host))}, host...)
	return binary.BigEndian.AppendUint16(b, uint16(port)), nil
}

// greenlightSocketAddr is Rust's SocketAddr: an IPv6 scope is a number, and is
// dropped.
func greenlightSocketAddr(addr string) ([]byte, bool) {
	if zone := strings.IndexByte(addr, '%'); zone >= 0 {
		end := strings.IndexByte(addr, ']')
		if end < zone {
			return nil, false
		}
		if _, err := strconv.ParseUint(addr[zone+1:end], 10, 32); err != nil {
			return nil, false
		}
		addr = addr[:zone] + addr[end:]
	}
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, false
	}
	kind, raw := IPv6, ap.Addr().AsSlice()
	if ap.Addr().Is4() {
		kind = IPv4
	}
	return binary.BigEndian.AppendUint16(append([]byte{byte(kind)}, raw...), ap.Port()), true
}
