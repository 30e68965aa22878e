package sweep

import "github.com/btcsuite/btcd/wire"

const (
	// MinRelaySatPerVB is the lowest feerate that nodes relay, and the least by
	// which a replacement must pay more for each of its own virtual bytes
	// (Bitcoin Core's defaults for minrelaytxfee and incrementalrelayfee until
	// v29; lower ones since are not everybody's).
	MinRelaySatPerVB = 1
	// maxMoney is 21 million bitcoin in sat.
	maxMoney = 21_000_000 * 100_000_000
)

// Paid is the fee and the size of a transaction, or of several together.
type Paid struct {
	FeeSat uint64
	// VSize is in virtual bytes.
	VSize uint64
}

// VSize rounds weight units up to virtual bytes, as Bitcoin Core does for each
// transaction.
func VSize(weight uint64) uint64 { return (weight + 3) / 4 }

// FeeFor is the fee in sat of so many virtual bytes at perKW sat per 1000
// weight, rounded up.
func FeeFor(perKW uint32, vsize uint64) uint64 { return (uint64(perKW)*4*vsize + 999) / 1000 }

// FeeratePerKW is the feerate in sat per 1000 weight, rounded down.
func (p Paid) FeeratePerKW() uint32 {
	if p.VSize == 0 {
		return 0
	}
	return uint32(min(p.FeeSat*1000/(4*p.VSize), 1<<32-1))
}

// Reaches reports whether the feerate is at least perKW.
func (p Paid) Reaches(perKW uint32) bool { return p.FeeSat >= FeeFor(perKW, p.VSize) }

// With is p and q together, as one package.
func (p Paid) With(q Paid) Paid { return Paid{FeeSat: p.FeeSat + q.FeeSat, VSize: p.VSize + q.VSize} }

// ChildFee is the fee in sat that a child of so many virtual bytes must pay so
// that it and its parent p together reach perKW. It is never below what a
// transaction must pay to be relayed.
func (p Paid) ChildFee(perKW uint32, vsize uint64) uint64 {
	fee := vsize * MinRelaySatPerVB
	if need := FeeFor(perKW, p.VSize+vsize); need > p.FeeSat {
		fee = max(fee, need-p.FeeSat)
	}
	return fee
}

// ReplacementFee is the least fee in sat for which nodes let a transaction of
// so many virtual bytes replace p: p's fee and the relay of its own bytes (BIP
// 125, rules 3 and 4), and a feerate above p's (Bitcoin Core since 0.12).
func (p Paid) ReplacementFee(vsize uint64) uint64 {
	fee := p.FeeSat + vsize*MinRelaySatPerVB
	if p.VSize > 0 {
		fee = max(fee, p.FeeSat*vsize/p.VSize+1)
	}
	return fee
}

// weightOf is BIP 141's weight.
func weightOf(tx *wire.MsgTx) uint64 {
	return uint64(3*tx.SerializeSizeStripped() + tx.SerializeSize())
}
