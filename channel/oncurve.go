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
	raw := y2.Bytes()
	return isSquare([4]uint64{
		binary.BigEndian.Uint64(raw[24:]), binary.BigEndian.Uint64(raw[16:]),
		binary.BigEndian.Uint64(raw[8:]), binary.BigEndian.Uint64(raw[:]),
	})
}

// isSquare reports whether a, from 0 to p-1 with the lowest word first, is a
// square modulo p: by the Jacobi symbol, with subtractions for divisions (Cohen, A
// Course in Computational Algebraic Number Theory, 1.4.2).
func isSquare(a [4]uint64) bool {
	n := [4]uint64{0xfffffffefffffc2f, ^uint64(0), ^uint64(0), ^uint64(0)}
	// The lowest bit is set where the symbol has changed its sign.
	var sign uint64
	for a != [4]uint64{} {
		for a[0] == 0 {
			// 2^64 is a square.
			a = [4]uint64{a[1], a[2], a[3], 0}
		}
		// (2/n) is -1 where n is 3 or 5 modulo 8.
		zeros := uint(bits.TrailingZeros64(a[0]))
		sign ^= uint64(zeros) & (n[0]>>1 ^ n[0]>>2)
		a[0] = a[0]>>zeros | a[1]<<(64-zeros)
		a[1] = a[1]>>zeros | a[2]<<(64-zeros)
		a[2] = a[2]>>zeros | a[3]<<(64-zeros)
		a[3] >>= zeros
		diff, less := minus(&a, &n)
		if less {
			// Both are odd: (a/n) is -(n/a) where both are 3 modulo 4.
			sign ^= a[0] & n[0] >> 1
			a, n = n, a
			diff, _ = minus(&a, &n)
		}
		a = diff
	}
	return sign&1 == 0
}

// minus is a-b modulo 2^256, and whether a is less than b.
func minus(a, b *[4]uint64) (diff [4]uint64, less bool) {
	var borrow uint64
	diff[0], borrow = bits.Sub64(a[0], b[0], 0)
	diff[1], borrow = bits.Sub64(a[1], b[1], borrow)
	diff[2], borrow = bits.Sub64(a[2], b[2], borrow)
	diff[3], borrow = bits.Sub64(a[3], b[3], borrow)
	return diff, borrow != 0
}
