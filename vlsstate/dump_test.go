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

	"github.com/glrecover/glrecover/testdata"
)

// dumpText is what vlsd --dump-storage would print of a genuine state: the
// keys of a vlsd store, and values whose members are in another order, since
// vlsd prints them in the order of its structures.
func dumpText(t testing.TB, b *Backup) string {
	t.Helper()
	var out strings.Builder
	node := b.NodeID.String()
	for _, e := range b.Entries {
		kind, rest := splitKey(e.Key)
		value := backwards(t, e.Value)
		var key string
		switch kind {
		case KindChannel:
			key = "channel/" + node + "/" + strings.TrimPrefix(rest, node)
		case KindNode:
			key = "node/entry/" + rest
		case KindNodeState:
			key = "node/state/" + rest
		case KindTracker:
			key = "node/tracker/" + rest
		case KindAllowlist:
			key, value = "node/allowlist/"+rest, `{"allowlist":`+value+`}`
		default:
			continue
		}
		if e.Tombstone() {
			value = ""
		}
		fmt.Fprintf(&out, "%s = %s @ %d\n", key, value, e.Version)
	}
	return out.String()
}

// backwards writes a value with the members of every object in reverse order.
func backwards(t testing.TB, raw []byte) string {
	t.Helper()
	n := decodeText(raw)
	var parts []string
	switch raw[0] {
	case '{':
		for _, m := range n.object().members {
			parts = append(parts, string(n.d.x.raw(m.at-1))+":"+backwards(t, n.d.x.raw(m.at)))
		}
		slices.Reverse(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case '[':
		for _, e := range n.array(maxList) {
			parts = append(parts, backwards(t, e.raw()))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return string(raw)
}

func TestADumpOfAGenuineStateGivesTheSameChannels(t *testing.T) {
	for _, path := range genuine(t) {
		want := parsed(t, path)
		got, err := ParseAny([]byte(dumpText(t, want)))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(got.Problems) != 0 || got.Source != FromDump || !got.CreatedAt.IsZero() || len(got.Peers) != 0 {
			t.Errorf("%s: problems %v, source %s, created %v, %d peers", path, got.Problems, got.Source, got.CreatedAt, len(got.Peers))
		}
		if !reflect.DeepEqual(got.Channels, want.Channels) || got.NodeID != want.NodeID || got.Network != want.Network ||
			!reflect.DeepEqual(got.Heights, want.Heights) {
			t.Errorf("%s: other channels", path)
		}
		for _, e := range want.Entries {
			if e.Kind() == KindPeer {
				continue
			}
			if d := got.Entries.Get(e.Key); d == nil || d.Version != e.Version || !bytes.Equal(d.Value, e.Value) || d.Signature != nil {
				t.Errorf("%s: %s entry differs", path, e.Kind())
			}
		}
	}
}

func TestADumpBetweenLogLinesIsReadAndTheLinesAreCounted(t *testing.T) {
	want := parsed(t, filepath.Join(corpus, "srk-htlcs", "backup.json"))
	text := "2026-11-24T23:53:13Z  INFO vlsd: starting = now\n" +
		strings.ReplaceAll(dumpText(t, want), "\n", "\r\n") + "\x1b[2mbye\x1b[0m\n\n"
	got, err := ParseAny([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Channels, want.Channels) || len(got.Problems) != 1 ||
		got.Problems[0].Effect != Noted || !strings.Contains(got.Problems[0].Error(), "the input: 2 lines of the dump are not entries") {
		t.Errorf("problems %v", got.Problems)
	}
}

func TestAnAtSignAndAnEqualsSignInAValueDoNotSplitTheLine(t *testing.T) {
	key, value, version, ok := dumpLine([]byte(`node/allowlist/02aa = {"allowlist":["a = b @ 7"]} @ 3`))
	if !ok || key != "allowlists/02aa" || string(value) != `{"allowlist":["a = b @ 7"]}` || string(version) != "3" {
		t.Errorf("%q %q %q %v", key, value, version, ok)
	}
}

func TestBadLinesOfADumpAreNamed(t *testing.T) {
	b := parsed(t, filepath.Join(corpus, "three-peers", "backup.json"))
	good := dumpText(t, b)
	lines := strings.SplitAfter(good, "\n")
	first := -1
	for i, l := range lines {
		if strings.HasPrefix(l, "channel/") && first < 0 {
			first = i
		}
	}
	for _, c := range []struct {
		name   string
		mangle func(line string) string
		reason string
	}{
		{"cut off", func(l string) string { return l[:len(l)/2] + "\n" }, "version"},
		{"no JSON", func(l string) string { return strings.Replace(l, "{", "{{", 1) }, "not JSON"},
		{"a version of words", func(l string) string { return strings.TrimRight(l, "0123456789\n") + "x\n" }, "unsigned"},
		{"a name twice", func(l string) string { return strings.Replace(l, " = {", ` = {"id":null,`, 1) }, "twice"},
		{"a point off the curve", func(l string) string { return strings.Replace(l, `"payment_point":"0`, `"payment_point":"1`, 1) }, "not a point"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := append([]string{}, lines...)
			bad[first] = c.mangle(bad[first])
			got, err := ParseAny([]byte(strings.Join(bad, "")))
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Channels) != 4 || len(got.Problems) != 1 {
				t.Fatalf("%d channels, problems %v", len(got.Channels), got.Problems)
			}
			if p := got.Problems[0]; p.Effect != EntryLost || p.Channel == nil || !strings.Contains(p.Reason, c.reason) || p.Position != first+1 {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestADeletedChannelOfADumpIsDeletedUntilALaterVersion(t *testing.T) {
	b := parsed(t, filepath.Join(corpus, "used-both-ways", "backup.json"))
	text := dumpText(t, b)
	node, peer := b.NodeID.String(), b.Channels[0].Peer.String()
	deleted := fmt.Sprintf("channel/%s/%s0100000000000000 =  @ ", node, peer)
	got, err := ParseAny([]byte(text + deleted + "100000\n"))
	if err != nil || len(got.Channels) != 0 || len(got.Problems) != 1 ||
		got.Problems[0].Reason != deletedReason || got.Problems[0].Effect != Noted {
		t.Fatalf("%v: %d channels, problems %v", err, len(got.Channels), got.Problems)
	}
	if got, err = ParseAny([]byte(deleted + "1\n" + text)); err != nil || len(got.Channels) != 1 || len(got.Problems) != 0 {
		t.Fatalf("%v: %d channels, problems %v", err, len(got.Channels), got.Problems)
	}
}

func TestADumpOfTwoNodesIsRefused(t *testing.T) {
	a := parsed(t, filepath.Join(corpus, "used-both-ways", "backup.json"))
	b := parsed(t, filepath.Join(corpus, "stale", "backup.json"))
	if _, err := ParseAny([]byte(dumpText(t, a) + dumpText(t, b))); failure.NameOf(err) != failure.NotABackup || !strings.Contains(err.Error(), "exactly one node") {
		t.Error(err)
	}
}

func TestADumpWithoutTheNodesEntryTakesTheNodeOfItsChannels(t *testing.T) {
	want := parsed(t, filepath.Join(corpus, "closed-one", "backup.json"))
	var channels []string
	for _, l := range strings.SplitAfter(dumpText(t, want), "\n") {
		if strings.HasPrefix(l, "channel/") {
			channels = append(channels, l)
		}
	}
	got, err := ParseAny([]byte(strings.Join(channels, "")))
	if err != nil || got.NodeID != want.NodeID || !reflect.DeepEqual(got.Channels, want.Channels) {
		t.Fatal(err)
	}
	if got.Network != "" || len(got.Problems) != 1 || got.Problems[0].Kind != KindNode || got.Problems[0].Position != 0 {
		t.Errorf("network %q, problems %v", got.Network, got.Problems)
	}
}

func TestAStreamOfBackupsAndDumpsIsMerged(t *testing.T) {
	dir := filepath.Join(corpus, "closed-one")
	before := string(load(t, filepath.Join(dir, "backup-before-burial.json")))
	after := string(load(t, filepath.Join(dir, "backup.json")))
	want := parsed(t, filepath.Join(dir, "backup.json"))
	for name, text := range map[string]string{
		"two backups":         before + after,
		"the other way round": after + before,
		"backup and dump":     before + dumpText(t, want),
		"dump and backup":     dumpText(t, want) + before,
		"one line each":       oneLine(t, before) + "\n" + oneLine(t, after),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadAny(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(byKey(got.Channels), byKey(want.Channels)) || got.Source != FromMerge || len(got.Problems) != 0 {
				t.Errorf("source %s, problems %v", got.Source, got.Problems)
			}
			if len(got.Peers) != len(want.Peers) || got.CreatedAt.IsZero() || got.Strategy != want.Strategy {
				t.Errorf("%d peers, created %v, strategy %s", len(got.Peers), got.CreatedAt, got.Strategy)
			}
		})
	}
	if _, err := ParseAny([]byte(before + after[:len(after)/2])); failure.NameOf(err) != failure.NotABackup {
		t.Errorf("a stream that breaks off: %v", err)
	}
	if _, err := ParseAny([]byte(before + "between\n" + after)); failure.NameOf(err) != failure.NotABackup {
		t.Errorf("text between: %v", err)
	}
	if _, err := ParseAny([]byte(before + `{"version":2}`)); failure.NameOf(err) != failure.UnsupportedVersion || !strings.Contains(err.Error(), "backup 2 of the stream") {
		t.Errorf("a later version in the stream: %v", err)
	}
}

func oneLine(t *testing.T, text string) string {
	t.Helper()
	out, _, err := canonical([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestOneBackupInGivesTheSameBytesOut(t *testing.T) {
	for _, path := range genuine(t) {
		b, err := ReadAnyFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Encode(b)
		if err != nil || !bytes.Equal(got, load(t, path)) {
			t.Errorf("%s: other bytes (%v)", path, err)
		}
	}
}

func TestTheNewestStateOfEachChannelSurvivesAMerge(t *testing.T) {
	stale := parsed(t, filepath.Join(corpus, "stale", "backup.json"))
	after, err := Parse(testdata.Wrapped(t, load(t, filepath.Join(corpus, "stale", "signer_state_after.json"))))
	if err != nil {
		t.Fatal(err)
	}
	for _, inputs := range [][]*Backup{{stale, after}, {after, stale}} {
		got, err := Merge(inputs...)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Channels, after.Channels) || !got.CreatedAt.Equal(stale.CreatedAt) {
			t.Errorf("not the newer state, or created %v", got.CreatedAt)
		}
	}
}

func TestMergeRules(t *testing.T) {
	v := func(version uint64, value string) Entry { return ch("a", version, value) }
	for _, c := range []struct {
		name     string
		old, new Entry
		want     Entry
		outcome  outcome
	}{
		{"newer", v(1, ready), v(2, ready), v(2, ready), taken},
		{"older", v(2, ready), v(1, stub), v(2, ready), ignored},
		{"same", v(2, ready), v(2, ready), v(2, ready), ignored},
		{"same version, other value", v(2, ready), v(2, stub), v(2, ready), conflict},
		{"a signature comes", v(2, ready), signed(v(2, ready), 1), signed(v(2, ready), 1), ignored},
		{"a signature stays", signed(v(2, ready), 1), v(2, ready), signed(v(2, ready), 1), ignored},
		{"a tombstone wins", v(9, ready), gone("a"), gone("a"), taken},
		{"and stays", gone("a"), v(9, ready), gone("a"), ignored},
		{"a vlsd deletion by its version", v(2, ready), v(3, ""), v(3, ""), taken},
		{"and back", v(3, ""), v(4, ready), v(4, ready), taken},
		{"a vlsd deletion that is older", v(4, ready), v(3, ""), v(4, ready), ignored},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMerger()
			if got := m.add(located{Entry: c.old}); got != taken {
				t.Fatal(got)
			}
			if got := m.add(located{Entry: c.new}); got != c.outcome {
				t.Errorf("outcome %d, want %d", got, c.outcome)
			}
			if len(m.list) != 1 || !reflect.DeepEqual(m.list[0].Entry, c.want) {
				t.Errorf("%+v, want %+v", m.list[0].Entry, c.want)
			}
		})
	}
}

func TestAMergeTakesAGoodSignatureForABrokenOne(t *testing.T) {
	path := filepath.Join(corpus, "fresh-outbound", "backup.json")
	good, broken := parsed(t, path), parsed(t, path)
	for i := range broken.Entries {
		broken.Entries[i].Signature, broken.Entries[i].BadSignature = nil, true
	}
	b, err := Merge(broken, good)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range b.Entries {
		if e.BadSignature || string(e.Signature) != string(good.Entries.Get(e.Key).Signature) {
			t.Errorf("%s: broken %v, %d bytes", e.Kind(), e.BadSignature, len(e.Signature))
		}
	}
}

func TestAMergeTellsConflictsAndKeepsComplaints(t *testing.T) {
	text := threePeers(t)
	one, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	forked, err := Parse([]byte(replaced(t, text, `"channel_closed": false`, `"channel_closed": true`, 0)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Merge(one, forked)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Problems) != 1 || got.Problems[0].Channel == nil || got.Problems[0].Effect != Noted || got.Channels[0].State.Closed {
		t.Errorf("problems %v", got.Problems)
	}

	// An entry that is cut off in one input and missing in the other.
	broken, err := Parse([]byte(replaced(t, text, `"values": {`, `"values": {"peers/x": [1],`, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err = Merge(broken, one); err != nil || len(got.Problems) != 1 || got.Problems[0].Kind != KindPeer {
		t.Errorf("problems %v (%v)", got.Problems, err)
	}

	other := parsed(t, filepath.Join(corpus, "stale", "backup.json"))
	if _, err := Merge(one, other); failure.NameOf(err) != failure.WrongNode {
		t.Errorf("two nodes: %v", err)
	}
	if _, err := Merge(); failure.NameOf(err) != failure.InvalidParameter {
		t.Errorf("nothing: %v", err)
	}
}

func FuzzParseAny(f *testing.F) {
	for _, name := range []string{"fresh-outbound", "srk-htlcs"} {
		seed := trimmed(f, name)
		b, err := Parse(seed)
		if err != nil {
			f.Fatal(err)
		}
		dump := dumpText(f, b)
		f.Add(seed)
		f.Add([]byte(dump))
		f.Add([]byte("log line\n" + dump + string(seed) + "\n" + dump))
	}
	f.Add([]byte("channel/02aa/03bb =  @ 7\nnode/entry/02 = {} @ 18446744073709551615\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ParseAny(data)
		if err != nil {
			var fail *failure.Error
			if b != nil || !asFailure(err, &fail) {
				t.Fatalf("%v with %v", err, b)
			}
			return
		}
		if b.CreatedAt.IsZero() {
			b.CreatedAt = someTime
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
		if !reflect.DeepEqual(byKey(b.Channels), byKey(again.Channels)) {
			t.Fatal("channels differ after writing")
		}
		d, err := Diff(b, again)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range d.Channels {
			if c.B != Absent || c.A != Deleted {
				t.Fatalf("differs from itself: %+v", c)
			}
		}
	})
}
