package esplora

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"github.com/glrecover/glrecover/chain"
)

// Client asks one server. It implements chain.Source and chain.Sifter. Its methods
// may be called from several goroutines.
type Client struct {
	base    string // without the last slash
	host    string
	network string
	proxy   bool
	// plain says that nothing is encrypted on the way to another machine.
	plain bool
	http  *http.Client
	// slots bound how many requests are under way at once.
	slots chan struct{}

	mu sync.Mutex
	// histories are what was answered of scripts.
	histories map[string]*history
}

// Options say where the server is.
type Options struct {
	// URL is its interface, such as https://blockstream.info/api.
	URL string
	// Network is lightningd's name of the chain; Ready refuses a server of another
	// one. "" is not checked.
	Network string
	// Proxy is a SOCKS5 proxy, host:port, through which everything goes, names
	// included.
	Proxy string
}

// Bounds of what is asked.
const (
	atOnce   = 4
	callTime = 60 * time.Second
	// tries, with a pause that doubles, are for a server that says that it is asked
	// too often.
	tries      = 5
	firstPause = time.Second
	maxAnswer  = 4 << 20
	maxBlock   = 4_000_000
)

// Open takes the address, without asking anything.
func Open(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the Esplora server must look like https://blockstream.info/api")
	case u.User != nil:
		return nil, errors.New("do not put credentials into the address of an Esplora server")
	}
	// No proxy of the environment: only the one that was named.
	transport := &http.Transport{MaxIdleConnsPerHost: atOnce, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true}
	if o.Proxy != "" {
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "socks5", Host: o.Proxy})
	}
	return &Client{
		base: strings.TrimSuffix(u.String(), "/"), host: u.Host, network: o.Network, proxy: o.Proxy != "",
		plain: u.Scheme == "http" && !encrypted(u.Hostname()),
		// No other server than the one that was named.
		http:  &http.Client{Transport: transport, Timeout: callTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		slots: make(chan struct{}, atOnce), histories: map[string]*history{},
	}, nil
}

// encrypted reports whether what goes to a host cannot be read on the way without TLS.
func encrypted(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".onion") || (ip != nil && ip.IsLoopback())
}

// Close ends what is kept open.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// String names the server.
func (c *Client) String() string { return "the Esplora server " + c.host }

// Limits says to people what it learns, and what is its word.
func (c *Client) Limits() []string {
	learns := "The server " + c.host + " learns every script and output that glrecover looks for, that they belong together, when, and this machine's address."
	if c.proxy {
		learns = "The server " + c.host + " learns every script and output that glrecover looks for, that they belong together, and when; the proxy hides this machine's address."
	}
	if c.plain {
		learns += " Nothing is encrypted (http): everybody on the way learns all this too, and can change the answers. Use https."
	}
	return []string{
		learns,
		"You trust the server to know the best chain and to leave nothing out; it cannot make up a transaction in a block.",
	}
}

// genesis are the first blocks of the chains.
var genesis = map[string]*chainhash.Hash{
	"bitcoin": chaincfg.MainNetParams.GenesisHash, "testnet": chaincfg.TestNet3Params.GenesisHash,
	"signet": chaincfg.SigNetParams.GenesisHash, "regtest": chaincfg.RegressionNetParams.GenesisHash,
}

// ErrOtherChain says that a server has another chain than the wanted one.
var ErrOtherChain = errors.New("the server is on another chain")

// Ready asks whether the server answers, and for the right chain.
func (c *Client) Ready(ctx context.Context, progress func(text string)) error {
	if progress != nil {
		progress("asking " + c.host)
	}
	if _, _, err := c.Best(ctx); err != nil {
		return err
	}
	want := genesis[c.network]
	if want == nil {
		return nil
	}
	first, err := c.HashAt(ctx, 0)
	if err == nil && first != *want {
		err = fmt.Errorf("%s: %w than %s", c.host, ErrOtherChain, c.network)
	}
	return err
}

// errNotFound is a 404.
var errNotFound = errors.New("not found")

// statusError is any other answer that is no success.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.status, e.text) }

// get asks for a path.
func (c *Client) get(ctx context.Context, limit int64, format string, args ...any) ([]byte, error) {
	return c.call(ctx, http.MethodGet, fmt.Sprintf(format, args...), nil, limit)
}

// call makes one request, again where the server wants to be asked less often. The
// error is errNotFound, a *statusError for a request that was refused, or matches
// chain.ErrUnavailable.
func (c *Client) call(ctx context.Context, method, path string, body []byte, limit int64) ([]byte, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for try, pause := 1, firstPause; ; try, pause = try+1, pause*2 {
		raw, status, err := c.once(ctx, method, path, body, limit)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, fmt.Errorf("%w: %s: %w", chain.ErrUnavailable, c.host, err)
		case status == http.StatusOK:
			return raw, nil
		case status == http.StatusNotFound:
			return nil, errNotFound
		case status == http.StatusTooManyRequests && try < tries:
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
			return nil, fmt.Errorf("%w: %s: HTTP %d", chain.ErrUnavailable, c.host, status)
		default:
			return nil, &statusError{status, printable(raw)}
		}
	}
}

func (c *Client) once(ctx context.Context, method, path string, body []byte, limit int64) (raw []byte, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, 0, errors.New("no connection")
	}
	defer resp.Body.Close()
	raw, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, 0, errors.New("the the connection broke")
	}
	if int64(len(raw)) > limit {
		return nil, 0, fmt.Errorf("an answer of more than %d bytes", limit)
	}
	return raw, resp.StatusCode, nil
}

// printable is a server's own text, cut and without what a terminal would obey.
func printable(raw []byte) string {
	const most = 300
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(raw[:min(len(raw), most)]), "?"))
	return strings.TrimSpace(text)
}
