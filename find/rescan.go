package find

import "slices"

// Rescan is the one restart of lightningd that brings what was found.
type Rescan struct {
	// Height is for rescan=-Height; 0 where no rescan brings anything.
	Height uint32 `json:"height,omitempty"`
	// Brings are the outpoints that it brings.
	Brings []string `json:"brings"`
	// Pruned are those whose blocks this bitcoind has no more; they need one that
	// has the blocks above Needs. A rescan into pruned blocks would stop lightningd.
	Pruned []string `json:"pruned,omitempty"`
	Needs  uint32   `json:"pruned_needs_height,omitempty"`
}

// Output is one that a rescan can bring, with the height of its block.
type Output struct {
	OutPoint string
	Height   uint32
}

// OneRescan is the one with the lowest height that brings all outputs, but for
// those in blocks below pruned, the lowest block that bitcoind has (0: all). Nil
// without outputs.
func OneRescan(outputs []Output, pruned uint32) *Rescan {
	if len(outputs) == 0 {
		return nil
	}
	r := &Rescan{Brings: []string{}}
	for _, o := range outputs {
		height := rescanHeight(o.Height)
		switch {
		case slices.Contains(r.Brings, o.OutPoint) || slices.Contains(r.Pruned, o.OutPoint):
		case height < pruned:
			r.Pruned = append(r.Pruned, o.OutPoint)
			r.Needs = lower(r.Needs, height)
		default:
			r.Brings = append(r.Brings, o.OutPoint)
			r.Height = lower(r.Height, height)
		}
	}
	return r
}

// lower is the lower of two heights, 0 standing for none.
func lower(have, height uint32) uint32 {
	if have == 0 {
		return height
	}
	return min(have, height)
}

// rescanHeight is what brings a coin in a block at height: lightningd looks at
// the blocks above the one that it is given (CLN lightningd/chaintopology.c: the
// first block is the root, which is not looked at).
func rescanHeight(height uint32) uint32 { return max(height, 2) - 1 }
