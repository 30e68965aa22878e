package vlsstate

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A recorded sequence is what the genuine signer (gl-client 0.7.0) did on
// regtest: for each request what the node told it (incoming), what its state
// changed by (changed), whether it wrote its backup, and whether the backup's
// directory was there (it was moved away for a while, so that writes fail).
// Keys are shortened, values cut down to whether there is a channel_setup,
// signatures to a short hash.
type recorded struct {
	Strategy string
	Updates  []struct {
		ID        int
		Mark      string
		Incoming  map[string]recordedEntry
		Changed   map[string]recordedEntry
		Written   bool
		Reachable bool
	}
}

type recordedEntry struct {
	version   uint64
	value     []byte
	signature string
}

func (e *recordedEntry) UnmarshalJSON(text []byte) error {
	var value json.RawMessage
	if err := json.Unmarshal(text, &[]any{&e.version, &value, &e.signature}); err != nil {
		return err
	}
	canon, _, err := canonical(value)
	e.value = canon
	return err
}

func strategyOf(t *testing.T, name string) Strategy {
	t.Helper()
	n := node{d: &decoder{}, raw: []byte(`"` + name + `"`)}
	if count, ok := strings.CutPrefix(name, "periodic:"); ok {
		n.raw = []byte(`{"periodic":{"updates":` + count + `}}`)
	}
	s := parseStrategy(n)
	if n.d.err != nil {
		t.Fatal(n.d.err)
	}
	return s
}

func TestTheRecorderDecidesAsTheGenuineSignerDid(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*.json")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d recorded sequences, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var rec recorded
			loadJSON(t, path, &rec)
			r, err := NewRecorder(strategyOf(t, rec.Strategy))
			if err != nil {
				t.Fatal(err)
			}
			values := map[string]Entry{}
			merge := func(changes map[string]recordedEntry) Entries {
				for key, e := range changes {
					values[key] = Entry{Key: key, Version: e.version, Value: e.value, Signature: []byte(e.signature)}
				}
				out := Entries(slices.Collect(maps.Values(values)))
				sortEntries(out)
				return out
			}
			written, failed := 0, 0
			for _, u := range rec.Updates {
				before := merge(u.Incoming)
				after := merge(u.Changed)
				r.Observe(before, after)
				due := r.Due(after)
				if u.Written != (due && u.Reachable) {
					t.Fatalf("request %d (%s): due %v, directory there %v, the signer wrote %v", u.ID, u.Mark, due, u.Reachable, u.Written)
				}
				if !due {
					continue
				}
				if u.Written {
					written++
					r.Written(after, nil)
				} else {
					failed++
					r.Written(after, errors.New("no directory"))
				}
			}
			if want := rec.Strategy != "never"; (written > 0) != want || (failed > 0) != want {
				t.Errorf("%d written, %d failed: the sequence shows nothing", written, failed)
			}
		})
	}
}

func TestARecordedSequenceIsCutDownButExact(t *testing.T) {
	e := recordedEntry{}
	if err := json.Unmarshal([]byte(`[18446744073709551615,{"channel_setup":null},"ab"]`), &e); err != nil {
		t.Fatal(err)
	}
	if e.version != TombstoneVersion || !bytes.Equal(e.value, []byte(`{"channel_setup":null}`)) || e.signature != "ab" {
		t.Errorf("%+v", e)
	}
}
