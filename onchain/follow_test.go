package onchain_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
)

func follow(t *testing.T, g *golden, c *onchain.Close, tx *wire.MsgTx) *onchain.Step {
	t.Helper()
	s, err := onchain.Follow(g.ch, g.keys, c, tx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// revokedWith is a revoked commitment with the snapshot's values and one HTLC
// that the snapshot does not have.
func revokedWith(t *testing.T, g *golden, strange channel.HTLC) *bolt3.CommitTx {
	t.Helper()
	old := *g.ch.State.CounterpartyCommit
	old.Received = append([]channel.HTLC{strange}, old.Received...)
	secret, ok := bolt3.SecretAt(g.ch.State.Secrets, 2)
	if !ok {
		t.Fatal("no secret")
	}
	return build(t, g, &old, 2, bolt3.PointOf(secret))
}

func TestSecondStageOfARevokedCommitmentIsFollowed(t *testing.T) {
	for _, name := range []string{"htlc-in-flight-1", "srk-htlcs-1"} {
		g := goldenOf(t, name)
		built := revokedWith(t, g, channel.HTLC{ValueSat: 12_345, CLTVExpiry: 300})
		c := classify(t, g.ch, g.keys, built.Tx)
		seen := map[onchain.Role]int{}
		for _, vout := range built.HTLCVouts() {
			h, err := built.HTLCTx(vout)
			if err != nil {
				t.Fatal(err)
			}
			s := follow(t, g, c, h.Tx)
			if len(s.Spent) != 1 || s.Spent[0] != &c.Outputs[vout] || len(s.Outputs) != 1 || s.TxID != h.Tx.TxHash() {
				t.Fatalf("%s, output %d: %+v", name, vout, s)
			}
			o := s.Outputs[0]
			if o.Path != onchain.PathPenalty || o.Claimant != onchain.BySweep || o.Owner != onchain.OwnerUs || o.CSV != 0 ||
				o.Role != onchain.HTLCTransaction || string(o.WitnessScript) != string(h.OutputScript) || o.ValueSat != uint64(h.Tx.TxOut[0].Value) {
				t.Errorf("%s, output %d: %+v", name, vout, o)
			}
			spent := c.Outputs[vout]
			seen[spent.Role]++
			if (o.HTLC == nil) != (spent.Role == onchain.Unnamed) || o.Direction != spent.Direction {
				t.Errorf("%s, output %d: HTLC %+v of %+v", name, vout, o.HTLC, spent.HTLC)
			}
		}
		if seen[onchain.Unnamed] != 1 || seen[onchain.OfferedHTLC] == 0 || seen[onchain.ReceivedHTLC] == 0 {
			t.Errorf("%s: %v", name, seen)
		}
	}
}

func TestSeveralHTLCsInOneTransactionAreFollowed(t *testing.T) {
	g := goldenOf(t, "htlc-in-flight-1")
	built := revokedWith(t, g, channel.HTLC{ValueSat: 12_345, CLTVExpiry: 300})
	c := classify(t, g.ch, g.keys, built.Tx)
	tx := wire.NewMsgTx(2)
	vouts := built.HTLCVouts()
	for _, vout := range vouts {
		h, err := built.HTLCTx(vout)
		if err != nil {
			t.Fatal(err)
		}
		tx.AddTxIn(h.Tx.TxIn[0])
		tx.AddTxOut(h.Tx.TxOut[0])
	}
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 9}, nil, nil))
	tx.AddTxOut(wire.NewTxOut(777, []byte{0x51}))
	s := follow(t, g, c, tx)
	if len(s.Spent) != len(vouts) || len(s.Outputs) != len(vouts) {
		t.Fatalf("%d spent, %d outputs", len(s.Spent), len(s.Outputs))
	}
	for i, vout := range vouts {
		if s.Outputs[i].ValueSat != c.Outputs[vout].ValueSat || s.Outputs[i].OutPoint.Index != uint32(i) {
			t.Errorf("output %d: %+v", i, s.Outputs[i])
		}
	}
}

func TestOurOwnHTLCTransactionWaitsAndThePeersIsItsOwn(t *testing.T) {
	g := goldenOf(t, "htlc-in-flight-1")
	for _, v := range []*vectorCommit{g.Holder, g.Theirs} {
		c := classify(t, g.ch, g.keys, parseTx(t, v.Tx))
		stored := g.ch.State.HolderCommit
		if v == g.Theirs {
			stored = g.ch.State.CounterpartyCommit
		}
		built := build(t, g, stored, v.Number, pubKey(t, v.Point))
		for _, vout := range built.HTLCVouts() {
			h, err := built.HTLCTx(vout)
			if err != nil {
				t.Fatal(err)
			}
			s := follow(t, g, c, h.Tx)
			if len(s.Outputs) != 1 {
				t.Fatalf("%d outputs", len(s.Outputs))
			}
			o := s.Outputs[0]
			if v == g.Theirs {
				if o.Path != onchain.PathNone || o.Owner != onchain.OwnerPeer {
					t.Errorf("the peer's: %+v", o)
				}
				continue
			}
			if from, ok := o.SpendableFrom(500); !ok || o.Path != onchain.PathDelayed || from != 500+uint32(g.ch.CounterpartyDelay) {
				t.Errorf("ours: %+v", o)
			}
		}
	}
}

