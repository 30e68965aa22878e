package lightningd_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/lightningd/lightningdtest"
)

const (
	keyA  = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	keyB  = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
	hash1 = "0100000000000000000000000000000000000000000000000000000000000002"
)

func key(t *testing.T, s string) channel.PubKey {
	t.Helper()
	k, err := channel.ParsePubKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func outpoint(t *testing.T) wire.OutPoint {
	t.Helper()
	h, err := chainhash.NewHashFromStr(hash1)
	if err != nil {
		t.Fatal(err)
	}
	return wire.OutPoint{Hash: *h, Index: 3}
}

// TestRequestsAsLightningdWantsThem checks method and parameters of each call,
// and one field of each answer.
func TestRequestsAsLightningdWantsThem(t *testing.T) {
	ctx := context.Background()
	a, op, gen := key(t, keyA), outpoint(t), uint64(1<<64-1)
	for _, c := range []struct {
		method, params, answer string
		call                   func(c *lightningd.Client) (any, error)
		want                   string
	}{
		{
			"getinfo", `{}`, `{"id":"` + keyA + `","version":"v26.06.6","blockheight":108,"network":"regtest","warning_lightningd_sync":"w","binding":[{"type":"ipv4","address":"127.0.0.1","port":9735}]}`,
			func(c *lightningd.Client) (any, error) {
				i, err := c.GetInfo(ctx)
				return []any{i.ID, i.BlockHeight, i.Synced(), i.Binding}, err
			}, "[" + keyA + " 108 false [{ipv4 127.0.0.1 9735}]]",
		},
		{
			"listpeerchannels", `{"id":"` + keyA + `"}`, `{"channels":[{"peer_id":"` + keyB + `","state":"CHANNELD_NORMAL","channel_id":"` + hash1 + `","to_us_msat":18446744073709551615,"total_msat":"5msat","channel_type":{"bits":[12,22]},"lost_state":true},{"peer_id":"` + keyB + `","state":"OPENINGD"}]}`,
			func(c *lightningd.Client) (any, error) {
				l, err := c.ListPeerChannels(ctx, &a)
				return []any{l[0].Peer, l[0].ID, l[0].ToUs, l[0].Total, l[0].ChannelType.Bits, l[0].LostState, l[1].ID == nil}, err
			}, "[" + keyB + " " + hash1 + " 18446744073709551615 5 [12 22] true true]",
		},
		{
			"listpeerchannels", `{}`, `{"channels":[]}`,
			func(c *lightningd.Client) (any, error) { return c.ListPeerChannels(ctx, nil) }, "[]",
		},
		{
			"listclosedchannels", `{}`, `{"closedchannels":[{"channel_id":"` + hash1 + `"}]}`,
			func(c *lightningd.Client) (any, error) {
				l, err := c.ListClosedChannels(ctx)
				return []any{l[0].Peer, l[0].ID}, err
			}, "[<nil> " + hash1 + "]",
		},
		{
			"staticbackup", `{}`, `{"scb":["0001","ff"]}`,
			func(c *lightningd.Client) (any, error) { return c.StaticBackup(ctx) }, "[[0 1] [255]]",
		},
		{
			"listpeers", `{}`, `{"peers":[{"id":"` + keyB + `","connected":true,"num_channels":2}]}`,
			func(c *lightningd.Client) (any, error) {
				l, err := c.ListPeers(ctx, nil)
				return []any{l[0].ID, l[0].Connected, l[0].Channels}, err
			}, "[" + keyB + " true 2]",
		},
		{
			"listnodes", `{"id":"` + keyA + `"}`, `{"nodes":[{"nodeid":"` + keyA + `","last_timestamp":5,"addresses":[{"type":"torv3","address":"x.onion","port":1}]}]}`,
			func(c *lightningd.Client) (any, error) {
				l, err := c.ListNodes(ctx, &a)
				return []any{l[0].LastTimestamp, l[0].Addresses}, err
			}, "[5 [{torv3 x.onion 1}]]",
		},
		{
			"listchannels", `{"source":"` + keyA + `"}`, `{"channels":[{"source":"` + keyA + `","destination":"` + keyB + `","last_update":9}]}`,
			func(c *lightningd.Client) (any, error) {
				l, err := c.ListChannelsFrom(ctx, a)
				return l[0].LastUpdate, err
			}, "9",
		},
		{
			"listconfigs", `{}`, `{"configs":{"rescan":{"value_int":-500,"source":"x"},"regtest":{"set":true},"proxy":{"value_str":"127.0.0.1:9050"},"offline":{"set":false},"min-emergency-msat":{"value_msat":25000000},"always-use-proxy":{"value_bool":true},"plugin":{"values_str":["a"],"sources":["b"]}}}`,
			func(c *lightningd.Client) (any, error) {
				conf, err := c.ListConfigs(ctx)
				n, _ := conf.Number("rescan")
				s, _ := conf.Text("proxy")
				_, there := conf.Text("bitcoin-rpcuser")
				keeps, _ := conf.Msat("min-emergency-msat")
				return []any{keeps, n, s, there, conf.Flag("regtest"), conf.Flag("offline"), conf.Flag("always-use-proxy"), conf.Flag("nosuch")}, err
			}, "[25000000 -500 127.0.0.1:9050 false true false true false]",
		},
		{
			"listfunds", `{"spent":true}`, `{"outputs":[{"txid":"` + hash1 + `","output":3,"amount_msat":1000,"scriptpubkey":"0014","status":"spent"}]}`,
			func(c *lightningd.Client) (any, error) {
				f, err := c.ListFunds(ctx, true)
				got, opErr := f.Outputs[0].Outpoint()
				return []any{got == op, f.Outputs[0].Amount.Sat(), f.Outputs[0].Script}, errors.Join(err, opErr)
			}, "[true 1 [0 20]]",
		},
		{
			"listdatastore", `{"key":["glrecover","x"]}`, `{"datastore":[{"key":["glrecover","x"],"generation":18446744073709551615,"hex":"00"},{"key":["glrecover","y"]}]}`,
			func(c *lightningd.Client) (any, error) {
				l, err := c.ListDatastore(ctx, "glrecover", "x")
				return []any{l[0].Generation, l[0].Value, l[1].Value == nil}, err
			}, "[18446744073709551615 [0] true]",
		},
		{
			"datastore", `{"key":["a"],"hex":"0102","mode":"must-replace","generation":18446744073709551615}`, `{"key":["a"],"generation":1}`,
			func(c *lightningd.Client) (any, error) {
				e, err := c.Datastore(ctx, []string{"a"}, []byte{1, 2}, lightningd.MustReplace, &gen)
				return e.Generation, err
			}, "1",
		},
		{
			"datastore", `{"key":["a"],"hex":"","mode":"must-create"}`, `{"key":["a"],"generation":0}`,
			func(c *lightningd.Client) (any, error) {
				e, err := c.Datastore(ctx, []string{"a"}, nil, lightningd.MustCreate, nil)
				return e.Generation, err
			}, "0",
		},
		{
			"deldatastore", `{"key":["a"],"generation":18446744073709551615}`, `{}`,
			func(c *lightningd.Client) (any, error) { return nil, c.DelDatastore(ctx, []string{"a"}, &gen) }, "<nil>",
		},
		{
			"feerates", `{"style":"perkw"}`, `{"perkw":{"floor":253,"estimates":[{"blockcount":2,"feerate":300}]}}`,
			func(c *lightningd.Client) (any, error) {
				f, err := c.Feerates(ctx)
				return []any{f.Floor, f.Estimates, f.Opening}, err
			}, "[253 [{2 300}] 0]",
		},
		{
			"recoverchannel", `{"scb":["0a"]}`, `{"stubs":["` + hash1 + `"]}`,
			func(c *lightningd.Client) (any, error) { return c.RecoverChannel(ctx, [][]byte{{10}}) }, "[" + hash1 + "]",
		},
		{
			"newaddr", `{"addresstype":"all"}`, `{"bech32":"b","p2tr":"t"}`,
			func(c *lightningd.Client) (any, error) {
				r, err := c.NewAddr(ctx)
				return *r, err
			}, "{b t}",
		},
		{
			"reserveinputs", `{"psbt":"p","exclusive":true,"reserve":6}`, `{"reservations":[{"vout":1}]}`,
			func(c *lightningd.Client) (any, error) {
				r, err := c.ReserveInputs(ctx, "p", true, 6)
				return len(r), err
			}, "1",
		},
		{
			"unreserveinputs", `{"psbt":"p"}`, `{"reservations":[]}`,
			func(c *lightningd.Client) (any, error) { return c.UnreserveInputs(ctx, "p", 0) }, "[]",
		},
		{
			"signpsbt", `{"psbt":"p","signonly":[0,2]}`, `{"signed_psbt":"s"}`,
			func(c *lightningd.Client) (any, error) { return c.SignPSBT(ctx, "p", 0, 2) }, "s",
		},
		{
			"help", `{"command":"x"}`, `{"help":[{"command":"x [y]"}]}`,
			func(c *lightningd.Client) (any, error) { return c.Help(ctx, "x") }, "[x [y]]",
		},
		{
			"getchaininfo", `{"last_height":0}`, `{"chain":"regtest","headercount":2,"blockcount":1,"ibd":true}`,
			func(c *lightningd.Client) (any, error) { return c.ChainInfo(ctx) }, "{regtest 2 1 true}",
		},
		{
			"getutxout", `{"txid":"` + hash1 + `","vout":3}`, `{"amount":"123456789sat","script":"00"}`,
			func(c *lightningd.Client) (any, error) {
				o, err := c.UTXO(ctx, op)
				return *o, err
			}, "{123456789 [0]}",
		},
		{
			"getutxout", `{"txid":"` + hash1 + `","vout":3}`, `{"amount":5,"script":"00"}`,
			func(c *lightningd.Client) (any, error) {
				o, err := c.UTXO(ctx, op)
				return o.ValueSat, err
			}, "5",
		},
		{
			"getutxout", `{"txid":"` + hash1 + `","vout":3}`, `{"amount":"5000msat","script":"00"}`,
			func(c *lightningd.Client) (any, error) {
				o, err := c.UTXO(ctx, op)
				return o.ValueSat, err
			}, "5",
		},
		{
			"getutxout", `{"txid":"` + hash1 + `","vout":3}`, `{"amount":null,"script":null}`,
			func(c *lightningd.Client) (any, error) {
				o, err := c.UTXO(ctx, op)
				return o == nil, err
			}, "true",
		},
		{
			"estimatefees", `{}`, `{"feerate_floor":1000,"feerates":[{"blocks":6,"feerate":2000},{"blocks":2,"feerate":3000}]}`,
			func(c *lightningd.Client) (any, error) { return c.EstimateFees(ctx) }, "{1000 [{2 3000} {6 2000}]}",
		},
	} {
		s := lightningdtest.NewSocket(t)
		s.Answer(c.method, json.RawMessage(c.answer))
		got, err := c.call(s.Client())
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%s: got %v, %v, want %s", c.method, got, err, c.want)
		}
		var sent, want any
		calls := s.Calls()
		if len(calls) != 1 || json.Unmarshal(calls[0].Params, &sent) != nil || json.Unmarshal([]byte(c.params), &want) != nil {
			t.Fatalf("%s: calls %s", c.method, calls)
		}
		// Compared as text too: a float would hide the last digits.
		if fmt.Sprint(sent) != fmt.Sprint(want) || strings.Contains(c.params, "18446744073709551615") != strings.Contains(string(calls[0].Params), "18446744073709551615") {
			t.Errorf("%s: sent %s, want %s", c.method, calls[0].Params, c.params)
		}
	}
}

