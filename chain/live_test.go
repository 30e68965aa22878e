package chain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// anyone is a P2WSH output that anybody can spend with anyoneScript.
var (
	anyoneScript = []byte{0x51}
	anyone       = func() []byte { h := sha256.Sum256(anyoneScript); return append([]byte{0, 32}, h[:]...) }()
	elsewhere    = append([]byte{0, 20}, bytes.Repeat([]byte{7}, 20)...)
)

// startBitcoind runs a regtest bitcoind for one test.
func startBitcoind(t *testing.T, args ...string) *Bitcoind {
	t.Helper()
	path, err := exec.LookPath("bitcoind")
	if err != nil {
		if strings.Contains(os.Getenv("GLRECOVER_REQUIRE"), "bitcoind") {
			t.Fatal("bitcoind is required and not on PATH")
		}
		t.Skip("not run: no bitcoind on PATH")
	}
	dir := t.TempDir()
	port := freePort(t)
	log := new(bytes.Buffer)
	cmd := exec.Command(path, append([]string{
		"-regtest", "-datadir=" + dir, "-listen=0", "-dnsseed=0", "-fixedseeds=0",
		"-disablewallet", "-rpcport=" + port, "-printtoconsole=1", "-debug=0",
	}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(30 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
		if t.Failed() {
			t.Logf("bitcoind:\n%s", log)
		}
	})

	b, err := NewBitcoind(Options{Network: "regtest", Port: port, DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	for {
		_, err := b.ChainInfo(bg)
		if err == nil {
			return b
		}
		if !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("bitcoind ended: %v\n%s", err, log)
		case <-deadline.C:
			t.Fatalf("bitcoind does not answer: %v\n%s", err, log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// mine adds blocks that pay to anyone.
func mine(t *testing.T, b *Bitcoind, n int) {
	t.Helper()
	if err := b.call(bg, nil, "generatetodescriptor", n, fmt.Sprintf("raw(%x)", anyone)); err != nil {
		t.Fatal(err)
	}
}

// spendAnyone spends an anyone output of this value with 1000 sat fee.
func spendAnyone(op wire.OutPoint, valueSat int64, to []byte) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&op, nil, [][]byte{anyoneScript}))
	tx.AddTxOut(wire.NewTxOut(valueSat-1000, to))
	return tx
}

// coinbase is the outpoint and value of the coinbase at a height.
func coinbase(t *testing.T, b *Bitcoind, height uint32) (wire.OutPoint, int64) {
	t.Helper()
	block, err := b.Block(bg, height)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := block.Decode()
	if err != nil {
		t.Fatal(err)
	}
	tx := msg.Transactions[0]
	return wire.OutPoint{Hash: tx.TxHash()}, tx.TxOut[0].Value
}

func send(t *testing.T, b *Bitcoind, tx *wire.MsgTx) chainhash.Hash {
	t.Helper()
	if err := b.SendRaw(bg, tx, true); err != nil {
		t.Fatal(err)
	}
	return tx.TxHash()
}

func TestLiveFundingFromMempoolToReorganisation(t *testing.T) {
	b := startBitcoind(t)
	mine(t, b, 103)
	src := Join(b, b)
	op0, value := coinbase(t, b, 1)
	fund := spendAnyone(op0, value, anyone)
	q := FundingQuery{OutPoint: Outputs(fund)[0], CapacitySat: uint64(fund.TxOut[0].Value), Script: anyone}
	expect := func(step string, state FundingState, confirmations int) FundingEvidence {
		t.Helper()
		e := Evidence(bg, src, q)
		if e.State != state || e.Confirmations != confirmations || e.Problem != "" {
			t.Fatalf("%s: %+v", step, e)
		}
		return e
	}

	expect("before it is sent", FundingUnknown, ConfirmationsUnknown)
	send(t, b, fund)
	if err := b.SendRaw(bg, fund, true); err != nil {
		t.Errorf("sent twice: %v", err)
	}
	expect("in the mempool", FundingUnconfirmed, 0)
	mine(t, b, 3) // 104 to 106
	expect("confirmed", FundingUnspent, 3)

	spend := spendAnyone(q.OutPoint, fund.TxOut[0].Value, anyone)
	send(t, b, spend)
	if e := expect("spent in the mempool", FundingSpent, ConfirmationsUnknown); e.Spend.TxID != spend.TxHash() || e.Spend.Height != 0 {
		t.Errorf("mempool spend: %+v", e.Spend)
	}
	mine(t, b, 1) // 107
	expect("spent in a block that nobody looked at", FundingUnknown, ConfirmationsUnknown)
	child := spendAnyone(Outputs(spend)[0], spend.TxOut[0].Value, elsewhere)
	send(t, b, child)
	mine(t, b, 1) // 108

	res, err := Search(bg, src, SearchRequest{From: 100, OutPoints: []wire.OutPoint{q.OutPoint}, Generations: 1})
	if err != nil || len(res.Spends) != 2 || res.Spends[1].TxID != child.TxHash() || res.Tip != 108 {
		t.Fatalf("search: %+v, %v", res, err)
	}
	q.Spend = res.SpendOf(q.OutPoint)
	if e := expect("found by the search", FundingSpent, ConfirmationsUnknown); e.Spend.Height != 107 {
		t.Errorf("spend: %+v", e.Spend)
	}

	if err := b.call(bg, nil, "invalidateblock", q.Spend.Block.String()); err != nil {
		t.Fatal(err)
	}
	if e := expect("back in the mempool", FundingSpent, ConfirmationsUnknown); e.Spend.Height != 0 {
		t.Errorf("spend: %+v", e.Spend)
	}
}

func TestLiveMempoolMethods(t *testing.T) {
	b := startBitcoind(t)
	mine(t, b, 103)
	op, value := coinbase(t, b, 1)
	parent := spendAnyone(op, value, anyone)
	child := spendAnyone(Outputs(parent)[0], parent.TxOut[0].Value, elsewhere)

	accept, err := b.TestAccept(bg, parent)
	if err != nil || len(accept) != 1 || !accept[0].Allowed || accept[0].FeeSat != 1000 || accept[0].TxID != parent.TxHash() {
		t.Fatalf("TestAccept: %+v, %v", accept, err)
	}
	if accept, err := b.TestAccept(bg, child); err != nil || accept[0].Allowed || accept[0].Reason == "" {
		t.Errorf("TestAccept of an orphan: %+v, %v", accept, err)
	}
	var rejected *RejectedError
	if err := b.SendRaw(bg, child, true); !errors.As(err, &rejected) {
		t.Errorf("orphan sent: %v", err)
	}
	if err := b.SubmitPackage(bg, parent, child); err != nil && !errors.Is(err, ErrUnsupported) {
		t.Fatalf("SubmitPackage: %v", err)
	} else if err != nil {
		send(t, b, parent)
		send(t, b, child)
	}
	tx, err := b.Transaction(bg, child.TxHash(), nil)
	if err != nil || tx == nil || tx.Tx.WitnessHash() != child.WitnessHash() || tx.Block != (chainhash.Hash{}) {
		t.Errorf("Transaction in the mempool: %+v, %v", tx, err)
	}
	spends, err := Join(b, b).Spenders(bg, []wire.OutPoint{op, Outputs(parent)[0], Outputs(child)[0]})
	if err != nil || len(spends) != 2 || spends[op].TxHash() != parent.TxHash() || spends[Outputs(parent)[0]].TxHash() != child.TxHash() {
		t.Errorf("MempoolSpends: %+v, %v", spends, err)
	}

	mine(t, b, 1)
	if tx, err := b.Transaction(bg, child.TxHash(), nil); tx != nil || err != nil {
		t.Errorf("confirmed, without an index: %+v, %v", tx, err)
	}
	hash, err := b.BlockHash(bg, 104)
	if err != nil {
		t.Fatal(err)
	}
	if tx, err := b.Transaction(bg, child.TxHash(), &hash); err != nil || tx == nil || tx.Block != hash || tx.Confirmations != 1 {
		t.Errorf("in its block: %+v, %v", tx, err)
	}
	if err := b.SendRaw(bg, child, true); err != nil {
		t.Errorf("sent when confirmed: %v", err)
	}
	fees, err := b.EstimateFees(bg)
	if err != nil || fees.FloorPerKVB == 0 {
		t.Errorf("EstimateFees: %+v, %v", fees, err)
	}
}

func TestLiveUTXOSetFindsScriptsAndRanges(t *testing.T) {
	b := startBitcoind(t)
	mine(t, b, 103)
	op, value := coinbase(t, b, 1)
	tx := spendAnyone(op, value, elsewhere)
	send(t, b, tx)
	mine(t, b, 1)

	scan, err := b.ScanTxOutSet(bg, []Descriptor{RawDescriptor(elsewhere)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(scan.Outputs) != 1 || scan.Outputs[0].OutPoint != Outputs(tx)[0] || scan.Outputs[0].Height != 104 ||
		int64(scan.Outputs[0].ValueSat) != tx.TxOut[0].Value || !bytes.Equal(scan.Outputs[0].Script, elsewhere) {
		t.Errorf("scan: %+v", scan)
	}
	// BIP 32 test vector 1, m as a regtest key: nothing was paid to it, but
	// the ranged form must be taken.
	const tpub = "tpubD6NzVbkrYhZ4XgiXtGrdW5XDAPFCL9h7we1vwNCpn8tGbBcgfVYjXyhWo4E1xkh56hjod1RhGjxbaTLV3X4FyWuejifB9jusQ46QzG87VKp"
	scan, err = b.ScanTxOutSet(bg, []Descriptor{
		{Desc: "wpkh(" + tpub + "/*)", First: 0, Last: 200},
		RawDescriptor(anyone),
	}, nil)
	if err != nil || len(scan.Outputs) != 103 { // 104 coinbases, one spent
		t.Errorf("%d outputs, %v", len(scan.Outputs), err)
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, err := b.ScanTxOutSet(ctx, []Descriptor{RawDescriptor(elsewhere)}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := b.ScanTxOutSet(bg, []Descriptor{{Desc: "nonsense"}}, nil); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("bad descriptor: %v", err)
	}
}

func TestLivePrunedNodeIsNotAskedForWhatItLacks(t *testing.T) {
	// -fastprune makes block files small enough to be pruned in a test.
	b := startBitcoind(t, "-prune=1", "-fastprune")
	mine(t, b, 600)
	var pruned uint32
	if err := b.call(bg, &pruned, "pruneblockchain", 250); err != nil {
		t.Fatal(err)
	}
	src := Join(b, b)
	floor, known, _ := src.Floor(bg)
	if !known || floor == 0 {
		t.Fatalf("floor: %d, %v", floor, known)
	}
	if _, err := b.Block(bg, 10); !errors.Is(err, ErrPruned) {
		t.Errorf("pruned block: %v", err)
	}
	first, err := b.Block(bg, 600)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Search(bg, src, SearchRequest{From: 10, OutPoints: []wire.OutPoint{{Hash: first.Hash}}})
	if err != nil || res.Missing != floor-10 || res.Tip != 600 {
		t.Errorf("search: %+v, missing want %d, %v", res, floor-10, err)
	}
	if h, err := src.HeightBefore(bg, time.Unix(0, 0)); err != nil || h != 0 {
		t.Errorf("HeightBefore: %d, %v", h, err)
	}
}

func TestLiveStoppedBitcoindIsUnavailable(t *testing.T) {
	b := startBitcoind(t)
	if raw, err := os.ReadFile(b.at.cookie); err != nil || filepath.Base(b.at.cookie) != ".cookie" || !bytes.HasPrefix(raw, []byte("__cookie__:")) {
		t.Fatalf("cookie: %v", err)
	}
	if err := b.call(bg, nil, "stop"); err != nil {
		t.Fatal(err)
	}
	// The cookie file goes when bitcoind ends: unavailable, not a crash.
	for {
		if _, err := b.ChainInfo(bg); err != nil {
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("stopped bitcoind: %v", err)
			}
			break
		}
	}
}
