package channel

import (
	"encoding/binary"
	"sync/atomic"
)

// known remembers keys that are on the curve, so that each is checked once
// however many readers and writers it passes. A key has two places; one that finds
// both taken is only checked again.
var known [1 << 18][2]atomic.Pointer[PubKey]

// OnCurve reports whether k is a point of secp256k1 in compressed form.
func (k PubKey) OnCurve() bool {
	places := &known[binary.BigEndian.Uint32(k[1:5])%uint32(len(known))]
	for i := range places {
		if seen := places[i].Load(); seen != nil && *seen == k {
			return true
		}
	}
	if !k.onCurve() {
		return false
	}
	if !places[0].CompareAndSwap(nil, &k) {
		places[1].Store(&k)
	}
	return true
}
