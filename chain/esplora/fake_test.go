package esplora

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
)

// server answers as Esplora does (API.md), of a chain in memory.
type server struct {
	t     *testing.T
	chain *chaintest.Chain
	node  *chaintest.Node
	back  *chaintest.Backend
	// scripts are those that have a scripthash here.
	scripts map[string][]byte

	mu    sync.Mutex
	asked []string
	// first, if set, may answer instead.
	first func(w http.ResponseWriter, r *http.Request) bool
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newServer(t *testing.T, blocks int, scripts ...[]byte) (*server, *Client) {
	t.Helper()
	c := chaintest.New("regtest", epoch)
	c.MineN(blocks)
	s := &server{t: t, chain: c, node: c.Node(), back: c.Backend(), scripts: map[string][]byte{}}
	for _, script := range scripts {
		sum := sha256.Sum256(script)
		s.scripts[hex.EncodeToString(sum[:])] = script
	}
	web := httptest.NewServer(http.StripPrefix("/api", s))
	t.Cleanup(web.Close)
	client, err := Open(Options{URL: web.URL + "/api/"})
	if err != nil {
		t.Fatal(err)
	}
	return s, client
}

// count is how many requests began so.
func (s *server) count(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, path := range s.asked {
		if strings.HasPrefix(path, prefix) {
			n++
		}
	}
	return n
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.Path)
	first := s.first
	s.mu.Unlock()
	if first != nil && first(w, r) {
		return
	}
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	part = append(part, "", "", "", "")
	ctx := r.Context()
	switch {
	case r.URL.Path == "/blocks/tip/hash":
		hash, _ := s.node.BlockHash(ctx, s.chain.Height())
		fmt.Fprint(w, hash)
	case part[0] == "block-height":
		height, _ := strconv.Atoi(part[1])
		hash, err := s.node.BlockHash(ctx, uint32(height))
		if err != nil {
			http.Error(w, "Block not found", http.StatusNotFound)
			return
		}
		fmt.Fprint(w, hash)
	case part[0] == "block":
		s.block(w, r, part[1], part[2])
	case r.URL.Path == "/tx" && r.Method == http.MethodPost:
		s.send(w, r)
	case part[0] == "tx":
		s.tx(w, part[1], part[2], part[3])
	case part[0] == "scripthash" && part[2] == "txs" && part[3] == "chain":
		s.history(w, s.scripts[part[1]], part[4])
	case r.URL.Path == "/fee-estimates":
		fmt.Fprint(w, `{"1":20.5,"2":12.3456,"6":5,"12":1.5,"144":0.2,"1008":0.1}`)
	default:
		http.NotFound(w, r)
	}
}

func (s *server) block(w http.ResponseWriter, r *http.Request, hash, what string) {
	for h := uint32(0); h <= s.chain.Height(); h++ {
		b, err := s.node.Block(r.Context(), h)
		if err != nil || b.Hash.String() != hash {
			continue
		}
		switch what {
		case "raw":
			_, _ = w.Write(b.Raw)
		case "header":
			fmt.Fprintf(w, "%x", b.Raw[:80])
		default:
			fmt.Fprintf(w, `{"id":%q,"height":%d}`, hash, h)
		}
		return
	}
	http.NotFound(w, r)
}

// find is a transaction and its height, -1 for the mempool.
func (s *server) find(id string) (*wire.MsgTx, int) {
	for _, tx := range s.chain.Mempool() {
		if tx.TxID() == id {
			return tx, -1
		}
	}
	for h := uint32(0); h <= s.chain.Height(); h++ {
		b, err := s.node.Block(s.t.Context(), h)
		if err != nil {
			continue
		}
		msg, err := b.Decode()
		if err != nil {
			continue
		}
		for _, tx := range msg.Transactions {
			if tx.TxID() == id {
				return tx, int(h)
			}
		}
	}
	return nil, 0
}

func place(height int) map[string]any {
	if height < 0 {
		return map[string]any{"confirmed": false}
	}
	return map[string]any{"confirmed": true, "block_height": height, "block_hash": strings.Repeat("0", 64)}
}

func (s *server) tx(w http.ResponseWriter, id, what, vout string) {
	tx, height := s.find(id)
	if tx == nil {
		http.Error(w, "Transaction not found", http.StatusNotFound)
		return
	}
	switch what {
	case "raw":
		_ = tx.Serialize(w)
	case "status":
		_ = json.NewEncoder(w).Encode(place(height))
	case "outspend":
		n, _ := strconv.Atoi(vout)
		op := wire.OutPoint{Hash: tx.TxHash(), Index: uint32(n)}
		by, at := s.chain.Spend(op)
		if by == nil {
			fmt.Fprint(w, `{"spent":false}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"spent": true, "txid": by.TxID(), "vin": 0, "status": place(at)})
	}
}

// history is newest first, in pages.
func (s *server) history(w http.ResponseWriter, script []byte, after string) {
	type entry struct {
		Txid   string         `json:"txid"`
		Status map[string]any `json:"status"`
	}
	all := []entry{}
	heights := s.chain.Sift(0, s.chain.Height(), [][]byte{script})
	for i := len(heights) - 1; i >= 0; i-- {
		// One transaction a block is enough here.
		b, _ := s.node.Block(s.t.Context(), heights[i])
		msg, _ := b.Decode()
		all = append(all, entry{msg.Transactions[len(msg.Transactions)-1].TxID(), place(int(heights[i]))})
	}
	for i, e := range all {
		if e.Txid == after {
			all = all[i+1:]
			break
		}
	}
	_ = json.NewEncoder(w).Encode(all[:min(len(all), perPage)])
}

func (s *server) send(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	tx, err := chain.DecodeTx(string(raw))
	if err != nil {
		http.Error(w, `sendrawtransaction RPC error: {"code":-22,"message":"TX decode failed"}`, http.StatusBadRequest)
		return
	}
	if have, _ := s.find(tx.TxID()); have != nil {
		http.Error(w, `sendrawtransaction RPC error: {"code":-27,"message":"Transaction already in block chain"}`, http.StatusBadRequest)
		return
	}
	if err := s.back.SendRaw(r.Context(), tx, false); err != nil {
		http.Error(w, fmt.Sprintf(`sendrawtransaction RPC error: {"code":-26,"message":%q}`, err), http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, tx.TxID())
}
