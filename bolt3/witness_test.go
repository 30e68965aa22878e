package bolt3

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
)

// The private keys of appendices C and F.
type privateKeys struct {
	funding, payment, delayed            *btcec.PrivateKey // local
	remoteRevocation, remotePayment      *btcec.PrivateKey
	perCommitment                        *btcec.PrivateKey
	htlc, delayedKey, theirHTLC, penalty *btcec.PrivateKey // of commitment 42
}

func appendixCKeys(t *testing.T) *privateKeys {
	t.Helper()
	priv := func(s string) *btcec.PrivateKey {
		k, _ := btcec.PrivKeyFromBytes(unhex(t, s))
		return k
	}
	same := func(b byte) *btcec.PrivateKey {
		k, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{b}, 32))
		return k
	}
	k := &privateKeys{
		funding: priv("30ff4956bbdd3222d44cc5e8a1261dab1e07957bdac5ae88fe3261ef321f3749"),
		payment: same(0x11), delayed: same(0x33), remoteRevocation: same(0x22), remotePayment: same(0x44),
		perCommitment: priv("1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"),
	}
	point := k.perCommitment.PubKey()
	k.htlc, k.delayedKey, k.theirHTLC = TweakPrivKey(k.payment, point), TweakPrivKey(k.delayed, point), TweakPrivKey(k.remotePayment, point)
	k.penalty = RevocationPrivKey(k.remoteRevocation, k.perCommitment)
	return k
}

func signed(t *testing.T, k *btcec.PrivateKey, digest [32]byte, hashType txscript.SigHashType) []byte {
	t.Helper()
	return WithHashType(ecdsa.Sign(k, digest[:]).Serialize(), hashType)
}

// eachVector runs over every commitment of the appendices.
func eachVector(t *testing.T, check func(t *testing.T, f *vectorFile, v vector, c *CommitTx)) {
	t.Helper()
	f := loadVectors(t)
	for typ, vectors := range map[channel.Type][]vector{
		channel.StaticRemoteKey: f.StaticRemoteKey, channel.AnchorsZeroFeeHTLC: f.ZeroFee, channel.Anchors: f.WithFees,
	} {
		for _, v := range vectors {
			t.Run(typ.String()+"/"+v.Name, func(t *testing.T) {
				ch, ours, point := appendixC(t, typ)
				c, err := BuildCommitment(ch, ours, trimmed(t, f, v, typ), 42, point)
				if err != nil {
					t.Fatal(err)
				}
				check(t, f, v, c)
			})
		}
	}
}

func bytesOf(t *testing.T, tx *wire.MsgTx) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func weight(tx *wire.MsgTx) uint64 {
	return uint64(3*tx.SerializeSizeStripped() + tx.SerializeSize())
}

func preimageOf(t *testing.T, f *vectorFile, hash [32]byte) [32]byte {
	t.Helper()
	for _, h := range f.HTLCs {
		if p := [32]byte(unhex(t, h.Preimage)); sha256.Sum256(p[:]) == hash {
			return p
		}
	}
	t.Fatal("no preimage")
	return [32]byte{}
}

// Signed with the vectors' own keys, every HTLC transaction is the vector's,
// witness and all.
func TestSignedHTLCTransactionsAreThoseOfTheVectors(t *testing.T) {
	k := appendixCKeys(t)
	seen := 0
	eachVector(t, func(t *testing.T, f *vectorFile, v vector, c *CommitTx) {
		for i, vout := range c.HTLCVouts() {
			h, err := c.HTLCTx(vout)
			if err != nil {
				t.Fatal(err)
			}
			digest, err := h.SigHash(txscript.SigHashAll)
			if err != nil {
				t.Fatal(err)
			}
			var preimage [32]byte
			if h.Success {
				preimage = preimageOf(t, f, h.HTLC.PaymentHash)
			}
			theirs := WithHashType(unhex(t, v.HTLCs[i].RemoteSig), HTLCSigHashType(c.Type))
			h.Tx.TxIn[0].Witness = h.Witness(theirs, signed(t, k.htlc, digest, txscript.SigHashAll), preimage)
			if got, want := bytesOf(t, h.Tx), unhex(t, v.HTLCs[i].Tx); !bytes.Equal(got, want) {
				t.Errorf("HTLC transaction %d\n%x, want\n%x", i, got, want)
			}
			// Expectations round up: signatures of 73 bytes, and a little more.
			if got, most := weight(h.Tx), HTLCWeight(c.Type, h.Success); got > most || got+12 < most {
				t.Errorf("HTLC transaction %d weighs %d, expected %d", i, got, most)
			}
			seen++
		}
	})
	if seen < 60 {
		t.Errorf("only %d HTLC transactions", seen)
	}
}

func TestWeightsOfTheVectorsCommitments(t *testing.T) {
	seen := 0
	eachVector(t, func(t *testing.T, _ *vectorFile, v vector, c *CommitTx) {
		tx := parseTx(t, v.CommitTx)
		want := CommitmentWeight(c.Type, len(c.HTLCVouts()))
		full := 2
		if c.Type.HasAnchors() {
			full = 4
		}
		if len(tx.TxOut) != full+len(c.HTLCVouts()) {
			return // an output was trimmed
		}
		// The expectation takes both balance outputs for P2WSH where the type
		// has anchors, for P2WPKH and P2WSH where not.
		if got := weight(tx); got > want || got+12 < want {
			t.Errorf("weighs %d, expected %d", got, want)
		}
		seen++
	})
	if seen < 20 {
		t.Errorf("only %d commitments", seen)
	}
}

