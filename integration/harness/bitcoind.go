package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Bitcoind is a regtest bitcoind with a wallet of mature coins.
type Bitcoind struct {
	Dir string
	// Host and RPCPort are where it listens.
	Host     string
	RPCPort  int
	User     string
	Password string
	// P2PPort is where it serves compact filters, with Chain.Filters.
	P2PPort int

	net     *Net
	proc    *Process
	address string
}

func startBitcoind(n *Net, chain Chain) *Bitcoind {
	n.T.Helper()
	b := &Bitcoind{
		Dir: n.nodeDir("bitcoind"), Host: "127.0.0.1", RPCPort: FreePort(n.T),
		User: "glr", Password: randomHex(16), net: n,
	}
	// The password is in a file because arguments are there for all to see.
	listen, p2p := 0, ""
	if chain.Filters {
		b.P2PPort = FreePort(n.T)
		listen, p2p = 1, fmt.Sprintf("bind=127.0.0.1:%d\nblockfilterindex=1\npeerblockfilters=1\n", b.P2PPort)
	}
	// Knots refuses transactions with the locktime 21, and the wallets' locktimes, which
	// are random among the last hundred heights, are that at times. Core warns that it
	// does not know the setting.
	conf := fmt.Sprintf(`regtest=1
server=1
listen=%d
dnsseed=0
fixedseeds=0
natpmp=0
fallbackfee=0.00005
rejectparasites=0
addresstype=bech32
rpcuser=%s
rpcpassword=%s
[regtest]
rpcport=%d
rpcbind=127.0.0.1
rpcallowip=127.0.0.1
rpcworkqueue=256
%s`, listen, b.User, b.Password, b.RPCPort, p2p)
	for _, line := range chain.Options {
		conf += line + "\n"
	}
	if err := os.WriteFile(filepath.Join(b.Dir, "bitcoin.conf"), []byte(conf), 0o600); err != nil {
		n.T.Fatalf("%v", err)
	}
	b.Start()
	if !chain.Born.IsZero() {
		b.Must("setmocktime", nil, chain.Born.Unix())
	}
	b.fill()
	return b
}

// Now ends the time of Chain.Born: the next blocks are dated as they come.
func (b *Bitcoind) Now() {
	b.net.T.Helper()
	b.Must("setmocktime", nil, 0)
}

// fill makes a wallet with mature coins.
func (b *Bitcoind) fill() {
	b.net.T.Helper()
	b.Must("createwallet", nil, "harness")
	b.Must("getnewaddress", &b.address)
	b.Mine(101)
}

// Start starts bitcoind and waits until it answers.
func (b *Bitcoind) Start() {
	t := b.net.T
	t.Helper()
	b.proc = b.net.start(b.Dir, filepath.Join(b.Dir, "output"), nil, "bitcoind", "-datadir="+b.Dir, "-printtoconsole=1")
	Wait(t, "bitcoind to answer", func() error {
		if over, err := b.proc.Exited(); over {
			t.Fatalf("bitcoind ended: %v\n%s", err, tail(filepath.Join(b.Dir, "output"), 2000))
		}
		return b.Call("getblockcount", nil)
	})
	if b.address != "" {
		if err := b.Call("loadwallet", nil, "harness"); err != nil {
			t.Fatalf("bitcoind loadwallet: %v", err)
		}
	}
}

// Stop ends bitcoind in good order and waits for it.
func (b *Bitcoind) Stop() {
	b.net.T.Helper()
	_ = b.Call("stop", nil)
	if err := b.proc.Wait(Timeout); err != nil {
		b.net.T.Fatalf("bitcoind after stop: %v", err)
	}
}

// Call sends one JSON-RPC request; result may be nil.
func (b *Bitcoind) Call(method string, result any, params ...any) error {
	return jsonRPC{
		daemon: "bitcoind", client: rpcClient, user: b.User, password: b.Password,
		url: "http://" + net.JoinHostPort(b.Host, strconv.Itoa(b.RPCPort)),
	}.call(method, result, params...)
}

// Must is Call that fails the test on an error.
func (b *Bitcoind) Must(method string, result any, params ...any) {
	b.net.T.Helper()
	if err := b.Call(method, result, params...); err != nil {
		b.net.T.Fatalf("%v", err)
	}
}

// Mine makes blocks with what is in the mempool and returns the new height.
// It does not wait for the nodes: Net.Mine does.
func (b *Bitcoind) Mine(blocks int) int {
	b.net.T.Helper()
	b.Must("generatetoaddress", nil, blocks, b.address)
	return b.Height()
}

// MineEmpty makes blocks that leave the mempool alone.
func (b *Bitcoind) MineEmpty(blocks int) int {
	b.net.T.Helper()
	for range blocks {
		b.Must("generateblock", nil, b.address, []string{})
	}
	return b.Height()
}

// Invalidate takes the block at a height, and those above it, out of the chain.
func (b *Bitcoind) Invalidate(height int) {
	b.net.T.Helper()
	var hash string
	b.Must("getblockhash", &hash, height)
	b.Must("invalidateblock", nil, hash)
}

