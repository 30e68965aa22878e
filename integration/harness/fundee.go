package harness

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/txsort"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
	"github.com/lightningnetwork/lnd/brontide"
	"github.com/lightningnetwork/lnd/input"
	lndkeychain "github.com/lightningnetwork/lnd/keychain"
	"github.com/lightningnetwork/lnd/lnwire"

	"github.com/glrecover/glrecover/integration/synthetic"
)

// Fundee is the least that can be given a channel: the accepter's half of BOLT 2
// up to channel_ready, with Core Lightning's keys. It keeps everything in memory,
// needs no chain (it takes its peer's word that the funding confirmed), and makes
// no payment. It stands in for the hosted node where no lightningd is at hand.
type Fundee struct {
	Words  Words
	Secret Secret
	// ID is the node id in hex, DBID the number of its one channel.
	ID   string
	DBID uint64

	net    *Net
	caller *Caller
	keys   fundeeKeys
	done   chan struct{}

	mu sync.Mutex
	// These are guarded by mu.
	err     error
	peer    *LNDNode
	open    *lnwire.OpenChannel
	funding wire.OutPoint
	sig     *ecdsa.Signature // lnd's, on our first commitment
	ready   bool
}

// fundeeKeys are the channel's, as lightningd's hsmd derives them
// (hsmd/libhsmd.c).
type fundeeKeys struct {
	funding, revocation, htlc, payment, delayed *btcec.PrivateKey
	shaseed                                     [32]byte
}

// fundeeDelay is what the fundee imposes on its peer's to_local, in blocks, and
// dustSat its dust limit.
const (
	fundeeDelay = 144
	dustSat     = 354
)

// Fundee makes the small node with these words. Its channel will have the number
// dbid.
func (n *Net) Fundee(words Words, dbid uint64) *Fundee {
	t := n.T
	t.Helper()
	f := &Fundee{Words: words, Secret: words.Secret(), DBID: dbid, net: n, done: make(chan struct{})}
	f.ID = hex.EncodeToString(f.nodeKey().PubKey().SerializeCompressed())
	return f
}

func (f *Fundee) nodeKey() *btcec.PrivateKey {
	key, _ := btcec.PrivKeyFromBytes(hkdfKey(f.net.T, f.Secret[:], make([]byte, 4), "nodeid", 32))
	return key
}

// Receive has lnd open a channel to the fundee, pushing o.PushSat of it, and
// waits until lnd holds it active and its funding has six confirmations.
func (f *Fundee) Receive(lnd *LNDNode, o OpenOptions) Outpoint {
	t := f.net.T
	t.Helper()
	f.dial(lnd)
	lnd.FundWallet(o.Sat + 50_000)
	lnd.WaitSynced()
	Wait(t, "the fundee at "+lnd.Name, func() error {
		if !lnd.connected(f.ID) {
			return errors.New("not connected")
		}
		return f.failure()
	})
	funding, err := lnd.openTo(f.ID, o)
	if err != nil {
		t.Fatalf("%s opens to the fundee: %v (fundee: %v)", lnd.Name, err, f.failure())
	}
	f.net.Mine(1, lnd)
	Wait(t, "the fundee's channel", func() error {
		if err := f.failure(); err != nil {
			return err
		}
		return lnd.active(funding)
	})
	f.net.Mine(5, lnd)
	return funding
}

func (f *Fundee) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// dial connects to lnd and serves the connection.
func (f *Fundee) dial(lnd *LNDNode) {
	t := f.net.T
	t.Helper()
	f.peer = lnd
	id, err := hexBytes(lnd.ID)
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	pub, err := btcec.ParsePubKey(id)
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	f.deriveKeys(id)
	addr, err := net.ResolveTCPAddr("tcp", lnd.Address())
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	conn, err := brontide.Dial(&lndkeychain.PrivKeyECDH{PrivKey: f.nodeKey()},
		&lnwire.NetAddress{IdentityKey: pub, Address: addr}, 10*time.Second, net.DialTimeout)
	if err != nil {
		t.Fatalf("the fundee dials %s: %v", lnd.Name, err)
	}
	f.caller = &Caller{conn: conn}
	go f.serve()
	t.Cleanup(f.hangUp)
}

func (f *Fundee) hangUp() {
	_ = f.caller.conn.Close()
	<-f.done
}

