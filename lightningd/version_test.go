package lightningd_test

import (
	"testing"

	"github.com/glrecover/glrecover/lightningd"
)

func TestVersionGate(t *testing.T) {
	for _, c := range []struct {
		text, parsed string
		accepted     bool
	}{
		{"v25.02", "v25.02", true},
		{"25.02", "v25.02", true},
		{"v25.02.2", "v25.02.2", true},
		{"v25.02-mod", "v25.02", true},
		{"v25.02-modded", "v25.02", true},
		{"v25.02rc1", "v25.02", true},
		{"v25.02.1rc2", "v25.02.1", true},
		{"v25.02-113-gabcdef0", "v25.02", true},
		{"v25.02-113-gabcdef0-modded", "v25.02", true},
		{"basedon-v25.02", "v25.02", true},
		{"v26.06.6", "v26.06.6", true},
		{"v26.04gl1", "v26.04", true},
		{"v26.06.6-modded", "v26.06.6", true},
		{"v100.01", "v100.01", true},
		{"v24.11.1", "v24.11.1", false},
		{"v24.11-500-gabcdef0", "v24.11", false},
		{"24.08", "v24.08", false},
		{"v24.11gl1", "v24.11", false},
		{"basedon-v24.11", "v24.11", false},
		{"v23.08", "v23.08", false},
		{"v0.12.1", "v0.12.1", false},
		{"v25.01", "v25.01", false},
		{"", "", false},
		{"abcdef0", "", false},
		{"abcdef0-modded", "", false},
		{"v25", "", false},
		{"v25.", "", false},
		{"v25.02.", "", false},
		{"v25.02.1.1", "", false},
		{"x25.02", "", false},
		{"v99999.02", "", false},
		{"v25.02\nv24.11", "", false},
		{"UNKNOWN", "", false},
	} {
		v, err := lightningd.ParseVersion(c.text)
		if c.parsed == "" {
			if err == nil {
				t.Errorf("%q: parsed as %s", c.text, v)
			}
			continue
		}
		if err != nil || v.String() != c.parsed {
			t.Errorf("%q: got %s, %v", c.text, v, err)
		}
		if v.AtLeast(lightningd.MinVersion) != c.accepted {
			t.Errorf("%q: accepted %v", c.text, !c.accepted)
		}
	}
}

func TestPointReleasesCompare(t *testing.T) {
	v := lightningd.Version{Year: 25, Month: 2, Point: 1}
	if v.AtLeast(lightningd.Version{Year: 25, Month: 2, Point: 2}) || !v.AtLeast(v) {
		t.Error("point releases do not compare")
	}
}
