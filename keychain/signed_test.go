package keychain

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
)

// compact is r || s of a signature.
func compact(sig *ecdsa.Signature) []byte {
	r, s := sig.R(), sig.S()
	rb, sb := r.Bytes(), s.Bytes()
	return append(rb[:], sb[:]...)
}

// btcecSays is what a verifier says that knows the public key alone.
func btcecSays(k *Key, sig []byte, digest [32]byte) bool {
	var r, s btcec.ModNScalar
	if len(sig) != 64 || r.SetByteSlice(sig[:32]) || s.SetByteSlice(sig[32:]) || r.IsZero() || s.IsZero() || s.IsOverHalfOrder() {
		return false
	}
	return ecdsa.NewSignature(&r, &s).Verify(digest[:], k.PubKey())
}

// A signature is told from every other one as btcec's own verification tells it,
// which does not use the private key.
func TestSignedSaysWhatVerificationByThePublicKeySays(t *testing.T) {
	for i := range uint32(200) {
		seed := sha256.Sum256(binary.BigEndian.AppendUint32(nil, i))
		digest := sha256.Sum256(seed[:])
		k, err := newKey(seed[:])
		if err != nil {
			t.Fatal(err)
		}
		sig, err := k.Sign(digest)
		if err != nil {
			t.Fatal(err)
		}
		good := compact(sig)
		if !k.Signed(good, digest) {
			t.Fatalf("%d: a good signature is refused", i)
		}
		other := digest
		other[i%32] ^= 1 << (i % 8)
		high := sig.S()
		high.Negate()
		r := sig.R()
		bad := [][]byte{nil, good[:63], append(append([]byte{}, good...), 0), make([]byte, 64), compact(ecdsa.NewSignature(&r, &high))}
		for bit := range 512 {
			if (bit+int(i))%37 == 0 {
				flipped := append([]byte{}, good...)
				flipped[bit/8] ^= 1 << (bit % 8)
				bad = append(bad, flipped)
			}
		}
		if k.Signed(good, other) || btcecSays(k, good, other) {
			t.Errorf("%d: a signature of something else is taken", i)
		}
		for _, b := range bad {
			if got := k.Signed(b, digest); got || got != btcecSays(k, b, digest) {
				t.Errorf("%d: %x is taken", i, b)
			}
		}
		k.Wipe()
		if k.Signed(good, digest) {
			t.Error("a wiped key knows signatures")
		}
	}
}

func BenchmarkSigned(b *testing.B) {
	digest := sha256.Sum256([]byte("digest"))
	k, err := newKey(append([]byte{}, digest[:]...))
	if err != nil {
		b.Fatal(err)
	}
	sig, err := k.Sign(digest)
	if err != nil {
		b.Fatal(err)
	}
	raw := compact(sig)
	b.Run("private key", func(b *testing.B) {
		for b.Loop() {
			if !k.Signed(raw, digest) {
				b.Fatal()
			}
		}
	})
	b.Run("public key", func(b *testing.B) {
		for b.Loop() {
			if !btcecSays(k, raw, digest) {
				b.Fatal()
			}
		}
	})
}
