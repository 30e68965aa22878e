package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/esplora"
	"github.com/glrecover/glrecover/chain/light"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/rescue"
)

// chainFlags say where the chain is.
type chainFlags struct {
	bitcoind, auth, dataDir, cert, esplora string
	// nodes are those that the light client asks, all that it finds where none.
	nodes []string
}

const chainHelp = `  --bitcoind URL
      bitcoind's RPC, such as http://127.0.0.1:8332; btcd's works too, such as
      https://127.0.0.1:8334
  --bitcoind-auth FILE
      a file that holds user:password, such as bitcoind's .cookie; default: as
      bitcoin-cli finds them
  --bitcoind-cert FILE
      the certificate of an RPC over TLS, such as btcd's rpc.cert
  --bitcoin-datadir DIR
      bitcoind's data directory, with bitcoin.conf and the cookie
  --esplora URL
      an Esplora server, such as https://blockstream.info/api. It learns everything
      that glrecover looks for, and your address unless --proxy hides it
  --bitcoin-node HOST[:PORT]
      a Bitcoin node that serves compact filters; may be repeated. Only these are
      asked then
`

func (f *chainFlags) add(fs *flag.FlagSet) {
	fs.StringVar(&f.bitcoind, "bitcoind", "", "")
	fs.StringVar(&f.auth, "bitcoind-auth", "", "")
	fs.StringVar(&f.cert, "bitcoind-cert", "", "")
	fs.StringVar(&f.dataDir, "bitcoin-datadir", "", "")
	fs.StringVar(&f.esplora, "esplora", "", "")
	fs.Func("bitcoin-node", "", func(s string) error {
		f.nodes = append(f.nodes, s)
		return nil
	})
}

// check refuses flags of two chains at once.
func (f *chainFlags) check() error {
	chains := 0
	for _, named := range []bool{f.ofBitcoind(), f.esplora != "", len(f.nodes) > 0} {
		if named {
			chains++
		}
	}
	if chains > 1 {
		return usagef("give one of --bitcoind, --esplora and --bitcoin-node")
	}
	return nil
}

func (f *chainFlags) ofBitcoind() bool {
	return f.bitcoind != "" || f.auth != "" || f.dataDir != "" || f.cert != ""
}

// openedChain is a chain that answers.
type openedChain struct {
	// ledger is set where the chain is not bitcoind's, which backend and node are.
	ledger  rescue.Ledger
	backend chain.Backend
	node    chain.Node
	close   func() error
}

// standalone is a chain without bitcoind.
type standalone interface {
	rescue.Ledger
	io.Closer
	fmt.Stringer
	// Ready waits until it can be asked.
	Ready(ctx context.Context, progress func(text string)) error
	// Limits says to people what it cannot see, and what it gives away.
	Limits() []string
}

// openChain opens the chain that the flags name, the light client where they name
// none, and waits until it answers.
func openChain(ctx context.Context, c *cli, f chainFlags, network, proxy string) (*openedChain, error) {
	if f.ofBitcoind() {
		return openBitcoind(ctx, f, network)
	}
	var s standalone
	var err error
	if f.esplora != "" {
		s, err = opened(esplora.Open(esplora.Options{URL: f.esplora, Network: network, Proxy: proxy}))
	} else {
		var home string
		if home, err = os.UserHomeDir(); err != nil {
			return nil, usagef("this user has no home directory to keep the light client's headers in: give --bitcoind or --esplora")
		}
		s, err = opened(light.Open(light.Options{
			Network: network, Dir: filepath.Join(home, ".glrecover", "headers-"+network), Peers: f.nodes, Proxy: proxy,
		}))
	}
	if err != nil {
		return nil, failure.New(failure.InvalidParameter, "Give --bitcoind or --esplora", "%v", err).Wrap(err)
	}
	fmt.Fprintf(c.stderr, "Chain data comes from %s.\n", s)
	for _, text := range s.Limits() {
		fmt.Fprintln(c.stderr, strings.TrimRight(wrapTo(88, "- ", "  ", text), "\n"))
	}
	if err := s.Ready(ctx, c.everySecond()); err != nil {
		_ = s.Close()
		if errors.Is(err, esplora.ErrOtherChain) {
			return nil, failure.New(failure.WrongNetwork, "Give --esplora a server of the network "+network+" with --esplora", "%v", err).Wrap(err)
		}
		return nil, failure.New(failure.NodeUnreachable, "Check the connection, or choose another source with --bitcoind or --esplora",
			"%s does not answer: %v", s, err).Wrap(err)
	}
	return &openedChain{ledger: s, close: s.Close}, nil
}

// opened makes an interface of what was opened, nil where nothing was.
func opened[T standalone](s T, err error) (standalone, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// everySecond shows how far something is, once a second at the most.
func (c *cli) everySecond() func(text string) {
	const pace = time.Second
	var last time.Time
	var said string
	return func(text string) {
		if now := time.Now(); text != said && now.Sub(last) >= pace {
			last, said = now, text
			fmt.Fprintln(c.stderr, text)
		}
	}
}

func openBitcoind(ctx context.Context, f chainFlags, network string) (*openedChain, error) {
	address, err := bitcoindAddress(f.bitcoind)
	if err != nil {
		return nil, err
	}
	node, err := chain.NewBitcoind(chain.Options{Network: network, Connect: address, DataDir: f.dataDir, Cookie: f.auth, Cert: f.cert})
	if err != nil {
		return nil, bitcoindFailed(err)
	}
	if err := find.CheckNode(ctx, node, network); err != nil {
		return nil, bitcoindFailed(err)
	}
	return &openedChain{backend: node, node: node, close: func() error { return nil }}, nil
}

// hasEstimates reports whether the chain estimates fees.
func (o *openedChain) hasEstimates(ctx context.Context) (bool, error) {
	fees, err := (&rescue.Options{Ledger: o.ledger, Backend: o.backend}).Fees(ctx)
	return len(fees.Estimates) > 0, err
}
