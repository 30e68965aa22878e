package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	h "github.com/glrecover/glrecover/integration/harness"
	"github.com/glrecover/glrecover/lightningd"
)

// anyone is an output that everybody can spend with anyoneScript.
var (
	anyoneScript = []byte{0x51}
	anyone       = func() []byte { sum := sha256.Sum256(anyoneScript); return append([]byte{0, 32}, sum[:]...) }()
)

// fullBlock mines a block with so many transactions in a row, of which the first
// spends an anyone output, and returns the output of the last.
func fullBlock(n *h.Net, from wire.OutPoint, sat int64, count int) (wire.OutPoint, int64) {
	payload := bytes.Repeat([]byte{0x6a}, 40)
	list := make([]string, count)
	for i := range list {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&from, nil, [][]byte{anyoneScript}))
		tx.AddTxOut(wire.NewTxOut(sat, anyone))
		tx.AddTxOut(wire.NewTxOut(0, append([]byte{0x6a, byte(len(payload))}, payload...)))
		var raw bytes.Buffer
		_ = tx.Serialize(&raw) // a buffer takes everything
		list[i] = hex.EncodeToString(raw.Bytes())
		from = wire.OutPoint{Hash: tx.TxHash()}
	}
	n.Bitcoind.Must("generateblock", nil, n.Bitcoind.NewAddress(), list)
	return from, sat
}

// coinOfAnyone is an output that everybody can spend, of age, and its value.
func coinOfAnyone(t *testing.T, n *h.Net) (wire.OutPoint, int64) {
	t.Helper()
	var mined []string
	n.Bitcoind.Must("generatetodescriptor", &mined, 1, fmt.Sprintf("raw(%x)", anyone))
	n.Bitcoind.Mine(100)
	var raw string
	n.Bitcoind.Must("getblock", &raw, mined[0], 0)
	data, err := hex.DecodeString(raw)
	if err != nil {
		t.Fatal(err)
	}
	var block wire.MsgBlock
	if err := block.Deserialize(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	tx := block.Transactions[0]
	return wire.OutPoint{Hash: tx.TxHash()}, tx.TxOut[0].Value
}

// TestTheLookBackKeepsUpWithTheBackend measures how many blocks a second the
// look-back takes, beside what its backends serve to somebody who does nothing with
// them, in turn and in one run.
func TestTheLookBackKeepsUpWithTheBackend(t *testing.T) {
	h.Need(t, h.Lightningd, h.BitcoindD)
	const (
		small, full = 200, 40
		perBlock    = 5_000 // 0.9 MB
	)
	n := h.New(t)
	node := n.CLN("node", h.CLNConfig{})
	from, sat := coinOfAnyone(t, n)
	client := lightningd.NewClient(node.Socket())
	direct, err := chain.NewBitcoind(chain.Options{
		Network: "regtest", Connect: n.Bitcoind.Host, Port: strconv.Itoa(n.Bitcoind.RPCPort), User: n.Bitcoind.User, Password: n.Bitcoind.Password,
	})
	if err != nil {
		t.Fatal(err)
	}

	for _, part := range []struct {
		what   string
		blocks int
		mine   func()
	}{
		{"empty", small, func() { n.Bitcoind.Mine(small) }},
		{"full", full, func() {
			for range full {
				from, sat = fullBlock(n, from, sat, perBlock)
			}
		}},
	} {
		low := uint32(n.Bitcoind.Height()) + 1
		part.mine()
		node.WaitSynced()
		tip := uint32(n.Bitcoind.Height())
		count := float64(part.blocks)
		// The best of two runs, in blocks a second.
		rate := func(run func()) (best float64) {
			for range 2 {
				begun := time.Now()
				run()
				best = max(best, count/time.Since(begun).Seconds())
			}
			return best
		}
		served := rate(func() {
			for height := low; height <= tip; height++ {
				node.Must("getrawblockbyheight", h.Params{"height": height}, nil)
			}
		})
		bitcoind := rate(func() {
			for height := low; height <= tip; height++ {
				var hash, raw string
				n.Bitcoind.Must("getblockhash", &hash, height)
				n.Bitcoind.Must("getblock", &raw, hash, 0)
			}
		})
		byCLN := rate(func() { lookBack(t, chain.Join(client, nil), low, tip, 1) })
		one := rate(func() { lookBack(t, chain.Join(client, direct), low, tip, 1) })
		many := rate(func() { lookBack(t, chain.Join(client, direct), low, tip, 1000) })
		h.Say("MEASURED: %s blocks a second: getrawblockbyheight serves %.0f, the look-back by it alone takes %.0f (%.2f); bitcoind's RPC serves %.0f, the look-back takes %.0f (%.2f), %.0f with 1,000 outpoints",
			part.what, served, byCLN, byCLN/served, bitcoind, one, one/bitcoind, many)
		// 1,000 outpoints are asked for once each. The bounds are wide: the machine may be busy.
		if byCLN < served/5 || one < bitcoind/5 || many < one/20 {
			t.Errorf("%s blocks: too slow", part.what)
		}
	}
}

// lookBack watches so many outpoints that nobody spends, and returns when all blocks
// from a height on were looked at.
func lookBack(t *testing.T, src chain.Source, from, tip uint32, outpoints int) {
	t.Helper()
	w := chain.NewWatcher(src)
	var watches []chain.Watch
	for i := range outpoints {
		watches = append(watches, chain.Watch{OutPoint: wire.OutPoint{Hash: sha256.Sum256([]byte{byte(i), byte(i >> 8)})}, From: from})
	}
	w.Watch(watches...)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	done := false
	w.Run(ctx, func(u chain.Update) {
		switch b := u.LookBack; {
		case u.Tip.Height != tip:
		case b.Missing > 0 || u.Trouble != "":
			t.Errorf("%+v, %s", b, u.Trouble)
			stop()
		case b.Done && b.From == from:
			done = true
			stop()
		}
	})
	if !done {
		t.Fatal("the look-back did not end")
	}
}