// spendOf is a transaction that spends an output of a commitment, or of an
// HTLC transaction, without witness.
func spendOf(op wire.OutPoint, sat uint64, sequence, lockTime uint32) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.LockTime = lockTime
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Sequence: sequence})
	tx.AddTxOut(wire.NewTxOut(int64(sat/2), P2WSH([]byte{txscript.OP_TRUE})))
	return tx
}

// trySpend runs the script engine on a witness made with the given key, and
// once more with a key that must not do.
func trySpend(t *testing.T, tx *wire.MsgTx, out *wire.TxOut, script []byte, k *btcec.PrivateKey, witness func(sig []byte) wire.TxWitness) {
	t.Helper()
	digest, err := sigHash(tx, script, uint64(out.Value), txscript.SigHashAll)
	if err != nil {
		t.Fatal(err)
	}
	tx.TxIn[0].Witness = witness(signed(t, k, digest, txscript.SigHashAll))
	spends(t, tx, out)
	tx.TxIn[0].Witness = witness(signed(t, TweakPrivKey(k, k.PubKey()), digest, txscript.SigHashAll))
	fetcher := txscript.NewCannedPrevOutputFetcher(out.PkScript, out.Value)
	engine, err := txscript.NewEngine(out.PkScript, tx, 0, txscript.StandardVerifyFlags, nil, txscript.NewTxSigHashes(tx, fetcher), out.Value, fetcher)
	if err == nil {
		err = engine.Execute()
	}
	if err == nil {
		t.Error("a wrong key spends it too")
	}
}

// Every output of the vectors' commitments is spent on each way that BOLT 3
// gives it, with the vectors' own keys.
func TestEveryOutputOfTheVectorsIsSpentOnEachWay(t *testing.T) {
	k := appendixCKeys(t)
	spent := map[OutputKind]int{}
	eachVector(t, func(t *testing.T, f *vectorFile, _ vector, c *CommitTx) {
		wait := uint32(0)
		if c.Type.HasAnchors() {
			wait = 1
		}
		for i, o := range c.Outputs {
			op := wire.OutPoint{Hash: c.Tx.TxHash(), Index: uint32(i)}
			out, script := c.Tx.TxOut[i], o.WitnessScript
			penalty := func(sig []byte) wire.TxWitness { return HTLCPenaltyWitness(sig, k.penalty.PubKey(), script) }
			spent[o.Kind]++
			switch o.Kind {
			case ToLocalOutput:
				delayed(t, k, op, out, script, c.Delay)
			case ToRemoteOutput:
				signed := script
				if signed == nil {
					signed = out.PkScript
				}
				digestOf(t, spendOf(op, o.ValueSat, wait, 0), out, signed, k.remotePayment, func(sig []byte) wire.TxWitness {
					return ToRemoteWitness(c.Type, sig, k.remotePayment.PubKey(), script)
				})
			case OfferedHTLC:
				preimage := preimageOf(t, f, o.HTLC.PaymentHash)
				trySpend(t, spendOf(op, o.ValueSat, wait, 0), out, script, k.theirHTLC, func(sig []byte) wire.TxWitness {
					return HTLCPreimageWitness(sig, preimage, script)
				})
				trySpend(t, spendOf(op, o.ValueSat, 0, 0), out, script, k.penalty, penalty)
				secondStage(t, k, c, i)
			case ReceivedHTLC:
				trySpend(t, spendOf(op, o.ValueSat, wait, o.HTLC.CLTVExpiry), out, script, k.theirHTLC, func(sig []byte) wire.TxWitness {
					return HTLCExpiredWitness(sig, script)
				})
				trySpend(t, spendOf(op, o.ValueSat, 0, 0), out, script, k.penalty, penalty)
				secondStage(t, k, c, i)
			case BroadcasterAnchor, CountersignerAnchor:
			}
		}
	})
	for _, kind := range []OutputKind{ToLocalOutput, ToRemoteOutput, OfferedHTLC, ReceivedHTLC} {
		if spent[kind] < 10 {
			t.Errorf("%s was spent %d times", kind, spent[kind])
		}
	}
}

// digestOf is trySpend for to_remote, whose P2WPKH form signs the output
// script.
func digestOf(t *testing.T, tx *wire.MsgTx, out *wire.TxOut, script []byte, k *btcec.PrivateKey, witness func([]byte) wire.TxWitness) {
	t.Helper()
	fetcher := txscript.NewCannedPrevOutputFetcher(out.PkScript, out.Value)
	digest, err := txscript.CalcWitnessSigHash(script, txscript.NewTxSigHashes(tx, fetcher), txscript.SigHashAll, tx, 0, out.Value)
	if err != nil {
		t.Fatal(err)
	}
	tx.TxIn[0].Witness = witness(signed(t, k, [32]byte(digest), txscript.SigHashAll))
	spends(t, tx, out)
}

func delayed(t *testing.T, k *privateKeys, op wire.OutPoint, out *wire.TxOut, script []byte, delay uint16) {
	t.Helper()
	trySpend(t, spendOf(op, uint64(out.Value), uint32(delay), 0), out, script, k.delayedKey, func(sig []byte) wire.TxWitness {
		return DelayedWitness(sig, script)
	})
	trySpend(t, spendOf(op, uint64(out.Value), 0, 0), out, script, k.penalty, func(sig []byte) wire.TxWitness {
		return PenaltyWitness(sig, script)
	})
}

func secondStage(t *testing.T, k *privateKeys, c *CommitTx, vout int) {
	t.Helper()
	h, err := c.HTLCTx(vout)
	if err != nil {
		t.Fatal(err)
	}
	delayed(t, k, wire.OutPoint{Hash: h.Tx.TxHash()}, h.Tx.TxOut[0], h.OutputScript, c.Delay)
}
