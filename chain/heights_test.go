package chain

import (
	"math/rand/v2"
	"testing"
)

// The set is held against a plain map, on random operations.
func TestHeightsAreASet(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var set heights
		plain := map[uint32]bool{}
		for range 30 {
			lo := uint32(r.IntN(40))
			hi := lo + uint32(r.IntN(12))
			add := r.IntN(2) == 0
			if add {
				set.add(lo, hi)
			} else {
				set.remove(lo, hi)
			}
			for i := lo; i <= hi; i++ {
				plain[i] = add
			}
			var n uint32
			for i := range uint32(60) {
				in := false
				for _, r := range set {
					in = in || r[0] <= i && i <= r[1]
				}
				if set.has(i) != in {
					t.Fatalf("seed %d: has(%d) in %v", seed, i, set)
				}
				if in != plain[i] {
					t.Fatalf("seed %d: %d in the set: %v, want %v; %v", seed, i, in, plain[i], set)
				}
				if in {
					n++
				}
			}
			if set.count() != n {
				t.Fatalf("seed %d: count %d, want %d", seed, set.count(), n)
			}
			for i := 1; i < len(set); i++ {
				if set[i-1][1]+1 >= set[i][0] {
					t.Fatalf("seed %d: not apart: %v", seed, set)
				}
			}
		}
	}
}
