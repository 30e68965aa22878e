package vlsstate

import (
	"bytes"
	"encoding/json"
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

func recordedStrategy(t *testing.T, name string) Strategy {
	t.Helper()
	raw := `"` + name + `"`
	if count, ok := strings.CutPrefix(name, "periodic:"); ok {
		raw = `{"periodic":{"updates":` + count + `}}`
	}
	n := decodeText([]byte(raw))
	s := parseStrategy(n)
	if n.d.err != nil {
		t.Fatal(n.d.err)
	}
	return s
}

func TestAStateIsDueWhenTheGenuineSignerWroteIt(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*.json")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d recorded sequences, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var rec recorded
			loadJSON(t, path, &rec)
			strategy := recordedStrategy(t, rec.Strategy)
			// Beyond one update the signer counts requests, and Due versions.
			exact := strategy.Updates <= 1
			values := map[string]Entry{}
			var onDisk Entries
			written := 0
			for _, u := range rec.Updates {
				for _, changes := range []map[string]recordedEntry{u.Incoming, u.Changed} {
					for key, e := range changes {
						values[key] = Entry{Key: key, Version: e.version, Value: e.value, Signature: []byte(e.signature)}
					}
				}
				after := Entries(slices.Collect(maps.Values(values)))
				after.Sort()
				due := strategy.Due(onDisk, after)
				if u.Written && !due || exact && u.Written != (due && u.Reachable) {
					t.Fatalf("request %d (%s): due %v, directory there %v, the signer wrote %v", u.ID, u.Mark, due, u.Reachable, u.Written)
				}
				if u.Written {
					onDisk = after.Live()
					written++
				}
			}
			if want := rec.Strategy != "never"; (written > 0) != want {
				t.Errorf("%d written: the sequence shows nothing", written)
			}
		})
	}
}

func TestDueCountsUpdates(t *testing.T) {
	every3, newOnly := Strategy{Kind: Periodic, Updates: 3}, Strategy{Kind: NewChannelsOnly}
	for _, c := range []struct {
		name           string
		s              Strategy
		written, state Entries
		due            bool
	}{
		{"nothing there", newOnly, nil, Entries{ch("a", 0, stub)}, false},
		{"the first channel", newOnly, nil, Entries{ch("a", 1, ready)}, true},
		{"an opening became one", newOnly, Entries{ch("a", 0, stub)}, Entries{ch("a", 1, ready)}, true},
		{"it is used", newOnly, Entries{ch("a", 1, ready)}, Entries{ch("a", 900, ready)}, false},
		{"never", Strategy{}, nil, Entries{ch("a", 1, ready)}, false},
		{"two updates", every3, Entries{ch("a", 1, ready)}, Entries{ch("a", 3, ready)}, false},
		{"three", every3, Entries{ch("a", 1, ready)}, Entries{ch("a", 4, ready)}, true},
		{"three in two channels", every3, Entries{ch("a", 1, ready), ch("b", 1, ready)}, Entries{ch("a", 3, ready), ch("b", 2, ready)}, true},
		{"an older state", every3, Entries{ch("a", 9, ready)}, Entries{ch("a", 1, ready)}, false},
		{"a signature", Strategy{Kind: Periodic, Updates: 1}, Entries{ch("a", 1, ready)}, Entries{signed(ch("a", 1, ready), 1)}, true},
		{"the highest versions", every3, Entries{ch("a", 0, ready), ch("b", 0, ready)}, Entries{ch("a", TombstoneVersion-1, ready), ch("b", TombstoneVersion-1, ready)}, true},
		{"a deleted one", every3, Entries{ch("a", 1, ready)}, Entries{{Key: "channels/a", Version: TombstoneVersion, Value: []byte("null")}}, false},
	} {
		if got := c.s.Due(c.written, c.state); got != c.due {
			t.Errorf("%s: %v", c.name, got)
		}
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
