package vlsstate

import (
	"math/bits"

	"github.com/glrecover/glrecover/channel"
)

const (
	// emptyIndex is the index of a bucket that holds no secret yet.
	emptyIndex = channel.MaxShachainIndex + 1
	// maxBuckets is BOLT 3's 49 buckets.
	maxBuckets = 49
)

// readSecrets reads vls-core's CounterpartyCommitmentSecrets: a list of
// [32 byte values, index] in bucket order, where bucket is the number of
// trailing zero bits of the index (BOLT 3). Empty buckets may only trail; they
// are dropped.
func readSecrets(n node) []channel.Secret {
	o := n.object()
	list := o.get("old_secrets")
	o.done()
	var out []channel.Secret
	empty := false
	items := list.array(maxBuckets)
	if len(items) > 0 {
		out = make([]channel.Secret, 0, len(items))
	}
	for i, item := range items {
		pair := item.tuple(2)
		s := channel.Secret{Secret: pair[0].bytes32(), Index: pair[1].uint(emptyIndex)}
		if n.d.err != nil {
			return nil
		}
		switch {
		case s.Index == emptyIndex && s.Secret == [32]byte{}:
			empty = true
		case s.Index == emptyIndex:
			pair[1].fail("the index of an empty bucket, but a secret")
		case empty:
			item.fail("a secret after an empty bucket")
		case bucketOf(s.Index) != i:
			pair[1].fail("the index belongs into bucket %d", bucketOf(s.Index))
		default:
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// bucketOf is the number of trailing zero bits, 48 for index 0.
func bucketOf(index uint64) int { return min(bits.TrailingZeros64(index), maxBuckets-1) }

// secretsFit reports whether the lowest index is that of the last revoked
// commitment. Old states hold no secrets at all.
func secretsFit(s *channel.State) bool {
	if len(s.Secrets) == 0 {
		return true
	}
	return s.NextCounterpartyRevokeNum == revokedBy(s.Secrets)
}

// revokedBy is how many commitments are revoked, by the lowest index of the
// secrets.
func revokedBy(secrets []channel.Secret) uint64 {
	lowest := uint64(emptyIndex)
	for _, secret := range secrets {
		lowest = min(lowest, secret.Index)
	}
	return emptyIndex - lowest
}
