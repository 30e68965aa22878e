// Package sweeptest makes channels with every kind of close and of HTLC, with both
// sides' keys: the matrix that the claims are tested against, by themselves and in
// the engine. It is for tests.
package sweeptest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/bits"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/seedkeys"
)

// Who closes the channel, and by which commitment.
const (
	Theirs0          = "theirs 0"
	Theirs1          = "theirs 1"
	TheirsCurrent    = "theirs current"
	TheirsPrevious   = "theirs previous"
	TheirsNewer      = "theirs newer"
	TheirsNewerPoint = "theirs newer, point told"
	OursCurrent      = "ours current"
	OursNext         = "ours next"
	OursOld          = "ours old"
	OursNewer        = "ours newer"
	Revoked          = "revoked"
	RevokedSecond    = "revoked, second stage"
	Mutual           = "mutual"
)

// The payment in flight.
const (
	NoHTLC      = "none"
	SentHTLC    = "sent"
	KnownHTLC   = "received, known"
	UnknownHTLC = "received, unknown"
)

// Closes are all of the first.
var Closes = []string{
	Theirs0, Theirs1, TheirsCurrent, TheirsPrevious, TheirsNewer, TheirsNewerPoint,
	OursCurrent, OursNext, OursOld, OursNewer, Revoked, RevokedSecond, Mutual,
}

// HTLCs are all of the second.
var HTLCs = []string{NoHTLC, SentHTLC, KnownHTLC, UnknownHTLC}

// Types are the channel types of the cells.
var Types = []channel.Type{channel.StaticRemoteKey, channel.AnchorsZeroFeeHTLC, channel.Anchors}

// Exists says which cells can be: the first commitment has no HTLC, and a
// mutual close waits until there is none.
func Exists(closed, htlc string) bool {
	return htlc == NoHTLC || closed != Theirs0 && closed != Mutual
}

// Amounts in sat, delays and expiries in blocks.
const (
	CapacitySat = 1_000_000
	OurSat      = 400_000
	HTLCSat     = 60_000
	CommitFee   = 3_000
	OurDelay    = 7 // what we wait, and the peer
	TheirDelay  = 9
	ExpiresIn   = 14
	FeePerKW    = 2_500
	HTLCFeerate = 1_100
)

// Preimage is that of the payment of every cell.
var Preimage = [32]byte{0x42, 0x17}

// Cell is one channel and its close.
type Cell struct {
	Opener       channel.Side
	Closed, HTLC string
	Type         channel.Type

	Channel      *channel.Channel
	Ours, Theirs *keychain.ChannelKeys
	// Public are what Classify reads the close with. Preimages are those that are
	// known, and others.
	Public    onchain.Keys
	Preimages sweep.Preimages

	// Tx is the close; Built and Point where it is a commitment.
	Tx    *wire.MsgTx
	Built *bolt3.CommitTx
	Point channel.PubKey
}

// Name says which cell it is.
func (c *Cell) Name() string {
	opener := "we"
	if c.Opener == channel.Remote {
		opener = "they"
	}
	return fmt.Sprintf("%-4s | %-24s | %-17s | %s", opener, c.Closed, c.HTLC, c.Type)
}

