package vlsstate

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

func TestEveryGenuineBackupIsWrittenWithTheSameBytes(t *testing.T) {
	for _, path := range genuine(t) {
		got, err := Encode(parsed(t, path))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if want := load(t, path); !bytes.Equal(got, want) {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			t.Errorf("%s: bytes differ from offset %d on", path, at)
		}
	}
}

func TestABackupInAnotherOrderIsWrittenInTheGenuineOne(t *testing.T) {
	path := filepath.Join(corpus, "srk-htlcs", "backup.json")
	text := string(load(t, path))
	// Move the first entry of an object behind the second, and drop all space.
	text = replaced(t, text, `"key_derivation_style": 1,`, ``, 0)
	text = replaced(t, text, `"network": "regtest"`, `"network":"regtest","key_derivation_style":1`, 0)
	text = strings.ReplaceAll(text, "\n", "\r\n\t")
	b, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Encode(b)
	if err != nil || !bytes.Equal(got, load(t, path)) {
		t.Errorf("not the genuine bytes (%v)", err)
	}
}

func TestTombstonesAreNotWritten(t *testing.T) {
	path := filepath.Join(corpus, "used-both-ways", "backup.json")
	b := parsed(t, path)
	b.Entries = append(b.Entries, Entry{Key: "z/1", Version: TombstoneVersion, Value: []byte("null")},
		Entry{Key: "z/2", Version: 3})
	got, err := Encode(b)
	if err != nil || !bytes.Equal(got, load(t, path)) {
		t.Errorf("a tombstone changed the bytes (%v)", err)
	}
}

func TestStringsAreEscapedAsSerdeDoes(t *testing.T) {
	in := `"\u0000\u001F\b\f\n\r\t\"\\\/\u007f\u00e9\ud83d\ude00\u2028<>&"`
	want := `"\u0000\u001f\b\f\n\r\t\"\\/` + "\x7f\u00e9\U0001F600\u2028" + `<>&"`
	got, exact, err := canonical([]byte(in))
	if err != nil || !exact || string(got) != want {
		t.Errorf("%s, want %s (%v, %v)", got, want, exact, err)
	}
}

func TestCanonicalForms(t *testing.T) {
	for _, c := range []struct {
		in, want string
		exact    bool
		err      error
	}{
		{` { "b" : 1 , "a" : [ ] } `, `{"a":[],"b":1}`, true, nil},
		{`{"b":{"d":1,"c":{}},"a":[{"z":1,"y":2}]}`, `{"a":[{"y":2,"z":1}],"b":{"c":{},"d":1}}`, true, nil},
		{`{"\u0061":1,"B":2}`, `{"B":2,"a":1}`, true, nil},
		{`[18446744073709551615,-9223372036854775808,0]`, `[18446744073709551615,-9223372036854775808,0]`, true, nil},
		{`18446744073709551616`, `18446744073709551616`, false, nil},
		{`-9223372036854775809`, `-9223372036854775809`, false, nil},
		{`[1.0,true,null]`, `[1.0,true,null]`, false, nil},
		{`1e3`, `1e3`, false, nil},
		{`-0`, `-0`, false, nil},
		{`{"a":1,"b":1,"a":2}`, ``, false, errSameName},
		{`{"a":1,"\u0061":2}`, ``, false, errSameName},
		{`{"x":{"a":1,"a":2}}`, ``, false, errSameName},
	} {
		got, exact, err := canonical([]byte(c.in))
		if !errors.Is(err, c.err) || err == nil && (string(got) != c.want || exact != c.exact) {
			t.Errorf("%s: %s %v %v, want %s %v %v", c.in, got, exact, err, c.want, c.exact, c.err)
		}
	}
}