func TestFollowRefusesWhatSpendsSomethingElse(t *testing.T) {
	g := goldenOf(t, "htlc-in-flight-1")
	c := classify(t, g.ch, g.keys, parseTx(t, g.Theirs.Tx))
	if _, err := onchain.Follow(g.ch, g.keys, c, parseTx(t, g.Theirs.Tx)); !errors.Is(err, onchain.ErrNotASpend) {
		t.Errorf("%v", err)
	}
	// The peer's sweep of its to_local pays to nobody we know.
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&c.Outputs[g.Theirs.ToLocal].OutPoint, nil, nil))
	tx.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
	if s := follow(t, g, c, tx); len(s.Outputs) != 0 || len(s.Spent) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestDirectionIsTheUsers(t *testing.T) {
	g := goldenOf(t, "htlc-in-flight-1") // two sent, one received
	for _, v := range []*vectorCommit{g.Holder, g.Theirs} {
		got := map[onchain.Direction]uint64{}
		for _, o := range classify(t, g.ch, g.keys, parseTx(t, v.Tx)).Outputs {
			if (o.HTLC == nil) != (o.Direction == "") {
				t.Errorf("%+v", o)
			}
			got[o.Direction] += o.ValueSat
		}
		if got[onchain.Sent] != 43_000 || got[onchain.Received] != 25_000 {
			t.Errorf("%v", got)
		}
	}
}

func TestHTLCWithAKnownPreimageIsNamedWithoutTheBackup(t *testing.T) {
	g := goldenOf(t, "htlc-in-flight-1")
	preimage := [32]byte{1, 2, 3}
	hash := sha256.Sum256(preimage[:])
	future := *g.ch.State.CounterpartyCommit
	// Two parts of one payment, told apart by value alone.
	future.Offered = append([]channel.HTLC{
		{ValueSat: 31_000, PaymentHash: hash, CLTVExpiry: 700}, {ValueSat: 32_000, PaymentHash: hash, CLTVExpiry: 700},
	}, future.Offered...)
	n := g.ch.State.NextCounterpartyCommitNum + 2
	built := build(t, g, &future, n, strangePoint(4))
	keys := g.keys
	keys.PeerPoints = []channel.PubKey{strangePoint(4)}
	if c := classify(t, g.ch, keys, built.Tx); len(c.Unnamed()) != 2 {
		t.Fatalf("%d unnamed", len(c.Unnamed()))
	}
	keys.Hashes = [][32]byte{{9}, hash}
	c := classify(t, g.ch, keys, built.Tx)
	if len(c.Unnamed()) != 0 {
		t.Fatalf("%d unnamed", len(c.Unnamed()))
	}
	found := 0
	for i, o := range c.Outputs {
		if o.HTLC == nil || o.HTLC.PaymentHash != hash {
			continue
		}
		found++
		if o.Path != onchain.PathSuccess || o.Direction != onchain.Received || o.HTLC.ValueSat != built.Outputs[i].ValueSat || o.HTLC.CLTVExpiry != 0 {
			t.Errorf("%+v", o)
		}
	}
	if found != 2 {
		t.Errorf("%d found", found)
	}
}

func TestPreimagesOfATransaction(t *testing.T) {
	preimage := [32]byte{1, 2, 3}
	tx := wire.NewMsgTx(2)
	in := wire.NewTxIn(&wire.OutPoint{}, nil, nil)
	in.Witness = bolt3.HTLCPreimageWitness(make([]byte, 71), preimage, make([]byte, 140))
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{}, nil, nil))
	tx.AddTxIn(in)
	if got := onchain.Preimages(tx); len(got) != 1 || got[0] != preimage {
		t.Errorf("%x", got)
	}
}

func TestSecondStageWithoutTheSecretPromisesNothing(t *testing.T) {
	g := goldenOf(t, "htlc-in-flight-1")
	ch := clone(g.ch)
	n := ch.State.NextCounterpartyRevokeNum - 1
	secret, _ := bolt3.SecretAt(ch.State.Secrets, n)
	built := build(t, g, ch.State.CounterpartyCommit, n, bolt3.PointOf(secret))
	ch.State.Secrets = nil
	c := classify(t, ch, g.keys, built.Tx)
	h, err := built.HTLCTx(built.HTLCVouts()[0])
	if err != nil {
		t.Fatal(err)
	}
	s, err := onchain.Follow(ch, g.keys, c, h.Tx)
	if err != nil || c.Kind != onchain.TheirsRevoked || len(s.Outputs) != 1 || s.Outputs[0].Path != onchain.PathNone {
		t.Errorf("%s: %+v, %v", c.Kind, s, err)
	}
}

func FuzzFollow(f *testing.F) {
	g := goldenOf(f, "htlc-in-flight-1")
	secret, _ := bolt3.SecretAt(g.ch.State.Secrets, 2)
	built := build(f, g, g.ch.State.CounterpartyCommit, 2, bolt3.PointOf(secret))
	c := classify(f, g.ch, g.keys, built.Tx)
	for _, vout := range built.HTLCVouts() {
		h, err := built.HTLCTx(vout)
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		if err := h.Tx.Serialize(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(byte(vout), b.Bytes())
	}
	script := built.Outputs[bolt3test.Output(built, bolt3.ToLocalOutput)].PkScript
	f.Fuzz(func(t *testing.T, vout byte, raw []byte) {
		tx := new(wire.MsgTx)
		if err := tx.Deserialize(bytes.NewReader(raw)); err != nil || len(tx.TxIn) == 0 {
			return
		}
		spent := &c.Outputs[int(vout)%len(c.Outputs)]
		tx.TxIn[0].PreviousOutPoint = spent.OutPoint
		s, err := onchain.Follow(g.ch, g.keys, c, tx)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Spent) == 0 || s.Spent[0] != spent {
			t.Errorf("spent %+v", s.Spent)
		}
		for _, o := range s.Outputs {
			if o.Path != onchain.PathPenalty || !bytes.Equal(o.PkScript, script) || (o.HTLC == nil) != (o.Direction == "") {
				t.Errorf("%+v", o)
			}
		}
		onchain.Preimages(tx)
	})
}
