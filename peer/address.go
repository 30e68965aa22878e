package peer

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ErrAddress is matched by every error of ParseAddress.
var ErrAddress = errors.New("not a host:port address")

// Address is where a node or a proxy listens.
type Address struct {
	// Host is an IPv4 or IPv6 address without brackets, an .onion name (Tor
	// v3), or a DNS name; lower case.
	Host string
	Port uint16
}

// maxHost is the longest name that SOCKS5 can carry (RFC 1928).
const maxHost = 255

// onionV3 is the length of a Tor v3 name without its suffix: 56 base32 digits.
const onionV3 = 56

const onionSuffix = ".onion"

// ParseAddress reads "host:port" as CLN writes it; IPv6 stands in brackets. The
// port is required. Errors match ErrAddress and do not echo the input.
func ParseAddress(s string) (Address, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return Address{}, fmt.Errorf("%w: host or port is missing", ErrAddress)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return Address{}, fmt.Errorf("%w: the port is not a number from 1 to 65535", ErrAddress)
	}
	a := Address{Host: strings.ToLower(host), Port: uint16(n)}
	return a, a.check()
}

// check holds for every Address that may be dialled: one built by hand passes
// the same gate as a parsed one.
func (a Address) check() error {
	if a.Port == 0 {
		return fmt.Errorf("%w: no port", ErrAddress)
	}
	if len(a.Host) == 0 || len(a.Host) > maxHost {
		return fmt.Errorf("%w: host of %d bytes", ErrAddress, len(a.Host))
	}
	if ip, err := netip.ParseAddr(a.Host); err == nil {
		if ip.Zone() != "" {
			return fmt.Errorf("%w: an address with a zone is meaningless on another machine", ErrAddress)
		}
		return nil
	}
	for _, c := range []byte(a.Host) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return fmt.Errorf("%w: the host is neither an IP address nor a name", ErrAddress)
		}
	}
	if a.Onion() && len(a.Host) != onionV3+len(onionSuffix) {
		return fmt.Errorf("%w: not a Tor v3 name", ErrAddress)
	}
	return nil
}

// Onion reports whether only Tor can reach the address.
func (a Address) Onion() bool { return strings.HasSuffix(a.Host, onionSuffix) }

// String returns "host:port", with brackets around IPv6.
func (a Address) String() string {
	return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}
