package vlsstate

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/failure"
)

// usedChannel is the corpus backup of one used channel, and the place of its
// channel's entry.
func usedChannel(t *testing.T) (b *Backup, at int) {
	t.Helper()
	b = parsed(t, filepath.Join(corpus, "used-both-ways", "backup.json"))
	return b, slices.IndexFunc(b.Entries, func(e Entry) bool { return e.recoverable() })
}

// with is a state like b, read again, with another version and value of one
// entry.
func with(t *testing.T, b *Backup, at int, version uint64, old, repl string) *Backup {
	t.Helper()
	changed := *b
	changed.Entries = slices.Clone(b.Entries)
	e := &changed.Entries[at]
	e.Version = version
	e.Value = []byte(replaced(t, string(e.Value), old, repl, 0))
	return encoded(t, &changed)
}

func encoded(t *testing.T, b *Backup) *Backup {
	t.Helper()
	raw, err := Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestADamagedCopyCostsNoChannelOfWhichAWholeOneIsAtHand(t *testing.T) {
	whole, at := usedChannel(t)
	version := whole.Entries[at].Version
	for _, c := range []struct {
		name, old, repl string
		effect          Effect
	}{
		{"its setup", `"revocation_basepoint":"0`, `"revocation_basepoint":"f`, EntryLost},
		{"its state", `"enforcement_state":{`, `"enforcement_state":0,"x":{`, StateLost},
	} {
		damaged := with(t, whole, at, version+1, c.old, c.repl)
		if len(damaged.Problems) != 1 || damaged.Problems[0].Effect != c.effect {
			t.Fatalf("%s: %v", c.name, damaged.Problems)
		}
		older := with(t, whole, at, version-1, `"channel_closed":false`, `"channel_closed":true`)
		for _, inputs := range [][]*Backup{{whole, damaged, older}, {older, damaged, whole}, {damaged, older, whole}} {
			got, err := Merge(inputs...)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Channels, whole.Channels) || !got.Entries[at].same(&whole.Entries[at]) {
				t.Errorf("%s: not the newest whole state", c.name)
			}
			marked := func(b *Backup) bool {
				return len(b.Problems) == 1 && b.Problems[0].Reason == olderReason && b.Problems[0].Effect == OlderTaken && b.Problems[0].Channel != nil
			}
			if !marked(got) {
				t.Errorf("%s: problems %v", c.name, got.Problems)
			}
			// A merge of the merge still says so, and so does what is written.
			if again, err := Merge(older, got); err != nil || !marked(again) {
				t.Errorf("%s: merged again: problems %v (%v)", c.name, again.Problems, err)
			}
			raw, err := Encode(got)
			if err != nil {
				t.Fatal(err)
			}
			written, err := Parse(raw)
			if err != nil || !marked(written) || !reflect.DeepEqual(written.Channels, whole.Channels) {
				t.Errorf("%s: written: problems %v (%v)", c.name, written.Problems, err)
			}
			// A whole entry of that version or a later one takes the mark away.
			mended, err := Merge(written, with(t, whole, at, version+1, `"channel_closed":false`, `"channel_closed":false`))
			if err != nil || len(mended.Problems) != 0 || mended.Entries.Get(markKey(strings.TrimPrefix(whole.Entries[at].Key, "channels/"))) != nil {
				t.Errorf("%s: mended: problems %v (%v)", c.name, mended.Problems, err)
			}
		}
		// Without a whole one the damaged one stays, with its complaint.
		got, err := Merge(damaged, damaged)
		if err != nil || len(got.Problems) != 1 || got.Problems[0].Effect != c.effect || got.Entries[at].Version != version+1 {
			t.Errorf("%s: alone: problems %v (%v)", c.name, got.Problems, err)
		}
	}
}

func TestADamagedLineOfADumpGivesWayToAnOlderOne(t *testing.T) {
	whole, at := usedChannel(t)
	damaged := with(t, whole, at, whole.Entries[at].Version+1, `"is_outbound":true`, `"is_outbound":1`)
	got, err := ParseAny([]byte(dumpText(t, damaged) + dumpText(t, whole)))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Channels) != 1 || len(got.Problems) != 1 || got.Problems[0].Effect != OlderTaken || got.Problems[0].Position == 0 {
		t.Errorf("%d channels, problems %v", len(got.Channels), got.Problems)
	}
}

