package harness

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// Btcd is a btcd on regtest that mines to a key of the harness: it has no
// wallet.
type Btcd struct {
	Dir string
	// Host and RPCPort are where it listens, with the certificate that Cert is
	// the path of.
	Host     string
	RPCPort  int
	User     string
	Password string
	Cert     string
	// P2PPort is where it speaks with other nodes, and serves compact filters.
	P2PPort int

	net     *Net
	proc    *Process
	client  *http.Client
	key     *btcec.PrivateKey
	address string
	script  []byte // of the coinbases
	spent   int    // the coinbase below which all are spent
}

// segwitActive is the height from which btcd's regtest has segwit: three
// windows of BIP 9. A channel that is funded before never becomes active.
const segwitActive = 3 * 144

func startBtcd(n *Net) *Btcd {
	t := n.T
	t.Helper()
	key, err := btcec.NewPrivateKey()
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	b := &Btcd{
		Dir: n.nodeDir("btcd"), Host: "127.0.0.1", RPCPort: FreePort(t), P2PPort: FreePort(t),
		User: "glr", Password: randomHex(16), net: n, key: key,
	}
	b.Cert = filepath.Join(b.Dir, "rpc.cert")
	// Segwit is not active yet where the first coins are mined.
	address, err := btcutil.NewAddressPubKeyHash(btcutil.Hash160(key.PubKey().SerializeCompressed()), &chaincfg.RegressionNetParams)
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	b.address = address.EncodeAddress()
	b.script = scriptOf(t, b.address)
	conf := fmt.Sprintf(`[Application Options]
regtest=1
datadir=%[1]s
logdir=%[1]s
listen=127.0.0.1:%[7]d
nodnsseed=1
txindex=1
miningaddr=%[2]s
rpclisten=127.0.0.1:%[3]d
rpcuser=%[4]s
rpcpass=%[5]s
rpccert=%[6]s
rpckey=%[1]s/rpc.key
`, b.Dir, b.address, b.RPCPort, b.User, b.Password, b.Cert, b.P2PPort)
	if err := os.WriteFile(filepath.Join(b.Dir, "btcd.conf"), []byte(conf), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	b.start()
	b.Mine(segwitActive)
	return b
}

// start starts btcd, which makes its certificate, and waits until it answers.
func (b *Btcd) start() {
	t := b.net.T
	t.Helper()
	bin, err := btcdBinaries()
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	output := filepath.Join(b.Dir, "output")
	b.proc = b.net.start(b.Dir, output, nil, bin["btcd"], "--configfile="+filepath.Join(b.Dir, "btcd.conf"))
	Wait(t, "btcd to answer", func() error {
		if over, err := b.proc.Exited(); over {
			t.Fatalf("btcd ended: %v\n%s", err, tail(output, 2000))
		}
		pem, err := os.ReadFile(b.Cert)
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return errors.New("no certificate yet")
		}
		b.client = &http.Client{Timeout: 3 * time.Minute, Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool},
		}}
		return b.Call("getblockcount", nil)
	})
}

// URL is where it answers, with user and password.
func (b *Btcd) URL() string {
	return fmt.Sprintf("https://%s:%s@%s", b.User, b.Password, net.JoinHostPort(b.Host, strconv.Itoa(b.RPCPort)))
}

// Call sends one JSON-RPC request; result may be nil.
func (b *Btcd) Call(method string, result any, params ...any) error {
	return jsonRPC{
		daemon: "btcd", client: b.client, user: b.User, password: b.Password,
		url: "https://" + net.JoinHostPort(b.Host, strconv.Itoa(b.RPCPort)),
	}.call(method, result, params...)
}

// Must is Call that fails the test on an error.
func (b *Btcd) Must(method string, result any, params ...any) {
	b.net.T.Helper()
	if err := b.Call(method, result, params...); err != nil {
		b.net.T.Fatalf("%v", err)
	}
}

// Mine makes blocks with what is in the mempool and returns the new height. It
// does not wait for the nodes: Net.Mine does.
func (b *Btcd) Mine(blocks int) int {
	b.net.T.Helper()
	b.Must("generate", nil, blocks)
	return b.Height()
}

// Height is the height of the tip.
func (b *Btcd) Height() int {
	b.net.T.Helper()
	var h int
	b.Must("getblockcount", &h)
	return h
}

// coinbaseFee is what Send pays, in sat: above btcd's least for any of its
// transactions.
const coinbaseFee = 1000

