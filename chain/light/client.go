package light

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcwallet/walletdb"
	_ "github.com/btcsuite/btcwallet/walletdb/bdb" // the driver
	"github.com/lightninglabs/neutrino"
	"github.com/lightningnetwork/lnd/tor"
)

// Options say how the client runs.
type Options struct {
	// Network is lightningd's name of the chain.
	Network string
	// Dir is where headers are kept between two runs, about 120 MB on the main
	// chain. It is made with mode 0700.
	Dir string
	// Peers are nodes, as host or host:port, that serve compact filters: only they
	// are asked. Without any, the network's own are found.
	Peers []string
	// Proxy is a SOCKS5 proxy, host:port, through which everything goes, names
	// included: those only Tor's resolves.
	Proxy string
}

// Client is a light client under way. It implements chain.Source and chain.Sifter.
// Its methods may be called from several goroutines.
type Client struct {
	cs     *neutrino.ChainService
	db     walletdb.DB
	params *chaincfg.Params
	proxy  bool
}

var networks = map[string]*chaincfg.Params{
	"bitcoin": &chaincfg.MainNetParams,
	"testnet": &chaincfg.TestNet3Params,
	"signet":  &chaincfg.SigNetParams,
	"regtest": &chaincfg.RegressionNetParams,
}

// Bounds of what is asked of the network.
const (
	// dialTime is longer through a proxy.
	dialTime      = 15 * time.Second
	dialTimeProxy = 45 * time.Second
	broadcastTime = 10 * time.Second
	databaseTime  = 5 * time.Second
	// filterCache holds the filters of one batch, in bytes: those of the main chain
	// have some 25 kB each.
	filterCache = 64 << 20
)

// Open starts the client, which begins to sync. Ready waits for that.
func Open(o Options) (*Client, error) {
	params, ok := networks[o.Network]
	if !ok {
		return nil, fmt.Errorf("the light client does not know the network %q: use a bitcoind there", o.Network)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("light client: %w", err)
	}
	db, err := openDB(filepath.Join(o.Dir, "neutrino.db"))
	if err != nil {
		return nil, fmt.Errorf("light client: %w", err)
	}
	via := network(o.Proxy)
	wait := dialTime
	if o.Proxy != "" {
		wait = dialTimeProxy
	}
	cs, err := neutrino.NewChainService(neutrino.Config{
		DataDir: o.Dir, Database: db, ChainParams: *params, ConnectPeers: o.Peers,
		FilterCacheSize: filterCache, BroadcastTimeout: broadcastTime,
		Dialer: func(a net.Addr) (net.Conn, error) { return via.Dial(a.Network(), a.String(), wait) },
		NameResolver: func(host string) ([]net.IP, error) {
			if ip := net.ParseIP(host); ip != nil {
				return []net.IP{ip}, nil
			}
			found, err := via.LookupHost(host)
			if err != nil {
				return nil, err
			}
			var ips []net.IP
			for _, s := range found {
				if ip := net.ParseIP(s); ip != nil {
					ips = append(ips, ip)
				}
			}
			return ips, nil
		},
	})
	if err == nil {
		err = cs.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("light client: %w", err), db.Close())
	}
	return &Client{cs: cs, db: db, params: params, proxy: o.Proxy != ""}, nil
}

// openDB opens the database, and says it where another program has it open.
func openDB(path string) (walletdb.DB, error) {
	const noFreelistSync = true
	open := walletdb.Open
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		open = walletdb.Create
	}
	db, err := open("bdb", path, noFreelistSync, databaseTime, false)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened; another glrecover may be using it: %w", path, err)
	}
	return db, nil
}

func network(proxy string) tor.Net {
	if proxy == "" {
		return &tor.ClearNet{}
	}
	return &tor.ProxyNet{SOCKS: proxy}
}

// Close ends it.
func (c *Client) Close() error { return errors.Join(c.cs.Stop(), c.db.Close()) }

// String names it in texts.
func (c *Client) String() string { return "the embedded light client" }

// Limits says to people what it cannot see, and what it gives away.
func (c *Client) Limits() []string {
	learn := "The Bitcoin nodes that it asks learn this machine's address and which blocks it wants, but not which transactions in them, and no key."
	if c.proxy {
		learn = "The Bitcoin nodes that it asks learn which blocks it wants, but not which transactions in them, no key, and not this machine's address, which the proxy hides."
	}
	return []string{
		"The light client sees only blocks: it does not see a close or a sweep while it is unconfirmed, and cannot tell whether a transaction was rejected.",
		"It cannot look up an output: it knows whether a channel is still open once it has scanned the blocks since its funding.",
		"It cannot estimate fees, so you give the fee rate.",
		learn,
	}
}

// readyEvery is how often Ready looks.
const readyEvery = 500 * time.Millisecond

// Ready waits until the client has all headers that its peers have. progress, if
// not nil, is told how far it is.
func (c *Client) Ready(ctx context.Context, progress func(text string)) error {
	if progress == nil {
		progress = func(string) {}
	}
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		text, ready, err := c.synced()
		if err != nil {
			return err
		}
		if ready {
			return nil
		}
		progress(text)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// synced reports whether headers and filter headers are at the highest block that
// a peer has told of.
func (c *Client) synced() (text string, ready bool, err error) {
	peers := c.cs.Peers()
	var known int32
	for _, p := range peers {
		known = max(known, p.LastBlock(), p.StartingHeight())
	}
	_, headers, err := c.cs.BlockHeaders.ChainTip()
	if err != nil {
		return "", false, fmt.Errorf("light client: %w", err)
	}
	best, err := c.cs.BestBlock()
	if err != nil {
		return "", false, fmt.Errorf("light client: %w", err)
	}
	switch {
	case len(peers) == 0:
		return "not connected to any Bitcoin node that serves compact filters yet", false, nil
	case int32(headers) < known:
		return fmt.Sprintf("block headers: %d of %d (%d nodes)", headers, known, len(peers)), false, nil
	case best.Height < int32(headers):
		return fmt.Sprintf("filter headers: %d of %d (%d nodes)", best.Height, headers, len(peers)), false, nil
	}
	// A node that is itself behind has old blocks only.
	if c.params == &chaincfg.MainNetParams && !c.cs.IsCurrent() {
		return fmt.Sprintf("the newest block that %d nodes know, %d, is old", len(peers), headers), false, nil
	}
	return "", true, nil
}
