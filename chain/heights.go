package chain

import "slices"

// heights is a set of block heights: ranges, first and last included, in
// ascending order, apart from each other.
type heights [][2]uint32

// add puts a range into the set.
func (h *heights) add(lo, hi uint32) {
	if lo > hi {
		return
	}
	// Those that begin after the new one, or end before it, stay as they are.
	i := 0
	for i < len(*h) && (*h)[i][1]+1 < lo {
		i++
	}
	j := i
	for j < len(*h) && (*h)[j][0] <= hi+1 {
		lo, hi = min(lo, (*h)[j][0]), max(hi, (*h)[j][1])
		j++
	}
	*h = slices.Replace(*h, i, j, [2]uint32{lo, hi})
}

// remove takes a range out of the set.
func (h *heights) remove(lo, hi uint32) {
	var out heights
	for _, r := range *h {
		if r[1] < lo || r[0] > hi {
			out = append(out, r)
			continue
		}
		if r[0] < lo {
			out = append(out, [2]uint32{r[0], lo - 1})
		}
		if r[1] > hi {
			out = append(out, [2]uint32{hi + 1, r[1]})
		}
	}
	*h = out
}

// addAll puts another set in.
func (h *heights) addAll(more heights) {
	for _, r := range more {
		h.add(r[0], r[1])
	}
}

// has reports whether a height is in the set.
func (h heights) has(height uint32) bool {
	for _, r := range h {
		if r[0] <= height && height <= r[1] {
			return true
		}
	}
	return false
}

// from is the part of the set at or above a height.
func (h heights) from(lo uint32) heights {
	var out heights
	for _, r := range h {
		if r[1] >= lo {
			out = append(out, [2]uint32{max(r[0], lo), r[1]})
		}
	}
	return out
}

// count is how many heights are in the set.
func (h heights) count() uint32 {
	var n uint32
	for _, r := range h {
		n += r[1] - r[0] + 1
	}
	return n
}