// Send pays sat to an address from the next coinbase, and the rest back, and
// returns the txid; unconfirmed.
func (b *Btcd) Send(address string, sat uint64) string {
	t := b.net.T
	t.Helper()
	b.spent++
	coinbase := b.Block(b.spent).Transactions[0]
	have := uint64(coinbase.TxOut[0].Value)
	if have < sat+coinbaseFee {
		t.Fatalf("harness: the coinbase of block %d has %d sat", b.spent, have)
	}
	tx := wire.NewMsgTx(2)
	id := coinbase.TxHash()
	tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&id, 0), nil, nil))
	tx.AddTxOut(wire.NewTxOut(int64(sat), scriptOf(t, address)))
	tx.AddTxOut(wire.NewTxOut(int64(have-sat-coinbaseFee), b.script))
	sig, err := txscript.SignatureScript(tx, 0, b.script, txscript.SigHashAll, b.key, true)
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	tx.TxIn[0].SignatureScript = sig
	var raw strings.Builder
	if err := tx.Serialize(hex.NewEncoder(&raw)); err != nil {
		t.Fatalf("harness: %v", err)
	}
	var txid string
	b.Must("sendrawtransaction", &txid, raw.String())
	return txid
}

// Block is the block at a height.
func (b *Btcd) Block(height int) *wire.MsgBlock {
	b.net.T.Helper()
	var hash, raw string
	b.Must("getblockhash", &hash, height)
	b.Must("getblock", &raw, hash, 0)
	block := new(wire.MsgBlock)
	if err := block.Deserialize(hex.NewDecoder(strings.NewReader(raw))); err != nil {
		b.net.T.Fatalf("harness: block %d: %v", height, err)
	}
	return block
}

// Mempool lists the txids in the mempool.
func (b *Btcd) Mempool() []string {
	b.net.T.Helper()
	var ids []string
	b.Must("getrawmempool", &ids)
	return ids
}

// Raw is the transaction in hex, from the mempool or a block.
func (b *Btcd) Raw(txid string) string {
	b.net.T.Helper()
	var raw string
	b.Must("getrawtransaction", &raw, txid, 0)
	return raw
}

// Spender returns the txid of the transaction that spends o, in the mempool or
// in one of the last spenderDepth blocks.
func (b *Btcd) Spender(o Outpoint) (string, error) {
	b.net.T.Helper()
	spends := func(tx *wire.MsgTx) bool {
		return slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint.String() == o.String() })
	}
	for _, txid := range b.Mempool() {
		var raw string
		if b.Call("getrawtransaction", &raw, txid, 0) != nil {
			continue // mined meanwhile
		}
		tx := new(wire.MsgTx)
		if err := tx.Deserialize(hex.NewDecoder(strings.NewReader(raw))); err == nil && spends(tx) {
			return txid, nil
		}
	}
	height := b.Height()
	for h := height; h > 0 && h > height-spenderDepth; h-- {
		for _, tx := range b.Block(h).Transactions {
			if spends(tx) {
				return tx.TxID(), nil
			}
		}
	}
	return "", errors.New("no spender")
}

// PaidTo is what outputs of the chain pay to an address, in sat, from a height
// on; spent ones count.
func (b *Btcd) PaidTo(address string, from int) (sat uint64) {
	b.net.T.Helper()
	script := scriptOf(b.net.T, address)
	for h := from; h <= b.Height(); h++ {
		for _, tx := range b.Block(h).Transactions {
			for _, out := range tx.TxOut {
				if slices.Equal(out.PkScript, script) {
					sat += uint64(out.Value)
				}
			}
		}
	}
	return sat
}

func (b *Btcd) lndConf() string {
	return fmt.Sprintf(`bitcoin.node=btcd
[btcd]
btcd.rpchost=127.0.0.1:%d
btcd.rpcuser=%s
btcd.rpcpass=%s
btcd.rpccert=%s
`, b.RPCPort, b.User, b.Password, b.Cert)
}

// scriptOf is the scriptPubKey of an address.
func scriptOf(t TB, address string) []byte {
	t.Helper()
	a, err := btcutil.DecodeAddress(address, &chaincfg.RegressionNetParams)
	if err != nil {
		t.Fatalf("harness: %s: %v", address, err)
	}
	script, err := txscript.PayToAddrScript(a)
	if err != nil {
		t.Fatalf("harness: %s: %v", address, err)
	}
	return script
}

// NewAddress is a fresh P2WPKH address of a key that nobody has.
func (b *Btcd) NewAddress() string {
	t := b.net.T
	t.Helper()
	key, err := btcec.NewPrivateKey()
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	a, err := btcutil.NewAddressWitnessPubKeyHash(btcutil.Hash160(key.PubKey().SerializeCompressed()), &chaincfg.RegressionNetParams)
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	return a.EncodeAddress()
}
