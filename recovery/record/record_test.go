package record_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/record"
)

// memory is a Store that counts what is written.
type memory struct {
	entries map[string]api.Record
	writes  []string
	fail    bool
}

func (m *memory) Records(_ context.Context, key []string) ([]api.Record, error) {
	var out []api.Record
	for _, r := range m.entries {
		if len(r.Key) >= len(key) && len(r.Key) <= len(key)+1 && slices.Equal(r.Key[:len(key)], key) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memory) SaveRecord(_ context.Context, key []string, value string) error {
	if m.fail {
		return errors.New("database is full")
	}
	name := strings.Join(key, "/")
	m.writes = append(m.writes, name)
	m.entries[name] = api.Record{Key: key, Value: value}
	return nil
}

func (m *memory) DeleteRecord(_ context.Context, key []string) error {
	delete(m.entries, strings.Join(key, "/"))
	return nil
}

func v1(t *testing.T) *memory {
	t.Helper()
	m := &memory{entries: map[string]api.Record{}}
	for file, key := range map[string][]string{
		"run.json":     {"glrecover", "run"},
		"channel.json": {"glrecover", "channel", "02f0c7d96d5af2b7e689d69f5e0a832eba2c98882de3ba6c52e1a755f3203b0723-1"},
	} {
		raw, err := os.ReadFile(filepath.Join("testdata", "v1", file))
		if err != nil {
			t.Fatal(err)
		}
		m.entries[strings.Join(key, "/")] = api.Record{Key: key, Value: string(raw)}
	}
	return m
}

// TestVersion1IsCarriedOver: a record of the first version, as it wrote it in the
// middle of a recovery.
func TestVersion1IsCarriedOver(t *testing.T) {
	m := v1(t)
	b := record.Open(m)
	got, err := b.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Run == nil || got.Run.Network != "regtest" || got.Run.Imported.IsZero() || got.Run.MaxFeePercent != 10 || got.Cursor != nil {
		t.Errorf("the run: %+v", got.Run)
	}
	if len(got.Channels) != 1 {
		t.Fatalf("%d channels", len(got.Channels))
	}
	c := got.Channels[0]
	if c.State != model.OutputsWaiting || c.Close == nil || c.Close.Kind != judge.Theirs || c.Close.Height == 0 || c.ImportedAt == 0 ||
		c.First == nil || c.FirstLater || c.Asked.IsZero() || c.Address == "" || c.Channel.CapacitySat != 1_000_000 {
		t.Errorf("the channel: %+v", c)
	}
	if len(c.Seen) != 1 || c.Seen[0].Place != chain.InBlock.String() || c.Seen[0].Raw == "" || c.Seen[0].OutPoint != c.Channel.Funding.String() {
		t.Errorf("the close: %+v", c.Seen)
	}
	// The run is of this version before any channel is: an older glrecover then
	// refuses all of it.
	if err := b.Write(t.Context(), model.Save{Channels: []model.Record{c}}); err != nil {
		t.Fatal(err)
	}
	if len(m.writes) != 2 || m.writes[0] != "glrecover/run" || !strings.Contains(m.entries["glrecover/run"].Value, `"version":2`) {
		t.Errorf("written: %q", m.writes)
	}
	again, err := record.Open(m).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	was, _ := json.Marshal(got)
	is, _ := json.Marshal(again)
	if string(was) != string(is) {
		t.Errorf("read back:\n%s\nwant\n%s", is, was)
	}
}

func TestWhatDidNotChangeIsNotWrittenAgain(t *testing.T) {
	m := v1(t)
	b := record.Open(m)
	got, err := b.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	save := model.Save{Run: got.Run, Channels: got.Channels, Cursor: &chain.Cursor{Height: 7}}
	for range 2 {
		if err := b.Write(t.Context(), save); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"glrecover/run", "glrecover/channel/02f0c7d96d5af2b7e689d69f5e0a832eba2c98882de3ba6c52e1a755f3203b0723-1", "glrecover/watch"}; !slices.Equal(m.writes, want) {
		t.Errorf("written %q, want %q: the cursor last", m.writes, want)
	}
	// Also after a restart.
	b = record.Open(m)
	if _, err := b.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Write(t.Context(), model.Save{Run: got.Run, Channels: got.Channels}); err != nil {
		t.Fatal(err)
	}
	if len(m.writes) != 3 {
		t.Errorf("written %q", m.writes)
	}
	// What failed is written again, though it is the same.
	m.fail = true
	changed := got.Channels[0]
	changed.Reason = "changed"
	if err := b.Write(t.Context(), model.Save{Channels: []model.Record{changed}}); err == nil {
		t.Fatal("no error")
	}
	m.fail = false
	if err := b.Write(t.Context(), model.Save{Channels: []model.Record{changed}}); err != nil || len(m.writes) != 4 {
		t.Errorf("written %q, %v", m.writes, err)
	}
}

func TestADamagedOrNewerEntryIsRefusedByName(t *testing.T) {
	for name, edit := range map[string]func(map[string]api.Record){
		"a newer run":     func(e map[string]api.Record) { put(e, "glrecover/run", `{"version":3}`) },
		"a damaged run":   func(e map[string]api.Record) { put(e, "glrecover/run", "{") },
		"a newer channel": func(e map[string]api.Record) { put(e, "glrecover/channel/x-1", `{"version":3}`) },
		"a damaged one":   func(e map[string]api.Record) { put(e, "glrecover/channel/x-1", `{"version":2,"channel":7}`) },
		"one of nothing":  func(e map[string]api.Record) { put(e, "glrecover/channel/x-1", `{"version":2}`) },
	} {
		m := v1(t)
		edit(m.entries)
		if _, err := record.Open(m).Load(t.Context()); failure.NameOf(err) != failure.RecordUnreadable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func put(e map[string]api.Record, name, value string) {
	e[name] = api.Record{Key: strings.Split(name, "/"), Value: value}
}

// TestAnEntryThatIsTooLargeLosesOnlyWhatCanBeFoundAgain.
func TestAnEntryThatIsTooLargeLosesOnlyWhatCanBeFoundAgain(t *testing.T) {
	m := v1(t)
	b := record.Open(m)
	got, err := b.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := got.Channels[0]
	for i := range uint32(400) {
		c.Seen = append(c.Seen, model.Sighted{OutPoint: (&wire.OutPoint{Index: i}).String(), Place: "block", Raw: strings.Repeat("ab", 2000)})
	}
	if err := b.Write(t.Context(), model.Save{Channels: []model.Record{c}}); err != nil {
		t.Fatal(err)
	}
	again, err := record.Open(m).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if k := again.Channels[0]; len(k.Seen) != 1 || k.Close == nil || k.State != c.State {
		t.Errorf("%d sightings, %+v", len(k.Seen), k.Close)
	}
}

func TestAForgottenRecoveryLeavesNothing(t *testing.T) {
	m := v1(t)
	b := record.Open(m)
	got, err := b.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(t.Context(), model.Save{Run: got.Run, Channels: got.Channels, Cursor: &chain.Cursor{Height: 7}}); err != nil {
		t.Fatal(err)
	}
	err = b.Write(t.Context(), model.Save{Deleted: []channel.Key{got.Channels[0].Channel.Key}, DropRun: true})
	if err != nil || len(m.entries) > 0 {
		t.Errorf("%d entries, %v", len(m.entries), err)
	}
}
