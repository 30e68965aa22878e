package peer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/channel"
)

// NodeKey is our node's identity. It has the method set of lnd's
// keychain.SingleKeyECDH, so that no private key enters this package.
type NodeKey interface {
	// PubKey is the node id.
	PubKey() *btcec.PublicKey
	// ECDH returns SHA256 of the compressed shared point (BOLT 8).
	ECDH(*btcec.PublicKey) ([32]byte, error)
}

// Config is what every session of one node has in common.
type Config struct {
	Key NodeKey
	// Proxy is lightningd's option proxy, "host:port" of a SOCKS5 proxy, or
	// empty. Onion addresses need it.
	Proxy string
	// AlwaysUseProxy is lightningd's option always-use-proxy: every connection
	// goes through Proxy and names are resolved by it. The proxy's own host must
	// then be an IP address or "localhost".
	AlwaysUseProxy bool
	// Timeouts that are zero take their value of DefaultTimeouts.
	Timeouts Timeouts
	// Log may be nil.
	Log logrus.FieldLogger
}

// Timeouts bound each step of a session. Over the proxy each is three times as
// long.
type Timeouts struct {
	// Dial is for TCP and SOCKS5, name lookup included.
	Dial time.Duration
	// Handshake is for BOLT 8.
	Handshake time.Duration
	// Init is for the peer's init message.
	Init time.Duration
	// Reestablish is for the peer's channel_reestablish after init. CLN and lnd
	// send it within 0.1 s.
	Reestablish time.Duration
	// Quiet is the silence after which Read takes the peer to have finished.
	Quiet time.Duration
	// Answer is for the peer's answer to our channel_reestablish.
	Answer time.Duration
	// Closing is for what the peer says after our error; the error is repeated
	// after a tenth of it, and then ever less often.
	Closing time.Duration
	// Write is for each message of ours.
	Write time.Duration
}

// DefaultTimeouts are the values that zero fields of Config.Timeouts take.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Dial:        15 * time.Second,
		Handshake:   10 * time.Second,
		Init:        10 * time.Second,
		Reestablish: 10 * time.Second,
		Quiet:       time.Second,
		Answer:      10 * time.Second,
		Closing:     3 * time.Second,
		Write:       10 * time.Second,
	}
}

// proxyFactor stretches every timeout of a session over the proxy.
const proxyFactor = 3

// fields lists the durations for the two operations on all of them.
func (t *Timeouts) fields() []*time.Duration {
	return []*time.Duration{
		&t.Dial, &t.Handshake, &t.Init, &t.Reestablish, &t.Quiet, &t.Answer, &t.Closing, &t.Write,
	}
}

func (t Timeouts) withDefaults() Timeouts {
	def := DefaultTimeouts()
	d := def.fields()
	for i, f := range t.fields() {
		if *f <= 0 {
			*f = *d[i]
		}
	}
	return t
}

func (t Timeouts) times(n time.Duration) Timeouts {
	for _, f := range t.fields() {
		*f *= n
	}
	return t
}

// Client opens sessions. It is safe for concurrent use; but sessions with one
// peer evict each other, so run one at a time per peer.
type Client struct {
	key      NodeKey
	dialer   dialer
	timeouts Timeouts
	log      logrus.FieldLogger
}

// ErrArgument is matched by the errors of New, Read and AskClose that blame
// what the caller gave.
var ErrArgument = errors.New("peer: argument cannot be used")

// New checks the configuration; it opens nothing. Errors match ErrArgument.
func New(cfg Config) (*Client, error) {
	if cfg.Key == nil || cfg.Key.PubKey() == nil {
		return nil, fmt.Errorf("%w: no node key", ErrArgument)
	}
	d := dialer{always: cfg.AlwaysUseProxy, direct: (&net.Dialer{}).DialContext}
	switch {
	case cfg.Proxy != "":
		proxy, err := ParseAddress(cfg.Proxy)
		if err != nil {
			return nil, fmt.Errorf("%w: proxy: %w", ErrArgument, err)
		}
		if proxy.Host == "localhost" {
			// Even this name would be a query to the system's resolver.
			proxy.Host = "127.0.0.1"
		}
		if proxy.Onion() || (cfg.AlwaysUseProxy && net.ParseIP(proxy.Host) == nil) {
			return nil, fmt.Errorf("%w: proxy: always-use-proxy needs the proxy's IP address", ErrArgument)
		}
		d.proxy = &proxy
	case cfg.AlwaysUseProxy:
		return nil, fmt.Errorf("%w: always-use-proxy without a proxy", ErrArgument)
	}
	log := cfg.Log
	if log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		log = silent
	}
	return &Client{key: cfg.Key, dialer: d, timeouts: cfg.Timeouts.withDefaults(), log: log}, nil
}

// Target is a peer and where to find it.
type Target struct {
	Node    channel.PubKey
	Address Address
}
