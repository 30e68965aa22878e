package peer

import (
	"context"
	"errors"
	"net"

	"golang.org/x/net/proxy"
)

// errNeedsProxy is what an onion address without a proxy gives.
var errNeedsProxy = errors.New("an onion address needs lightningd's option proxy")

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// ContextDialer lets dialFunc stand where x/net/proxy wants an interface.
func (f dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

func (f dialFunc) Dial(network, address string) (net.Conn, error) {
	return f(context.Background(), network, address)
}

// dialer decides as CLN's connectd does (connectd/connectd.c): onion addresses
// always go through the proxy, all others only with always-use-proxy.
type dialer struct {
	proxy  *Address
	always bool
	direct dialFunc
}

// proxied reports whether a goes through the proxy.
func (d *dialer) proxied(a Address) bool { return d.always || a.Onion() }

// dial opens a TCP connection. Through the proxy the name travels unresolved;
// direct then only ever sees the proxy's own IP address.
func (d *dialer) dial(ctx context.Context, a Address) (net.Conn, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	if !d.proxied(a) {
		return d.direct(ctx, "tcp", a.String())
	}
	if d.proxy == nil {
		return nil, errNeedsProxy
	}
	socks, err := proxy.SOCKS5("tcp", d.proxy.String(), nil, d.direct)
	if err != nil {
		return nil, err
	}
	return socks.(proxy.ContextDialer).DialContext(ctx, "tcp", a.String())
}
