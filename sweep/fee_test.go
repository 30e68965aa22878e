package sweep

import "testing"

func TestFeesRoundSoThatTheFeerateIsReached(t *testing.T) {
	for _, c := range []struct {
		perKW uint32
		vsize uint64
		want  uint64
	}{
		{0, 100, 0},
		{250, 0, 0},
		{250, 1, 1},     // 1 sat/vB exactly
		{253, 1, 2},     // a fraction counts whole
		{253, 250, 253}, // 1.012 sat/vB
		{1255, 281, 1411},
		{5000, 281, 5620},
		{1<<32 - 1, 100_000, 1_717_986_918_000},
	} {
		got := FeeFor(c.perKW, c.vsize)
		if got != c.want {
			t.Errorf("FeeFor(%d, %d) = %d, want %d", c.perKW, c.vsize, got, c.want)
		}
		if p := (Paid{got, c.vsize}); !p.Reaches(c.perKW) || p.FeeratePerKW() < c.perKW && c.vsize > 0 {
			t.Errorf("%+v does not reach %d", p, c.perKW)
		}
		if got > 0 && (Paid{got - 1, c.vsize}).Reaches(c.perKW) {
			t.Errorf("%d sat too much for %d vB at %d", got, c.vsize, c.perKW)
		}
	}
	for weight, want := range map[uint64]uint64{0: 0, 1: 1, 4: 1, 5: 2, 1124: 281, 1125: 282} {
		if got := VSize(weight); got != want {
			t.Errorf("VSize(%d) = %d, want %d", weight, got, want)
		}
	}
}

func TestAChildPaysForBothAndNeverBelowRelay(t *testing.T) {
	for _, c := range []struct {
		name   string
		parent Paid
		perKW  uint32
		vsize  uint64
		want   uint64
	}{
		{"parent pays nothing", Paid{0, 281}, 2500, 200, 4810},
		{"parent pays a part", Paid{1410, 281}, 2500, 200, 3400},
		{"parent pays its own part", Paid{2810, 281}, 2500, 200, 2000},
		{"parent pays nearly all: relay is the floor", Paid{4800, 281}, 2500, 200, 200},
		{"parent pays more than both need", Paid{90_000, 281}, 2500, 200, 200},
		{"lowest feerate", Paid{0, 281}, 250, 200, 481},
	} {
		got := c.parent.ChildFee(c.perKW, c.vsize)
		if got != c.want {
			t.Errorf("%s: %d sat, want %d", c.name, got, c.want)
		}
		if both := c.parent.With(Paid{got, c.vsize}); !both.Reaches(c.perKW) {
			t.Errorf("%s: together %d sat/kw", c.name, both.FeeratePerKW())
		}
	}
}

func TestAReplacementPaysItsRelayAndAHigherFeerate(t *testing.T) {
	for _, c := range []struct {
		name  string
		old   Paid
		vsize uint64
		want  uint64
	}{
		{"same size", Paid{2000, 200}, 200, 2200},
		{"smaller", Paid{2000, 200}, 150, 2150},
		{"one input more: the feerate decides", Paid{2000, 200}, 270, 2701},
		{"one input more at a low feerate", Paid{300, 200}, 270, 570},
		{"old one unknown in size", Paid{2000, 0}, 200, 2200},
	} {
		got := c.old.ReplacementFee(c.vsize)
		if got != c.want {
			t.Errorf("%s: %d sat, want %d", c.name, got, c.want)
		}
		if got*c.old.VSize <= c.old.FeeSat*c.vsize && c.old.VSize > 0 {
			t.Errorf("%s: the feerate is not above the old one", c.name)
		}
	}
}