// Copy copies the data directory, and returns the copy's path.
func (b *Bitcoind) Copy() string {
	t := b.net.T
	t.Helper()
	b.Stop()
	to := b.Dir + "-copy"
	if err := os.CopyFS(to, os.DirFS(b.Dir)); err != nil {
		t.Fatalf("%v", err)
	}
	b.Start()
	return to
}

// Become starts bitcoind again with the data directory that Copy made.
func (b *Bitcoind) Become(copied string) {
	t := b.net.T
	t.Helper()
	b.Stop()
	if err := os.RemoveAll(b.Dir); err != nil {
		t.Fatalf("%v", err)
	}
	if err := os.Rename(copied, b.Dir); err != nil {
		t.Fatalf("%v", err)
	}
	b.Start()
}

// Height is the height of the tip.
func (b *Bitcoind) Height() int {
	b.net.T.Helper()
	var h int
	b.Must("getblockcount", &h)
	return h
}

// Send pays sat to an address and returns the txid; unconfirmed.
func (b *Bitcoind) Send(address string, sat uint64) string {
	b.net.T.Helper()
	var txid string
	b.Must("sendtoaddress", &txid, address, btc(sat))
	return txid
}

// SendRaw sends a transaction, hex, and returns its txid.
func (b *Bitcoind) SendRaw(tx string) string {
	b.net.T.Helper()
	var txid string
	b.Must("sendrawtransaction", &txid, tx)
	return txid
}

func (b *Bitcoind) lndConf() string {
	return fmt.Sprintf(`bitcoin.node=bitcoind
[Bitcoind]
bitcoind.dir=%s
bitcoind.rpchost=127.0.0.1:%d
bitcoind.rpcuser=%s
bitcoind.rpcpass=%s
bitcoind.rpcpolling=true
bitcoind.blockpollinginterval=250ms
bitcoind.txpollinginterval=250ms
`, b.Dir, b.RPCPort, b.User, b.Password)
}

// btc writes an amount in sat as bitcoind wants it.
func btc(sat uint64) json.Number {
	return json.Number(fmt.Sprintf("%d.%08d", sat/1e8, sat%1e8))
}

// Mempool lists the txids in the mempool.
func (b *Bitcoind) Mempool() []string {
	b.net.T.Helper()
	var ids []string
	b.Must("getrawmempool", &ids)
	return ids
}

// Unspent reports whether the output exists unspent, counting the mempool.
func (b *Bitcoind) Unspent(o Outpoint) bool {
	b.net.T.Helper()
	var out json.RawMessage
	b.Must("gettxout", &out, o.Txid, o.Vout, true)
	return len(out) > 0 && string(out) != "null"
}

// Spender returns the txid of the transaction that spends o, in the mempool or
// in one of the last spenderDepth blocks.
func (b *Bitcoind) Spender(o Outpoint) (string, error) {
	var found []struct {
		SpendingTxid string `json:"spendingtxid"`
	}
	if err := b.Call("gettxspendingprevout", &found, []Outpoint{o}); err != nil {
		return "", err
	}
	if len(found) == 1 && found[0].SpendingTxid != "" {
		return found[0].SpendingTxid, nil
	}
	var height int
	if err := b.Call("getblockcount", &height); err != nil {
		return "", err
	}
	for h := height; h > 0 && h > height-spenderDepth; h-- {
		if txid, err := b.spenderAt(h, o); err != nil || txid != "" {
			return txid, err
		}
	}
	return "", errors.New("no spender")
}

const spenderDepth = 20

func (b *Bitcoind) spenderAt(height int, o Outpoint) (string, error) {
	var hash string
	if err := b.Call("getblockhash", &hash, height); err != nil {
		return "", err
	}
	var block struct {
		Tx []struct {
			Txid string     `json:"txid"`
			Vin  []Outpoint `json:"vin"`
		} `json:"tx"`
	}
	if err := b.Call("getblock", &block, hash, 2); err != nil {
		return "", err
	}
	for _, tx := range block.Tx {
		if slices.Contains(tx.Vin, o) {
			return tx.Txid, nil
		}
	}
	return "", nil
}

// Outpoint names a transaction output; the txid is in display order.
type Outpoint struct {
	Txid string `json:"txid"`
	Vout uint32 `json:"vout"`
}

// String returns "txid:vout".
func (o Outpoint) String() string { return fmt.Sprintf("%s:%d", o.Txid, o.Vout) }

// ownCLI writes a bitcoin-cli that asks this bitcoind, whatever it is told of
// where bitcoind is.
func (b *Bitcoind) ownCLI() string {
	t := b.net.T
	t.Helper()
	path := filepath.Join(b.Dir, "cli")
	script := fmt.Sprintf(`#!/bin/sh
for a; do
	shift
	case $a in
	-datadir=*|-rpc*) ;;
	*) set -- "$@" "$a" ;;
	esac
done
exec bitcoin-cli -datadir=%s "$@"
`, b.Dir)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	return path
}
