package vlsstate_test

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/glrecover/glrecover/integration/large"
	"github.com/glrecover/glrecover/vlsstate"
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

// backup is the text of a backup of 200 used channels.
func backup(b *testing.B) []byte {
	b.Helper()
	made, err := large.Backup(200)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := vlsstate.Encode(made)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	return raw
}

func parse(b *testing.B, raw []byte) *vlsstate.Backup {
	b.Helper()
	out, err := vlsstate.Read(bytes.NewReader(raw))
	if err != nil || len(out.Problems) > 0 {
		b.Fatal(err, out.Problems)
	}
	return out
}

// BenchmarkParse reads a backup of which every key was seen before.
func BenchmarkParse(b *testing.B) {
	raw := backup(b)
	for b.Loop() {
		parse(b, raw)
	}
}

// BenchmarkParseBesideJSON: strict parsing next to encoding/json's reading of the
// same bytes into maps.
func BenchmarkParseBesideJSON(b *testing.B) {
	raw := backup(b)
	ratioOf(b, "x_encoding/json", func() { parse(b, raw) }, func() {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkEncodeBesideParse: writing next to reading.
func BenchmarkEncodeBesideParse(b *testing.B) {
	raw := backup(b)
	made := parse(b, raw)
	ratioOf(b, "x_parse", func() {
		if err := vlsstate.EncodeTo(io.Discard, made); err != nil {
			b.Fatal(err)
		}
	}, func() { parse(b, raw) })
}

// BenchmarkMerge joins two states of one node.
func BenchmarkMerge(b *testing.B) {
	raw := backup(b)
	one, two := parse(b, raw), parse(b, raw)
	for b.Loop() {
		if _, err := vlsstate.Merge(one, two); err != nil {
			b.Fatal(err)
		}
	}
}
