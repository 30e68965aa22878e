package channel_test

import (
	"math"
	"testing"

	"github.com/glrecover/glrecover/channel"
)

func TestAmountsNeverWrap(t *testing.T) {
	const most = uint64(math.MaxUint64)
	for _, c := range []struct{ a, b, sum uint64 }{{1, 2, 3}, {most, 0, most}, {most, 1, most}, {most, most, most}, {most - 1, 1, most}} {
		if got := channel.Sum(c.a, c.b); got != c.sum {
			t.Errorf("%d + %d = %d", c.a, c.b, got)
		}
	}
	for sat, want := range map[uint64]uint64{0: 0, 21e14: 21e17, most / 1000: most / 1000 * 1000, most/1000 + 1: most, most: most} {
		if got := channel.Msat(sat); got != want {
			t.Errorf("%d sat = %d msat", sat, got)
		}
	}
}
