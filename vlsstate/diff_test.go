package vlsstate

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/glrecover/glrecover/failure"

	"github.com/glrecover/glrecover/testdata"
)

var someTime = time.Unix(1_800_000_000, 0).UTC()

func diffOf(t *testing.T, a, b *Backup) *Difference {
	t.Helper()
	d, err := Diff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func fieldsOf(d ChannelDiff) map[string][2]string {
	out := map[string][2]string{}
	for _, c := range d.Changes {
		out[c.Field] = [2]string{c.A, c.B}
	}
	return out
}

func TestABackupDoesNotDifferFromItself(t *testing.T) {
	for _, path := range genuine(t) {
		b := parsed(t, path)
		d := diffOf(t, b, parsed(t, path))
		if d.Order != Same || len(d.Channels)+len(d.Peers)+len(d.Other) != 0 {
			t.Errorf("%s: %+v", path, d)
		}
	}
}

func TestTheStateAfterTwentyPaymentsIsNewer(t *testing.T) {
	stale := parsed(t, filepath.Join(corpus, "stale", "backup.json"))
	after, err := Parse(testdata.Wrapped(t, load(t, filepath.Join(corpus, "stale", "signer_state_after.json"))))
	if err != nil {
		t.Fatal(err)
	}
	d := diffOf(t, stale, after)
	if d.Order != Newer || len(d.Channels) != 1 || d.Channels[0].Order != Newer {
		t.Fatalf("%+v", d)
	}
	fields := fieldsOf(d.Channels[0])
	c := after.Channels[0]
	if got := fields["last_known_share"]; got[0] != "1000000 sat at birth" || got[1] != share(c) || c.LastKnownShare().Sat == 0 {
		t.Errorf("share %v", got)
	}
	if got := fields["next_holder_commit_num"]; got[0] != "0" || got[1] == "0" || got[1] == "" {
		t.Errorf("numbers %v", got)
	}
	if _, ok := fields["setup"]; ok {
		t.Error("the setup did not change")
	}
	if back := diffOf(t, after, stale); back.Order != Older || back.Channels[0].Order != Older {
		t.Errorf("%+v", back)
	}
}

func TestAChannelThatClosedSaysSo(t *testing.T) {
	dir := filepath.Join(corpus, "closed-one")
	state, err := Parse(testdata.Wrapped(t, load(t, filepath.Join(dir, "signer_state.json"))))
	if err != nil {
		t.Fatal(err)
	}
	d := diffOf(t, parsed(t, filepath.Join(dir, "backup-before-burial.json")), state)
	if d.Order == Older || d.Order == Diverged {
		t.Errorf("order %s", d.Order)
	}
	for _, c := range d.Channels {
		if c.A != Present || c.B != Present || c.VersionA > c.VersionB {
			t.Errorf("%+v", c)
		}
	}
}

func TestWhatIsMissingIsOlder(t *testing.T) {
	whole := parsed(t, filepath.Join(corpus, "three-peers", "backup.json"))
	less := *whole
	less.Entries, less.Channels = nil, whole.Channels[1:]
	for _, e := range whole.Entries {
		if _, key, _ := parseChannelKey(e.Key[len("channels/"):]); e.Kind() != KindChannel || key != whole.Channels[0].Key {
			less.Entries = append(less.Entries, e)
		}
	}
	d := diffOf(t, &less, whole)
	if d.Order != Newer || len(d.Channels) != 1 || d.Channels[0].A != Absent || d.Channels[0].B != Present {
		t.Errorf("%+v", d)
	}
	if got := fieldsOf(d.Channels[0])["presence"]; got != [2]string{"absent", "channel"} {
		t.Errorf("presence %v", got)
	}
}

func TestVersionsAgainstNumbersAreDiverged(t *testing.T) {
	a := parsed(t, filepath.Join(corpus, "used-both-ways", "backup.json"))
	b := parsed(t, filepath.Join(corpus, "used-both-ways", "backup.json"))
	for i := range b.Entries {
		if b.Entries[i].Kind() == KindChannel {
			b.Entries[i].Version++
		}
	}
	b.Channels[0].State.NextHolderCommitNum--
	if d := diffOf(t, a, b); d.Order != Diverged || d.Channels[0].Order != Diverged {
		t.Errorf("%+v", d)
	}
}

func TestOneVersionWithTwoValuesIsDiverged(t *testing.T) {
	text := threePeers(t)
	a, errA := Parse([]byte(text))
	b, errB := Parse([]byte(replaced(t, text, `"channel_closed": false`, `"channel_closed": true`, 0)))
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	d := diffOf(t, a, b)
	if d.Order != Diverged || len(d.Channels) != 1 || fieldsOf(d.Channels[0])["closed"] != [2]string{"false", "true"} {
		t.Errorf("%+v", d)
	}
}

func TestAChangedPeerIsListed(t *testing.T) {
	text := threePeers(t)
	a, errA := Parse([]byte(text))
	b, errB := Parse([]byte(replaced(t, text, `"addr": "localhost:`, `"addr": "example.com:`, 0)))
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	d := diffOf(t, a, b)
	if len(d.Peers) != 1 || d.Peers[0].A.Addr == d.Peers[0].B.Addr || d.Peers[0].B.Direction != In || len(d.Channels) != 0 {
		t.Errorf("%+v", d)
	}
}

func TestTwoNodesAreNotCompared(t *testing.T) {
	a := parsed(t, filepath.Join(corpus, "stale", "backup.json"))
	b := parsed(t, filepath.Join(corpus, "three-peers", "backup.json"))
	if _, err := Diff(a, b); failure.NameOf(err) != failure.WrongNode {
		t.Error(err)
	}
}

func TestStableNames(t *testing.T) {
	for want, got := range map[string]interface{ String() string }{
		"diverged": Diverged, "newer": Newer, "older": Older, "same": Same,
		"absent": Absent, "deleted": Deleted, "unreadable": Unreadable, "opening": Opened, "channel": Present,
		"entry_lost": EntryLost, "state_lost": StateLost, "field_lost": FieldLost, "noted": Noted,
		"backup": FromBackup, "dump": FromDump, "merge": FromMerge,
		"never": Strategy{}, "new_channels_only": Strategy{Kind: NewChannelsOnly}, "periodic:4": Strategy{Kind: Periodic, Updates: 4},
	} {
		if got.String() != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