func TestBackendTellsMissingBlocksRefusalsAndKnownTransactionsApart(t *testing.T) {
	ctx := context.Background()
	s := lightningdtest.NewSocket(t)
	c := s.Client()
	s.Answer("getrawblockbyheight", json.RawMessage(`{"blockhash":null,"block":null}`))
	if _, err := c.Block(ctx, 9); !errors.Is(err, chain.ErrNoBlock) {
		t.Errorf("beyond the tip: %v", err)
	}
	s.Answer("getrawblockbyheight", json.RawMessage(`{"blockhash":"`+hash1+`","block":"00"}`))
	if _, err := c.Block(ctx, 9); err == nil || errors.Is(err, chain.ErrNoBlock) {
		t.Errorf("broken block: %v", err)
	}
	s.Handle("getutxout", func(json.RawMessage) (any, error) {
		return nil, &lightningd.RPCError{Code: -1, Message: "bcli: gettxout exited 1"}
	})
	if _, err := c.UTXO(ctx, outpoint(t)); !errors.Is(err, chain.ErrUnavailable) {
		t.Errorf("bitcoind down: %v", err)
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{})
	tx.AddTxOut(&wire.TxOut{})
	for message, refused := range map[string]bool{
		"": false, "txn-already-in-mempool": false,
		"error code: -27\nerror message:\nTransaction outputs already in utxo set": false,
		"error code: -27\nerror message:\nTransaction already in block chain":      false,
		"bad-txns-inputs-missingorspent":                                           true, "min relay fee not met": true,
	} {
		s.Answer("sendrawtransaction", map[string]any{"success": message == "", "errmsg": message})
		err := c.SendRaw(ctx, tx, true)
		var rejected *chain.RejectedError
		if errors.As(err, &rejected) != refused || refused && rejected.Reason != message || !refused && err != nil {
			t.Errorf("%q: got %v", message, err)
		}
	}
	if got := string(s.Calls()[3].Params); !strings.Contains(got, `"allowhighfees":true`) {
		t.Errorf("sent %s", got)
	}
}

