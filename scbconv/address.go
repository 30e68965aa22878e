package scbconv

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Kind is the type byte of a wireaddr (BOLT 7 address descriptors; CLN
// common/wireaddr.h).
type Kind uint8

// Address kinds. Number 3, Tor v2, no longer exists on the network and is
// refused everywhere.
const (
	IPv4  Kind = 1
	IPv6  Kind = 2
	torV2 Kind = 3
	TorV3 Kind = 4
	DNS   Kind = 5
)

// String returns the name that CLN's listnodes gives the kind.
func (k Kind) String() string {
	switch k {
	case IPv4:
		return "ipv4"
	case IPv6:
		return "ipv6"
	case TorV3:
		return "torv3"
	case DNS:
		return "dns"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ErrAddress is matched by every error of ParseAddress.
var ErrAddress = errors.New("not an address of a Lightning node")

// MaxAddressText is the longest text, in bytes, that ParseAddress looks at: a
// DNS name of 255 bytes, a colon and a port.
const MaxAddressText = 255 + 1 + 5

// Address is a place where lightningd can dial a peer. It is comparable; the
// zero value is no address.
type Address struct {
	kind Kind
	// host is 4 or 16 raw bytes, the 35 raw bytes of an onion address, or a DNS
	// name.
	host string
	port uint16
}

// Placeholder is the address for a peer of which none is known: an SCB entry
// cannot be without one. Dialled by lightningd it never leaves the machine and
// is refused at once (loopback, and port 1 needs privileges to listen on); a
// Tor proxy refuses it too. lightningd goes on to try the addresses that gossip
// has of the peer, and "connect" with a real address replaces it.
var Placeholder = Address{kind: IPv4, host: "\x7f\x00\x00\x01", port: 1}

// ParseAddress reads "1.2.3.4:9735", "[2001:db8::1]:9735", "name.example:9735"
// or "<56 letters and digits>.onion:9735". The port is always needed, in
// decimal without sign or leading zeros, 1 to 65535. Names are not resolved;
// IPv6 zones, 0.0.0.0 and [::], multicast, broadcast and reserved addresses, Tor v2
// and onion addresses with a wrong checksum are refused, and so is a name whose last label is a number: it is a mistyped IP
// address. The error matches ErrAddress.
func ParseAddress(s string) (Address, error) {
	a, err := parseAddress(s)
	if err != nil {
		return Address{}, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	return a, nil
}

func parseAddress(s string) (Address, error) {
	if len(s) > MaxAddressText {
		return Address{}, fmt.Errorf("longer than %d bytes", MaxAddressText)
	}
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 {
		return Address{}, errors.New("the port is missing, as in example.com:9735")
	}
	host := s[:colon]
	port, err := parsePort(s[colon+1:])
	if err != nil {
		return Address{}, err
	}
	a := Address{port: port}
	inner, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		switch {
		case !bracketed || err != nil || !ip.Is6():
			return Address{}, errors.New("there is no IPv6 address in the brackets")
		case ip.Zone() != "":
			return Address{}, errors.New("an IPv6 zone is meaningless on another machine")
		}
		if err := checkIP(ip.Unmap()); err != nil {
			return Address{}, err
		}
		raw := ip.As16()
		a.kind, a.host = IPv6, string(raw[:])
		return a, nil
	}
	if strings.ContainsRune(host, ':') {
		return Address{}, errors.New("an IPv6 address needs brackets, as in [2001:db8::1]:9735")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if err := checkIP(ip); err != nil {
			return Address{}, err
		}
		raw := ip.As4()
		a.kind, a.host = IPv4, string(raw[:])
		return a, nil
	}
	if name, isOnion := cutOnion(host); isOnion {
		a.kind = TorV3
		if a.host, err = decodeOnion(name); err != nil {
			return Address{}, err
		}
		return a, nil
	}
	a.kind, a.host = DNS, host
	return a, a.check()
}

// checkIP refuses addresses at which no one machine can be dialled: 0.0.0.0 and
// [::], multicast (RFC 5771, RFC 4291), and the reserved block with the broadcast
// address (RFC 1112).
func checkIP(ip netip.Addr) error {
	switch {
	case ip.IsUnspecified():
		return errors.New("0.0.0.0 and [::] say where a program listens, not where it can be reached")
	case ip.IsMulticast(), ip.Is4() && ip.As4()[0] >= 240:
		return errors.New("a multicast, broadcast or reserved address is not that of one machine")
	}
	return nil
}

func parsePort(s string) (uint16, error) {
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil || port == 0 || s[0] == '0' {
		return 0, errors.New("the port is not a number from 1 to 65535")
	}
	return uint16(port), nil
}

// check is what ParseAddress and the decoder have in common.
func (a Address) check() error {
	if a.port == 0 {
		return errors.New("port 0")
	}
	switch want := map[Kind]int{IPv4: 4, IPv6: 16, TorV3: onionSize}[a.kind]; {
	case a.kind == DNS:
		return checkName(a.host)
	case want == 0:
		return errors.New("no address")
	case len(a.host) != want:
		return fmt.Errorf("%d bytes, want %d", len(a.host), want)
	}
	if a.kind == TorV3 {
		return checkOnion(a.host)
	}
	return nil
}

// checkName applies the rules of host names (RFC 1123), with an underscore
// allowed in the first label as CLN does, and length as in BOLT 7.
func checkName(name string) error {
	if name == "" || len(name) > 255 {
		return errors.New("a host name has 1 to 255 bytes")
	}
	if _, isOnion := cutOnion(name); isOnion {
		return errors.New("an onion address is not a host name")
	}
	labels := strings.Split(name, ".")
	for i, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return errors.New("not a host name: a part is empty, too long, or has a hyphen at an end")
		}
		for _, c := range []byte(label) {
			letter := c|0x20 >= 'a' && c|0x20 <= 'z'
			if !letter && !digit(c) && c != '-' && (c != '_' || i > 0) {
				return errors.New("not a host name: only letters, digits and hyphens")
			}
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return errors.New("neither an IP address nor a host name")
	}
	return nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// Kind returns the address kind; 0 for the zero value.
func (a Address) Kind() Kind { return a.kind }

// Port returns the TCP port.
func (a Address) Port() uint16 { return a.port }

// IsZero reports whether a is no address.
func (a Address) IsZero() bool { return a == Address{} }

// Host returns the address without its port and, for IPv6, without brackets.
func (a Address) Host() string {
	switch a.kind {
	case IPv4, IPv6:
		ip, _ := netip.AddrFromSlice([]byte(a.host))
		return ip.String()
	case TorV3:
		return encodeOnion(a.host)
	}
	return a.host
}

// String returns the form that ParseAddress reads, "" for the zero value. IPv6
// is in the form of RFC 5952, onion addresses are lower-case.
func (a Address) String() string {
	switch a.kind {
	case 0:
		return ""
	case IPv6:
		return "[" + a.Host() + "]:" + strconv.Itoa(int(a.port))
	}
	return a.Host() + ":" + strconv.Itoa(int(a.port))
}

// MarshalText returns String.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAddress reads.
func (a *Address) UnmarshalText(text []byte) error {
	parsed, err := ParseAddress(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}
