package integration

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/light"
	h "github.com/glrecover/glrecover/integration/harness"
)

// daemon is bitcoind or btcd, as far as the light client's tests go.
type daemon interface {
	Mine(blocks int) int
	Height() int
	Send(address string, sat uint64) string
	Mempool() []string
	Must(method string, result any, params ...any)
}

// aKey is a key with its P2WPKH address and script on regtest.
func aKey(t *testing.T) (key *btcec.PrivateKey, address string, script []byte) {
	t.Helper()
	key, err := btcec.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	a, err := btcutil.NewAddressWitnessPubKeyHash(btcutil.Hash160(key.PubKey().SerializeCompressed()), &chaincfg.RegressionNetParams)
	if err != nil {
		t.Fatal(err)
	}
	if script, err = txscript.PayToAddrScript(a); err != nil {
		t.Fatal(err)
	}
	return key, a.EncodeAddress(), script
}

// rawTx is a transaction that the daemon knows.
func rawTx(t *testing.T, d daemon, id string) *wire.MsgTx {
	t.Helper()
	var raw string
	d.Must("getrawtransaction", &raw, id, 0)
	tx, err := chain.DecodeTx(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// The light client beside a real daemon that serves filters: old and new blocks, a
// spend that it sends itself, a reorganisation, and a restart.
func TestLightClient(t *testing.T) {
	t.Parallel()
	t.Run("bitcoind", func(t *testing.T) {
		t.Parallel()
		h.Need(t, h.BitcoindD)
		n := h.NewOn(t, h.Chain{Filters: true, Options: []string{"txindex=1"}})
		lightClient(t, n, n.Bitcoind, n.Bitcoind.P2PPort)
	})
	t.Run("btcd", func(t *testing.T) {
		t.Parallel()
		h.Need(t, h.BtcdD)
		n := h.NewOnBtcd(t)
		lightClient(t, n, n.Btcd, n.Btcd.P2PPort)
	})
}

func lightClient(t *testing.T, n *h.Net, d daemon, port int) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	key, address, script := aKey(t)
	paid := rawTx(t, d, d.Send(address, 500_000))
	made := uint32(d.Mine(1))
	var coin wire.OutPoint
	for i, out := range paid.TxOut {
		if string(out.PkScript) == string(script) {
			coin = wire.OutPoint{Hash: paid.TxHash(), Index: uint32(i)}
		}
	}
	d.Mine(30)

	// Everything goes through a SOCKS5 proxy.
	proxy := socks5(t)
	options := light.Options{
		Network: "regtest", Dir: filepath.Join(n.Dir, "light"), Proxy: proxy.addr,
		Peers: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(port))},
	}
	c := openLight(t, ctx, options)
	if proxy.count() == 0 {
		t.Error("nothing went through the proxy")
	}
	tip := uint32(d.Height())
	if best, hash, err := c.Best(ctx); err != nil || best != tip || hash == (chainhash.Hash{}) {
		t.Errorf("best %d %v, want %d: %v", best, hash, tip, err)
	}
	if _, err := c.HashAt(ctx, tip+1); !errors.Is(err, chain.ErrNoBlock) {
		t.Errorf("above the tip: %v", err)
	}
	if height, err := c.HeightBefore(ctx, time.Now().Add(time.Hour*24)); err != nil || height > tip {
		t.Errorf("height of tomorrow: %d, %v", height, err)
	}
	_, _, nobody := aKey(t)
	if named, err := c.Sift(ctx, 1, tip, [][]byte{nobody}); err != nil || len(named) > 1 { // a filter may be wrong once in 784931
		t.Errorf("for a script that nobody paid: %v, %v", named, err)
	}
	search, err := chain.Search(ctx, c, chain.SearchRequest{From: 1, Scripts: [][]byte{nobody, script}})
	found := search.Found
	if err != nil || len(found) != 1 || found[0].OutPoint != coin || found[0].Height != made || found[0].ValueSat != 500_000 {
		t.Fatalf("found %+v, %v; want %v at %d", found, err, coin, made)
	}

	// The Watcher, from the first block on.
	w, seen := watcher(t, ctx, c)
	w.Watch(chain.Watch{OutPoint: coin, PkScript: script, From: 1})
	seen("the coin unspent", coin, func(s chain.Sighting) bool {
		return s.Place == chain.Unspent && s.Searched && s.CreatedAt == made
	})
	spend := wire.NewMsgTx(2)
	spend.AddTxIn(wire.NewTxIn(&coin, nil, nil))
	spend.AddTxOut(wire.NewTxOut(499_000, nobody))
	prev := txscript.NewCannedPrevOutputFetcher(script, 500_000)
	spend.TxIn[0].Witness, err = txscript.WitnessSignature(spend, txscript.NewTxSigHashes(spend, prev), 0, 500_000, script, txscript.SigHashAll, key, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(ctx, spend); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(ctx, spend); err != nil {
		t.Errorf("sent twice: %v", err)
	}
	n.WaitMempool(spend.TxID())
	at := uint32(d.Mine(1))
	seen("its spend", coin, func(s chain.Sighting) bool {
		return s.Place == chain.InBlock && s.Height == at && s.TxID == spend.TxHash()
	})

	// A block is taken back, and the spend is in a later one.
	if n.Bitcoind != nil {
		n.Bitcoind.Invalidate(int(at))
		n.Bitcoind.MineEmpty(1)
		again := uint32(d.Mine(1))
		seen("the spend in another block", coin, func(s chain.Sighting) bool {
			return s.Place == chain.InBlock && s.Height == again && s.TxID == spend.TxHash()
		})
	}
	if fees, err := c.EstimateFees(ctx); err != nil || len(fees.Estimates) != 0 || fees.FloorPerKVB != 1000 {
		t.Errorf("%+v, %v", fees, err)
	}
	if text := strings.Join(c.Limits(), " "); !strings.Contains(text, "unconfirmed") || !strings.Contains(text, "fees") {
		t.Error(text)
	}

	// The headers are kept.
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	d.Mine(2)
	c = openLight(t, ctx, options)
	defer c.Close()
	if best, _, err := c.Best(ctx); err != nil || best != uint32(d.Height()) {
		t.Errorf("after a restart: %d, %v", best, err)
	}
}

