package judge

import (
	"bytes"
	"crypto/subtle"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
)

// SearchedDBIDs is up to which dbid a peer's channels are looked for, where no
// backup describes them.
const SearchedDBIDs = 1000

// DBIDOf finds a channel's dbid by our own secret that the peer shows: only with
// that dbid does this node make it. An honest peer shows one as soon as the channel
// was used. ok is false where it shows none of the first dbids.
func DBIDOf(keys Keys, id channel.PubKey, r peer.Reestablish) (dbid uint64, ok bool) {
	const maxNumber = 1 << 48 // BOLT 3 has no more commitments
	if keys == nil || !r.DataLossProtection || r.NextRevocation == 0 || r.NextRevocation > maxNumber {
		return 0, false
	}
	for dbid := uint64(1); dbid <= SearchedDBIDs; dbid++ {
		secret, err := keys.PerCommitmentSecret(channel.Key{Peer: id, DBID: dbid}, r.NextRevocation-1)
		if err == nil && subtle.ConstantTimeCompare(secret[:], r.YourLastSecret[:]) == 1 {
			return dbid, true
		}
	}
	return 0, false
}

// Identify finds out which channel of ours a close is of that is known by its id
// alone: the witness that spends the funding output shows both funding keys, and only
// one dbid makes ours. The commitment type is the one to whose to_remote it pays. nil
// where none of the first dbids fits.
func Identify(c *channel.Channel, tx *wire.MsgTx, keys Keys) *channel.Channel {
	if keys == nil {
		return nil
	}
	try := func(dbid uint64) *channel.Channel {
		ours, err := keys.Basepoints(channel.Key{Peer: c.Peer, DBID: dbid})
		if err != nil {
			return nil
		}
		theirs, ok := theirFundingKey(tx, c.Funding, ours.Funding)
		if !ok {
			return nil
		}
		full := *c
		full.DBID, full.Type = dbid, typeOf(c.Type, tx, ours.Payment)
		full.Remote = channel.Basepoints{Funding: theirs, Revocation: theirs, Payment: theirs, HTLC: theirs, Delayed: theirs}
		return &full
	}
	if c.DBIDKnown() {
		if full := try(c.DBID); full != nil {
			return full
		}
	}
	for dbid := uint64(1); dbid <= SearchedDBIDs; dbid++ {
		if full := try(dbid); full != nil {
			return full
		}
	}
	return nil
}

// theirFundingKey is the peer's key in the witness that spends a funding output; the
// other one there is ours (BOLT 3, "Funding Transaction Output"). ok is false where
// ours is not there.
func theirFundingKey(tx *wire.MsgTx, funding wire.OutPoint, ours channel.PubKey) (theirs channel.PubKey, ok bool) {
	for _, in := range tx.TxIn {
		if in.PreviousOutPoint != funding || len(in.Witness) == 0 {
			continue
		}
		script := in.Witness[len(in.Witness)-1]
		if len(script) != 1+34+34+2 { // OP_2 <33 bytes> <33 bytes> OP_2 OP_CHECKMULTISIG
			continue
		}
		switch first, second := channel.PubKey(script[2:35]), channel.PubKey(script[36:69]); ours {
		case first:
			return second, true
		case second:
			return first, true
		}
	}
	return theirs, false
}

// ToRemoteTypes are the commitment types that CLN nodes have.
var ToRemoteTypes = []channel.Type{channel.AnchorsZeroFeeHTLC, channel.StaticRemoteKey}

// ToRemote is the script to which a peer's commitment of the type pays our key; nil
// where the key is none.
func ToRemote(t channel.Type, payment channel.PubKey) []byte {
	key, err := payment.Point()
	if err != nil {
		return nil
	}
	_, script, err := bolt3.ToRemote(t, key)
	if err != nil {
		return nil
	}
	return script
}

// typeOf is the commitment type by the to_remote that is there, else the guess.
func typeOf(guess channel.Type, tx *wire.MsgTx, payment channel.PubKey) channel.Type {
	for _, t := range ToRemoteTypes {
		script := ToRemote(t, payment)
		if script != nil && slices.ContainsFunc(tx.TxOut, func(out *wire.TxOut) bool { return bytes.Equal(out.PkScript, script) }) {
			return t
		}
	}
	return guess
}