func TestABackupWithoutItsFourFieldsIsNotWritten(t *testing.T) {
	key := parsed(t, filepath.Join(corpus, "stale", "backup.json")).NodeID
	at := time.Unix(1_800_000_000, 0)
	for name, b := range map[string]*Backup{
		"no time":              {NodeID: key},
		"no node":              {CreatedAt: at},
		"periodic without N":   {NodeID: key, CreatedAt: at, Strategy: Strategy{Kind: Periodic}},
		"never with N":         {NodeID: key, CreatedAt: at, Strategy: Strategy{Updates: 1}},
		"a strategy of nobody": {NodeID: key, CreatedAt: at, Strategy: Strategy{Kind: 9}},
	} {
		if _, err := Encode(b); failure.NameOf(err) != failure.InvalidParameter {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnEmptyStateIsWrittenAsTheSignerWritesIt(t *testing.T) {
	b := &Backup{
		NodeID:    parsed(t, filepath.Join(corpus, "stale", "backup.json")).NodeID,
		CreatedAt: time.Date(2026, 4, 29, 0, 0, 0, 0, time.UTC),
	}
	got, err := Encode(b)
	want := "{\n  \"version\": 1,\n  \"created_at\": \"2026-04-29T00:00:00Z\",\n  \"node_id\": \"" + b.NodeID.String() +
		"\",\n  \"strategy\": \"never\",\n  \"state\": {\n    \"values\": {}\n  }\n}\n"
	if err != nil || string(got) != want {
		t.Errorf("%s (%v)", got, err)
	}
}

// FuzzParse: never panics, and what was read re-reads equal after writing.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"fresh-outbound", "srk-htlcs", "inbound-used", "force-closed"} {
		f.Add(trimmed(f, name))
	}
	f.Add([]byte(`{"version":1,"created_at":"2026-04-29T00:00:00.5+01:00","node_id":"` + strings.Repeat("02", 33) +
		`","strategy":"never","state":{"values":{"nodes/x":[0,{"a":1.5,"\ud83d\ude00":[]}],"channels/":[18446744073709551615,null,[]]}}}`))
	f.Add([]byte("\xef\xbb\xbf{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Parse(data)
		if err != nil {
			var fail *failure.Error
			if b != nil || !asFailure(err, &fail) {
				t.Fatalf("%v with %v", err, b)
			}
			return
		}
		for _, p := range b.Problems {
			_ = p.Error()
		}
		// What the file says of neither, it does not say when it is written again.
		if b.CreatedAt.IsZero() {
			b.CreatedAt = time.Unix(1_800_000_000, 0).UTC()
		}
		if b.Strategy.Kind == UnknownStrategy {
			b.Strategy = Strategy{}
		}
		text, err := Encode(b)
		if failure.NameOf(err) == failure.BackupTooLarge {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if !reflect.DeepEqual(b.Entries.Live(), again.Entries) && len(again.Entries) > 0 {
			t.Fatal("entries differ after writing")
		}
		if !reflect.DeepEqual(byKey(b.Channels), byKey(again.Channels)) || !reflect.DeepEqual(b.Peers, again.Peers) ||
			!b.CreatedAt.Equal(again.CreatedAt) || b.Strategy != again.Strategy || b.NodeID != again.NodeID {
			t.Fatal("the backup differs after writing")
		}
		second, err := Encode(again)
		if err != nil || !bytes.Equal(text, second) {
			t.Fatalf("writing twice gives two texts (%v)", err)
		}
	})
}

// trimmed is a small file with the node, one peer and the last channel of a
// genuine backup: the fuzzer is slow on long inputs.
func trimmed(t testing.TB, name string) []byte {
	t.Helper()
	b := parsed(t, filepath.Join(corpus, name, "backup.json"))
	var keep Entries
	for _, kind := range []Kind{KindChannel, KindNode, KindPeer} {
		for i := len(b.Entries) - 1; i >= 0; i-- {
			if e := b.Entries[i]; e.Kind() == kind {
				e.Signature = nil
				keep = append(keep, e)
				break
			}
		}
	}
	b.Entries = keep
	text, err := Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		t.Fatal(err)
	}
	if again, err := Parse(out.Bytes()); err != nil || len(again.Channels) != 1 || len(again.Problems) != 0 {
		t.Fatalf("seed %s: %v %v", name, again, err)
	}
	return out.Bytes()
}

func byKey(list []*channel.Channel) map[channel.Key]channel.Channel {
	out := make(map[channel.Key]channel.Channel)
	for _, c := range list {
		out[c.Key] = *c
	}
	return out
}
