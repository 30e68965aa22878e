package esplora

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
)

const capacity = 1_000_000

// p2wsh is a script of the kind that channels have, of one's own each.
func p2wsh(n byte) []byte {
	script := make([]byte, 34)
	script[1], script[33] = 32, n
	return script
}

func TestWatcherOverEsplora(t *testing.T) {
	s, c := newServer(t, 50, p2wsh(1))
	pay, op := s.chain.Pay(capacity, p2wsh(1))
	made := s.chain.Mine(pay)
	s.chain.MineN(1500)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w := chain.NewWatcher(c, chain.Every(5*time.Millisecond))
	updates := make(chan chain.Update, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx, func(u chain.Update) {
			select {
			case updates <- u:
			case <-ctx.Done():
			}
		})
	}()
	until := func(what string, ok func(chain.Sighting) bool) {
		t.Helper()
		var last chain.Update
		for {
			select {
			case last = <-updates:
				for _, x := range last.Changed {
					if x.OutPoint == op && ok(x) {
						return
					}
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("%s: %+v", what, last)
			}
		}
	}
	w.Watch(chain.Watch{OutPoint: op, PkScript: p2wsh(1), From: 1})
	until("unspent", func(x chain.Sighting) bool { return x.Place == chain.Unspent && x.CreatedAt == made.Height })
	spend := chaintest.SpendTo(capacity-500, p2wsh(2), op)
	if err := c.Send(ctx, spend); err != nil {
		t.Fatal(err)
	}
	until("in the mempool", func(x chain.Sighting) bool { return x.Place == chain.InMempool && x.TxID == spend.TxHash() })
	at := s.chain.MineMempool().Height
	until("in a block", func(x chain.Sighting) bool {
		return x.Place == chain.InBlock && x.Height == at && x.TxID == spend.TxHash()
	})
	s.chain.Reorg(1, true)
	s.chain.Mine()
	until("back in the mempool", func(x chain.Sighting) bool { return x.Place == chain.InMempool })
	again := s.chain.MineMempool().Height
	until("in a block again", func(x chain.Sighting) bool { return x.Place == chain.InBlock && x.Height == again })
	stop()
	<-ended
	if raw := s.count("/block/"); raw > 400 {
		t.Errorf("%d requests for blocks", raw)
	}
}

func TestSearchOverEsploraAsksForScriptsOnce(t *testing.T) {
	s, c := newServer(t, 20, p2wsh(1), p2wsh(2))
	// More transactions of one script than a page has.
	var want int
	for range 60 {
		pay, _ := s.chain.Pay(capacity, p2wsh(1))
		s.chain.Mine(pay)
		want++
	}
	s.chain.MineN(2500)
	got, err := chain.Search(t.Context(), c, chain.SearchRequest{From: 1, Scripts: [][]byte{p2wsh(1), p2wsh(2)}})
	if err != nil || len(got.Found) != want {
		t.Fatalf("%d of %d, %v", len(got.Found), want, err)
	}
	if asked := s.count("/scripthash/"); asked != 4 { // three pages, and one without
		t.Errorf("%d requests for scripts", asked)
	}
}

func TestWhatTheServerSaysOfAnOutput(t *testing.T) {
	s, c := newServer(t, 5)
	ctx := t.Context()
	mined, inBlock := s.chain.Pay(capacity, p2wsh(1))
	s.chain.Mine(mined)
	s.chain.MineN(2)
	waiting, inPool := s.chain.Pay(capacity, p2wsh(2))
	s.chain.AddMempool(waiting)
	for what, want := range map[string]struct {
		op            wire.OutPoint
		there         bool
		confirmations int
	}{
		"in a block":        {inBlock, true, 3},
		"in the mempool":    {inPool, true, 0},
		"another index":     {wire.OutPoint{Hash: inBlock.Hash, Index: 7}, false, 0},
		"no such tx at all": {wire.OutPoint{Hash: [32]byte{1}}, false, 0},
	} {
		u, err := c.Output(ctx, want.op)
		if err != nil || (u != nil) != want.there || u != nil && (u.Confirmations != want.confirmations || u.ValueSat != capacity) {
			t.Errorf("%s: %+v, %v", what, u, err)
		}
	}
	spend := chaintest.SpendTo(1000, p2wsh(3), inBlock)
	s.chain.AddMempool(spend)
	if u, err := c.Output(ctx, inBlock); err != nil || u == nil {
		t.Errorf("spent in the mempool only: %+v, %v", u, err)
	}
	if by, err := c.Spenders(ctx, []wire.OutPoint{inBlock, inPool, {Hash: [32]byte{1}}}); err != nil || len(by) != 1 || by[inBlock].TxHash() != spend.TxHash() {
		t.Errorf("%v, %v", by, err)
	}
	s.chain.MineMempool()
	if u, err := c.Output(ctx, inBlock); err != nil || u != nil {
		t.Errorf("spent: %+v, %v", u, err)
	}
	if by, err := c.Spenders(ctx, []wire.OutPoint{inBlock}); err != nil || len(by) != 0 {
		t.Errorf("%v, %v", by, err)
	}
}

func TestHeightsHeadersAndFees(t *testing.T) {
	s, c := newServer(t, 200)
	ctx := t.Context()
	best, hash, err := c.Best(ctx)
	if err != nil || best != 200 {
		t.Errorf("%d, %v", best, err)
	}
	if h, err := c.HashAt(ctx, 200); err != nil || h != hash {
		t.Errorf("%v, %v", h, err)
	}
	if _, err := c.HashAt(ctx, 201); !errors.Is(err, chain.ErrNoBlock) {
		t.Errorf("above the tip: %v", err)
	}
	height, err := c.HeightBefore(ctx, epoch.Add(100*chaintest.Interval))
	if err != nil || height < 70 || height > 100 {
		t.Errorf("%d, %v", height, err)
	}
	fees, err := c.EstimateFees(ctx)
	if got := fmt.Sprint(fees); err != nil || got != "{1000 [{2 12346} {6 5000} {12 1500} {144 1000}]}" {
		t.Errorf("%s, %v", got, err)
	}
	_ = s
}

