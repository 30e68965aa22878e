package sweep

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/testdata"
)

var corpus = testdata.Corpus()

func secretOf(t testing.TB, name string) *keychain.Secret {
	t.Helper()
	s, err := keychain.FromBytes(testdata.Secret(t, name)).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func channelKeys(t testing.TB, s *keychain.Secret, peer channel.PubKey, dbid uint64) *keychain.ChannelKeys {
	t.Helper()
	keys, err := s.ChannelKeys(peer, dbid)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// stuck is a channel of which both sides' keys are known, and the peer's
// signed commitment of 1,000 sat fee.
type stuck struct {
	ch         *channel.Channel
	ours       *keychain.ChannelKeys
	parent     *wire.MsgTx
	fundingSat uint64
}

// stuckClose makes one; toUs 0 leaves us without output and anchor.
func stuckClose(t testing.TB, typ channel.Type, toUs uint64) *stuck {
	t.Helper()
	a, b := secretOf(t, "used-both-ways"), secretOf(t, "inbound-used")
	aID, err1 := a.NodeID()
	bID, err2 := b.NodeID()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	ours, theirs := channelKeys(t, a, bID, 7), channelKeys(t, b, aID, 3)
	s := &stuck{
		ours: ours, fundingSat: 1_000_000,
		ch: &channel.Channel{
			Key: channel.Key{Peer: bID, DBID: 7}, Funding: wire.OutPoint{Hash: sha256.Sum256([]byte("funding")), Index: 1},
			CapacitySat: 1_000_000, Type: typ, Remote: theirs.Basepoints(), HolderDelay: 6, CounterpartyDelay: 6,
		},
	}
	point, err := theirs.PerCommitmentPoint(5)
	if err != nil {
		t.Fatal(err)
	}
	c := &channel.Commitment{Broadcaster: channel.Remote, ToBroadcasterSat: s.fundingSat - 1_000 - 2*bolt3.AnchorSat - toUs, ToCountersignerSat: toUs}
	built, err := bolt3.BuildCommitment(s.ch, ours.Basepoints(), c, 5, point)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := built.SigHash()
	if err != nil {
		t.Fatal(err)
	}
	sign := func(k *keychain.Key) []byte {
		sig, err := k.Sign(digest)
		if err != nil {
			t.Fatal(err)
		}
		return append(sig.Serialize(), byte(txscript.SigHashAll))
	}
	first, second := ours.Funding(), theirs.Funding()
	if a, b := first.ID(), second.ID(); bytes.Compare(a[:], b[:]) > 0 {
		first, second = second, first
	}
	s.parent = built.Tx
	s.parent.TxIn[0].Witness = wire.TxWitness{nil, sign(first), sign(second), built.FundingScript}
	return s
}

func (s *stuck) request(perKW uint32, maxFeeSat uint64) Request {
	return Request{
		Parent: s.parent, Channel: s.ch, Funding: s.ours.Funding(), FundingSat: s.fundingSat,
		FeeratePerKW: perKW, MaxFeeSat: maxFeeSat, Network: &chaincfg.RegressionNetParams,
	}
}

// fakeWallet answers as lightningd does, signatures included.
type fakeWallet struct {
	t         testing.TB
	key       *btcec.PrivateKey
	coins     []Coin
	addresses int
	// reserved counts the blocks of each reservation.
	reserved map[wire.OutPoint]uint32
	// fail makes the named method fail, spoil changes a signed PSBT.
	fail  string
	spoil func(*psbt.Packet)
	// hashType is what P2WPKH coins are signed with; 0 is SIGHASH_ALL.
	hashType txscript.SigHashType
	// before is called at the start of Reserve.
	before func()
}

var errWallet = errors.New("the wallet is out of order")

func newWallet(t testing.TB) *fakeWallet {
	key, _ := btcec.PrivKeyFromBytes([]byte{31: 7})
	return &fakeWallet{t: t, key: key, reserved: map[wire.OutPoint]uint32{}}
}

func (w *fakeWallet) p2wpkh() []byte { return bolt3.P2WPKH(w.key.PubKey()) }

func (w *fakeWallet) p2tr() []byte {
	script, err := txscript.PayToTaprootScript(txscript.ComputeTaprootKeyNoScript(w.key.PubKey()))
	if err != nil {
		w.t.Fatal(err)
	}
	return script
}

// add gives the wallet a confirmed coin.
func (w *fakeWallet) add(sat uint64, pkScript []byte) wire.OutPoint {
	op := wire.OutPoint{Hash: sha256.Sum256([]byte{byte(len(w.coins))}), Index: uint32(len(w.coins))}
	w.coins = append(w.coins, Coin{OutPoint: op, ValueSat: sat, PkScript: pkScript, Confirmed: true})
	return op
}

func (w *fakeWallet) find(op wire.OutPoint) int {
	return slices.IndexFunc(w.coins, func(c Coin) bool { return c.OutPoint == op })
}

func (w *fakeWallet) Coins(context.Context) ([]Coin, error) {
	if w.fail == "Coins" {
		return nil, errWallet
	}
	out := slices.Clone(w.coins)
	for i := range out {
		out[i].Reserved = out[i].Reserved || w.reserved[out[i].OutPoint] > 0
	}
	return out, nil
}

func (w *fakeWallet) decode(text string) *psbt.Packet {
	p, err := psbt.NewFromRawBytes(strings.NewReader(text), true)
	if err != nil {
		w.t.Fatalf("the wallet was given a bad PSBT: %v", err)
	}
	return p
}

func (w *fakeWallet) Reserve(_ context.Context, text string, exclusive bool, blocks uint32) ([]wire.OutPoint, error) {
	if w.before != nil {
		w.before()
	}
	if w.fail == "Reserve" {
		return nil, errWallet
	}
	p := w.decode(text)
	var known []wire.OutPoint
	for _, in := range p.UnsignedTx.TxIn {
		if w.find(in.PreviousOutPoint) < 0 {
			continue
		}
		if exclusive && w.reserved[in.PreviousOutPoint] > 0 {
			return nil, errors.New("already reserved")
		}
		known = append(known, in.PreviousOutPoint)
	}
	for _, op := range known {
		w.reserved[op] += blocks
	}
	return known, nil
}

func (w *fakeWallet) Release(ctx context.Context, text string, blocks uint32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, in := range w.decode(text).UnsignedTx.TxIn {
		if w.find(in.PreviousOutPoint) < 0 {
			w.t.Errorf("released %s, which is not the wallet's", in.PreviousOutPoint)
		}
		if left := w.reserved[in.PreviousOutPoint]; left > blocks {
			w.reserved[in.PreviousOutPoint] = left - blocks
		} else {
			delete(w.reserved, in.PreviousOutPoint)
		}
	}
	return nil
}

func (w *fakeWallet) Sign(_ context.Context, text string, inputs []uint32) (string, error) {
	if w.fail == "Sign" {
		return "", errWallet
	}
	p := w.decode(text)
	prevouts := map[wire.OutPoint]*wire.TxOut{}
	for i, in := range p.UnsignedTx.TxIn {
		prevouts[in.PreviousOutPoint] = p.Inputs[i].WitnessUtxo
	}
	fetcher := txscript.NewMultiPrevOutFetcher(prevouts)
	hashes := txscript.NewTxSigHashes(p.UnsignedTx, fetcher)
	for _, i := range inputs {
		op := p.UnsignedTx.TxIn[i].PreviousOutPoint
		at := w.find(op)
		if at < 0 || w.reserved[op] == 0 {
			w.t.Fatalf("asked to sign input %d, which is unknown or not reserved", i)
		}
		c := w.coins[at]
		if txscript.IsPayToTaproot(c.PkScript) {
			digest, err := txscript.CalcTaprootSignatureHash(hashes, txscript.SigHashDefault, p.UnsignedTx, int(i), fetcher)
			if err != nil {
				w.t.Fatal(err)
			}
			sig, err := schnorr.Sign(txscript.TweakTaprootPrivKey(*w.key, nil), digest)
			if err != nil {
				w.t.Fatal(err)
			}
			p.Inputs[i].TaprootKeySpendSig = sig.Serialize()
			continue
		}
		hashType := w.hashType
		if hashType == 0 {
			hashType = txscript.SigHashAll
		}
		digest, err := txscript.CalcWitnessSigHash(c.PkScript, hashes, hashType, p.UnsignedTx, int(i), int64(c.ValueSat))
		if err != nil {
			w.t.Fatal(err)
		}
		p.Inputs[i].PartialSigs = []*psbt.PartialSig{{
			PubKey:    w.key.PubKey().SerializeCompressed(),
			Signature: append(ecdsa.Sign(w.key, digest).Serialize(), byte(hashType)),
		}}
	}
	if w.spoil != nil {
		w.spoil(p)
	}
	signed, err := p.B64Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	return signed, nil
}

func (w *fakeWallet) NewAddress(context.Context) (string, error) {
	if w.fail == "NewAddress" {
		return "", errWallet
	}
	w.addresses++
	return address(w.t, w.p2tr()), nil
}

func address(t testing.TB, pkScript []byte) string {
	t.Helper()
	_, found, _, err := txscript.ExtractPkScriptAddrs(pkScript, &chaincfg.RegressionNetParams)
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	return found[0].EncodeAddress()
}

// p2wsh is an address that no child pays to.
func p2wsh(t testing.TB) string {
	t.Helper()
	a, err := btcutil.NewAddressWitnessScriptHash(chainhash.HashB(nil), &chaincfg.RegressionNetParams)
	if err != nil {
		t.Fatal(err)
	}
	return a.EncodeAddress()
}
