package vlsstate

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"iter"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/glrecover/glrecover/failure"
)

func utf16Text(text []byte, order binary.AppendByteOrder, bom bool) []byte {
	var out []byte
	units := utf16.Encode([]rune(string(text)))
	if bom {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		out = order.AppendUint16(out, u)
	}
	return out
}

// chunks are the parts of a text, n bytes each.
func chunks(s string, n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			part := s[:min(n, len(s))]
			if s = s[len(part):]; !yield(part) {
				return
			}
		}
	}
}

func utf32Text(text []byte, order binary.AppendByteOrder, withMark bool) []byte {
	var out []byte
	if withMark {
		out = order.AppendUint32(out, 0xfeff)
	}
	for _, r := range string(text) {
		out = order.AppendUint32(out, uint32(r))
	}
	return out
}

// What is wrapped comes out whole.
func TestAWrappedBackupIsSavedWhole(t *testing.T) {
	path := filepath.Join(corpus, "three-peers", "backup.json")
	text := load(t, path)
	want := parsed(t, path)
	quoted, err := json.Marshal(string(text))
	if err != nil {
		t.Fatal(err)
	}
	twice, err := json.Marshal(string(quoted))
	if err != nil {
		t.Fatal(err)
	}
	inObject, err := json.Marshal(map[string]string{"file": string(text)})
	if err != nil {
		t.Fatal(err)
	}
	for name, wrapped := range map[string][]byte{
		"as it is":              text,
		"UTF-16":                utf16Text(text, binary.LittleEndian, true),
		"UTF-16 big endian":     utf16Text(text, binary.BigEndian, true),
		"UTF-16 without mark":   utf16Text(text, binary.LittleEndian, false),
		"UTF-32":                utf32Text(text, binary.LittleEndian, true),
		"UTF-32 big endian":     utf32Text(text, binary.BigEndian, true),
		"UTF-32 without mark":   utf32Text(text, binary.LittleEndian, false),
		"UTF-32, neither":       utf32Text(text, binary.BigEndian, false),
		"base64":                []byte(base64.StdEncoding.EncodeToString(text)),
		"base64 in lines":       []byte(strings.Join(slices.Collect(chunks(base64.URLEncoding.EncodeToString(text), 76)), "\n") + "\n"),
		"a mark":                append([]byte(mark), text...),
		"zeros at the end":      append(bytes.Clone(text), make([]byte, 4096)...),
		"a fence":               []byte("Here it is:\n```json\n" + string(text) + "```\nbye\n"),
		"a JSON string":         quoted,
		"in another object":     inObject,
		"quoted twice":          twice,
		"a mail that quotes it": []byte("Hello,\n> " + strings.ReplaceAll(string(text), "\n", "\n> ")),
		"a word processor's":    []byte(strings.NewReplacer(`"`, "\u201c", " ", "\u00a0").Replace(string(text))),
		"a line of a log":       []byte("2026-11-25 INFO backup: " + string(text) + "\n2026-11-25 INFO done\n"),
		"a hole before it":      append(make([]byte, 4096), text...),
		"twice":                 append(bytes.Clone(text), text...),
		"the last brace is cut": bytes.TrimRight(text, "\n}"),
		"a JSON string, cut":    quoted[:len(quoted)-6],
	} {
		s, err := Salvage(wrapped, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(s.Lost) != 0 || s.Truncated || !reflect.DeepEqual(s.Entries, want.Entries) || !reflect.DeepEqual(byKey(s.Channels), byKey(want.Channels)) ||
			!s.CreatedAt.Equal(want.CreatedAt) || s.Strategy != want.Strategy || s.NodeID != want.NodeID {
			t.Errorf("%s: %s; gone %v, problems %v", name, s.Summary(), s.Lost, s.Problems)
		}
		if name == "as it is" || name == "a mark" || name == "twice" {
			continue
		}
		// Reading it as a backup names the command.
		if _, err := ReadAny(bytes.NewReader(wrapped)); failure.NameOf(err) != failure.NotABackup || !strings.Contains(err.Error(), "--salvage") {
			t.Errorf("%s: the command is not named: %v", name, err)
		}
	}
}

// A cut-off file keeps every entry before the cut.
func TestACutOffFileKeepsWhatIsBeforeTheCut(t *testing.T) {
	path := filepath.Join(corpus, "three-peers", "backup.json")
	text := load(t, path)
	want := parsed(t, path)
	last := -1
	for at := 0; at < len(text); at += 97 {
		s, err := Salvage(text[:at], nil)
		if err != nil {
			if failure.NameOf(err) != failure.NotABackup || last > 0 {
				t.Fatalf("at %d: %v", at, err)
			}
			continue
		}
		if s.Saved < last {
			t.Fatalf("at %d: %d entries, %d before", at, s.Saved, last)
		}
		last = s.Saved
		for i := range s.Entries {
			if !s.Entries[i].same(want.Entries.Get(s.Entries[i].Key)) {
				t.Fatalf("at %d: another value of %s", at, s.Entries[i].Key)
			}
		}
	}
	if last < len(want.Entries)-1 {
		t.Errorf("%d of %d entries", last, len(want.Entries))
	}
}

// allKeys are the places of a text's keys.
func allKeys(text []byte) (out [][2]int) {
	for at := 0; ; {
		from, to, _, ok := nextKey(text[at:])
		if !ok {
			return out
		}
		out = append(out, [2]int{at + from, at + to})
		at += to
	}
}

// A text that ends between two entries, or in the next one's key, is cut off too.
func TestACutBetweenEntriesIsSeen(t *testing.T) {
	text := load(t, filepath.Join(corpus, "three-peers", "backup.json"))
	for _, key := range allKeys(text)[1:] {
		for at := key[0] - 6; at < key[1]; at += 5 {
			s, err := Salvage(text[:at], nil)
			if err == nil && (!s.Truncated || strings.Contains(s.Summary(), "nothing seems to be missing")) {
				t.Errorf("cut at %q: %s", text[max(0, at-10):at], s.Summary())
			}
		}
	}
}

// An entry whose key nobody can read is gone, and said to be.
func TestAnEntryWithoutItsKeyIsSaidToBeGone(t *testing.T) {
	path := filepath.Join(corpus, "three-peers", "backup.json")
	text := load(t, path)
	for _, key := range allKeys(text) {
		for _, at := range []int{key[0], key[0] + 3, key[0] + 20, key[1] - 2} {
			broken := bytes.Clone(text)
			broken[at] ^= 0x10
			s, err := Salvage(broken, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Lost) == 0 && s.Saved < len(parsed(t, path).Entries) {
				t.Errorf("byte %d of %q: %s", at-key[0], text[key[0]:key[0]+20], s.Summary())
			}
		}
	}
}

// A flipped bit costs the entry that it is in, at most, and with the secret no
// changed entry passes for a whole one.
func TestAFlippedBitCostsOneEntryAtMost(t *testing.T) {
	path := filepath.Join(corpus, "three-peers", "backup.json")
	text := load(t, path)
	want := parsed(t, path)
	// In place of the signature: whether the entry is what the signer wrote.
	holds := func(e *Entry) bool { return e.same(want.Entries.Get(e.Key)) && !e.BadSignature }
	step := 211
	for at := 0; at < len(text); at += step {
		for bit := range 8 {
			broken := bytes.Clone(text)
			broken[at] ^= 1 << bit
			s, err := Salvage(broken, holds)
			if err != nil {
				t.Fatalf("byte %d bit %d: %v", at, bit, err)
			}
			if s.NodeID != want.NodeID || len(s.Entries) < len(want.Entries)-1 || len(s.Channels) < len(want.Channels)-1 {
				t.Fatalf("byte %d bit %d: %s; %v", at, bit, s.Summary(), s.Lost)
			}
			for i := range s.Entries {
				if !holds(&s.Entries[i]) {
					t.Fatalf("byte %d bit %d: %s is not what it was", at, bit, s.Entries[i].Key)
				}
			}
		}
	}
}

func TestWhatHoldsNoEntryIsNotSaved(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":         "",
		"words":           "abandon abandon abandon",
		"an envelope":     `{"version":1,"created_at":"2026-11-24T23:53:13Z","node_id":"02","strategy":"never","state":{"values":{}}}`,
		"no whole entry":  `"channels/00": [1, {`,
		"no node's entry": `"peers/00": [1, {}]`,
	} {
		if s, err := Salvage([]byte(text), nil); failure.NameOf(err) != failure.NotABackup {
			t.Errorf("%s: %v %v", name, s, err)
		}
	}
}

// FuzzSalvage: never panics, and what is saved can be written and read again.
func FuzzSalvage(f *testing.F) {
	small := trimmed(f, "inbound-used")
	f.Add(small)
	f.Add(small[:len(small)*2/3])
	f.Add(utf16Text(small, binary.LittleEndian, true))
	f.Add(utf16Text(small, binary.BigEndian, false))
	quoted, _ := json.Marshal(string(small))
	f.Add(quoted)
	f.Add([]byte("```\n\"nodes/" + strings.Repeat("02", 33) + "\": [0, {}]\n\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Salvage(data, nil)
		if err != nil {
			var fail *failure.Error
			if !asFailure(err, &fail) {
				t.Fatal(err)
			}
			return
		}
		_ = s.Summary()
		if s.CreatedAt.IsZero() {
			return
		}
		text, err := Encode(s.Backup)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("what was saved is not read: %v", err)
		}
		if !reflect.DeepEqual(s.Entries.Live(), again.Entries) && len(again.Entries) > 0 {
			t.Fatal("entries differ after writing")
		}
	})
}
