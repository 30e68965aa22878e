package find

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

// fakeNode is a chain in memory whose UTXO set is searched for raw scripts; the
// wallet's descriptors find what pays to wallet.
type fakeNode struct {
	*chaintest.Node
	chain *chaintest.Chain
	outs  []chain.SetOutput
	// wallet are the scripts of the wallet, by index.
	wallet map[string]uint32
	asked  [][]chain.Descriptor
}

func (n *fakeNode) ScanTxOutSet(ctx context.Context, want []chain.Descriptor, _ func(float64)) (*chain.SetScan, error) {
	n.asked = append(n.asked, want)
	raw := map[string]bool{}
	var last uint32
	for _, d := range want {
		if script, ok := strings.CutPrefix(d.Desc, "raw("); ok {
			raw[strings.TrimSuffix(script, ")")] = true
		} else {
			last = d.Last
		}
	}
	s := &chain.SetScan{Height: n.chain.Height()}
	for _, o := range n.outs {
		index, isWallet := n.wallet[string(o.Script)]
		if tx, at := n.chain.Spend(o.OutPoint); tx != nil && at >= 0 {
			continue
		}
		if raw[hex.EncodeToString(o.Script)] || isWallet && index <= last {
			s.Outputs = append(s.Outputs, o)
		}
	}
	return s, nil
}

// pay mines a payment and notes its output.
func (n *fakeNode) pay(valueSat int64, script []byte) wire.OutPoint {
	tx, _ := n.chain.Pay(valueSat, script)
	return n.mine(tx)
}

func (n *fakeNode) mine(tx *wire.MsgTx) wire.OutPoint {
	at := n.chain.Mine(tx)
	for i, out := range tx.TxOut {
		n.outs = append(n.outs, chain.SetOutput{
			OutPoint: wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}, Height: at.Height,
			TxOut: chain.TxOut{ValueSat: uint64(out.Value), Script: out.PkScript},
		})
	}
	return wire.OutPoint{Hash: tx.TxHash()}
}

