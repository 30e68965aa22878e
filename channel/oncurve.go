package channel

import (
	"encoding/binary"
	"math/bits"

	"github.com/btcsuite/btcd/btcec/v2"
)

// onCurve reports whether k is a point of secp256k1 in compressed form, which is
// whether x^3 + 7 is a square modulo p. The square itself, which parsing the key
// would find, takes an exponentiation; that there is one, a quarter of that.
func (k *PubKey) onCurve() bool {
	if k[0] != 2 && k[0] != 3 {
		return false
	}
	var x, y2 btcec.FieldVal
	if x.SetByteSlice(k[1:]) {
		return false // p or more
	}
	y2.SquareVal(&x).Mul(&x).AddInt(7).Normalize()
	var raw [32]byte
	y2.PutBytes(&raw)
	square, known := isSquare([4]uint64{
		binary.BigEndian.Uint64(raw[24:]), binary.BigEndian.Uint64(raw[16:]),
		binary.BigEndian.Uint64(raw[8:]), binary.BigEndian.Uint64(raw[:]),
	})
	if !known {
		_, err := btcec.ParsePubKey(k[:])
		return err == nil
	}
	return square
}

// isSquare reports whether a, from 0 to p-1 with the lowest word first, is a
// square modulo p; known is false where it could not tell.
//
// It is the Jacobi symbol (a/p), by divisions from the low end (Bernstein and Yang,
// "Fast constant-time gcd computation and modular inversion"): 62 steps look at the
// lowest words alone, and what they come to is one matrix for the whole numbers. A
// step adds a multiple of f to g where that paper subtracts, so that f and g stay
// positive and the laws of the symbol hold. That f comes to 1 has then no proof: most
// numbers take 11 or 12 rounds, and one that takes more than 20 is left alone.
func isSquare(a [4]uint64) (square, known bool) {
	f, g := [4]uint64{0xfffffffefffffc2f, ^uint64(0), ^uint64(0), ^uint64(0)}, a
	// The lowest bit of sign is set where the symbol has changed its sign.
	var sign uint64
	for ahead, round := -1, 0; round < 20; round++ {
		// 2^62 times the new f is u*f + v*g, and 2^62 times the new g is q*f + r*g.
		u, v, q, r := uint64(1), uint64(0), uint64(0), uint64(1)
		lowF, lowG := f[0], g[0]
		for left := 62; ; {
			zeros := bits.TrailingZeros64(lowG|^uint64(0)<<(left&63)) & 63
			lowG >>= zeros
			u <<= zeros
			v <<= zeros
			ahead -= zeros
			left -= zeros
			// (2/f) is -1 where f is 3 or 5 modulo 8.
			sign ^= uint64(zeros) & (lowF>>1 ^ lowF>>2)
			if left == 0 {
				break
			}
			if ahead < 0 {
				// Both are odd: (g/f) is -(f/g) where both are 3 modulo 4.
				sign ^= lowF & lowG >> 1
				ahead = -ahead
				lowF, lowG, u, v, q, r = lowG, lowF, q, r, u, v
			}
			// So many of f are added that up to six bits of g become zero:
			// f*(2-f^2) is 1/f modulo 2^6.
			w := lowF * lowG * (lowF*lowF - 2) & (1<<min(ahead+1, left, 6) - 1)
			lowG += w * lowF
			q += w * u
			r += w * v
		}
		f, g = combined(u, v, &f, &g), combined(q, r, &f, &g)
		if f == [4]uint64{1} {
			return sign&1 == 0, true
		}
	}
	return false, false
}

// combined is (u*f + v*g) / 2^62, which is whole and below 2^256.
func combined(u, v uint64, f, g *[4]uint64) (out [4]uint64) {
	var carryF, carryG, carry, last uint64
	for i := range 4 {
		highF, lowF := bits.Mul64(u, f[i])
		highG, lowG := bits.Mul64(v, g[i])
		var c uint64
		lowF, c = bits.Add64(lowF, carryF, 0)
		carryF = highF + c
		lowG, c = bits.Add64(lowG, carryG, 0)
		carryG = highG + c
		var sum uint64
		sum, carry = bits.Add64(lowF, lowG, carry)
		if i > 0 {
			out[i-1] = last>>62 | sum<<2
		}
		last = sum
	}
	out[3] = last>>62 | (carryF+carryG+carry)<<2
	return out
}