// deriveKeys makes the channel's keys from the secret, the peer and the number.
func (f *Fundee) deriveKeys(peer []byte) {
	t := f.net.T
	t.Helper()
	base := hkdfKey(t, f.Secret[:], nil, "peer seed", 32)
	salt := binary.LittleEndian.AppendUint64(append([]byte{}, peer...), f.DBID)
	keys := hkdfKey(t, hkdfKey(t, base, salt, "per-peer seed", 32), nil, "c-lightning", 192)
	next := func() *btcec.PrivateKey {
		key, _ := btcec.PrivKeyFromBytes(keys[:32])
		keys = keys[32:]
		return key
	}
	f.keys = fundeeKeys{funding: next(), revocation: next(), htlc: next(), payment: next(), delayed: next()}
	f.keys.shaseed = [32]byte(keys)
}

// point is our per-commitment point.
func (f *Fundee) point(number uint64) *btcec.PublicKey {
	secret := shachain(f.keys.shaseed, number)
	_, point := btcec.PrivKeyFromBytes(secret[:])
	return point
}

func (f *Fundee) serve() {
	defer close(f.done)
	f.caller.Init()
	for {
		msg := f.caller.Next()
		if msg == nil {
			return
		}
		f.mu.Lock()
		if err := f.answer(msg); err != nil && f.err == nil {
			f.err = err
		}
		f.mu.Unlock()
	}
}

func (f *Fundee) answer(msg lnwire.Message) error {
	switch m := msg.(type) {
	case *lnwire.OpenChannel:
		return f.accept(m)
	case *lnwire.FundingCreated:
		return f.sign(m)
	case *lnwire.ChannelReady:
		f.ready = true
		f.caller.Send(lnwire.NewChannelReady(m.ChanID, f.point(1)))
	case *lnwire.Error:
		return fmt.Errorf("lnd says: %w", m)
	}
	return nil
}

func (f *Fundee) accept(m *lnwire.OpenChannel) error {
	if m.ChannelType == nil || !(*lnwire.RawFeatureVector)(m.ChannelType).IsSet(lnwire.AnchorsZeroFeeHtlcTxRequired) {
		return errors.New("lnd wants another channel type than anchors")
	}
	f.open = m
	f.caller.Send(&lnwire.AcceptChannel{
		PendingChannelID: m.PendingChannelID, ChannelType: m.ChannelType,
		DustLimit: dustSat, ChannelReserve: m.FundingAmount / 100, HtlcMinimum: 1,
		MaxValueInFlight: lnwire.NewMSatFromSatoshis(m.FundingAmount), MaxAcceptedHTLCs: 30,
		MinAcceptDepth: 1, CsvDelay: fundeeDelay,
		FundingKey: f.keys.funding.PubKey(), RevocationPoint: f.keys.revocation.PubKey(),
		PaymentPoint: f.keys.payment.PubKey(), DelayedPaymentPoint: f.keys.delayed.PubKey(),
		HtlcPoint: f.keys.htlc.PubKey(), FirstCommitmentPoint: f.point(0),
	})
	return nil
}

// sign checks lnd's signature on our first commitment and signs lnd's.
func (f *Fundee) sign(m *lnwire.FundingCreated) error {
	f.funding = m.FundingPoint
	ours, err := f.commitmentDigest(true)
	if err != nil {
		return err
	}
	sig, err := m.CommitSig.ToSignature()
	if err != nil {
		return err
	}
	if !sig.Verify(ours, f.open.FundingKey) {
		return errors.New("lnd's signature is not on our first commitment")
	}
	if f.sig, err = ecdsa.ParseDERSignature(sig.Serialize()); err != nil {
		return err
	}
	theirs, err := f.commitmentDigest(false)
	if err != nil {
		return err
	}
	answer, err := lnwire.NewSigFromSignature(ecdsa.Sign(f.keys.funding, theirs))
	if err != nil {
		return err
	}
	f.caller.Send(&lnwire.FundingSigned{ChanID: lnwire.NewChanIDFromOutPoint(m.FundingPoint), CommitSig: answer})
	return nil
}

// shares are what the first commitments pay, in sat: the opener pays the fee and
// both anchors (BOLT 3).
func (f *Fundee) shares() (ours, theirs uint64) {
	const anchors = 660
	fee := btcutil.Amount(f.open.FeePerKiloWeight) * input.AnchorCommitWeight / 1000
	ours = uint64(f.open.PushAmount.ToSatoshis())
	return ours, uint64(f.open.FundingAmount-fee) - anchors - ours
}