func TestErrorOfLightningdIsTyped(t *testing.T) {
	s := lightningdtest.NewSocket(t)
	s.Handle("datastore", func(json.RawMessage) (any, error) {
		return nil, &lightningd.RPCError{Code: 1202, Message: "Key already exists", Data: json.RawMessage(`{"x":1}`)}
	})
	_, err := s.Client().Datastore(context.Background(), []string{"a"}, nil, lightningd.MustCreate, nil)
	var rpc *lightningd.RPCError
	if !errors.As(err, &rpc) || rpc.Code != lightningd.CodeDatastoreUpdateExists || rpc.Method != "datastore" || string(rpc.Data) != `{"x":1}` {
		t.Errorf("got %#v", err)
	}
}

func TestAnswerOfAnotherShapeIsAnErrorWithoutContent(t *testing.T) {
	for _, answer := range []string{`[]`, `{"id":"0279"}`, `{"id":7}`, `{"blockheight":-1}`, `{"blockheight":4294967296}`} {
		s := lightningdtest.NewSocket(t)
		s.Answer("getinfo", json.RawMessage(answer))
		if i, err := s.Client().GetInfo(context.Background()); err == nil {
			t.Errorf("%s: accepted as %+v", answer, i)
		}
	}
}

func TestAmountsAreExact(t *testing.T) {
	for text, want := range map[string]string{
		`18446744073709551615`: "18446744073709551615", `"18446744073709551615msat"`: "18446744073709551615", `0`: "0",
		`1.5`: "", `-1`: "", `1e3`: "", `"5"`: "", `"5sat"`: "", `"msat"`: "", `18446744073709551616`: "", `"1msat`: "",
	} {
		var m lightningd.Msat
		err := json.Unmarshal([]byte(text), &m)
		if want == "" && err == nil || want != "" && (err != nil || fmt.Sprint(uint64(m)) != want) {
			t.Errorf("%s: got %d, %v", text, m, err)
		}
	}
}

