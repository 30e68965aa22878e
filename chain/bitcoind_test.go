package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"
)

var bg = context.Background()

// standIn answers bitcoind's JSON-RPC with canned results by method.
func standIn(t *testing.T, user, pass string, answer func(method string, params []any) (result string, code int)) (*Bitcoind, *atomic.Int32) {
	t.Helper()
	calls := new(atomic.Int32)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		u, p, _ := r.BasicAuth()
		if u != user || p != pass {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var req struct {
			Method string `json:"method"`
			Params []any  `json:"params"`
		}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		result, code := answer(req.Method, req.Params)
		if code != 0 {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, `{"result":null,"error":{"code":%d,"message":%q},"id":"glrecover"}`, code, result)
			return
		}
		fmt.Fprintf(w, `{"result":%s,"error":null,"id":"glrecover"}`, result)
	}))
	t.Cleanup(srv.Close)
	host, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBitcoind(Options{
		Network: "regtest", Connect: host, Port: port, User: "alice", Password: "s3cret", DataDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, calls
}

const hashA = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"

func TestBitcoindAnswersBecomeErrorsThatCallersTellApart(t *testing.T) {
	tests := []struct {
		name   string
		result string
		code   int
		call   func(*Bitcoind) error
		want   error
	}{
		{"starting", "Loading block index", codeWarmup, func(b *Bitcoind) error { _, err := b.ChainInfo(bg); return err }, ErrUnavailable},
		{"beyond the tip", "Block height out of range", codeParameter, func(b *Bitcoind) error { _, err := b.BlockHash(bg, 9); return err }, ErrNoBlock},
		{"old bitcoind", "Method not found", codeNoMethod, func(b *Bitcoind) error { return b.SubmitPackage(bg) }, ErrUnsupported},
		{"old bitcoind, mempool", "Method not found", codeNoMethod, func(b *Bitcoind) error { _, err := b.Spenders(bg, make([]wire.OutPoint, 1)); return err }, ErrUnsupported},
		{"known transaction", "Transaction already in block chain", codeKnown, func(b *Bitcoind) error { return b.SendRaw(bg, wire.NewMsgTx(2), false) }, nil},
		{"unknown transaction", "No such mempool or blockchain transaction", codeNotFound, func(b *Bitcoind) error {
			tx, err := b.Transaction(bg, [32]byte{}, nil)
			if tx != nil {
				return errors.New("a transaction came")
			}
			return err
		}, nil},
		{"scan of somebody else", `{"progress":3}`, 0, func(b *Bitcoind) error { _, err := b.ScanTxOutSet(bg, nil, nil); return err }, ErrScanBusy},
	}
	for _, tt := range tests {
		b, _ := standIn(t, "alice", "s3cret", func(string, []any) (string, int) { return tt.result, tt.code })
		err := tt.call(b)
		if !errors.Is(err, tt.want) || (tt.want == nil && err != nil) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}

	b, _ := standIn(t, "alice", "s3cret", func(string, []any) (string, int) { return "min relay fee not met", codeRejected })
	var rejected *RejectedError
	if err := b.SendRaw(bg, wire.NewMsgTx(2), false); !errors.As(err, &rejected) || rejected.Reason != "min relay fee not met" {
		t.Errorf("refused: %v", err)
	}
}

func TestPrunedBlockIsToldFromAMissingOne(t *testing.T) {
	b, _ := standIn(t, "alice", "s3cret", func(method string, _ []any) (string, int) {
		if method == "getblockhash" {
			return `"` + hashA + `"`, 0
		}
		return "Block not available (pruned data)", codeMisc
	})
	if _, err := b.Block(bg, 1); !errors.Is(err, ErrPruned) {
		t.Errorf("%v", err)
	}
}

func TestAnswersOfAnotherShapeAreErrors(t *testing.T) {
	for _, result := range []string{
		`"` + hashA[:62] + `"`, `"zz` + hashA[2:] + `"`, `17`, `[]`, `{"bestblockhash":7}`,
		`[{"txid":"00","vout":0,"spendingtxid":"00"}]`, `{"hex":"00"}`, `["00"]`, `{"value":1e9}`,
	} {
		b, _ := standIn(t, "alice", "s3cret", func(string, []any) (string, int) { return result, 0 })
		if _, err := b.BlockHash(bg, 1); err == nil {
			t.Errorf("BlockHash took %s", result)
		}
		if _, err := b.BlockchainInfo(bg); err == nil {
			t.Errorf("BlockchainInfo took %s", result)
		}
		if _, err := b.Spenders(bg, make([]wire.OutPoint, 1)); err == nil && result != "[]" {
			t.Errorf("Spenders took %s", result)
		}
		if _, err := b.Transaction(bg, [32]byte{}, nil); err == nil {
			t.Errorf("Transaction took %s", result)
		}
		if _, err := b.TxOut(bg, wire.OutPoint{}, true); err == nil {
			t.Errorf("TxOut took %s", result)
		}
	}
}

func TestCredentialsAreNeverPrinted(t *testing.T) {
	b, _ := standIn(t, "bob", "other", func(string, []any) (string, int) { return "null", 0 })
	_, err := b.ChainInfo(bg)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("refused login: %v", err)
	}
	o := Options{Network: "regtest", Connect: "127.0.0.1", User: "alice", Password: "s3cret"}
	for _, text := range []string{
		err.Error(), fmt.Sprint(b), fmt.Sprintf("%v %+v %#v %s", b, b, b, b),
		fmt.Sprintf("%v %+v %#v %s", o, o, o, o), fmt.Sprintf("%+v", &o),
	} {
		if strings.Contains(text, "s3cret") || strings.Contains(text, "alice") {
			t.Errorf("a credential in %q", text)
		}
	}
	down, err := NewBitcoind(Options{Network: "regtest", Connect: "127.0.0.1:1", User: "alice", Password: "s3cret", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = down.ChainInfo(bg); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("down: %v", err)
	}
}

func TestNewCookieAfterARestartIsRead(t *testing.T) {
	pass := "first"
	var b *Bitcoind
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, p, _ := r.BasicAuth(); p != pass {
			// bitcoind writes the new cookie while the old one is tried.
			_ = os.WriteFile(b.at.cookie, []byte("__cookie__:"+pass+"\n"), 0o600)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"result":"%s","error":null}`, hashA)
	}))
	defer srv.Close()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "regtest"), 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := NewBitcoind(Options{Network: "regtest", Connect: srv.Listener.Addr().String(), DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.BlockHash(bg, 0); !errors.Is(err, ErrNoCredentials) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("no cookie: %v", err)
	}
	if err := os.WriteFile(b.at.cookie, []byte("__cookie__:first"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pass = range []string{"first", "second"} {
		if _, err := b.BlockHash(bg, 0); err != nil {
			t.Errorf("%s cookie: %v", pass, err)
		}
	}
}

func TestHugeAnswerIsCutOff(t *testing.T) {
	b, _ := standIn(t, "alice", "s3cret", func(string, []any) (string, int) {
		return `"` + strings.Repeat("0", maxAnswer) + `"`, 0
	})
	if _, err := b.BlockHash(bg, 1); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}

func TestRedirectDoesNotCarryTheCredentialsAway(t *testing.T) {
	var leaked atomic.Bool
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Store(true) }))
	defer thief.Close()
	srv := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	b, err := NewBitcoind(Options{Network: "regtest", Connect: srv.Listener.Addr().String(), User: "u", Password: "p", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.ChainInfo(bg); err == nil || leaked.Load() {
		t.Errorf("error %v, leaked %v", err, leaked.Load())
	}
}

func TestAbortedScanStopsBitcoindToo(t *testing.T) {
	actions := make(chan string, 8)
	release := make(chan struct{})
	defer close(release)
	b, _ := standIn(t, "alice", "s3cret", func(_ string, params []any) (string, int) {
		action := params[0].(string)
		actions <- action
		if action == "start" {
			<-release
		}
		return "null", 0
	})
	ctx, cancel := context.WithCancel(bg)
	done := make(chan error)
	go func() {
		_, err := b.ScanTxOutSet(ctx, []Descriptor{RawDescriptor([]byte{0x51})}, nil)
		done <- err
	}()
	if got := []string{<-actions, <-actions}; !slices.Equal(got, []string{"status", "start"}) {
		t.Fatalf("actions %v", got)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if got := <-actions; got != "abort" {
		t.Errorf("then %q", got)
	}
}

func TestScanObjectsCarryTheirRanges(t *testing.T) {
	var sent []any
	b, _ := standIn(t, "alice", "s3cret", func(_ string, params []any) (string, int) {
		if params[0] == "status" {
			return "null", 0
		}
		sent = params[1].([]any)
		return `{"success":true,"txouts":1,"height":7,"bestblock":"` + hashA + `","unspents":[
			{"txid":"` + hashA + `","vout":1,"scriptPubKey":"51","desc":"addr(x)","amount":0.00012345,"coinbase":false,"height":5}],"total_amount":0.00012345}`, 0
	})
	scan, err := b.ScanTxOutSet(bg, []Descriptor{
		RawDescriptor([]byte{0x51}),
		{Desc: "wpkh(xpub/*)", First: 1, Last: 50},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(sent); string(text) != `["raw(51)",{"desc":"wpkh(xpub/*)","range":[1,50]}]` {
		t.Errorf("sent %s", text)
	}
	if len(scan.Outputs) != 1 || scan.Outputs[0].ValueSat != 12345 || scan.Outputs[0].Height != 5 || scan.Height != 7 || string(scan.Outputs[0].Script) != "\x51" {
		t.Errorf("scan %+v", scan)
	}
}

func TestSubmitPackageNamesWhatWasRefused(t *testing.T) {
	parent, child := wire.NewMsgTx(2), wire.NewMsgTx(3)
	b, _ := standIn(t, "alice", "s3cret", func(string, []any) (string, int) {
		return `{"package_msg":"transaction failed","tx-results":{"` + child.WitnessHash().String() + `":{"error":"min relay fee not met"}}}`, 0
	})
	var rejected *RejectedError
	err := b.SubmitPackage(bg, parent, child)
	if !errors.As(err, &rejected) || rejected.Reason != "transaction failed; min relay fee not met" {
		t.Errorf("%v", err)
	}
}

func TestDecodeBlockTakesWholeBlocksOnly(t *testing.T) {
	block := wire.MsgBlock{Header: wire.BlockHeader{Version: 4, Timestamp: time.Unix(1, 0)}}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{}, []byte{0x51}, nil))
	_ = block.AddTransaction(tx)
	block.Header.MerkleRoot = tx.TxHash()
	var buf strings.Builder
	if err := block.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	raw := fmt.Sprintf("%x", buf.String())
	hash := block.BlockHash().String()
	b, err := DecodeBlock(3, hash, raw)
	if err != nil || b.Height != 3 || b.Hash != block.BlockHash() {
		t.Fatalf("%v, %v", b, err)
	}
	if txs, err := b.filter(everything); err != nil || len(txs) != 1 {
		t.Errorf("%v, %v", txs, err)
	}
	for name, bad := range map[string][2]string{
		"cut off":       {hash, raw[:len(raw)-2]},
		"half a byte":   {hash, raw[:len(raw)-1]},
		"trailing":      {hash, raw + "00"},
		"odd trailing":  {hash, raw + "0"},
		"another block": {hashA, raw},
		"no hash":       {"", raw},
		"empty":         {hash, ""},
		"huge":          {hash, strings.Repeat("0", 2*maxBlockBytes+2)},
	} {
		b, err := DecodeBlock(3, bad[0], bad[1])
		if err == nil {
			_, err = b.filter(everything)
		}
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestTransactionRoundTrip(t *testing.T) {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 3}, nil, [][]byte{{1}, {2}}))
	tx.AddTxOut(wire.NewTxOut(5, []byte{0x51}))
	raw, err := EncodeTx(tx)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeTx(raw)
	if err != nil || back.WitnessHash() != tx.WitnessHash() {
		t.Errorf("%v", err)
	}
	if _, err := DecodeTx(raw + "00"); err == nil {
		t.Error("trailing byte taken")
	}
}

func TestAmountsAreExact(t *testing.T) {
	good := map[string]uint64{
		"0": 0, "0.00000000": 0, "0.00000001": 1, "0.1": 10_000_000, "1": 100_000_000,
		"0.07123456": 7_123_456, "20999999.9769": 2099999997690000, "21000000.00000000": maxSat,
		"50.00000000": 5_000_000_000, "01": 100_000_000,
	}
	for text, want := range good {
		if got, err := ParseBTC(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, bad := range []string{
		"", ".", "1.", ".1", "-1", "+1", "1e-8", "0.000000001", "21000000.00000001",
		"99999999999", "0x1", "1,0", " 1", "1.0.0", "NaN", "1_0", "null", `"1"`,
	} {
		if got, err := ParseBTC(bad); err == nil {
			t.Errorf("%q taken as %d", bad, got)
		}
	}
}

func FuzzParseBTC(f *testing.F) {
	for _, s := range []string{"0", "0.00000001", "21000000", "1e8", "1.", "0.123456789"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sat, err := ParseBTC(s)
		if err != nil {
			return
		}
		again, err := ParseBTC(fmt.Sprintf("%d.%08d", sat/100_000_000, sat%100_000_000))
		if err != nil || again != sat || sat > maxSat {
			t.Errorf("%q: %d, then %d, %v", s, sat, again, err)
		}
	})
}
