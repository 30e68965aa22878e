package keychain

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/glrecover/glrecover/failure"
)

func TestTheWrittenFileIsTheNodesSecret(t *testing.T) {
	// A strict umask must not take the owner's right to read.
	path := filepath.Join(t.TempDir(), "hsm_secret")
	undo := umask(0o777)
	err := secretOf(t, []byte(aboutWords)).WriteFile(path)
	undo()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o400 || info.Size() != secretSize {
		t.Fatalf("mode %v, size %d, %v", info.Mode(), info.Size(), err)
	}
	secret, err := Load(path, true, nil)
	if err != nil || secret.Kind() != Raw || nodeOf(t, secret) != pubKey(t, aboutNode) {
		t.Errorf("%v", err)
	}
}

func TestAFileThatStandsThereIsNeverReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hsm_secret")
	if err := os.WriteFile(path, []byte("another secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := secretOf(t, []byte(aboutSecret)).WriteFile(path)
	if failure.NameOf(err) != failure.InvalidParameter {
		t.Errorf("%v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "another secret" {
		t.Errorf("the file is changed: %q, %v", got, err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	if err := secretOf(t, []byte(aboutSecret)).WriteFile(link); failure.NameOf(err) != failure.InvalidParameter {
		t.Errorf("written through a symlink: %v", err)
	}
	if err := secretOf(t, []byte(aboutSecret)).WriteFile(filepath.Join(t.TempDir(), "none", "hsm_secret")); failure.NameOf(err) != failure.InvalidParameter {
		t.Errorf("a missing directory: %v", err)
	}
}

func TestRevealedFormsReadBackToTheSameNode(t *testing.T) {
	hexText, codex, err := secretOf(t, []byte(aboutWords)).Reveal()
	if err != nil || hexText != aboutSecret {
		t.Fatalf("hex differs: %v", err)
	}
	for _, text := range []string{hexText, codex} {
		s := secretOf(t, []byte(text))
		if nodeOf(t, s) != pubKey(t, aboutNode) {
			t.Errorf("%s makes another node", s.Kind())
		}
	}
}

// procfs has no sync for directories, like some FUSE and network file systems.
func TestADirectoryThatCannotBeSyncedLosesNothing(t *testing.T) {
	dir, err := os.Open("/proc")
	if err != nil {
		t.Skipf("no file system without directory sync here: %v", err)
	}
	defer dir.Close()
	if dir.Sync() == nil {
		t.Skip("/proc can be synced here")
	}
	if err := syncDir("/proc"); err != nil {
		t.Errorf("the written secret would be called lost: %v", err)
	}
}
