package channel

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

// BenchmarkOnCurve is the check of keys that were never seen: what reading a
// backup cannot do without, once for each key.
func BenchmarkOnCurve(b *testing.B) {
	keys := make([]PubKey, 1<<14)
	for i := range keys {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
		priv, _ := btcec.PrivKeyFromBytes(h[:])
		keys[i] = PubKeyOf(priv.PubKey())
	}
	i := 0
	for b.Loop() {
		k := keys[i%len(keys)]
		places := &known[binary.BigEndian.Uint32(k[1:5])%uint32(len(known))]
		places[0].Store(nil)
		places[1].Store(nil)
		if !k.OnCurve() {
			b.Fatal(i)
		}
		i++
	}
}

// BenchmarkOnCurveAgain is the check of a key that was seen.
func BenchmarkOnCurveAgain(b *testing.B) {
	priv, _ := btcec.PrivKeyFromBytes([]byte{1})
	k := PubKeyOf(priv.PubKey())
	for b.Loop() {
		if !k.OnCurve() {
			b.Fatal()
		}
	}
}
