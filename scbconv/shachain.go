package scbconv

import (
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/crypto/cryptobyte"

	"github.com/glrecover/glrecover/channel"
)

// maxShachain is the number of buckets in BOLT 3's compact secret storage.
const maxShachain = 49

// Shachain is TLV record 1: the peer's revealed per-commitment secrets in
// BOLT 3's compact storage (CLN common/htlc_wire.c, struct shachain). CLN
// writes an empty one for a channel that was never used.
type Shachain struct {
	// MinIndex is the lowest index, that of the secret revealed last; 2^48 in an
	// empty storage.
	MinIndex uint64
	// Secrets are in bucket order: the secret at position i has an index with i
	// trailing zero bits.
	Secrets []channel.Secret
}

// bucket returns the position of a shachain index; ok is false for an index
// that BOLT 3 does not have.
func bucket(index uint64) (position int, ok bool) {
	switch {
	case index > channel.MaxShachainIndex:
		return 0, false
	case index == 0:
		return maxShachain - 1, true
	}
	return bits.TrailingZeros64(index), true
}

func (s *Shachain) check() error {
	if len(s.Secrets) > maxShachain {
		return fmt.Errorf("%d secrets, at most %d", len(s.Secrets), maxShachain)
	}
	lowest := uint64(channel.MaxShachainIndex + 1)
	for i, secret := range s.Secrets {
		if at, ok := bucket(secret.Index); !ok || at != i {
			return fmt.Errorf("the index at position %d belongs elsewhere", i)
		}
		lowest = min(lowest, secret.Index)
	}
	if s.MinIndex != lowest {
		return errors.New("the lowest index is not the lowest of the secrets")
	}
	return nil
}

func (s *Shachain) marshal() []byte {
	var b cryptobyte.Builder
	b.AddUint64(s.MinIndex)
	b.AddUint32(uint32(len(s.Secrets)))
	for i := range s.Secrets {
		b.AddUint64(s.Secrets[i].Index)
		b.AddBytes(s.Secrets[i].Secret[:])
	}
	return b.BytesOrPanic()
}

func readShachain(v *cryptobyte.String) (*Shachain, error) {
	var (
		s     Shachain
		count uint32
	)
	if !v.ReadUint64(&s.MinIndex) || !v.ReadUint32(&count) {
		return nil, errors.New("cut short")
	}
	if count > maxShachain {
		return nil, fmt.Errorf("%d secrets, at most %d", count, maxShachain)
	}
	for range count {
		var secret channel.Secret
		if !v.ReadUint64(&secret.Index) || !v.CopyBytes(secret.Secret[:]) {
			return nil, errors.New("cut short")
		}
		s.Secrets = append(s.Secrets, secret)
	}
	return &s, s.check()
}
