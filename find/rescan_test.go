package find

import (
	"reflect"
	"testing"
)

// TestOneRescanBringsAllThatIsNotPruned: lightningd does not look at the block
// that it is given, and must not be sent below the lowest that bitcoind has.
func TestOneRescanBringsAllThatIsNotPruned(t *testing.T) {
	a, b, c := Output{"a", 100}, Output{"b", 90}, Output{"c", 300}
	for _, x := range []struct {
		outputs []Output
		pruned  uint32
		want    *Rescan
	}{
		{nil, 0, nil},
		{[]Output{a}, 0, &Rescan{Height: 99, Brings: []string{"a"}}},
		{[]Output{a, b, a, c}, 0, &Rescan{Height: 89, Brings: []string{"a", "b", "c"}}},
		{[]Output{{"first", 1}}, 0, &Rescan{Height: 1, Brings: []string{"first"}}},
		{[]Output{a, b, c}, 89, &Rescan{Height: 89, Brings: []string{"a", "b", "c"}}},
		{[]Output{a, b, c}, 90, &Rescan{Height: 99, Brings: []string{"a", "c"}, Pruned: []string{"b"}, Needs: 89}},
		{[]Output{a, b, c}, 1000, &Rescan{Brings: []string{}, Pruned: []string{"a", "b", "c"}, Needs: 89}},
	} {
		if got := OneRescan(x.outputs, x.pruned); !reflect.DeepEqual(got, x.want) {
			t.Errorf("%v, pruned below %d: %+v, want %+v", x.outputs, x.pruned, got, x.want)
		}
	}
}
