package sweep_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	h "github.com/glrecover/glrecover/integration/harness"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/offline"
	"github.com/glrecover/glrecover/sweep/seedkeys"
	"github.com/glrecover/glrecover/sweep/sweeptest"
	"github.com/glrecover/glrecover/testdata"
)

// cell is one channel and its close.
type cell struct {
	*sweeptest.Cell

	dest       string
	destScript []byte

	close  *onchain.Close
	height uint32
	spends []sweep.Spend
	watch  map[wire.OutPoint]bool
	sent   map[wire.OutPoint]*sweep.Tx

	got, fees uint64
	blocks    uint32
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// matrix are two nodes and a chain.
type matrix struct {
	t      *testing.T
	a, b   *keychain.Secret
	aID    channel.PubKey
	bID    channel.PubKey
	keys   *seedkeys.Keys
	chain  testChain
	wallet sweep.FakeWallet
	cells  []*cell
	// raise replaces every transaction once before it is sent.
	raise bool
}

func nodeSecret(t *testing.T, name string) (*keychain.Secret, channel.PubKey) {
	t.Helper()
	s, err := keychain.FromBytes(testdata.Secret(t, name)).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.NodeID()
	if err != nil {
		t.Fatal(err)
	}
	return s, id
}

func newMatrix(t *testing.T, chain testChain) *matrix {
	m := &matrix{t: t, chain: chain, wallet: sweep.NewFakeWallet(t)}
	m.a, m.aID = nodeSecret(t, "used-both-ways")
	m.b, m.bID = nodeSecret(t, "inbound-used")
	m.keys = seedkeys.New(m.a, "regtest")
	return m
}

// add makes the channel of a cell; the funding output comes later.
func (m *matrix) add(opener channel.Side, closed, htlc string, typ channel.Type) *cell {
	dbid := uint64(len(m.cells) + 1)
	c := &cell{
		Cell:  sweeptest.New(m.a, m.b, dbid, opener, closed, htlc, typ),
		watch: map[wire.OutPoint]bool{}, sent: map[wire.OutPoint]*sweep.Tx{},
	}
	hash := sha256.Sum256(fmt.Append(nil, dbid))
	address := must(btcutil.NewAddressWitnessPubKeyHash(hash[:20], &chaincfg.RegressionNetParams))
	c.dest, c.destScript = address.EncodeAddress(), must(txscript.PayToAddrScript(address))
	m.cells = append(m.cells, c)
	return c
}

// saw takes note of a block.
func (c *cell) saw(txs []*wire.MsgTx, height uint32) {
	for _, tx := range txs {
		hash := tx.TxHash()
		for _, in := range tx.TxIn {
			if in.PreviousOutPoint == c.Channel.Funding {
				c.height = height
				for i := range tx.TxOut {
					c.watch[wire.OutPoint{Hash: hash, Index: uint32(i)}] = true
				}
			} else if c.watch[in.PreviousOutPoint] {
				c.spends = append(c.spends, sweep.Spend{Tx: tx, Height: height})
				for i := range tx.TxOut {
					c.watch[wire.OutPoint{Hash: hash, Index: uint32(i)}] = true
				}
				break
			}
		}
		for _, out := range tx.TxOut {
			if bytes.Equal(out.PkScript, c.destScript) {
				c.got += uint64(out.Value)
				c.blocks = height
			}
		}
	}
}

// claims is what a recovery would do each block.
func (c *cell) claims(t *testing.T) []sweep.Claim {
	t.Helper()
	if c.close == nil {
		found, err := onchain.Classify(c.Channel, c.Public, c.Tx)
		if err != nil {
			t.Fatal(err)
		}
		c.close = found
	}
	claims, err := sweep.Claims(sweep.Case{
		Channel: c.Channel, Keys: c.Public, Close: c.close, Height: c.height, Spends: c.spends, Preimages: c.Preimages,
	})
	if err != nil {
		t.Fatalf("%s: %v", c.Name(), err)
	}
	return claims
}

// act sends what can be sent.
func (m *matrix) act(c *cell) {
	height := m.chain.height()
	for _, batch := range sweep.Batches(c.claims(m.t), height) {
		if c.sent[batch[0].Output.OutPoint] != nil {
			continue
		}
		order := sweep.Order{
			Claims: batch, Destination: c.dest, Network: &chaincfg.RegressionNetParams, FeeratePerKW: sweeptest.FeePerKW, Height: height,
			Wallet: m.wallet, Change: must(addressOf(m.wallet.PkScript())),
		}
		tx, err := sweep.Build(m.t.Context(), m.keys, order)
		if err != nil {
			m.t.Errorf("%s: %v", c.Name(), err)
			continue
		}
		if m.raise {
			order.Replaces, order.FeeratePerKW = tx.Tx, 2*sweeptest.FeePerKW
			higher, err := sweep.Build(m.t.Context(), m.keys, order)
			switch fixed := tx.Destination == "" && !c.Type.HasAnchors(); {
			case fixed && !errors.Is(err, sweep.ErrFeeFixed), !fixed && err != nil:
				m.t.Errorf("%s: raised: %v", c.Name(), err)
				continue
			case !fixed:
				if higher.Paid.FeeSat < tx.Paid.FeeSat+higher.Paid.VSize || higher.Txid == tx.Txid {
					m.t.Errorf("%s: %d sat after %d", c.Name(), higher.Paid.FeeSat, tx.Paid.FeeSat)
				}
				tx = higher
			}
		}
		if len(tx.Uneconomic) > 0 {
			m.t.Errorf("%s: left out %+v", c.Name(), tx.Uneconomic[0].Err)
		}
		for _, in := range tx.Tx.TxIn {
			if in.PreviousOutPoint == c.Channel.Funding {
				m.t.Fatalf("%s: a transaction spends the funding output", c.Name())
			}
		}
		if tx.Destination != "" {
			c.fees += tx.Paid.FeeSat
		}
		if err := m.chain.send(tx.Tx); err != nil {
			m.t.Errorf("%s: not taken: %v", c.Name(), err)
			continue
		}
		for _, claim := range batch {
			c.sent[claim.Output.OutPoint] = tx
		}
	}
}

func addressOf(pkScript []byte) (string, error) {
	_, found, _, err := txscript.ExtractPkScriptAddrs(pkScript, &chaincfg.RegressionNetParams)
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("no address: %w", err)
	}
	return found[0].EncodeAddress(), nil
}

