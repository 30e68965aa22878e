package rescue

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

func openJournal(t *testing.T, dir string) *Journal {
	t.Helper()
	j, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func values(t *testing.T, j *Journal, key ...string) map[string]string {
	t.Helper()
	list, err := j.Records(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range list {
		out[strings.Join(r.Key, "/")] = r.Value
	}
	return out
}

// TestAJournalKeepsWhatItIsGiven, like lightningd's datastore: an entry and those
// right below it, replaced and deleted, and there again for the next program.
func TestAJournalKeepsWhatItIsGiven(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "journal")
	j := openJournal(t, dir)
	save := func(value string, key ...string) {
		if err := j.SaveRecord(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	save("1", "glrecover", "run")
	save("2", "glrecover", "channel", "02ab-1")
	save("3", "glrecover", "channel", "02ab-2")
	save("4", "glrecover", "channel", "02ab-1")
	if err := os.WriteFile(filepath.Join(dir, "glrecover", unfinished+"12"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := j.DeleteRecord(t.Context(), []string{"glrecover", "channel", "02ab-2"}); err != nil {
		t.Fatal(err)
	}
	if err := j.DeleteRecord(t.Context(), []string{"glrecover", "channel", "02ab-2"}); err != nil {
		t.Error("what is gone cannot be deleted again:", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openJournal(t, dir)
	if got := values(t, j, "glrecover"); len(got) != 1 || got["glrecover/run"] != "1" {
		t.Errorf("below glrecover: %v", got)
	}
	if got := values(t, j, "glrecover", "channel"); len(got) != 1 || got["glrecover/channel/02ab-1"] != "4" {
		t.Errorf("below channel: %v", got)
	}
	if got := values(t, j, "glrecover", "run"); len(got) != 1 {
		t.Errorf("run: %v", got)
	}
	if got := values(t, j, "nothing"); len(got) != 0 {
		t.Errorf("nothing: %v", got)
	}
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if info, err := d.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
}

func TestNoNameLeavesTheJournal(t *testing.T) {
	j := openJournal(t, t.TempDir()+"/j")
	for _, key := range [][]string{nil, {""}, {".."}, {"a", "../b"}, {"a/b"}, {`a\b`}, {".hidden"}} {
		if err := j.SaveRecord(t.Context(), key, "x"); err == nil {
			t.Errorf("%q was taken", key)
		}
		if _, err := j.Records(t.Context(), key); err == nil {
			t.Errorf("%q was read", key)
		}
	}
}

func TestOneProgramAtATimeHasAJournal(t *testing.T) {
	dir := t.TempDir() + "/j"
	j := openJournal(t, dir)
	if _, err := OpenJournal(dir); failure.NameOf(err) != failure.Busy {
		t.Errorf("the second one got %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	openJournal(t, dir)
}

func TestAJournalThatOthersCanReadIsRefused(t *testing.T) {
	dir := t.TempDir() + "/j"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(dir); failure.NameOf(err) != failure.InvalidParameter {
		t.Errorf("got %v", err)
	}
}

// TestAJournalIsOfOneRescue: with another node, network or address it is refused.
func TestAJournalIsOfOneRescue(t *testing.T) {
	j := openJournal(t, t.TempDir()+"/j")
	node := func(text string) channel.PubKey {
		id, err := channel.ParsePubKey(text)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	begun := settings{NodeID: node("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"), Network: "regtest", Destination: "bcrt1qa"}
	for range 2 {
		if err := j.settle(t.Context(), begun); err != nil {
			t.Fatal(err)
		}
	}
	for _, change := range []func(*settings){
		func(s *settings) {
			s.NodeID = node("02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5")
		},
		func(s *settings) { s.Network = "bitcoin" },
		func(s *settings) { s.Destination = "bcrt1qb" },
	} {
		other := begun
		change(&other)
		if err := j.settle(t.Context(), other); failure.NameOf(err) != failure.InvalidParameter {
			t.Errorf("%+v: got %v", other, err)
		}
	}
	if err := j.SaveRecord(context.Background(), settingsKey, "{"); err != nil {
		t.Fatal(err)
	}
	if err := j.settle(t.Context(), begun); failure.NameOf(err) != failure.RecordUnreadable {
		t.Errorf("a damaged one: %v", err)
	}
}
