package recovery

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/tell"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/sweeptest"
)

// closedBefore puts a close into a block before the import, after the backup.
func (s *story) closedBefore(tx *wire.MsgTx) {
	s.t.Helper()
	s.chain.SetTime(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
	s.chain.Mine(tx)
}

// spending is the transaction in the mempool that spends an output, nil if there is
// none.
func (s *story) spending(op wire.OutPoint) *wire.MsgTx {
	for _, tx := range s.chain.Mempool() {
		for _, in := range tx.TxIn {
			if in.PreviousOutPoint == op {
				return tx
			}
		}
	}
	return nil
}

// untilSwept waits until the mempool has a transaction that spends an output.
func (s *story) untilSwept(op wire.OutPoint) *wire.MsgTx {
	s.t.Helper()
	var tx *wire.MsgTx
	s.until("a sweep of "+op.String(), func() bool {
		s.look()
		tx = s.spending(op)
		return tx != nil
	})
	return tx
}

// output is an output of a commitment.
func output(c *bolt3.CommitTx, kind bolt3.OutputKind) wire.OutPoint {
	return wire.OutPoint{Hash: c.Tx.TxHash(), Index: uint32(bolt3test.Output(c, kind))}
}

// TestAChannelThatWasClosedBeforeTheImportComesHomeWithoutARescan: its coin is
// claimed at once, and called recovered when the wallet lists it.
func TestAChannelThatWasClosedBeforeTheImportComesHomeWithoutARescan(t *testing.T) {
	s := newStory(t, "used-both-ways")
	commit := s.theirCommitment()
	s.closedBefore(commit.Tx)
	s.chain.MineN(300)
	a := s.begin()
	if c := a.Channels[0]; c.Result != answer.FollowedClosed || len(c.Outputs) != 1 || c.Outputs[0].By != judge.BySweep || a.Rescan != nil {
		t.Errorf("%+v, rescan %+v", c, a.Rescan)
	}
	tx := s.untilSwept(output(commit, bolt3.ToRemoteOutput))
	if n := count(s.node.calls(), "recoverchannel"); n > 0 {
		t.Error("lightningd got a stub that never sees the close")
	}
	s.mine(1)
	s.lookTwice()
	if c := s.status().Channels[0]; c.State != model.OutputsWaiting || c.RecoveredMsat != 0 || strings.Contains(c.Reason+c.Todo, "rescan") {
		t.Errorf("before the wallet lists it: %+v", c)
	}
	s.credit(tx, 0)
	s.mine(model.FinalConfs)
	s.untilState(model.Resolved)
	got := channel.Msat(uint64(tx.TxOut[0].Value))
	if c := s.status().Channels[0]; c.RecoveredMsat != got || len(c.RecoveredTo) != 1 || !strings.HasPrefix(c.RecoveredTo[0], tx.TxHash().String()) {
		t.Errorf("recovered %d as %v, want %d", c.RecoveredMsat, c.RecoveredTo, got)
	}
	if got := s.peers.asked(); got > 0 {
		t.Errorf("the peer of a closed channel was asked %d times", got)
	}
}

// TestOurOwnCommitmentIsClaimedAfterItsDelay, to the user's destination, and
// recovered when it is six blocks deep; a kill at each step loses nothing.
func TestOurOwnCommitmentIsClaimedAfterItsDelay(t *testing.T) {
	s := newStory(t, "used-both-ways")
	commit := s.ourCommitment()
	s.closedBefore(commit.Tx)
	closed := s.chain.Height()
	p := s.params()
	p.Destination = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
	if _, err := s.recover(p); err != nil {
		t.Fatal(err)
	}
	toLocal := output(commit, bolt3.ToLocalOutput)
	delay := uint32(s.ch.CounterpartyDelay)
	for s.chain.Height() < closed+delay-2 {
		s.quiet(1)
	}
	s.start()
	s.untilState(model.OutputsWaiting)
	s.lookTwice()
	if s.spending(toLocal) != nil {
		t.Fatal("claimed before its delay")
	}
	s.quiet(1)
	tx := s.untilSwept(toLocal)
	s.chain.DropMempool()
	s.start()
	s.quiet(1)
	if again := s.untilSwept(toLocal); again.TxHash() != tx.TxHash() {
		t.Errorf("after a kill another transaction: %s, was %s", again.TxHash(), tx.TxHash())
	}
	s.mine(1)
	s.start()
	s.quiet(4)
	s.untilState(model.OutputsWaiting)
	s.quiet(1)
	s.untilState(model.Credited)
	if c := s.status().Channels[0]; c.RecoveredMsat != channel.Msat(uint64(tx.TxOut[0].Value)) || !strings.Contains(c.Reason, "your destination") {
		t.Errorf("%+v", c)
	}
	// Not to another one from now on.
	p.Destination = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"
	if _, err := s.recover(p); err == nil {
		t.Error("a second destination is taken")
	}
}

// TestOnchaindDiesAndGlrecoverClaims what lightningd would have taken.
func TestOnchaindDiesAndGlrecoverClaims(t *testing.T) {
	s := newStory(t, "used-both-ways")
	commit := s.closed(2)
	s.lookTwice()
	if s.spending(output(commit, bolt3.ToRemoteOutput)) != nil {
		t.Fatal("claimed while it is lightningd's")
	}
	s.node.mu.Lock()
	s.node.channels[0].Died = "Owning subdaemon lightning_onchaind died (62208)"
	s.node.mu.Unlock()
	s.look()
	s.untilSwept(output(commit, bolt3.ToRemoteOutput))
}

// TestWhatLightningdNeverListsIsClaimedAfter144Blocks.
func TestWhatLightningdNeverListsIsClaimedAfter144Blocks(t *testing.T) {
	s := newStory(t, "used-both-ways")
	commit := s.closed(144)
	s.lookTwice()
	if s.spending(output(commit, bolt3.ToRemoteOutput)) != nil {
		t.Fatal("claimed while it is lightningd's")
	}
	s.quiet(1)
	s.untilSwept(output(commit, bolt3.ToRemoteOutput))
}

// testWallet is a wallet of the recovery's own secret with coins in the chain.
type testWallet struct {
	keys  sweep.Keys
	chain *chaintest.Chain

	mu       sync.Mutex
	coins    []sweep.Coin
	reserved map[wire.OutPoint]bool
}

// coin gives the wallet a coin.
func (s *story) coin(w *testWallet, sat int64) wire.OutPoint {
	s.t.Helper()
	wallet, _, err := s.keys.Wallet()
	if err != nil {
		s.t.Fatal(err)
	}
	script, _, err := wallet.Scripts(3)
	if err != nil {
		s.t.Fatal(err)
	}
	tx, op := s.chain.Pay(sat, script)
	s.chain.Mine(tx)
	w.mu.Lock()
	w.coins = append(w.coins, sweep.Coin{OutPoint: op, ValueSat: uint64(sat), PkScript: script, Confirmed: true})
	w.mu.Unlock()
	s.credit(tx, int(op.Index))
	s.BlockAdded()
	return op
}

func (s *story) wallet() *testWallet {
	w := &testWallet{keys: s.keys, chain: s.chain, reserved: map[wire.OutPoint]bool{}}
	s.deps.Sweeps.Wallet = w
	return w
}

func (w *testWallet) Coins(context.Context) ([]sweep.Coin, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []sweep.Coin
	for _, c := range w.coins {
		c.Reserved = w.reserved[c.OutPoint]
		out = append(out, c)
	}
	return out, nil
}

func (w *testWallet) mark(text string, to bool) ([]wire.OutPoint, error) {
	p, err := psbt.NewFromRawBytes(strings.NewReader(text), true)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []wire.OutPoint
	for _, in := range p.UnsignedTx.TxIn {
		w.reserved[in.PreviousOutPoint] = to
		out = append(out, in.PreviousOutPoint)
	}
	return out, nil
}

func (w *testWallet) Reserve(_ context.Context, text string, _ bool, _ uint32) ([]wire.OutPoint, error) {
	return w.mark(text, true)
}

func (w *testWallet) Release(_ context.Context, text string, _ uint32) error {
	_, err := w.mark(text, false)
	return err
}

func (w *testWallet) isReserved(op wire.OutPoint) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reserved[op]
}

