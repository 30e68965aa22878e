package peer

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/glrecover/glrecover/channel"
)

// socks is a SOCKS5 proxy (RFC 1928, no authentication) that connects every
// request to one place and writes down what it was asked for.
type socks struct {
	addr string
	mu   sync.Mutex
	asks []string // "name:port" or "ip:port", with the address type before it
}

func startSocks(t *testing.T, to string) *socks {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &socks{addr: l.Addr().String()}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(t, c, to)
		}
	}()
	return s
}

func (s *socks) serve(t *testing.T, c net.Conn, to string) {
	defer c.Close()
	head := make([]byte, 2)
	if _, err := io.ReadFull(c, head); err != nil {
		return
	}
	if _, err := io.ReadFull(c, make([]byte, head[1])); err != nil {
		return
	}
	_, _ = c.Write([]byte{5, 0})
	req := make([]byte, 4)
	if _, err := io.ReadFull(c, req); err != nil {
		return
	}
	var host string
	switch req[3] {
	case 1, 4:
		ip := make([]byte, map[byte]int{1: 4, 4: 16}[req[3]])
		_, _ = io.ReadFull(c, ip)
		host = "ip " + net.IP(ip).String()
	case 3:
		n := make([]byte, 1)
		_, _ = io.ReadFull(c, n)
		name := make([]byte, n[0])
		_, _ = io.ReadFull(c, name)
		host = "name " + string(name)
	default:
		t.Errorf("address type %d", req[3])
	}
	port := make([]byte, 2)
	if _, err := io.ReadFull(c, port); err != nil {
		return
	}
	s.mu.Lock()
	s.asks = append(s.asks, host+" "+strconv.Itoa(int(binary.BigEndian.Uint16(port))))
	s.mu.Unlock()
	up, err := net.Dial("tcp", to)
	if err != nil {
		_, _ = c.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	defer up.Close()
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() { _, _ = io.Copy(up, c); _ = up.Close() }()
	_, _ = io.Copy(c, up)
}

func (s *socks) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asks...)
}

// watchNetwork records every direct dial of c and every query to the system's
// resolver.
func watchNetwork(t *testing.T, c *Client) (dials, queries func() []string) {
	t.Helper()
	var mu sync.Mutex
	var dialled, queried []string
	direct := c.dialer.direct
	c.dialer.direct = func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		dialled = append(dialled, address)
		mu.Unlock()
		return direct(ctx, network, address)
	}
	old := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = old })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		queried = append(queried, address)
		return nil, errors.New("no resolver in this test")
	}}
	copyOf := func(s *[]string) func() []string {
		return func() []string {
			mu.Lock()
			defer mu.Unlock()
			return append([]string(nil), *s...)
		}
	}
	return copyOf(&dialled), copyOf(&queried)
}

const onionHost = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"

func TestWithAlwaysUseProxyNothingGoesAroundIt(t *testing.T) {
	st := perform(t, func(a *actor) { a.init(); a.send(reestablish(chanA, 1, 0)); a.drain() })
	for _, tc := range []struct{ host, asked string }{
		{"127.0.0.1", "ip 127.0.0.1 9735"},
		{"203.0.113.9", "ip 203.0.113.9 9735"},
		{"2001:db8::9", "ip 2001:db8::9 9735"},
		{"node.example.com", "name node.example.com 9735"},
		{"localhost", "name localhost 9735"},
		{onionHost, "name " + onionHost + " 9735"},
	} {
		for _, proxyHost := range []string{"127.0.0.1", "localhost"} {
			t.Run(tc.host+" by "+proxyHost, func(t *testing.T) {
				proxy := startSocks(t, st.target.Address.String())
				_, port, _ := net.SplitHostPort(proxy.addr)
				c := client(t, func(c *Config) { c.Proxy = net.JoinHostPort(proxyHost, port); c.AlwaysUseProxy = true })
				dials, queries := watchNetwork(t, c)
				n, err := c.Read(testCtx(t), Target{Node: st.target.Node, Address: Address{Host: tc.host, Port: 9735}}, chanA)
				if err != nil || n.Result != Read || len(n.Channels) != 1 {
					t.Fatalf("%+v, %v", n, err)
				}
				if got := proxy.asked(); len(got) != 1 || got[0] != tc.asked {
					t.Errorf("the proxy was asked for %q, want %q", got, tc.asked)
				}
				if got := dials(); len(got) != 1 || got[0] != proxy.addr {
					t.Errorf("dialled %q, want only the proxy", got)
				}
				if got := queries(); len(got) != 0 {
					t.Errorf("asked the system's resolver: %q", got)
				}
			})
		}
	}
}

