package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// Bitcoind is a regtest bitcoind with a wallet of mature coins.
type Bitcoind struct {
	Dir string
	// Host and RPCPort are where it listens.
	Host     string
	RPCPort  int
	User     string
	Password string

	net     *Net
	proc    *Process
	address string
	id      atomic.Int64
}

// BitcoinError is an error that bitcoind answered.
type BitcoinError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error returns bitcoind's own text and code.
func (e *BitcoinError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

func startBitcoind(n *Net) *Bitcoind {
	n.T.Helper()
	b := &Bitcoind{
		Dir: n.nodeDir("bitcoind"), Host: "127.0.0.1", RPCPort: FreePort(n.T),
		User: "glr", Password: randomHex(16), net: n,
	}
	// The password is in a file because arguments are there for all to see.
	conf := fmt.Sprintf(`regtest=1
server=1
listen=0
dnsseed=0
fixedseeds=0
natpmp=0
fallbackfee=0.00005
addresstype=bech32
rpcuser=%s
rpcpassword=%s
[regtest]
rpcport=%d
rpcbind=127.0.0.1
rpcallowip=127.0.0.1
rpcworkqueue=256
`, b.User, b.Password, b.RPCPort)
	if err := os.WriteFile(filepath.Join(b.Dir, "bitcoin.conf"), []byte(conf), 0o600); err != nil {
		n.T.Fatalf("%v", err)
	}
	b.Start()
	b.fill()
	return b
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

// rpcClient never reuses a connection that a stopped bitcoind has closed.
var rpcClient = &http.Client{Timeout: 3 * time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}

// Call sends one JSON-RPC request; result may be nil.
func (b *Bitcoind) Call(method string, result any, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"id": b.id.Add(1), "method": method, "params": params})
	if err != nil {
		return err
	}
	url := "http://" + net.JoinHostPort(b.Host, strconv.Itoa(b.RPCPort))
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(b.User, b.Password)
	resp, err := rpcClient.Do(req)
	if err != nil {
		return fmt.Errorf("bitcoind %s: %w", method, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("bitcoind %s: %w", method, err)
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *BitcoinError   `json:"error"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("bitcoind %s: status %s", method, resp.Status)
	}
	if answer.Error != nil {
		return fmt.Errorf("bitcoind %s: %w", method, answer.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, result)
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