func openLight(t *testing.T, ctx context.Context, o light.Options) *light.Client {
	t.Helper()
	c, err := light.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	if err := c.Ready(ctx, func(text string) { last = text }); err != nil {
		t.Fatalf("%v: %s", err, last)
	}
	return c
}

// watcher runs a Watcher, and waits for what it says.
func watcher(t *testing.T, ctx context.Context, src chain.Source) (w *chain.Watcher, seen func(what string, op wire.OutPoint, ok func(chain.Sighting) bool)) {
	t.Helper()
	ctx, stop := context.WithCancel(ctx)
	w = chain.NewWatcher(src, chain.Every(100*time.Millisecond))
	updates := make(chan chain.Update, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, func(u chain.Update) {
			select {
			case updates <- u:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() { stop(); <-done })
	var last chain.Update
	return w, func(what string, op wire.OutPoint, ok func(chain.Sighting) bool) {
		t.Helper()
		for {
			select {
			case last = <-updates:
				for _, s := range last.Changed {
					if s.OutPoint == op && ok(s) {
						return
					}
				}
			case <-time.After(h.Timeout):
				t.Fatalf("not seen: %s; last: %+v", what, last)
			}
		}
	}
}

// proxy is a SOCKS5 proxy without authentication.
type proxy struct {
	addr string
	t    *testing.T
	// names are the hosts that it knows, with where they are; set them before it is
	// used.
	names map[string]string
	conn  atomic.Int32
}

func (p *proxy) count() int32 { return p.conn.Load() }

func socks5(t *testing.T) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{addr: l.Addr().String(), t: t}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

// serve is RFC 1928 for CONNECT to an IPv4 address, or to a name.
func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c, int64(head[1]))
	_, _ = c.Write([]byte{5, 0})
	var ask [5]byte // version, command, 0, type, and the first byte of the host
	if _, err := io.ReadFull(c, ask[:]); err != nil || ask[1] != 1 {
		return
	}
	const ipv4, domain = 1, 3
	size := map[byte]int{ipv4: 3, domain: int(ask[4])}[ask[3]]
	rest := make([]byte, size+2)
	if _, err := io.ReadFull(c, rest); err != nil || size == 0 {
		return
	}
	to := p.names[string(rest[:size])]
	if ask[3] == ipv4 {
		to = net.JoinHostPort(net.IP{ask[4], rest[0], rest[1], rest[2]}.String(), strconv.Itoa(int(binary.BigEndian.Uint16(rest[size:]))))
	}
	out, err := net.Dial("tcp", to)
	if err != nil {
		_, _ = c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	defer out.Close()
	p.conn.Add(1)
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() {
		_, _ = io.Copy(out, c)
		_ = out.Close()
	}()
	_, _ = io.Copy(c, out)
}