func (w *testWallet) Sign(_ context.Context, text string, inputs []uint32) (string, error) {
	p, err := psbt.NewFromRawBytes(strings.NewReader(text), true)
	if err != nil {
		return "", err
	}
	prevouts := map[wire.OutPoint]*wire.TxOut{}
	for i, in := range p.UnsignedTx.TxIn {
		prevouts[in.PreviousOutPoint] = p.Inputs[i].WitnessUtxo
	}
	fetcher := txscript.NewMultiPrevOutFetcher(prevouts)
	hashes := txscript.NewTxSigHashes(p.UnsignedTx, fetcher)
	for _, i := range inputs {
		witness, err := sweep.SignWallet(w.keys, p.UnsignedTx, int(i), p.Inputs[i].WitnessUtxo.PkScript, hashes, fetcher)
		if err != nil {
			return "", err
		}
		p.Inputs[i].PartialSigs = []*psbt.PartialSig{{Signature: witness[0], PubKey: witness[1]}}
	}
	return p.B64Encode()
}

func (w *testWallet) NewAddress(context.Context) (string, error) { return walletAddress, nil }

// TestAPaymentToUsIsClaimedWithThePreimageThatTheUserGives, and the preimage is in no
// log, and in no record but as part of the transaction that shows it to everybody.
func TestAPaymentToUsIsClaimedWithThePreimageThatTheUserGives(t *testing.T) {
	m := newEngineMatrix(t, func(a, b *keychain.Secret) []*sweeptest.Cell {
		return []*sweeptest.Cell{sweeptest.New(a, b, 1, channel.Remote, sweeptest.TheirsCurrent, sweeptest.UnknownHTLC, channel.AnchorsZeroFeeHTLC)}
	}, false)
	var log bytes.Buffer
	var mu sync.Mutex
	logger := logrus.New()
	logger.SetLevel(logrus.DebugLevel)
	logger.SetOutput(lockedWriter{&mu, &log})
	m.deps.Log = logger
	m.start()
	cell := m.cells[0]
	received := wire.OutPoint{Hash: cell.Tx.TxHash(), Index: uint32(cell.Built.HTLCVouts()[0])}
	m.until("the preimage to be asked for", func() bool {
		m.look()
		c := m.status().Channels[0]
		return strings.Contains(c.Todo, "preimage") && c.UnclaimedMsat == 1000*sweeptest.HTLCSat
	})
	preimage := api.Preimage(sweeptest.Preimage)
	sweep := func(p api.SweepParams) *SweepAnswer {
		t.Helper()
		a, err := m.Sweep(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return a.(*SweepAnswer)
	}
	if a := sweep(api.SweepParams{DryRun: true}); len(a.Notes) > 0 || len(a.Outputs) != 2 {
		t.Errorf("without it: %+v", a)
	}
	dry := sweep(api.SweepParams{DryRun: true, Preimages: []api.Preimage{preimage}})
	claims := func(x tell.SweepTx) bool { return slices.Contains(x.Claims, received.String()) }
	if i := slices.IndexFunc(dry.Transactions, claims); i < 0 || dry.Transactions[i].Height != 0 || m.spending(received) != nil {
		t.Errorf("the dry run: %+v", dry)
	}
	sweep(api.SweepParams{Preimages: []api.Preimage{preimage}})
	tx := m.untilSwept(received)
	secret := hex.EncodeToString(preimage[:])
	m.node.mu.Lock()
	for name, rec := range m.node.store {
		var kept struct {
			Sweeps []model.Sweep `json:"sweeps"`
		}
		if err := json.Unmarshal([]byte(rec.Value), &kept); err != nil {
			t.Error(err)
		}
		text := rec.Value
		for _, w := range kept.Sweeps {
			text = strings.ReplaceAll(text, w.Raw, "")
		}
		raw, err := chain.EncodeTx(tx) // where it was seen
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(strings.ReplaceAll(text, raw, ""), secret) {
			t.Errorf("the record %s has the preimage", name)
		}
	}
	m.node.mu.Unlock()
	mu.Lock()
	defer mu.Unlock()
	if log.Len() == 0 || strings.Contains(log.String(), secret) {
		t.Errorf("the log of %d bytes has the preimage, or nothing", log.Len())
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// TestARevokedCommitmentIsPunished: each output at once, the peer's HTLC transaction
// too, and without the backup nothing but a loud word.
func TestARevokedCommitmentIsPunished(t *testing.T) {
	s := newStory(t, "htlc-in-flight")
	ours, err := s.keys.Basepoints(s.ch.Key)
	if err != nil {
		t.Fatal(err)
	}
	const n = 2
	secret, ok := bolt3.SecretAt(s.ch.State.Secrets, n)
	if !ok {
		t.Fatal("the case does not reveal it")
	}
	commit, err := bolt3.BuildCommitment(s.ch, ours, s.ch.State.CounterpartyCommit, n, bolt3.PointOf(secret))
	if err != nil {
		t.Fatal(err)
	}
	p := s.params()
	path := filepath.Join(t.TempDir(), "backup.json")
	if err := os.WriteFile(path, s.backup, 0o600); err != nil {
		t.Fatal(err)
	}
	p.Backup = api.Backup{Path: path}
	if _, err := s.recover(p); err != nil {
		t.Fatal(err)
	}
	// The backup is away when the plugin starts again.
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.chain.AddMempool(commit.Tx)
	s.mine(1)
	s.until("the backup to be missed", func() bool {
		s.look()
		return strings.Contains(s.status().Channels[0].Reason, path) && s.state() == model.Cheated
	})
	toLocal := output(commit, bolt3.ToLocalOutput)
	if s.spending(toLocal) != nil {
		t.Fatal("a penalty without the secret")
	}
	// The peer moves one HTLC on meanwhile.
	vout := commit.HTLCVouts()[0]
	htlc, err := commit.HTLCTx(vout)
	if err != nil {
		t.Fatal(err)
	}
	s.chain.AddMempool(htlc.Tx)
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	s.mine(1)
	s.untilSwept(toLocal)
	s.untilSwept(wire.OutPoint{Hash: htlc.Tx.TxHash()})
	for _, other := range commit.HTLCVouts()[1:] {
		s.untilSwept(wire.OutPoint{Hash: commit.Tx.TxHash(), Index: uint32(other)})
	}
	var sweeps []*wire.MsgTx
	sweeps = append(sweeps, s.chain.Mempool()...)
	s.mine(1)
	for _, tx := range sweeps {
		s.credit(tx, 0)
	}
	s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
	s.untilState(model.Credited)
	s.mine(model.FinalConfs)
	s.untilState(model.Resolved)
	if st := s.status(); len(st.Alarms) > 0 {
		t.Errorf("alarms %q", st.Alarms)
	}
}

// TestASweepThatNoBlockTakesIsMadeDearer, and one that a reorganisation unconfirms is
// sent again.
func TestASweepThatNoBlockTakesIsMadeDearer(t *testing.T) {
	s := newStory(t, "used-both-ways")
	var perKW atomic.Uint32
	perKW.Store(500)
	s.deps.Sweeps.Feerate = func(context.Context, string) (uint32, error) { return perKW.Load(), nil }
	// As bitcoind does: a cheaper one does not come back.
	var paid atomic.Int64
	b := s.chain.Backend()
	b.Refuse = func(tx *wire.MsgTx) string {
		if was := paid.Load(); was > 0 && tx.TxOut[0].Value > was {
			return "insufficient fee, rejecting replacement"
		}
		paid.Store(tx.TxOut[0].Value)
		return ""
	}
	s.deps.Backend = b
	s.start()
	commit := s.theirCommitment()
	s.closedBefore(commit.Tx)
	s.begin()
	op := output(commit, bolt3.ToRemoteOutput)
	first := s.untilSwept(op)
	perKW.Store(4000) // a fee spike
	s.quiet(5)
	s.lookTwice()
	if s.spending(op).TxHash() != first.TxHash() {
		t.Fatal("replaced too early")
	}
	s.quiet(1)
	var second *wire.MsgTx
	s.until("a dearer one", func() bool {
		s.look()
		second = s.spending(op)
		return second != nil && second.TxHash() != first.TxHash()
	})
	if second.TxOut[0].Value >= first.TxOut[0].Value {
		t.Errorf("it pays %d, the first %d", second.TxOut[0].Value, first.TxOut[0].Value)
	}
	// The first one confirms all the same, and leaves its block again.
	s.chain.DropMempool()
	s.chain.Mine(first)
	s.BlockAdded()
	s.credit(first, 0)
	s.untilState(model.Credited)
	if got := s.status().Channels[0].RecoveredMsat; got != 1000*uint64(first.TxOut[0].Value) {
		t.Errorf("recovered %d, want the first one's %d", got, 1000*first.TxOut[0].Value)
	}
	s.chain.Reorg(1, false)
	paid.Store(0)
	s.node.mu.Lock()
	s.node.wallet = nil
	s.node.mu.Unlock()
	s.quiet(7)
	s.untilState(model.OutputsWaiting)
	s.untilSwept(op)
}
