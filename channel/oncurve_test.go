package channel

import (
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

// agrees compares onCurve with the parser that finds the point.
func agrees(t *testing.T, k PubKey) (on bool) {
	t.Helper()
	_, err := btcec.ParsePubKey(k[:])
	if on = k.onCurve(); on != (err == nil) {
		t.Fatalf("%s: on the curve %v, by the parser %v", k, on, err)
	}
	return on
}

func TestOnCurveAgreesWithTheParser(t *testing.T) {
	const keys = 20_000
	rng := rand.NewChaCha8([32]byte{13})
	on := 0
	for range keys {
		var k PubKey
		_, _ = rng.Read(k[1:])
		k[0] = 2 + k[1]&1
		if agrees(t, k) {
			on++
		}
	}
	if on < keys*48/100 || on > keys*52/100 {
		t.Errorf("%d of %d are on the curve", on, keys)
	}
}

// Small and large numbers, single bits, what is next to p and to 2^256, and the
// other first bytes.
func TestOnCurveAtTheEdges(t *testing.T) {
	p, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", 16)
	top := new(big.Int).Lsh(big.NewInt(1), 256)
	check := func(x *big.Int) {
		if x.Sign() < 0 || x.Cmp(top) >= 0 {
			return
		}
		for first := range byte(8) {
			var k PubKey
			k[0] = first
			x.FillBytes(k[1:])
			if agrees(t, k) && (x.Cmp(p) >= 0 || first != 2 && first != 3) {
				t.Errorf("%s", k)
			}
		}
	}
	for i := range int64(500) {
		for _, base := range []*big.Int{big.NewInt(0), p, top, new(big.Int).Rsh(p, 1)} {
			check(new(big.Int).Add(base, big.NewInt(i)))
			check(new(big.Int).Sub(base, big.NewInt(i)))
		}
	}
	for bit := range uint(256) {
		one := new(big.Int).Lsh(big.NewInt(1), bit)
		check(one)
		check(new(big.Int).Sub(one, big.NewInt(1)))
		check(new(big.Int).Sub(p, one))
	}
}

// Small numbers and powers of two are the hard ones: some take more rounds than
// there are, and the parser has to tell.
func TestTheSymbolAgreesWithTheLibrary(t *testing.T) {
	p, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", 16)
	unknown := 0
	check := func(a [4]uint64) {
		raw := make([]byte, 0, 32)
		for i := 3; i >= 0; i-- {
			raw = binary.BigEndian.AppendUint64(raw, a[i])
		}
		square, known := isSquare(a)
		if !known {
			unknown++
		} else if want := big.Jacobi(new(big.Int).SetBytes(raw), p) == 1; square != want {
			t.Fatalf("%x: square %v, want %v", raw, square, want)
		}
	}
	for i := range uint64(20_000) {
		check([4]uint64{i + 1})
		check([4]uint64{0, 0, 0, i + 1})
		check([4]uint64{1 << (i % 64), 0, i})
	}
	if unknown == 0 || unknown > 100 {
		t.Errorf("%d were left to the parser", unknown)
	}
}

func FuzzOnCurve(f *testing.F) {
	raw, _ := hex.DecodeString("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == PubKeySize {
			agrees(t, PubKey(raw))
		}
	})
}
