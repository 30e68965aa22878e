package vlsstate

import (
	"math"

	"github.com/btcsuite/btcd/wire"
)

// trackerFacts are what a trackers/ entry says.
type trackerFacts struct {
	height  uint32
	heights map[wire.OutPoint]Heights
}

// readTracker takes heights out of vls-persist's ChainTrackerEntry.
func readTracker(value node) *trackerFacts {
	o := value.object()
	t := &trackerFacts{
		height:  uint32(o.get("height").uint(math.MaxUint32)),
		heights: make(map[wire.OutPoint]Heights),
	}
	for _, listener := range o.get("listeners").array(maxList) {
		funding, heights := readListener(listener)
		t.heights[funding] = heights
	}
	if value.d.err != nil {
		return nil
	}
	return t
}

// readListener reads [outpoint, [monitor state, watches]].
func readListener(listener node) (funding wire.OutPoint, _ Heights) {
	pair := listener.tuple(2)
	funding = pair[0].outPoint()
	state := pair[1].tuple(2)[0].object()
	return funding, Heights{
		Funding:            state.height("funding_height"),
		FundingDoubleSpent: state.height("funding_double_spent_height"),
		MutualClose:        state.height("mutual_closing_height"),
		UnilateralClose:    state.height("unilateral_closing_height"),
		ClosingSwept:       state.height("closing_swept_height"),
		OurOutputSwept:     state.height("our_output_swept_height"),
	}
}

// outPoint reads an outpoint whose txid is in internal byte order (vls-core
// OutPointReversedDef).
func (n node) outPoint() wire.OutPoint {
	o := n.object()
	txid := o.get("txid").hash()
	vout := o.get("vout").uint(math.MaxUint32)
	return wire.OutPoint{Hash: txid, Index: uint32(vout)}
}

// height reads a block height that may be missing or null.
func (o *objectNode) height(name string) *uint32 {
	n := o.optional(name)
	if n == nil {
		return nil
	}
	h := uint32(n.uint(math.MaxUint32))
	return &h
}
