package vlsstate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ratioOf times two functions in turn and reports how many times longer the
// first takes: a number that means the same on every machine.
func ratioOf(b *testing.B, name string, ours, theirs func()) {
	var a, c time.Duration
	for b.Loop() {
		start := time.Now()
		ours()
		mid := time.Now()
		theirs()
		a, c = a+mid.Sub(start), c+time.Since(mid)
	}
	b.ReportMetric(float64(a)/float64(c), name)
}

func benchmarkFile(b *testing.B) []byte {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "corpus", "three-peers", "backup.json"))
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

// BenchmarkParseBesideJSON: strict parsing with every key checked on the curve,
// beside encoding/json's reading of the same bytes into maps.
func BenchmarkParseBesideJSON(b *testing.B) {
	raw := benchmarkFile(b)
	ratioOf(b, "x_encoding/json", func() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	}, func() {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkEncodeBesideParse: writing beside reading.
func BenchmarkEncodeBesideParse(b *testing.B) {
	raw := benchmarkFile(b)
	parsed, err := Parse(raw)
	if err != nil {
		b.Fatal(err)
	}
	ratioOf(b, "x_parse", func() {
		if _, err := Encode(parsed); err != nil {
			b.Fatal(err)
		}
	}, func() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	})
}
