package channel

import (
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
)

func TestAKeyOffTheCurveIsNeverTakenForOneThatWasSeen(t *testing.T) {
	// The generator, and what differs from it in one bit.
	raw, err := hex.DecodeString("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
	if err != nil {
		t.Fatal(err)
	}
	good := PubKey(raw)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				if !good.OnCurve() {
					t.Error("the generator")
				}
				for i := range good {
					for bit := range 8 {
						bad := good
						bad[i] ^= 1 << bit
						_, err := bad.Point()
						if got := bad.OnCurve(); got != (err == nil) {
							t.Errorf("byte %d bit %d: %v", i, bit, got)
						}
					}
				}
			}
		})
	}
	wg.Wait()
	if (PubKey{}).OnCurve() {
		t.Error("the zero value")
	}
}

// Three keys that share their places are all told apart.
func TestKeysThatMeetInOnePlaceAreToldApart(t *testing.T) {
	var same []PubKey
	for i := 0; len(same) < 3; i++ {
		raw, _ := hex.DecodeString("02" + "12345678" + fmt.Sprintf("%056x", i))
		if k := PubKey(raw); k.OnCurve() {
			same = append(same, k)
		}
	}
	for range 2 {
		for i, k := range same {
			if !k.OnCurve() {
				t.Error(i)
			}
		}
	}
}