func TestWithoutAlwaysUseProxyOnlyOnionsGoThroughIt(t *testing.T) {
	st := perform(t, func(a *actor) { a.init(); a.send(reestablish(chanA, 1, 0)); a.drain() })
	proxy := startSocks(t, st.target.Address.String())
	c := client(t, func(c *Config) { c.Proxy = proxy.addr })
	dials, queries := watchNetwork(t, c)

	n, err := c.Read(testCtx(t), st.target, chanA)
	if err != nil || n.Result != Read || len(proxy.asked()) != 0 || len(dials()) != 1 {
		t.Errorf("clearnet: %v, %v, proxy asked for %q, dialled %q", n.Result, err, proxy.asked(), dials())
	}
	n, err = c.Read(testCtx(t), Target{Node: st.target.Node, Address: Address{Host: onionHost, Port: 9735}}, chanA)
	if err != nil || n.Result != Read || len(proxy.asked()) != 1 || len(queries()) != 0 {
		t.Errorf("onion: %v, %v, proxy asked for %q, queries %q", n.Result, err, proxy.asked(), queries())
	}
	n, err = c.Read(testCtx(t), Target{Node: st.target.Node, Address: Address{Host: "no-such-host.example.com", Port: 9735}})
	if err != nil || n.Result != Unreachable || len(queries()) == 0 {
		t.Errorf("a name without proxy goes to the resolver: %v, %v, queries %q", n.Result, err, queries())
	}
}

func TestAProxyThatRefusesIsUnreachableAndNothingElseIsTried(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	st := perform(t, func(a *actor) { t.Error("reached around the proxy") })
	proxy := startSocks(t, closed.Addr().String())
	for name, addr := range map[string]string{"it refuses": proxy.addr, "it is not there": closed.Addr().String()} {
		c := client(t, func(c *Config) { c.Proxy = addr; c.AlwaysUseProxy = true })
		dials, _ := watchNetwork(t, c)
		n, err := c.Read(testCtx(t), st.target)
		if err != nil || n.Result != Unreachable || n.Reason == "" {
			t.Errorf("%s: %v, %v", name, n.Result, err)
		}
		if got := dials(); len(got) != 1 || got[0] != addr {
			t.Errorf("%s: dialled %q", name, got)
		}
	}
}

func TestAnOnionWithoutProxyIsUnreachableAndSaysWhatIsMissing(t *testing.T) {
	c := client(t)
	dials, queries := watchNetwork(t, c)
	n, err := c.Read(testCtx(t), Target{Node: channel.PubKeyOf(theirKey.PubKey()), Address: Address{Host: onionHost, Port: 9735}})
	if err != nil || n.Result != Unreachable || !strings.Contains(n.Reason, "proxy") || len(dials())+len(queries()) != 0 {
		t.Errorf("%+v, %v, dialled %q, queried %q", n, err, dials(), queries())
	}
}

func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 on this machine")
	}
	t.Cleanup(func() { _ = l.Close() })
	st := perform(t, func(a *actor) { a.init(); a.send(reestablish(chanA, 1, 0)); a.drain() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", st.target.Address.String())
			if err != nil {
				_ = c.Close()
				return
			}
			go func() { _, _ = io.Copy(up, c); _ = up.Close() }()
			go func() { _, _ = io.Copy(c, up); _ = c.Close() }()
		}
	}()
	n, err := client(t).Read(testCtx(t), Target{Node: st.target.Node, Address: addressOf(t, l.Addr())}, chanA)
	if err != nil || n.Result != Read || len(n.Channels) != 1 {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestNewRefusesConfigurationsThatWouldLeak(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no key":                        {},
		"always-use-proxy, no proxy":    {Key: ourKey, AlwaysUseProxy: true},
		"a proxy that needs a resolver": {Key: ourKey, Proxy: "proxy.example.com:9050", AlwaysUseProxy: true},
		"a proxy without a port":        {Key: ourKey, Proxy: "127.0.0.1"},
		"an onion as proxy":             {Key: ourKey, Proxy: onionHost + ":9050"},
	} {
		if _, err := New(cfg); !errors.Is(err, ErrArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Config{Key: ourKey, Proxy: "[::1]:9050", AlwaysUseProxy: true}); err != nil {
		t.Error(err)
	}
}

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]Address{
		"127.0.0.1:9735":        {"127.0.0.1", 9735},
		"[2001:db8::1]:1":       {"2001:db8::1", 1},
		"Node.Example.com:9735": {"node.example.com", 9735},
		onionHost + ":9735":     {onionHost, 9735},
	} {
		got, err := ParseAddress(in)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", ":", ":9735", "host", "host:", "host:0", "host:65536", "host:09735", "host:-1", "host:+1", "host:x",
		"2001:db8::1:9735", "[fe80::1%eth0]:9735", "a b:9735", "a/b:9735", "expyuzz4wqqyqhjn.onion:9735",
		strings.Repeat("a", 256) + ":9735", "h\x00st:9735",
	} {
		if a, err := ParseAddress(in); !errors.Is(err, ErrAddress) {
			t.Errorf("%q is taken as %v", in, a)
		} else if in != "" && len(in) > 12 && strings.Contains(err.Error(), in) {
			t.Errorf("echoes its input: %v", err)
		}
	}
}
