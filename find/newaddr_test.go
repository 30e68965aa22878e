package find

import (
	"math/rand/v2"
	"testing"
)

// TestNewaddrCallsAreEnoughAndNotTooMany: against lightningd's way through the
// blocks (CLN wallet/wallet.c, wallet_can_spend), coin by coin.
func TestNewaddrCallsAreEnoughAndNotTooMany(t *testing.T) {
	sees := func(coins []OldCoin, highest uint32) bool {
		for _, c := range coins {
			if c.Index > highest+keyscanGap {
				return false
			}
			highest = max(highest, c.Index)
		}
		return true
	}
	random := rand.New(rand.NewPCG(1, 2))
	some := 0
	for range 10_000 {
		var coins []OldCoin
		for height := range random.Uint32N(6) {
			coins = append(coins, OldCoin{Index: random.Uint32N(300), Height: height, Visible: true})
		}
		n := newaddrCalls(coins)
		if !sees(coins, n) || (n > 0 && sees(coins, n-1)) {
			t.Fatalf("%d calls for %+v", n, coins)
		}
		if n > 0 {
			some++
		}
	}
	if some < 1000 {
		t.Errorf("only %d cases need a call", some)
	}
}
