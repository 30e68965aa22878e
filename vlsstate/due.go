package vlsstate

import "math"

// Due reports whether a state is to be written in place of the one that was
// written last, by the rules of gl-client's BackupRuntime: a new recoverable
// channel is written under both strategies, and under a periodic one a file that
// is behind by so many updates. An update raises the version of a channel's
// entry by one or more, so this writes when the signer would, or earlier.
func (s Strategy) Due(written, state Entries) bool {
	if s.Kind == Never || s.Kind == UnknownStrategy {
		return false
	}
	var behind uint64
	for i := range state {
		e := &state[i]
		if !e.recoverable() {
			continue
		}
		old := written.Get(e.Key)
		switch {
		case old == nil || !old.recoverable():
			return true
		case old.Version < e.Version:
			behind = saturated(behind, e.Version-old.Version)
		case old.Version == e.Version && string(old.Signature) != string(e.Signature):
			behind = saturated(behind, 1)
		}
	}
	return s.Kind == Periodic && behind >= uint64(max(s.Updates, 1))
}

func saturated(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