func TestSendOverEsplora(t *testing.T) {
	s, c := newServer(t, 3)
	ctx := t.Context()
	pay, op := s.chain.Pay(capacity, p2wsh(1))
	s.chain.Mine(pay)
	parent := chaintest.SpendTo(capacity-100, p2wsh(2), op)
	child := chaintest.SpendTo(capacity-900, p2wsh(3), chain.Outputs(parent)[0])
	if err := c.Send(ctx, parent, child); err != nil {
		t.Errorf("one by one: %v", err)
	}
	if err := c.Send(ctx, parent); err != nil {
		t.Errorf("twice: %v", err)
	}
	s.first = func(w http.ResponseWriter, r *http.Request) bool {
		http.Error(w, "sendrawtransaction RPC error: {\"code\":-26,\"message\":\"min relay fee not met\x1b[2J\"}", http.StatusBadRequest)
		return true
	}
	var refused *chain.RejectedError
	if err := c.Send(ctx, parent); !errors.As(err, &refused) || !strings.Contains(refused.Reason, "min relay fee") || strings.Contains(refused.Reason, "\x1b") {
		t.Errorf("%v", err)
	}
	s.first = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/txs/package" {
			return false
		}
		fmt.Fprint(w, `{"package_msg":"success","tx-results":{}}`)
		return true
	}
	before := s.count("/tx")
	if err := c.Send(ctx, parent, child); err != nil || s.count("/tx")-before != 1 {
		t.Errorf("as a package: %v", err)
	}
}

// A server that lies, fails or babbles is unavailable; nothing is concluded from it.
func TestAServerThatCannotBeBelieved(t *testing.T) {
	s, c := newServer(t, 5)
	ctx := t.Context()
	pay, op := s.chain.Pay(capacity, p2wsh(1))
	s.chain.Mine(pay)
	for name, answer := range map[string]string{
		"an empty answer": "", "a web page": "<html>", "another transaction": "\x02\x00\x00\x00", "null": "null",
		"half a hash": strings.Repeat("0", 40),
	} {
		s.first = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/blocks") || strings.HasPrefix(r.URL.Path, "/block/") && !strings.HasSuffix(r.URL.Path, "raw") {
				return false
			}
			fmt.Fprint(w, answer)
			return true
		}
		if u, err := c.Output(ctx, op); u != nil || !errors.Is(err, chain.ErrUnavailable) {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
		if h, err := c.HashAt(ctx, 1); !errors.Is(err, chain.ErrUnavailable) {
			t.Errorf("%s: %v, %v", name, h, err)
		}
	}
	s.first = func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	if _, _, err := c.Best(ctx); !errors.Is(err, chain.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	// Another block than the height's.
	s.first = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/raw") {
			return false
		}
		b, _ := s.node.Block(r.Context(), 2)
		_, _ = w.Write(b.Raw)
		return true
	}
	if _, err := c.Block(ctx, 3); err == nil {
		t.Error("another block was taken")
	}
	// Too often: asked again after a pause.
	var times int
	s.first = func(w http.ResponseWriter, r *http.Request) bool {
		if times++; times == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	}
	if _, _, err := c.Best(ctx); err != nil || times != 3 {
		t.Errorf("%d requests, %v", times, err)
	}
}

func TestWhatIsNoServer(t *testing.T) {
	for _, url := range []string{"", "blockstream.info/api", "ftp://h", "https://alice:hunter2@h/api", "https://h/?x=1", "https://"} {
		if _, err := Open(Options{URL: url}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
	c, err := Open(Options{URL: "http://127.0.0.1:1/api", Proxy: "127.0.0.1:2"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Best(t.Context()); !errors.Is(err, chain.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if text := strings.Join(c.Limits(), " "); !strings.Contains(text, "learns every script") || !strings.Contains(text, "proxy hides") {
		t.Error(text)
	}
}

// TestAServerOfAnotherChain is refused before anything is looked for there.
func TestAServerOfAnotherChain(t *testing.T) {
	s, client := newServer(t, 3)
	for network, first := range map[string]string{
		"bitcoin": "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
		"signet":  "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
	} {
		client.network = network
		if err := client.Ready(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "another chain than "+network) {
			t.Errorf("%s: %v", network, err)
		}
		s.first = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/block-height/0" {
				return false
			}
			_, _ = w.Write([]byte(first))
			return true
		}
		if err := client.Ready(t.Context(), nil); err != nil {
			t.Errorf("%s: %v", network, err)
		}
		s.first = nil
	}
}

// TestPlainHTTPIsSaid, but not where nobody is on the way; and no server sends us to
// another one.
func TestPlainHTTPIsSaid(t *testing.T) {
	for url, plain := range map[string]bool{
		"http://esplora.example/api": true, "http://203.0.113.7:3000": true, "https://esplora.example/api": false,
		"http://127.0.0.1:3000": false, "http://[::1]:3000": false, "http://localhost:3000": false, "http://abc.onion/api": false,
	} {
		c, err := Open(Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(strings.Join(c.Limits(), " "), "Nothing is encrypted"); said != plain {
			t.Errorf("%s: %v", url, said)
		}
	}
	s, client := newServer(t, 3)
	s.first = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "http://203.0.113.7/api"+r.URL.Path, http.StatusFound)
		return true
	}
	if _, _, err := client.Best(t.Context()); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("a redirect was followed: %v", err)
	}
}