// lost is the node of a genuine backup, with an empty chain.
func lost(t *testing.T) (*fakeNode, *keychain.Secret, *channel.Channel) {
	t.Helper()
	b, err := vlsstate.ReadAnyFile(testdata.Corpus("used-both-ways", "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := keychain.FromBytes(testdata.Read(t, "used-both-ways", "hsm_secret.hex")).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := chaintest.New("regtest", time.Unix(1_700_000_000, 0))
	c.MineN(10)
	n := &fakeNode{Node: c.Node(), chain: c, wallet: map[string]uint32{}}
	w, err := secret.Wallet("regtest")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []uint32{0, 49, 51, 170, 900, 1100} {
		wpkh, taproot, err := w.Scripts(k)
		if err != nil {
			t.Fatal(err)
		}
		n.wallet[string(wpkh)], n.wallet[string(taproot)] = k, k
	}
	return n, secret, b.Channels[0]
}

// script is a wallet script of the fake's.
func (n *fakeNode) script(index uint32, size int) []byte {
	for s, k := range n.wallet {
		if k == index && len(s) == size {
			return []byte(s)
		}
	}
	return nil
}

// fund gives the channel a funding output on this chain.
func (n *fakeNode) fund(t *testing.T, secret *keychain.Secret, ch *channel.Channel) (ours channel.Basepoints, keys *keychain.ChannelKeys) {
	t.Helper()
	keys, err := secret.ChannelKeys(ch.Peer, ch.DBID)
	if err != nil {
		t.Fatal(err)
	}
	script, err := bolt3.FundingPkScript(keys.Basepoints().Funding, ch.Remote.Funding)
	if err != nil {
		t.Fatal(err)
	}
	ch.Funding = n.pay(int64(ch.CapacitySat), script)
	return keys.Basepoints(), keys
}

func (n *fakeNode) run(t *testing.T, secret *keychain.Secret, ch *channel.Channel) *Report {
	t.Helper()
	targets, err := NewTargets(secret, "regtest", []*channel.Channel{ch}, 20)
	if err != nil || len(targets.Problems) > 0 {
		t.Fatal(err, targets.Problems)
	}
	r, err := Run(t.Context(), n, targets, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFundingOutputs(t *testing.T) {
	n, secret, ch := lost(t)
	r := n.run(t, secret, ch)
	if f := r.Fundings[0]; f.State != chain.FundingUnknown || f.Close != nil {
		t.Errorf("never there: %+v", f)
	}
	n.fund(t, secret, ch)
	at := n.chain.Height()
	if f := n.run(t, secret, ch).Fundings[0]; f.State != chain.FundingUnspent || f.Height != at || f.Problem != "" {
		t.Errorf("open: %+v", f)
	}
	ch.CapacitySat++
	if f := n.run(t, secret, ch).Fundings[0]; f.Problem != chain.FundingMismatch {
		t.Errorf("another amount: %+v", f)
	}
	ch.CapacitySat--
	// Spent by somebody, to nobody we know: unknown, never spent.
	n.mine(chaintest.SpendTo(1000, []byte{0x51}, ch.Funding))
	if f := n.run(t, secret, ch).Fundings[0]; f.State != chain.FundingUnknown {
		t.Errorf("spent by nobody knows what: %+v", f)
	}
}

func TestToRemoteNamesTheClose(t *testing.T) {
	for _, confirmed := range []bool{true, false} {
		n, secret, ch := lost(t)
		_, keys := n.fund(t, secret, ch)
		_, script, err := bolt3.ToRemote(ch.Type, keys.Payment().PubKey())
		if err != nil {
			t.Fatal(err)
		}
		tx := chaintest.SpendTo(600_000, script, ch.Funding)
		if confirmed {
			n.mine(tx)
		} else {
			n.chain.AddMempool(tx)
		}
		height := n.chain.Height()
		n.chain.MineN(300)
		r := n.run(t, secret, ch)
		f := r.Fundings[0]
		if f.State != chain.FundingSpent || *f.Close != tx.TxHash() || len(r.Coins) != 1 {
			t.Fatalf("%+v, %+v", f, r.Coins)
		}
		c := r.Coins[0]
		if c.Kind != ToRemote || c.ValueSat != 600_000 || c.Channel != ch {
			t.Errorf("%+v", c)
		}
		rescan, ok := r.Rescan()
		if confirmed && (f.CloseHeight != height || c.Height != height || !ok || rescan != height-1) {
			t.Errorf("%+v, %+v, %d", f, c, rescan)
		}
		if !confirmed && (f.CloseHeight != 0 || c.Height != 0 || ok) {
			t.Errorf("%+v, %+v", f, c)
		}
		if confirmed {
			// Somebody is taking it.
			sweep := chaintest.SpendTo(1, []byte{0x51}, c.OutPoint)
			n.chain.AddMempool(sweep)
			r = n.run(t, secret, ch)
			if by := r.Coins[0].SpentBy; by == nil || *by != sweep.TxHash() || r.Totals()[ToRemote] != 0 {
				t.Errorf("%+v", r.Coins[0])
			}
		}
	}
}

func TestToLocalOfNewerAndOlderStates(t *testing.T) {
	n, secret, ch := lost(t)
	ours, keys := n.fund(t, secret, ch)
	for _, number := range []uint64{ch.State.NextHolderCommitNum - 1, ch.State.NextHolderCommitNum + 20, ch.State.NextHolderCommitNum + 21} {
		id, err := keys.PerCommitmentPoint(number)
		if err != nil {
			t.Fatal(err)
		}
		point, err := id.Point()
		if err != nil {
			t.Fatal(err)
		}
		derived, err := bolt3.DeriveKeys(ch.Type, ours, ch.Remote, point, false)
		if err != nil {
			t.Fatal(err)
		}
		witness, err := bolt3.DelayedScript(derived.Revocation, derived.Delayed, ch.CounterpartyDelay)
		if err != nil {
			t.Fatal(err)
		}
		n.pay(int64(number)+1000, bolt3.P2WSH(witness))
	}
	var numbers []uint64
	r := n.run(t, secret, ch)
	for _, c := range r.Coins {
		if c.Kind != ToLocal || c.SpendableFrom != c.Height+uint32(ch.CounterpartyDelay) || c.Rescan() != 0 {
			t.Errorf("%+v", c)
		}
		numbers = append(numbers, c.Commitment)
	}
	if want := []uint64{ch.State.NextHolderCommitNum - 1, ch.State.NextHolderCommitNum + 20}; !slices.Equal(numbers, want) {
		t.Errorf("commitments %v, want %v: 20 states before and after the snapshot's", numbers, want)
	}
	if _, ok := r.Rescan(); ok {
		t.Error("a rescan is said to bring to_local")
	}
}

func TestWalletCoinsAndTheGap(t *testing.T) {
	n, secret, ch := lost(t)
	n.chain.MineN(5)
	var want []uint32
	for i, k := range []uint32{170, 0, 49, 51} {
		size := 22
		if i%2 == 0 {
			size = 34
		}
		n.pay(1000, n.script(k, size))
		want = append(want, k)
	}
	first := n.outs[0].Height
	spent := n.pay(5000, n.script(49, 22))
	n.chain.Mine(chaintest.SpendTo(1, []byte{0x51}, spent))
	r := n.run(t, secret, ch)
	var got []uint32
	for i, c := range r.Coins {
		got = append(got, c.Index)
		if c.Kind != Wallet || c.Wallet != NodeWallet || (c.AddressType == "p2tr") != (i%2 == 0) {
			t.Errorf("%+v", c)
		}
	}
	if rescan, ok := r.Rescan(); !slices.Equal(got, want) || !ok || rescan != first-1 {
		t.Errorf("keys %v, want %v; rescan %d", got, want, rescan)
	}
	// Key 170 was paid first: a fresh node watches 50 keys.
	if calls := r.NewAddressCalls(); calls != 120 || len(n.asked) != 1 {
		t.Errorf("newaddr %d times, %d passes", calls, len(n.asked))
	}
	// A coin near the end widens what is looked for.
	n.pay(1000, n.script(900, 22))
	n.pay(1000, n.script(1100, 34))
	r = n.run(t, secret, ch)
	if len(r.Coins) != 6 || r.Coins[5].Index != 1100 || r.Indexes < 1300 {
		t.Errorf("%d coins up to %d", len(r.Coins), r.Indexes)
	}
}

// bitcoind gets no secret: scripts and public keys only.
func TestOnlyPublicThingsAreAsked(t *testing.T) {
	n, secret, ch := lost(t)
	n.run(t, secret, ch)
	for _, d := range n.asked[0] {
		if strings.Contains(d.Desc, "prv") {
			t.Errorf("%.8s...", d.Desc)
		}
	}
	raw := testdata.Read(t, "used-both-ways", "hsm_secret.hex")
	for _, d := range n.asked[0] {
		if strings.Contains(d.Desc, string(bytes.TrimSpace(raw))) {
			t.Error("the secret is asked for")
		}
	}
}

var _ Node = (*chain.Bitcoind)(nil)