// block mines and lets everybody look.
func (m *matrix) block(others ...*wire.MsgTx) {
	txs := m.chain.block(others...)
	for _, tx := range txs {
		for _, in := range tx.TxIn {
			m.wallet.Take(in.PreviousOutPoint)
		}
		for i, out := range tx.TxOut {
			if bytes.Equal(out.PkScript, m.wallet.PkScript()) {
				m.wallet.Put(wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}, uint64(out.Value))
			}
		}
	}
	for _, c := range m.cells {
		c.saw(txs, m.chain.height())
	}
}

// play runs all cells on one chain.
func (m *matrix) play() {
	t := m.t

	var outs []*wire.TxOut
	for _, c := range m.cells {
		outs = append(outs, wire.NewTxOut(sweeptest.CapacitySat, must(bolt3.FundingPkScript(c.Ours.Basepoints().Funding, c.Theirs.Basepoints().Funding))))
	}
	for range 10 {
		outs = append(outs, wire.NewTxOut(25_000, m.wallet.PkScript()))
	}
	ops := m.chain.fund(outs)
	for i := len(m.cells); i < len(ops); i++ {
		m.wallet.Put(ops[i], 25_000)
	}
	var closes, second []*wire.MsgTx
	for i, c := range m.cells {
		c.Channel.Funding = ops[i]
		expiry := m.chain.height() + sweeptest.ExpiresIn
		if c.Closed == sweeptest.RevokedSecond {
			expiry = m.chain.height() - 1 // the peer need not wait
		}
		c.State(m.a, expiry)
		closes = append(closes, c.Tx)
	}
	m.block(closes...)
	for _, c := range m.cells {
		if c.height == 0 {
			t.Fatalf("%s: the close is not in the block", c.Name())
		}
		if c.Closed == sweeptest.RevokedSecond {
			second = append(second, c.SecondStage()...)
		}
	}
	if m.has(channel.AnchorsZeroFeeHTLC) || m.has(channel.Anchors) {
		m.block() // HTLC outputs wait for a confirmation
	}
	m.block(second...)
	for range sweeptest.ExpiresIn + sweeptest.OurDelay + 4 {
		for _, c := range m.cells {
			m.act(c)
		}
		m.block()
	}
	m.judge()
}

func (m *matrix) has(typ channel.Type) bool {
	return slices.ContainsFunc(m.cells, func(c *cell) bool { return c.Type == typ })
}

// judge compares each cell with what BOLT 5 gives, and prints the table.
func (m *matrix) judge() {
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-4s | %-24s | %-17s | %-18s | recoverable | came back |  fees | blocks | needs\n", "open", "close", "HTLC", "type")
	for _, c := range m.cells {
		want, wantNeeds := c.Want()
		needs := map[sweep.Need]uint64{}
		for _, claim := range c.claims(m.t) {
			needs[claim.Needs] += claim.Output.ValueSat
			if claim.Ready() {
				m.t.Errorf("%s: %s of %d sat is left", c.Name(), claim.Output.Role, claim.Output.ValueSat)
			}
		}
		var names []string
		for need, sat := range wantNeeds {
			if needs[need] != sat {
				m.t.Errorf("%s: %d sat need %s, want %d", c.Name(), needs[need], need, sat)
			}
			if sat > 0 {
				names = append(names, fmt.Sprintf("%s %d", need, sat))
			}
			delete(needs, need)
		}
		for need, sat := range needs {
			m.t.Errorf("%s: %d sat need %s", c.Name(), sat, need)
		}
		if c.got+c.fees != want {
			m.t.Errorf("%s: %d sat came back and %d were paid in fees, want %d together", c.Name(), c.got, c.fees, want)
		}
		fmt.Fprintf(&table, "%-4s | %-24s | %-17s | %-18s | %11d | %9d | %5d | %6d | %s\n",
			map[channel.Side]string{channel.Local: "we", channel.Remote: "they"}[c.Opener], c.Closed, c.HTLC, c.Type,
			want, c.got, c.fees, c.blocks-c.height, strings.Join(names, ", "))
	}
	if m.wallet.Reserved() != 0 {
		m.t.Errorf("%d coins of the wallet are still reserved", m.wallet.Reserved())
	}
	m.t.Log(table.String())
}

