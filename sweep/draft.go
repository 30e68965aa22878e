package sweep

import (
	"bytes"
	"cmp"
	"slices"
)

// maxInputs keeps a child far below every relay limit; a wallet of tiny coins does
// better to ask for one coin.
const maxInputs = 20

// draft is all that decides which coins a transaction spends and what it pays:
// a child, whose first input is an anchor, or an HTLC transaction.
type draft struct {
	// ownWeight and ownSat are what is there besides wallet coins and change:
	// the anchor, or an HTLC transaction and what it pays already.
	ownWeight, ownSat uint64
	// parent is what a child pays for; zero for an HTLC transaction.
	parent    Paid
	perKW     uint32
	maxFeeSat uint64
	// fixed are the wallet inputs of the child to replace, old what it pays.
	fixed []Coin
	old   *Paid
	// outputSize is the length of the output's script.
	outputSize int
}

// choice is a transaction whose fee is settled.
type choice struct {
	// coins begin with the draft's fixed ones.
	coins          []Coin
	feeSat, outSat uint64
	// weight is an upper bound.
	weight uint64
}

func (d *draft) dust() uint64 { return dustLimit(d.outputSize) }

// weight of the transaction with these coins and further weight units.
func (d *draft) weight(coins []Coin, more uint64) uint64 {
	w := emptyWeight + d.ownWeight + outputWeight(d.outputSize) + more
	for _, c := range coins {
		w += inputWeight(c.PkScript)
	}
	return w
}

func (d *draft) fee(weight uint64) uint64 {
	fee := d.parent.ChildFee(d.perKW, VSize(weight))
	if d.old != nil {
		fee = max(fee, d.old.ReplacementFee(VSize(weight)))
	}
	return fee
}

// sum is what there is for fee and change.
func (d *draft) sum(coins []Coin) uint64 {
	total := d.ownSat
	for _, c := range coins {
		total += c.ValueSat
	}
	return total
}

// settle returns the child with these coins, or what it lacks in sat.
func (d *draft) settle(coins []Coin) (c *choice, short uint64) {
	weight := d.weight(coins, 0)
	fee, have := d.fee(weight), d.sum(coins)
	if need := fee + d.dust(); have < need {
		return nil, need - have
	}
	return &choice{coins: coins, feeSat: fee, outSat: have - fee, weight: weight}, 0
}

// choose picks from the available coins. It prefers the smallest coin with
// which later replacements can go up to the maximum fee with the same inputs;
// without one it takes the largest first. The errors are *UneconomicError and
// *NeedsFeeInputError (without address).
func (d *draft) choose(available []Coin) (*choice, error) {
	if c, _ := d.settle(d.fixed); c != nil {
		return d.capped(c)
	}
	// One more input is the least that is needed.
	least := d.fee(d.weight(d.fixed, p2trWeight))
	if least > d.maxFeeSat {
		return nil, d.uneconomic(least)
	}
	coins := d.useful(available)
	roomy := d.maxFeeSat + d.dust()
	for _, c := range slices.Backward(coins) {
		if all := append(slices.Clone(d.fixed), c); d.sum(all) >= roomy && d.fee(d.weight(all, 0)) <= d.maxFeeSat {
			found, _ := d.settle(all)
			return found, nil
		}
	}
	all := slices.Clone(d.fixed)
	for _, c := range coins[:min(len(coins), maxInputs)] {
		all = append(all, c)
		if found, _ := d.settle(all); found != nil {
			if found.feeSat > d.maxFeeSat {
				break
			}
			return found, nil
		}
	}
	if least = d.fee(d.weight(d.fixed, p2wpkhWeight)); least > d.maxFeeSat {
		return nil, d.uneconomic(least)
	}
	return nil, &NeedsFeeInputError{AmountSat: d.missing(coins)}
}

// useful are the coins that bring more than they cost, largest first.
func (d *draft) useful(available []Coin) []Coin {
	var coins []Coin
	for _, c := range available {
		if w := inputWeight(c.PkScript); w > 0 && c.ValueSat > d.inputCost(w) {
			coins = append(coins, c)
		}
	}
	slices.SortFunc(coins, func(a, b Coin) int {
		return cmp.Or(
			cmp.Compare(b.ValueSat, a.ValueSat),
			bytes.Compare(a.OutPoint.Hash[:], b.OutPoint.Hash[:]),
			cmp.Compare(a.OutPoint.Index, b.OutPoint.Index),
		)
	})
	return coins
}

func (d *draft) inputCost(weight uint64) uint64 { return FeeFor(d.perKW, VSize(weight)) }

// missing is what one more coin must have: with all the others if that
// stays below the maximum fee, else with the fixed ones alone.
func (d *draft) missing(coins []Coin) uint64 {
	need := func(with []Coin) (uint64, uint64) {
		fee := d.fee(d.weight(with, p2wpkhWeight))
		total := fee + d.dust()
		return total - min(total, d.sum(with)), fee
	}
	amount, _ := need(d.fixed)
	if len(coins) < maxInputs {
		all := append(slices.Clone(d.fixed), coins...)
		if needed, fee := need(all); fee <= d.maxFeeSat {
			amount = min(amount, needed)
		}
	}
	return max(amount, d.inputCost(p2wpkhWeight)+1, p2trDust)
}

func (d *draft) capped(c *choice) (*choice, error) {
	if c.feeSat > d.maxFeeSat {
		return nil, d.uneconomic(c.feeSat)
	}
	return c, nil
}

func (d *draft) uneconomic(fee uint64) error {
	return &UneconomicError{FeeratePerKW: d.perKW, FeeSat: fee, MaxFeeSat: d.maxFeeSat}
}