func TestContextEndsACallThatIsNotAnswered(t *testing.T) {
	s := lightningdtest.NewSocket(t)
	asked, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	s.Handle("getinfo", func(json.RawMessage) (any, error) { close(asked); <-release; return nil, nil })
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-asked; cancel() }()
	if _, err := s.Client().GetInfo(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, lightningd.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestSlowCallDoesNotHoldUpOthers(t *testing.T) {
	s := lightningdtest.NewSocket(t)
	release := make(chan struct{})
	s.Handle("getinfo", func(json.RawMessage) (any, error) {
		<-release
		return json.RawMessage(`{"id":"` + keyA + `"}`), nil
	})
	s.Answer("listpeers", json.RawMessage(`{"peers":[]}`))
	c := s.Client()
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		if _, err := c.GetInfo(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if _, err := c.ListPeers(context.Background(), nil); err != nil {
		t.Error(err)
	}
	close(release)
	wg.Wait()
}

// listen answers each connection with the given function.
func listen(t *testing.T, path string, serve func(conn net.Conn, request string)) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			n, _ := conn.Read(buf)
			serve(conn, string(buf[:n]))
			conn.Close()
		}
	}()
	return l
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ln")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func answerTo(request string) string {
	var r struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal([]byte(request), &r) != nil {
		return ""
	}
	return `{"jsonrpc":"2.0","id":` + string(r.ID) + `,"result":{"id":"` + keyA + `"}}`
}