func everyCell(m *matrix) {
	for _, typ := range sweeptest.Types {
		for _, opener := range []channel.Side{channel.Local, channel.Remote} {
			for _, closed := range sweeptest.Closes {
				for _, htlc := range sweeptest.HTLCs {
					if sweeptest.Exists(closed, htlc) {
						m.add(opener, closed, htlc, typ)
					}
				}
			}
		}
	}
}

// The whole matrix under consensus rules in memory, on any machine.
func TestMatrix(t *testing.T) {
	m := newMatrix(t, newMemoryChain(t))
	everyCell(m)
	m.play()
}

// Every transaction is replaced before it is mined, where its fee can be raised.
func TestMatrixRaised(t *testing.T) {
	m := newMatrix(t, newMemoryChain(t))
	m.raise = true
	for _, typ := range sweeptest.Types {
		for _, closed := range []string{sweeptest.TheirsCurrent, sweeptest.OursCurrent, sweeptest.Revoked, sweeptest.RevokedSecond, sweeptest.Mutual} {
			for _, htlc := range sweeptest.HTLCs[:3] {
				if sweeptest.Exists(closed, htlc) {
					m.add(channel.Remote, closed, htlc, typ)
				}
			}
		}
	}
	m.play()
}

// The whole matrix on a real chain, with bitcoind's mempool policy for what we send.
func TestLiveMatrix(t *testing.T) {
	h.Need(t, h.BitcoindD)
	n := h.New(tb{t})
	m := newMatrix(t, &realChain{t, n.Bitcoind})
	everyCell(m)
	m.play()
}

// Where no lightningd runs, the seed's own wallet pays for an HTLC transaction.
func TestLiveSeedWalletPaysForAnHTLCTransaction(t *testing.T) {
	h.Need(t, h.BitcoindD)
	n := h.New(tb{t})
	m := newMatrix(t, &realChain{t, n.Bitcoind})
	c := m.add(channel.Local, sweeptest.OursCurrent, sweeptest.SentHTLC, channel.AnchorsZeroFeeHTLC)
	script := must(bolt3.FundingPkScript(c.Ours.Basepoints().Funding, c.Theirs.Basepoints().Funding))
	wpkh, taproot, err := must(m.a.Wallet("regtest")).Scripts(7)
	if err != nil {
		t.Fatal(err)
	}
	c.Channel.Funding = m.chain.fund([]*wire.TxOut{wire.NewTxOut(sweeptest.CapacitySat, script)})[0]
	c.State(m.a, m.chain.height()+2)
	m.block(c.Tx)
	m.block()
	claim := claimOn(t, c, onchain.PathTimeout)
	node := must(chain.NewBitcoind(chain.Options{Network: "regtest", DataDir: n.Bitcoind.Dir}))
	build := func() (*offline.Wallet, *sweep.Tx, error) {
		wallet, err := offline.OpenWallet(t.Context(), node, m.keys, &chaincfg.RegressionNetParams, func(float64) {})
		if err != nil {
			t.Fatal(err)
		}
		tx, err := sweep.Build(t.Context(), m.keys, sweep.Order{
			Claims: []sweep.Claim{claim}, Network: &chaincfg.RegressionNetParams, FeeratePerKW: sweeptest.FeePerKW, Height: m.chain.height(),
			Wallet: wallet, Change: wallet.Address(),
		})
		return wallet, tx, err
	}
	var lacks *sweep.NeedsFeeInputError
	if _, _, err := build(); !errors.As(err, &lacks) {
		t.Fatalf("an empty wallet: %v", err)
	}
	// One coin of each kind; together they are just enough.
	m.chain.fund([]*wire.TxOut{wire.NewTxOut(2_300, wpkh), wire.NewTxOut(2_300, taproot)})
	wallet, tx, err := build()
	if err != nil || len(tx.WalletInputs) != 2 {
		t.Fatalf("%+v, %v", tx, err)
	}
	coins := must(wallet.Coins(t.Context()))
	if len(coins) != 2 || !coins[0].Reserved || !coins[1].Reserved {
		t.Errorf("%+v", coins)
	}
	if err := m.chain.send(tx.Tx); err != nil {
		t.Fatal(err)
	}
	// What the mempool spends is not offered again.
	if wallet, _, err := build(); !errors.As(err, &lacks) || len(must(wallet.Coins(t.Context()))) != 0 {
		t.Errorf("%v", err)
	}
	m.block()
	if len(c.spends) != 1 {
		t.Error("the HTLC transaction is not in the block")
	}
}
