package sweep_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	h "github.com/glrecover/glrecover/integration/harness"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/clnwallet"
)

func TestMain(m *testing.M) { os.Exit(h.Main(m.Run)) }

// tb gives the harness a testing.T.
type tb struct{ *testing.T }

func TestLivePeersStuckCloseIsPaidForByOurAnchor(t *testing.T) {
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(tb{t})
	peer := n.CLN("peer", h.CLNConfig{})
	node := n.CLN("node", h.CLNConfig{})
	funding := n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
	n.Use(node, peer, funding, 1_000_000)
	scb := node.StaticBackup()
	// The heir looks back 30 blocks: it must not find the node's own change.
	n.Mine(40, peer, node)
	node.Kill()
	heir := node.Heir("heir", h.CLNConfig{})
	heir.Start()
	heir.FundWallet(6_000)
	fundTaproot(t, n, heir, 7_000)

	parent := rawTx(t, n, peer.ForceClose(funding))
	peer.Kill() // it would pay for its close itself
	if _, err := heir.RecoverChannel(scb); err != nil {
		t.Fatal(err)
	}
	client := lightningd.NewClient(filepath.Join(heir.Dir, "regtest", "lightning-rpc"))
	w := clnwallet.New(client)
	r := request(t, node, peer, funding, parent)
	r.FeeratePerKW, r.MaxFeeSat = 5_000, 40_000

	// With an anchor channel, lightningd keeps its emergency reserve from
	// utxopsbt.
	err := heir.Call("utxopsbt", h.Params{"satoshi": "1000sat", "feerate": "5000perkw", "startweight": 0, "utxos": coinsOf(t, w), "reserve": 1}, nil)
	if refused := h.AsRPCError(err); refused == nil || !strings.Contains(refused.Message, "min-emergency-msat") {
		t.Errorf("utxopsbt: %v", err)
	}

	first, err := sweep.BuildChild(t.Context(), w, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := sweep.Release(t.Context(), w, first.Inputs); err != nil {
		t.Fatal(err)
	}
	for _, o := range heir.Outputs() {
		if o.Reserved {
			t.Errorf("%s:%d is reserved after the release", o.Txid, o.Vout)
		}
	}
	if err := heir.LogHas("No transaction found for UTXO"); err == nil {
		t.Error("lightningd was asked about an input that it does not know")
	}
	r.Destination = first.Destination
	if first, err = sweep.BuildChild(t.Context(), w, r); err != nil {
		t.Fatal(err)
	}
	if len(first.Inputs) != 2 || first.Destination != r.Destination {
		t.Fatalf("%d wallet inputs, to %s", len(first.Inputs), first.Destination)
	}
	inMempool(t, n, first, r.FeeratePerKW)

	// A replacement with the same inputs.
	r.Replaces, r.FeeratePerKW, r.Destination = first.Tx, 5_600, ""
	second, err := sweep.BuildChild(t.Context(), w, r)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(second.Inputs, first.Inputs) || second.Destination != first.Destination {
		t.Errorf("the replacement spends %v and pays to %s", second.Inputs, second.Destination)
	}
	inMempool(t, n, second, r.FeeratePerKW)
	if slices.Contains(n.Bitcoind.Mempool(), first.Txid.String()) {
		t.Error("the first child was not replaced")
	}
	if err := send(n, first.Tx); err == nil {
		t.Error("the first child came back")
	}

	// A replacement that needs one more coin, worth exactly what was asked for.
	r.Replaces, r.FeeratePerKW = second.Tx, 12_000
	var lacks *sweep.NeedsFeeInputError
	if _, err := sweep.BuildChild(t.Context(), w, r); !errors.As(err, &lacks) || lacks.Address != first.Destination {
		t.Fatalf("%v", err)
	}
	fundAlone(t, n, heir, lacks.Address, lacks.AmountSat)
	third, err := sweep.BuildChild(t.Context(), w, r)
	if err != nil {
		t.Fatal(err)
	}
	if len(third.Inputs) != 3 {
		t.Errorf("spends %v", third.Inputs)
	}
	inMempool(t, n, third, r.FeeratePerKW)

	// The parent fell out of the mempool. (One that pays less than the node's
	// minrelaytxfee is refused in a package too; one below what a full mempool
	// asks is not.)
	n.Bitcoind.Stop()
	if err := os.Remove(filepath.Join(n.Bitcoind.Dir, "regtest", "mempool.dat")); err != nil {
		t.Fatal(err)
	}
	n.Bitcoind.Start()
	if pool := n.Bitcoind.Mempool(); len(pool) != 0 {
		t.Fatalf("the mempool holds %v", pool)
	}
	var verdicts []verdict
	n.Bitcoind.Must("testmempoolaccept", &verdicts, []string{hexOf(parent), hexOf(third.Tx)})
	if len(verdicts) != 2 || !verdicts[0].Allowed || !verdicts[1].Allowed || verdicts[1].Fees.Base.sat() != third.Paid.FeeSat {
		t.Errorf("testmempoolaccept of both: %+v", verdicts)
	}
	var submitted struct {
		Message string          `json:"package_msg"`
		Results json.RawMessage `json:"tx-results"`
	}
	n.Bitcoind.Must("submitpackage", &submitted, []string{hexOf(parent), hexOf(third.Tx)})
	if submitted.Message != "success" {
		t.Fatalf("submitpackage: %s, %s", submitted.Message, submitted.Results)
	}
	n.Bitcoind.Mine(1)
	h.Wait(tb{t}, "the change in the wallet", func() error { return heir.HasOutputOf(third.Txid.String()) })
	if got := heir.Received(third.Txid.String()); got != third.OutputSat {
		t.Errorf("%d sat came back, want %d", got, third.OutputSat)
	}
	// Now lightningd knows that the inputs are spent.
	r.Replaces, r.FeeratePerKW = third.Tx, 20_000
	var gone *sweep.InputsSpentError
	if _, err := sweep.BuildChild(t.Context(), w, r); !errors.As(err, &gone) || len(gone.Inputs) != 3 {
		t.Errorf("after the confirmation: %v", err)
	}
}

// request describes the child of the peer's commitment; what a backup says of
// the channel is read from the commitment's own witness.
func request(t *testing.T, node, peer *h.CLN, funding h.Outpoint, parent *wire.MsgTx) sweep.Request {
	t.Helper()
	secret, err := keychain.FromBytes(slices.Clone(node.Secret[:])).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	peerID, err := channel.ParsePubKey(peer.ID)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.ChannelKeys(peerID, 1)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := chainhash.NewHashFromStr(funding.Txid)
	if err != nil {
		t.Fatal(err)
	}
	ch := &channel.Channel{
		Key:     channel.Key{Peer: peerID, DBID: 1},
		Funding: wire.OutPoint{Hash: *hash, Index: funding.Vout}, CapacitySat: 1_000_000, Type: channel.AnchorsZeroFeeHTLC,
	}
	script := parent.TxIn[0].Witness[3]
	for _, raw := range [][]byte{script[2:35], script[36:69]} {
		key, err := channel.PubKeyFromBytes(raw)
		if err != nil {
			t.Fatal(err)
		}
		if key != keys.Basepoints().Funding {
			ch.Remote.Funding = key
		}
	}
	return sweep.Request{
		Parent: parent, Channel: ch, Funding: keys.Funding(), FundingSat: ch.CapacitySat, Network: &chaincfg.RegressionNetParams,
	}
}

func coinsOf(t *testing.T, w sweep.Wallet) []string {
	t.Helper()
	coins, err := w.Coins(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range coins {
		out = append(out, c.OutPoint.String())
	}
	return out
}

func fundTaproot(t *testing.T, n *h.Net, node *h.CLN, sat uint64) {
	t.Helper()
	var a struct {
		P2TR string `json:"p2tr"`
	}
	node.Must("newaddr", h.Params{"addresstype": "p2tr"}, &a)
	fundAlone(t, n, node, a.P2TR, sat)
}

// fundAlone pays to an address in a block that leaves the rest of the mempool
// alone.
func fundAlone(t *testing.T, n *h.Net, node *h.CLN, address string, sat uint64) {
	t.Helper()
	before := node.Balance()
	txid := n.Bitcoind.Send(address, sat)
	var miner string
	n.Bitcoind.Must("getnewaddress", &miner)
	n.Bitcoind.Must("generateblock", nil, miner, []string{txid})
	h.Wait(tb{t}, "the coin in the wallet", func() error {
		if got := node.Balance(); got != before+sat {
			return fmt.Errorf("%d sat", got)
		}
		return nil
	})
}

// btc is an amount as bitcoind writes it.
type btc json.Number

func (b *btc) UnmarshalJSON(raw []byte) error { *b = btc(raw); return nil }

func (b btc) sat() uint64 {
	f, err := json.Number(b).Float64()
	if err != nil {
		return math.MaxUint64
	}
	return uint64(math.Round(f * 1e8))
}

type verdict struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reject-reason"`
	Fees    struct {
		Base btc `json:"base"`
	} `json:"fees"`
}

// inMempool has bitcoind judge and take the child, and compares what it says
// of the package.
func inMempool(t *testing.T, n *h.Net, c *sweep.Child, perKW uint32) {
	t.Helper()
	var verdicts []verdict
	n.Bitcoind.Must("testmempoolaccept", &verdicts, []string{hexOf(c.Tx)})
	if len(verdicts) != 1 || !verdicts[0].Allowed {
		t.Fatalf("testmempoolaccept: %+v", verdicts)
	}
	if err := send(n, c.Tx); err != nil {
		t.Fatal(err)
	}
	var entry struct {
		Size         uint64 `json:"vsize"`
		AncestorSize uint64 `json:"ancestorsize"`
		Replaceable  bool   `json:"bip125-replaceable"`
		Fees         struct {
			Base     btc `json:"base"`
			Ancestor btc `json:"ancestor"`
		} `json:"fees"`
	}
	n.Bitcoind.Must("getmempoolentry", &entry, c.Txid.String())
	t.Logf("child %d vB, %d sat; package %d vB, %d sat", entry.Size, entry.Fees.Base.sat(), entry.AncestorSize, entry.Fees.Ancestor.sat())
	if entry.Size != c.Paid.VSize || entry.Fees.Base.sat() != c.Paid.FeeSat || !entry.Replaceable {
		t.Errorf("bitcoind sees %+v, the child says %+v", entry, c.Paid)
	}
	if got := (sweep.Paid{FeeSat: entry.Fees.Ancestor.sat(), VSize: entry.AncestorSize}); got != c.Package || !got.Reaches(perKW) {
		t.Errorf("bitcoind sees a package of %+v, the child says %+v; wanted %d sat/kw", got, c.Package, perKW)
	}
}

func send(n *h.Net, tx *wire.MsgTx) error {
	return n.Bitcoind.Call("sendrawtransaction", nil, hexOf(tx))
}

func hexOf(tx *wire.MsgTx) string {
	var b bytes.Buffer
	_ = tx.Serialize(&b) // a buffer takes everything
	return hex.EncodeToString(b.Bytes())
}

func rawTx(t *testing.T, n *h.Net, txid string) *wire.MsgTx {
	t.Helper()
	var text string
	n.Bitcoind.Must("getrawtransaction", &text, txid)
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	tx := new(wire.MsgTx)
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	return tx
}
