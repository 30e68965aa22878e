// Package bolt3test helps tests that look into commitments. It is for tests only.
package bolt3test

import (
	"slices"

	"github.com/glrecover/glrecover/bolt3"
)

// Output returns the index of the output of this kind, or -1. It is for the kinds
// that exist at most once.
func Output(t *bolt3.CommitTx, kind bolt3.OutputKind) int {
	return slices.IndexFunc(t.Outputs, func(o bolt3.Output) bool { return o.Kind == kind })
}
