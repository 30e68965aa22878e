package vlsstate

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

const trackerKey = "trackers/0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

// inPieces reads a tracker's entry as readEnvelope does.
func inPieces(t testing.TB, entry []byte) *part {
	t.Helper()
	p := newPipeline()
	err := p.addTracker(trackerKey, jsontext.NewDecoder(bytes.NewReader(entry), jsontext.AllowDuplicateNames(true)))
	parts := p.close()
	if err != nil || len(parts) != 1 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	return parts[0]
}

// inOne reads the same entry in one piece.
func inOne(t testing.TB, entry []byte) *part {
	t.Helper()
	raw, err := jsontext.NewDecoder(bytes.NewReader(entry), jsontext.AllowDuplicateNames(true)).ReadValue()
	if err != nil {
		t.Fatal(err)
	}
	var w worker
	return w.read(trackerKey, 1, raw)
}

func sameParts(t testing.TB, entry []byte) {
	t.Helper()
	pieces, one := inPieces(t, entry), inOne(t, entry)
	if (pieces.err == nil) != (one.err == nil) {
		t.Fatalf("in pieces %v, in one %v", pieces.err, one.err)
	}
	// A text with more than one fault may be refused for any of them, and nothing else is
	// told of it.
	if one.err != nil {
		pieces, one = &part{located: located{Entry: Entry{Key: pieces.Key}, position: pieces.position}}, &part{located: located{Entry: Entry{Key: one.Key}, position: one.position}}
	}
	if !reflect.DeepEqual(pieces, one) {
		t.Fatalf("in pieces %+v\n in one %+v", pieces, one)
	}
}

// trackerWith is a tracker's entry with some listeners.
func trackerWith(listeners ...string) string {
	return `[ 3, {"headers": [], "height": 7, "listeners": [` + strings.Join(listeners, " , ") + `], "tip": [0, {"a": 1}]} ]`
}

func listenerOf(n int, state string) string {
	return fmt.Sprintf(`[{"txid": "%064x", "vout": %d}, [{%s}, {"seen": []}]]`, n, n%3, state)
}

var trackerEntries = []string{
	trackerWith(),
	trackerWith(listenerOf(1, `"funding_height": 5`)),
	trackerWith(listenerOf(1, ``), listenerOf(2, `"mutual_closing_height": null`), listenerOf(1, `"closing_swept_height": 9`)),
	// Faults of one listener.
	trackerWith(listenerOf(1, ``), `7`),
	trackerWith(listenerOf(1, ``), `[{}, [{}, {}]]`),
	trackerWith(listenerOf(1, ``), listenerOf(2, `"funding_height": -1`), `null`),
	trackerWith(listenerOf(1, `"funding_height": 5, "funding_height": 6`)),
	trackerWith(listenerOf(1, `"b": 1.5, "a": "\u00e9"`), listenerOf(2, `"n": 123456789012345678901234567890`)),
	trackerWith(listenerOf(1, `"deep": `+strings.Repeat("[", maxDepth-6)+strings.Repeat("]", maxDepth-6))),
	trackerWith(listenerOf(1, `"deep": `+strings.Repeat("[", maxDepth-5)+strings.Repeat("]", maxDepth-5))),
	trackerWith(listenerOf(1, `"deep": `+strings.Repeat("[", maxDepth+1)+strings.Repeat("]", maxDepth+1))),
	// Faults around them.
	`[3, {"listeners": [` + listenerOf(1, ``) + `], "height": 7}]`,
	`[3, {"listeners": [` + listenerOf(1, ``) + `]}]`,
	`[3, {"height": 7, "listeners": [` + listenerOf(1, ``) + `], "listeners": []}]`,
	`[3, {"height": 7, "listeners": 1, "listeners": [` + listenerOf(1, ``) + `]}]`,
	`[3, {"height": 7, "\u006cisteners": [` + listenerOf(1, ``) + `]}]`,
	`[3, {"a": {"listeners": []}, "b": "\"listeners\":[]", "height": 7, "listeners": [` + listenerOf(1, ``) + `]}]`,
	`[3, {"height": 7, "listeners": {"a": 1}}]`,
	`[3, {"height": 7, "listeners": [` + listenerOf(1, ``) + `]}, [1, 2]]`,
	`[3, {"height": 7, "listeners": [` + listenerOf(1, `"x": 1.5`) + `]}, [1, 2]]`,
	`[3, {"height": 7, "listeners": [` + listenerOf(1, ``) + `]}, [1], 4]`,
	`[18446744073709551615, {"height": 7, "listeners": [` + listenerOf(1, ``) + `]}]`,
	`[18446744073709551615, null]`,
	`[{"height": 7, "listeners": [` + listenerOf(1, ``) + `]}]`,
	`[3, 4, {"height": 7, "listeners": [` + listenerOf(1, ``) + `]}]`,
	`[]`, `{"a": 1}`, `7`, `[3]`, `[3, []]`,
}

func TestATrackerReadInPiecesIsTheSame(t *testing.T) {
	for _, entry := range trackerEntries {
		sameParts(t, []byte(entry))
	}
	// So many that they make several batches.
	var many []string
	for i := range 3000 {
		many = append(many, listenerOf(i, `"funding_height": 5`))
	}
	entry := []byte(trackerWith(many...))
	if len(entry) < batchSize {
		t.Fatal(len(entry))
	}
	sameParts(t, entry)
	if p := inPieces(t, entry); len(p.tracker.heights) != len(many) {
		t.Errorf("%d listeners", len(p.tracker.heights))
	}
	many[2900] = listenerOf(2900, `"funding_height": "5"`)
	entry = []byte(trackerWith(many...))
	sameParts(t, entry)
	if p := inPieces(t, entry); len(p.problems) != 1 || p.problems[0].Field != "listeners[2900][1][0].funding_height" {
		t.Errorf("%+v", p.problems)
	}
}

func TestListenersThatAreNoneTakeLittleMemory(t *testing.T) {
	entry := []byte(`[3, {"height": 7, "listeners": [` + strings.Repeat("0,", 1<<20) + `0]}]`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p := inPieces(t, entry)
	runtime.ReadMemStats(&after)
	if p.tracker != nil || len(p.problems) != 1 {
		t.Errorf("%+v", p.problems)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 32*uint64(len(entry)) {
		t.Errorf("%d bytes for %d", used, len(entry))
	}
}

func FuzzTracker(f *testing.F) {
	for _, entry := range trackerEntries {
		f.Add([]byte(entry))
	}
	f.Fuzz(func(t *testing.T, entry []byte) {
		decoder := func() *jsontext.Decoder {
			return jsontext.NewDecoder(bytes.NewReader(entry), jsontext.AllowDuplicateNames(true))
		}
		_, err := decoder().ReadValue()
		if err == nil {
			sameParts(t, entry)
			return
		}
		p := newPipeline()
		defer p.close()
		if p.addTracker(trackerKey, decoder()) == nil {
			t.Fatalf("taken in pieces, in one %v", err)
		}
	})
}