func TestVersionsThatContradictTheNumbersAreAComplaint(t *testing.T) {
	whole, at := usedChannel(t)
	back := with(t, whole, at, whole.Entries[at].Version+1, `"next_holder_commit_num":27`, `"next_holder_commit_num":26`)
	for _, inputs := range [][]*Backup{{whole, back}, {back, whole}} {
		got, err := Merge(inputs...)
		if err != nil || len(got.Problems) != 1 || got.Problems[0].Reason != resetReason || got.Problems[0].Effect != OlderTaken {
			t.Errorf("problems %v (%v)", got.Problems, err)
		}
	}
}

func TestAChannelThatAnInputDeletesIsNamed(t *testing.T) {
	whole, at := usedChannel(t)
	deleted := *whole
	deleted.Entries = slices.Clone(whole.Entries)
	deleted.Entries[at] = Entry{Key: whole.Entries[at].Key, Version: TombstoneVersion, Value: []byte("null")}
	got, err := Merge(whole, &deleted)
	if err != nil || len(got.Channels) != 0 || len(got.Problems) != 1 || got.Problems[0].Channel == nil || got.Problems[0].Reason != deletedReason {
		t.Errorf("problems %v (%v)", got.Problems, err)
	}
}

func TestAStreamOfCrumbsIsRefused(t *testing.T) {
	for name, text := range map[string][]byte{
		"objects": bytes.Repeat([]byte("{}"), maxBackups+2),
		"lines":   bytes.Repeat([]byte("channel/ = \n"), maxLines+2),
	} {
		if _, err := ParseAny(text); failure.NameOf(err) != failure.BackupTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What has so many parts all the same is read.
	whole, _ := usedChannel(t)
	var text strings.Builder
	text.WriteString(dumpText(t, whole))
	for i := strings.Count(text.String(), "\n"); i < maxLines; i++ {
		fmt.Fprintf(&text, "channel/%x = 1 @ 1\n", i)
	}
	if got, err := ParseAny([]byte(text.String())); err != nil || len(got.Channels) != 1 {
		t.Errorf("the most lines: %v", err)
	}
}

func TestWhatIsWrittenMustNotLoseWhatIsThere(t *testing.T) {
	whole, at := usedChannel(t)
	version := whole.Entries[at].Version
	vlsdDeleted := *whole
	vlsdDeleted.Entries = slices.Clone(whole.Entries)
	vlsdDeleted.Entries[at] = Entry{Key: whole.Entries[at].Key, Version: version - 1}
	for _, c := range []struct {
		name string
		next *Backup
	}{
		{"a newer version that is damaged", with(t, whole, at, version+1, `"is_outbound":true`, `"is_outbound":1`)},
		{"a newer version whose state is damaged", with(t, whole, at, version+1, `"channel_closed":false`, `"channel_closed":0`)},
		{"another value of the same version", with(t, whole, at, version, `"channel_closed":false`, `"channel_closed":true`)},
		{"a newer version with older numbers", with(t, whole, at, version+1, `"next_holder_commit_num":27`, `"next_holder_commit_num":26`)},
		{"a deletion from before", &vlsdDeleted},
	} {
		path := filepath.Join(t.TempDir(), "backup.json")
		if err := WriteFile(path, whole, WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		before := load(t, path)
		if err := WriteFile(path, c.next, WriteOptions{}); failure.NameOf(err) != failure.OlderState {
			t.Errorf("%s: %v", c.name, err)
		}
		if !bytes.Equal(load(t, path), before) {
			t.Errorf("%s: the file was replaced", c.name)
		}
		if err := WriteFile(path, c.next, WriteOptions{ReplaceNewer: true}); err != nil {
			t.Errorf("%s, asked for: %v", c.name, err)
		}
	}
	// A damaged file is mended, also by an older version.
	path := filepath.Join(t.TempDir(), "backup.json")
	if err := WriteFile(path, with(t, whole, at, version+1, `"is_outbound":true`, `"is_outbound":1`), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, whole, WriteOptions{}); err != nil {
		t.Errorf("a whole state over a damaged one: %v", err)
	}
}

func TestAByteOrderMarkAndOtherLineEndsAreAccepted(t *testing.T) {
	text := load(t, filepath.Join(corpus, "used-both-ways", "backup.json"))
	want := parsed(t, filepath.Join(corpus, "used-both-ways", "backup.json"))
	for name, changed := range map[string][]byte{
		"a mark":          append([]byte(mark), text...),
		"a mark in a row": slices.Concat([]byte(mark), text, []byte(mark), text),
		"CR LF":           bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")),
		"CR":              bytes.ReplaceAll(text, []byte("\n"), []byte("\r")),
	} {
		got, err := ParseAny(changed)
		if err != nil || len(got.Problems) != 0 || !reflect.DeepEqual(got.Channels, want.Channels) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
