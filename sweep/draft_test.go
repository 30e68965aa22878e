package sweep

import (
	"errors"
	"testing"

	"github.com/glrecover/glrecover/bolt3"
)

// A child with one P2WPKH coin and a P2TR output: 42+279+272+172 weight units.
const oneCoinVSize = 192

func coinsOf(w *fakeWallet, sats ...uint64) []Coin {
	for _, sat := range sats {
		w.add(sat, w.p2wpkh())
	}
	return w.coins
}

func values(coins []Coin) []uint64 {
	var out []uint64
	for _, c := range coins {
		out = append(out, c.ValueSat)
	}
	return out
}

func TestCoinsAreChosenWithRoomForReplacements(t *testing.T) {
	parent := Paid{FeeSat: 1410, VSize: 281}
	fee1 := parent.ChildFee(2500, oneCoinVSize)       // 3,320
	fee2 := parent.ChildFee(2500, oneCoinVSize+272/4) // one more input
	missing1 := fee1 + p2trDust - 330                 // what a lone coin must be worth
	almost := missing1 - 1                            // one sat too little
	withFixed := fee2 + p2trDust - 330 - almost       // what lacks with it
	smallest := FeeFor(2500, 272/4) + 1               // less than it costs
	for _, c := range []struct {
		name   string
		maxFee uint64
		have   []uint64
		want   []uint64
		fee    uint64
		lacks  uint64
		tooFar uint64
	}{
		{name: "the smallest that allows the maximum", maxFee: 10_000, have: []uint64{90_000, 10_000, 20_000}, want: []uint64{10_000}, fee: fee1},
		{name: "none does: the largest", maxFee: 10_000, have: []uint64{missing1, 9_000, 8_000}, want: []uint64{9_000}, fee: fee1},
		{name: "exactly enough", maxFee: 10_000, have: []uint64{missing1}, want: []uint64{missing1}, fee: fee1},
		{name: "two together", maxFee: 10_000, have: []uint64{almost, 3_000}, want: []uint64{almost, 3_000}, fee: fee2},
		{name: "dust-like coins cost more than they bring", maxFee: 10_000, have: []uint64{680, 680, 680, 680, 680, 680, 680, 680, 680, 680, 680, 680}, lacks: missing1},
		{name: "nothing at all", maxFee: 10_000, lacks: missing1},
		{name: "a little is missing", maxFee: 10_000, have: []uint64{almost}, lacks: max(withFixed, smallest)},
		{name: "the fee is just allowed", maxFee: fee1, have: []uint64{50_000}, want: []uint64{50_000}, fee: fee1},
		{name: "the fee is one sat too high", maxFee: fee1 - 1, have: []uint64{50_000}, tooFar: fee1},
		{name: "two inputs would cost too much", maxFee: fee1, have: []uint64{almost, 3_000}, lacks: missing1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &draft{ownWeight: anchorWeight, ownSat: bolt3.AnchorSat, parent: parent, perKW: 2500, maxFeeSat: c.maxFee, outputSize: p2trSize}
			got, err := d.choose(coinsOf(newWallet(t), c.have...))
			var lacks *NeedsFeeInputError
			var tooFar *UneconomicError
			switch {
			case errors.As(err, &lacks):
				if lacks.AmountSat != c.lacks {
					t.Errorf("%d sat are missing, want %d", lacks.AmountSat, c.lacks)
				}
			case errors.As(err, &tooFar):
				if c.tooFar == 0 || tooFar.MaxFeeSat != c.maxFee || tooFar.FeeSat < c.maxFee || tooFar.SatPerVB() != 10 {
					t.Errorf("%v", err)
				}
			case err != nil:
				t.Fatal(err)
			default:
				if len(values(got.coins)) != len(c.want) {
					t.Fatalf("chose %v, want %v", values(got.coins), c.want)
				}
				for i, v := range values(got.coins) {
					if v != c.want[i] {
						t.Fatalf("chose %v, want %v", values(got.coins), c.want)
					}
				}
				if got.feeSat != c.fee || got.outSat+got.feeSat != d.sum(got.coins) {
					t.Errorf("fee %d, output %d, want a fee of %d", got.feeSat, got.outSat, c.fee)
				}
			}
		})
	}
}

func TestWhatWasSaidToBeMissingIsEnough(t *testing.T) {
	for perKW := uint32(400); perKW < 40_000; perKW += 1_111 {
		for _, have := range [][]uint64{nil, {700}, {2_000}, {2_000, 2_500, 3_000}} {
			w := newWallet(t)
			d := &draft{ownWeight: anchorWeight, ownSat: bolt3.AnchorSat, parent: Paid{FeeSat: 400, VSize: 281}, perKW: perKW, maxFeeSat: 1_000_000, outputSize: p2trSize}
			_, err := d.choose(coinsOf(w, have...))
			var lacks *NeedsFeeInputError
			if err == nil {
				continue
			}
			if !errors.As(err, &lacks) {
				t.Fatal(err)
			}
			before := len(w.coins)
			w.add(lacks.AmountSat, w.p2wpkh())
			if _, err := d.choose(w.coins); err != nil {
				t.Errorf("%d sat/kw, %v and the missing %d sat: %v", perKW, have, lacks.AmountSat, err)
			}
			w.coins[before].ValueSat--
			if _, err := d.choose(w.coins); err == nil && lacks.AmountSat > d.inputCost(p2wpkhWeight)+1 && lacks.AmountSat > p2trDust {
				t.Errorf("%d sat/kw, %v: one sat less than %d is enough too", perKW, have, lacks.AmountSat)
			}
		}
	}
}

func TestManySmallCoinsEndAtACap(t *testing.T) {
	w := newWallet(t)
	for range 60 {
		w.add(1_000, w.p2wpkh())
	}
	d := &draft{ownWeight: anchorWeight, ownSat: bolt3.AnchorSat, parent: Paid{VSize: 100_000}, perKW: 250, maxFeeSat: 1_000_000, outputSize: p2trSize}
	var lacks *NeedsFeeInputError
	if _, err := d.choose(w.coins); !errors.As(err, &lacks) || lacks.AmountSat < 90_000 {
		t.Errorf("%v", err)
	}
}
