package channel

import "math"

// Msat turns satoshi into millisatoshi. It stops at the highest number instead of
// wrapping: a file may claim more than there is.
func Msat(sat uint64) uint64 {
	if sat > math.MaxUint64/1000 {
		return math.MaxUint64
	}
	return 1000 * sat
}

// Sum adds amounts; like Msat it stops at the highest number.
func Sum(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
