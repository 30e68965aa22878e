package scbconv

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"github.com/glrecover/glrecover/channel"
)

// DefaultPort is where a Lightning node listens unless it says another port
// (BOLT 1).
const DefaultPort = 9735

// NoAddressHelp says what helps where no address of a peer is known. It completes
// a sentence and has no full stop.
const NoAddressHelp = "connect this node to any well-connected node (lightning-cli connect ID@HOST): it brings gossip, which has the addresses " +
	"that peers announce; or name the peer's address with addresses=NODE_ID@HOST:PORT"

// ReadAddress reads an address of a peer as people have it: what ParseAddress
// reads, also with the peer's id before it ("02...@host:9735", which must be
// peer's), with a scheme such as tcp://, with blanks around it, and without a port,
// which is then DefaultPort. The error matches ErrAddress.
func ReadAddress(text string, peer channel.PubKey) (Address, error) {
	if id, rest, ok := strings.Cut(text, "@"); ok {
		named, err := channel.ParsePubKey(strings.TrimSpace(withoutScheme(id)))
		switch {
		case err != nil:
			return Address{}, fmt.Errorf("%w: the part before the @ is not a node id", ErrAddress)
		case named != peer:
			return Address{}, fmt.Errorf("%w: it is the address of another node, %s", ErrAddress, named)
		}
		text = rest
	}
	// Names of hosts are the same in capitals, and with the dot of the root.
	text = strings.ToLower(strings.TrimSuffix(withoutScheme(text), "/"))
	text = strings.Replace(strings.TrimSuffix(text, "."), ".:", ":", 1)
	if !hasPort(text) {
		text += ":" + strconv.Itoa(DefaultPort)
	}
	return ParseAddress(text)
}

// ReadPeerAddress reads "PEER=ADDRESS" and "PEER@ADDRESS".
func ReadPeerAddress(item string) (channel.PubKey, Address, error) {
	item = withoutScheme(item)
	id, text, ok := strings.Cut(item, "=")
	if !ok {
		id, text, ok = strings.Cut(item, "@")
	}
	if !ok {
		return channel.PubKey{}, Address{}, errors.New("a peer and its address are written NODE_ID@HOST:PORT")
	}
	peer, err := channel.ParsePubKey(strings.TrimSpace(id))
	if err != nil {
		return channel.PubKey{}, Address{}, err
	}
	a, err := ReadAddress(text, peer)
	return peer, a, err
}

// ReadPeerAddresses reads a list of what ReadPeerAddress reads, between commas,
// semicolons or blanks. A peer may be named once: an entry of an SCB holds one
// address.
func ReadPeerAddresses(list string) (map[channel.PubKey]Address, error) {
	out := map[channel.PubKey]Address{}
	for _, item := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) }) {
		peer, a, err := ReadPeerAddress(item)
		if err != nil {
			return nil, err
		}
		if _, twice := out[peer]; twice {
			return nil, errors.New("two addresses for one peer: an entry holds only one")
		}
		out[peer] = a
	}
	if len(out) == 0 {
		return nil, errors.New("the list has no address")
	}
	return out, nil
}

// withoutScheme takes blanks and a scheme off.
func withoutScheme(s string) string {
	s = strings.TrimSpace(s)
	for _, scheme := range []string{"tcp://", "ln://", "lightning://", "lightning:"} {
		if len(s) > len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			return s[len(scheme):]
		}
	}
	return s
}

// hasPort reports whether something stands in the place of a port.
func hasPort(s string) bool {
	if strings.HasPrefix(s, "[") {
		return strings.Contains(s, "]:")
	}
	return strings.Contains(s, ":") || s == ""
}

// called is where an inbound peer may listen: the host that it called from, at
// the default port. Its handshake proves that it is the peer. Loopback is where
// Tor's connections come from: there is nobody but ourselves.
func called(from Address) Address {
	ip, err := netip.ParseAddr(from.Host())
	if err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(from.Host(), "localhost") {
		return Address{}
	}
	from.port = DefaultPort
	return from
}
