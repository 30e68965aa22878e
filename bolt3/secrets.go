package bolt3

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/lightningnetwork/lnd/shachain"

	"github.com/glrecover/glrecover/channel"
)

// ErrSecrets is matched by the errors of CheckSecrets.
var ErrSecrets = errors.New("revocation secrets do not belong together")

// DeriveSecret derives the secret of a shachain index from the secret of
// another: possible when index has all bits of from above from's trailing
// zeros (BOLT 3, "Efficient Per-commitment Secret Storage").
func DeriveSecret(from channel.Secret, index uint64) ([32]byte, bool) {
	if from.Index > channel.MaxShachainIndex || index > channel.MaxShachainIndex ||
		(from.Index^index)>>bits.TrailingZeros64(from.Index|1<<48) != 0 {
		return [32]byte{}, false
	}
	// lnd's producer counts from the other end: AtIndex(v) is the element at
	// shachain index 2^48-1-v below its root. The bits that from lacks are
	// those of from XOR index.
	root := shachain.NewRevocationProducer(chainhash.Hash(from.Secret))
	secret, err := root.AtIndex(channel.MaxShachainIndex - (from.Index ^ index))
	if err != nil {
		return [32]byte{}, false
	}
	return *secret, true
}

// SecretAt returns the counterparty's revealed secret of commitment n from the
// compact storage; false where the storage does not reach it.
func SecretAt(secrets []channel.Secret, n uint64) ([32]byte, bool) {
	index := channel.ShachainIndex(n)
	for _, s := range secrets {
		if secret, ok := DeriveSecret(s, index); ok {
			return secret, true
		}
	}
	return [32]byte{}, false
}

// CheckSecrets checks the storage of a peer that has revoked its commitments
// 0 to revoked-1: bucket b holds the lowest revealed index with b trailing
// zeros, no bucket is missing or left over, and each secret yields those of
// the lower buckets that were revealed before it. compared is the number of
// secrets that one of these derivations ties to another; the rest stand alone
// until the peer reveals more. The error matches ErrSecrets and names the
// bucket.
func CheckSecrets(secrets []channel.Secret, revoked uint64) (compared int, err error) {
	if revoked > MaxCommitNumber {
		return 0, fmt.Errorf("%w: %d revoked commitments do not fit 48 bits", ErrSecrets, revoked)
	}
	want := bucketIndexes(revoked)
	if len(secrets) != len(want) {
		return 0, fmt.Errorf("%w: %d buckets for %d revoked commitments, want %d", ErrSecrets, len(secrets), revoked, len(want))
	}
	tied := make([]bool, len(secrets))
	for b, s := range secrets {
		if s.Index != want[b] {
			return 0, fmt.Errorf("%w: bucket %d holds a wrong index", ErrSecrets, b)
		}
		for lower, child := range secrets[:b] {
			// A lower index was revealed later and does not follow.
			if child.Index < s.Index {
				continue
			}
			derived, ok := DeriveSecret(s, child.Index)
			if !ok || derived != child.Secret {
				return 0, fmt.Errorf("%w: bucket %d does not yield bucket %d", ErrSecrets, b, lower)
			}
			tied[b], tied[lower] = true, true
		}
	}
	for _, t := range tied {
		if t {
			compared++
		}
	}
	return compared, nil
}

// bucketIndexes lists the index of each bucket once the commitments 0 to
// revoked-1 are revealed: the lowest one with b trailing zeros.
func bucketIndexes(revoked uint64) []uint64 {
	if revoked == 0 {
		return nil
	}
	last := channel.ShachainIndex(revoked - 1)
	var indexes []uint64
	for b := range 48 {
		bit := uint64(1) << b
		index := bit
		if last > bit {
			// Round last up to an odd multiple of bit.
			index += (last - bit + 2*bit - 1) &^ (2*bit - 1)
		}
		if index > channel.MaxShachainIndex {
			break
		}
		indexes = append(indexes, index)
	}
	return indexes
}

// PointOf returns the per-commitment point of a per-commitment secret.
func PointOf(secret [32]byte) channel.PubKey {
	_, pub := btcec.PrivKeyFromBytes(secret[:])
	return channel.PubKeyOf(pub)
}