// commitmentDigest is what is signed of the first commitment, ours or lnd's
// (BOLT 3, anchors, no HTLC).
func (f *Fundee) commitmentDigest(ours bool) ([]byte, error) {
	own, other := f.shares()
	// The broadcaster's and the other side's.
	point, delayed, funding := f.point(0), f.keys.delayed.PubKey(), f.keys.funding.PubKey()
	revocation, payment, otherFunding := f.open.RevocationPoint, f.open.PaymentPoint, f.open.FundingKey
	delay := f.open.CsvDelay
	if !ours {
		own, other = other, own
		point, delayed, funding = f.open.FirstCommitmentPoint, f.open.DelayedPaymentPoint, f.open.FundingKey
		revocation, payment, otherFunding = f.keys.revocation.PubKey(), f.keys.payment.PubKey(), f.keys.funding.PubKey()
		delay = fundeeDelay
	}
	toLocal, err := input.CommitScriptToSelf(uint32(delay), input.TweakPubKey(delayed, point), input.DeriveRevocationPubkey(revocation, point))
	if err != nil {
		return nil, err
	}
	toRemote, err := input.CommitScriptToRemoteConfirmed(payment)
	if err != nil {
		return nil, err
	}
	// Number 0, hidden by the payment basepoints, the opener's first.
	mask := sha256.Sum256(append(f.open.PaymentPoint.SerializeCompressed(), f.keys.payment.PubKey().SerializeCompressed()...))
	hidden := binary.BigEndian.Uint64(append(make([]byte, 2), mask[26:]...))
	tx := wire.NewMsgTx(2)
	tx.LockTime = 0x20<<24 | uint32(hidden&0xffffff)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: f.funding, Sequence: 0x80<<24 | uint32(hidden>>24)})
	for _, out := range []struct {
		sat    uint64
		script []byte
		anchor *btcec.PublicKey
	}{{own, toLocal, funding}, {other, toRemote, otherFunding}} {
		if out.sat < dustSat {
			return nil, errors.New("a side has less than dust: not written for that")
		}
		anchor, err := input.CommitScriptAnchor(out.anchor)
		if err != nil {
			return nil, err
		}
		for script, sat := range map[string]uint64{string(out.script): out.sat, string(anchor): 330} {
			hash, err := input.WitnessScriptHash([]byte(script))
			if err != nil {
				return nil, err
			}
			tx.AddTxOut(wire.NewTxOut(int64(sat), hash))
		}
	}
	txsort.InPlaceSort(tx)
	script, out, err := input.GenFundingPkScript(
		f.keys.funding.PubKey().SerializeCompressed(), f.open.FundingKey.SerializeCompressed(), int64(f.open.FundingAmount))
	if err != nil {
		return nil, err
	}
	hashes := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(out.PkScript, out.Value))
	return txscript.CalcWitnessSigHash(script, hashes, txscript.SigHashAll, tx, 0, out.Value)
}

// Lose ends the fundee for ever and returns the backup that a signer would have
// written of it: synthetic.
func (f *Fundee) Lose() Backup {
	t := f.net.T
	t.Helper()
	f.hangUp()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sig == nil || !f.ready {
		t.Fatalf("harness: the fundee has no channel")
	}
	ours, theirs := f.shares()
	point := func(key *btcec.PublicKey) string { return hex.EncodeToString(key.SerializeCompressed()) }
	raw, err := synthetic.First{
		NodeID: f.ID, PeerID: f.peer.ID, PeerAddress: f.peer.Address(), DBID: f.DBID, CreatedAt: time.Now(),
		FundingTxid: f.funding.Hash[:], FundingVout: f.funding.Index,
		CapacitySat: uint64(f.open.FundingAmount), PushMsat: uint64(f.open.PushAmount),
		OurSat: ours, TheirSat: theirs, FeeratePerKW: f.open.FeePerKiloWeight,
		OurDelay: fundeeDelay, TheirDelay: f.open.CsvDelay,
		Funding: point(f.open.FundingKey), Revocation: point(f.open.RevocationPoint), Payment: point(f.open.PaymentPoint),
		HTLC: point(f.open.HtlcPoint), Delayed: point(f.open.DelayedPaymentPoint),
		Point: point(f.open.FirstCommitmentPoint), Signature: hex.EncodeToString(f.sig.Serialize()),
	}.Backup()
	if err != nil {
		t.Fatalf("harness: %v", err)
	}
	return Backup{Path: f.net.WriteFile("backup-"+randomHex(2)+".json", raw), Label: "synthetic"}
}