// New makes the channel of a cell with the keys of two nodes, a's being ours; the
// funding output comes later.
func New(a, b *keychain.Secret, dbid uint64, opener channel.Side, closed, htlc string, typ channel.Type) *Cell {
	aID, bID := must(a.NodeID()), must(b.NodeID())
	c := &Cell{Opener: opener, Closed: closed, HTLC: htlc, Type: typ}
	c.Ours, c.Theirs = must(a.ChannelKeys(bID, dbid)), must(b.ChannelKeys(aID, dbid))
	c.Channel = &channel.Channel{
		Key: channel.Key{Peer: bID, DBID: dbid}, CapacitySat: CapacitySat, Opener: opener, Type: typ,
		Remote: c.Theirs.Basepoints(), HolderDelay: TheirDelay, CounterpartyDelay: OurDelay,
	}
	c.Public = must(seedkeys.New(a, "regtest").Public(c.Channel.Key))
	c.Preimages = sweep.NewPreimages([32]byte{1}, [32]byte{2})
	if htlc == KnownHTLC {
		c.Preimages.Add(Preimage)
	}
	return c
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Values is the commitment of one side with the cell's HTLC.
func (c *Cell) Values(broadcaster channel.Side, expiry uint32) *channel.Commitment {
	ours, theirs := uint64(OurSat), uint64(CapacitySat-OurSat)
	cost := uint64(CommitFee)
	if c.Type.HasAnchors() {
		cost += 2 * bolt3.AnchorSat
	}
	if c.Opener == channel.Local {
		ours -= cost
	} else {
		theirs -= cost
	}
	v := &channel.Commitment{Broadcaster: broadcaster, FeeratePerKW: HTLCFeerate}
	entry := []channel.HTLC{{ValueSat: HTLCSat, PaymentHash: sha256.Sum256(Preimage[:]), CLTVExpiry: expiry}}
	switch c.HTLC {
	case NoHTLC:
	case SentHTLC:
		ours -= HTLCSat
	default:
		theirs -= HTLCSat
	}
	if c.HTLC != NoHTLC {
		if (c.HTLC == SentHTLC) == (broadcaster == channel.Local) {
			v.Offered = entry
		} else {
			v.Received = entry
		}
	}
	v.ToBroadcasterSat, v.ToCountersignerSat = ours, theirs
	if broadcaster == channel.Remote {
		v.ToBroadcasterSat, v.ToCountersignerSat = theirs, ours
	}
	return v
}

// secretsBefore is BOLT 3's storage of the peer's secrets 0 to n-1.
func (c *Cell) secretsBefore(n uint64) []channel.Secret {
	var store []channel.Secret
	for i := range n {
		s := channel.Secret{Index: channel.ShachainIndex(i), Secret: must(c.Theirs.PerCommitmentSecret(i))}
		if b := bits.TrailingZeros64(s.Index); b == len(store) {
			store = append(store, s)
		} else {
			store[b] = s
		}
	}
	return store
}

// State fills in what the backup holds, and makes the closing transaction.
func (c *Cell) State(secret *keychain.Secret, expiry uint32) {
	s := &c.Channel.State
	ours, theirs := c.Values(channel.Local, expiry), c.Values(channel.Remote, expiry)
	// Our commitments 0 to 6 and the peer's 0 to 5 are revoked.
	s.NextHolderCommitNum, s.NextCounterpartyCommitNum, s.NextCounterpartyRevokeNum = 8, 8, 6
	switch c.Closed {
	case Theirs0:
		s.NextHolderCommitNum, s.NextCounterpartyCommitNum, s.NextCounterpartyRevokeNum = 0, 0, 0
		s.InitialHolderValueSat = ours.ToBroadcasterSat
	case Theirs1:
		s.NextHolderCommitNum, s.NextCounterpartyCommitNum, s.NextCounterpartyRevokeNum = 2, 2, 1
	}
	point := func(keys *keychain.ChannelKeys, n uint64) channel.PubKey { return must(keys.PerCommitmentPoint(n)) }
	if n := s.NextCounterpartyCommitNum; n > 0 {
		current := point(c.Theirs, n-1)
		s.CounterpartyCommit, s.CounterpartyPoint = theirs, &current
		if n > 1 {
			previous := point(c.Theirs, n-2)
			s.PrevCounterpartyPoint = &previous
			if s.NextCounterpartyRevokeNum <= n-2 {
				s.PrevCounterpartyCommit = theirs
			}
		}
		s.HolderCommit, s.HolderSigs = ours, c.sign(ours, s.NextHolderCommitNum-1)
	}
	s.Secrets = c.secretsBefore(s.NextCounterpartyRevokeNum)
	number := map[string]uint64{
		Theirs0: 0, Theirs1: 1, TheirsCurrent: 7, TheirsPrevious: 6, TheirsNewer: 12, TheirsNewerPoint: 12,
		OursCurrent: 7, OursNext: 8, OursOld: 3, OursNewer: 11, Revoked: 4, RevokedSecond: 4,
	}
	switch c.Closed {
	case Mutual:
		c.mutual(secret)
		return
	case OursCurrent, OursNext, OursOld, OursNewer:
		c.commit(ours, number[c.Closed])
		if c.Closed == OursNext {
			s.NextHolderCommit, s.NextHolderSigs = ours, c.sign(ours, 8)
		}
	default:
		c.commit(theirs, number[c.Closed])
		if c.Closed == TheirsNewerPoint {
			c.Public.PeerPoints = []channel.PubKey{c.Point}
		}
	}
}

// mutual pays us to a key of the wallet.
func (c *Cell) mutual(secret *keychain.Secret) {
	c.Tx = wire.NewMsgTx(2)
	c.Tx.AddTxIn(&wire.TxIn{PreviousOutPoint: c.Channel.Funding, Sequence: wire.MaxTxInSequenceNum - 2})
	wpkh, taproot, err := must(secret.Wallet("regtest")).Scripts(uint32(c.Channel.DBID))
	if err != nil {
		panic(err)
	}
	pkScript := wpkh
	if c.Opener == channel.Remote {
		pkScript = taproot
	}
	hash := sha256.Sum256(wpkh)
	v := c.Values(channel.Local, 0)
	c.Tx.AddTxOut(wire.NewTxOut(int64(v.ToBroadcasterSat), pkScript))
	c.Tx.AddTxOut(wire.NewTxOut(int64(v.ToCountersignerSat), append([]byte{0, 20}, hash[:20]...)))
	c.witness()
}

// commit builds commitment n and signs it with both funding keys.
func (c *Cell) commit(v *channel.Commitment, n uint64) {
	keys := c.Ours
	if v.Broadcaster == channel.Remote {
		keys = c.Theirs
	}
	c.Point = must(keys.PerCommitmentPoint(n))
	c.Built = must(bolt3.BuildCommitment(c.Channel, c.Ours.Basepoints(), v, n, c.Point))
	c.Tx = c.Built.Tx
	c.witness()
}

func (c *Cell) witness() {
	script := must(bolt3.FundingScript(c.Ours.Basepoints().Funding, c.Theirs.Basepoints().Funding))
	fetcher := txscript.NewCannedPrevOutputFetcher(bolt3.P2WSH(script), CapacitySat)
	digest := must(txscript.CalcWitnessSigHash(script, txscript.NewTxSigHashes(c.Tx, fetcher), txscript.SigHashAll, c.Tx, 0, CapacitySat))
	first, second := c.Ours.Funding(), c.Theirs.Funding()
	if a, b := first.ID(), second.ID(); bytes.Compare(a[:], b[:]) > 0 {
		first, second = second, first
	}
	sign := func(k *keychain.Key) []byte {
		return bolt3.WithHashType(must(k.Sign([32]byte(digest))).Serialize(), txscript.SigHashAll)
	}
	c.Tx.TxIn[0].Witness = wire.TxWitness{nil, sign(first), sign(second), script}
}

// sign is what the peer signs of our commitment n.
func (c *Cell) sign(v *channel.Commitment, n uint64) *channel.Signatures {
	point := must(c.Ours.PerCommitmentPoint(n))
	built := must(bolt3.BuildCommitment(c.Channel, c.Ours.Basepoints(), v, n, point))
	sigs := &channel.Signatures{Commit: must(c.Theirs.Funding().Sign(must(built.SigHash()))).Serialize()}
	key := must(c.Theirs.HTLC(must(point.Point())))
	for _, vout := range built.HTLCVouts() {
		digest := must(must(built.HTLCTx(vout)).SigHash(bolt3.HTLCSigHashType(c.Type)))
		sigs.HTLCs = append(sigs.HTLCs, must(key.Sign(digest)).Serialize())
	}
	return sigs
}

// SecondStage are the peer's HTLC transactions on its commitment.
func (c *Cell) SecondStage() []*wire.MsgTx {
	point := must(c.Point.Point())
	ours, theirs := must(c.Ours.HTLC(point)), must(c.Theirs.HTLC(point))
	var txs []*wire.MsgTx
	for _, vout := range c.Built.HTLCVouts() {
		htlc := must(c.Built.HTLCTx(vout))
		typ := bolt3.HTLCSigHashType(c.Type)
		a := bolt3.WithHashType(must(ours.Sign(must(htlc.SigHash(typ)))).Serialize(), typ)
		b := bolt3.WithHashType(must(theirs.Sign(must(htlc.SigHash(txscript.SigHashAll)))).Serialize(), txscript.SigHashAll)
		htlc.Tx.TxIn[0].Witness = htlc.Witness(a, b, Preimage)
		txs = append(txs, htlc.Tx)
	}
	return txs
}

// Want is what BOLT 5 gives us, before fees, and what stays without a claim.
func (c *Cell) Want() (sat uint64, needs map[sweep.Need]uint64) {
	ours, theirs := c.Values(channel.Local, 0).ToBroadcasterSat, c.Values(channel.Local, 0).ToCountersignerSat
	htlc := uint64(HTLCSat)
	if c.HTLC == NoHTLC {
		htlc = 0
	}
	mine := htlc
	needs = map[sweep.Need]uint64{}
	if c.HTLC == UnknownHTLC {
		mine = 0
		needs[sweep.NeedPreimage] = htlc
	}
	var stage uint64 // what an HTLC transaction costs
	if c.Type != channel.AnchorsZeroFeeHTLC && htlc > 0 {
		stage = bolt3.HTLCWeight(c.Type, c.HTLC != SentHTLC) * HTLCFeerate / 1000
	}
	switch c.Closed {
	case Theirs0, TheirsNewer:
		// to_local and the HTLC commit to a point that nobody told.
		return ours, map[sweep.Need]uint64{sweep.NeedName: theirs + htlc}
	case OursCurrent, OursNext:
		if mine > 0 {
			mine -= stage
		}
		return ours + mine, needs
	case OursOld, OursNewer:
		return ours, map[sweep.Need]uint64{sweep.NeedPeerSignature: htlc}
	case Revoked:
		return CapacitySat - CommitFee - c.Anchors(), map[sweep.Need]uint64{}
	case RevokedSecond:
		// HTLC-success for what we sent is the peer's.
		if htlc > 0 {
			stage = 0
			if c.Type != channel.AnchorsZeroFeeHTLC {
				stage = bolt3.HTLCWeight(c.Type, c.HTLC == SentHTLC) * HTLCFeerate / 1000
			}
		}
		return CapacitySat - CommitFee - c.Anchors() - stage, map[sweep.Need]uint64{}
	}
	return ours + mine, needs
}

// Anchors is the worth of both anchors, in sat.
func (c *Cell) Anchors() uint64 {
	if c.Type.HasAnchors() {
		return 2 * bolt3.AnchorSat
	}
	return 0
}