func TestNotificationsAndForeignAnswersAreSkipped(t *testing.T) {
	path := filepath.Join(shortDir(t), "rpc")
	listen(t, path, func(conn net.Conn, request string) {
		fmt.Fprint(conn, `{"method":"progress","params":{}}`+"\n\n"+`{"id":"other","result":{"id":"`+keyB+`"}}`+"\n\n"+answerTo(request))
	})
	i, err := lightningd.NewClient(path).GetInfo(context.Background())
	if err != nil || i.ID.String() != keyA {
		t.Errorf("got %+v, %v", i, err)
	}
}

func TestConnectionThatEndsInTheAnswerIsUnreachableAndNotRetried(t *testing.T) {
	path := filepath.Join(shortDir(t), "rpc")
	connections := 0
	listen(t, path, func(conn net.Conn, request string) {
		connections++
		fmt.Fprint(conn, answerTo(request)[:20])
	})
	_, err := lightningd.NewClient(path).GetInfo(context.Background())
	if !errors.Is(err, lightningd.ErrUnreachable) || connections != 1 {
		t.Errorf("%d connections, %v", connections, err)
	}
}

func TestSocketThatAppearsLaterIsFound(t *testing.T) {
	path := filepath.Join(shortDir(t), "rpc")
	result := make(chan error, 1)
	go func() {
		_, err := lightningd.NewClient(path).GetInfo(context.Background())
		result <- err
	}()
	// The first dial has failed, or will find the socket: both must work.
	l := listen(t, path, func(conn net.Conn, request string) { fmt.Fprint(conn, answerTo(request)) })
	if err := <-result; err != nil {
		t.Error(err)
	}
	l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := lightningd.NewClient(path).GetInfo(ctx); err == nil {
		t.Error("a closed socket answered")
	}
}

// failures records what a double would have made of the test.
type failures struct {
	testing.TB
	mu    sync.Mutex
	texts []string
}

func (f *failures) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

func TestStandInFailsOnAMethodThatIsNotAllowed(t *testing.T) {
	f := &failures{TB: t}
	s := lightningdtest.NewSocket(f)
	s.Answer("getinfo", json.RawMessage(`{"id":"`+keyA+`"}`))
	if _, err := s.Client().GetInfo(context.Background()); err != nil || len(f.texts) != 0 {
		t.Errorf("allowed: %v %v", err, f.texts)
	}
	s.Forbid("getinfo")
	if _, err := s.Client().GetInfo(context.Background()); err == nil || len(f.texts) != 1 || !strings.Contains(f.texts[0], "getinfo is not allowed") {
		t.Errorf("forbidden: %v %v", err, f.texts)
	}
	if s.Count("getinfo") != 2 {
		t.Errorf("counted %d", s.Count("getinfo"))
	}
}
