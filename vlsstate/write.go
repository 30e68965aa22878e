package vlsstate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/glrecover/glrecover/failure"
)

// WriteOptions are the exceptions that a caller has to ask for.
type WriteOptions struct {
	// ReplaceNewer allows to write over a file whose state is not older in
	// every entry, over another node's backup, and over what is no backup.
	ReplaceNewer bool
	// FileSystem is Disk where nil.
	FileSystem FileSystem
}

// WriteFile writes the backup to path so that after a loss of power at any
// moment the old file or the new one is there, whole: a temporary file of mode
// 0600 in the same directory, fsync, rename, fsync of the directory. A symbolic
// link at path is followed, so that the file itself is replaced and not the
// link to it. Temporary files that an earlier loss of power left behind are
// removed first, so two writers of one path may fail each other, but never spoil
// the file.
//
// Failures: those of Encode; older_state where the file at path knows
// something newer, or something that the new state has damaged; wrong_node where
// it is another node's; not_a_backup where it is something else;
// backup_not_written where the file system fails, and then the old file is still
// there unless only the last fsync failed, and, whatever the options, where
// something else than a regular file is at path.
func WriteFile(path string, b *Backup, opts WriteOptions) error {
	disk := opts.FileSystem
	if disk == nil {
		disk = Disk{}
	}
	fresh, err := readBack(path, b)
	if err != nil {
		return err
	}
	place, err := disk.Resolve(path)
	if err != nil {
		return notWritten(path, err)
	}
	if !opts.ReplaceNewer {
		if err := checkOld(disk, place, b, fresh); err != nil {
			return err
		}
	}
	if err := replace(disk, place, b); err != nil {
		return notWritten(path, err)
	}
	return nil
}

// readBack reads what would be written: entries that cannot be read again must
// not take the place of a good file.
func readBack(path string, b *Backup) (*Backup, error) {
	r, w := io.Pipe()
	encoded := make(chan error, 1)
	go func() {
		err := EncodeTo(w, b)
		w.CloseWithError(err)
		encoded <- err
	}()
	fresh, err := Read(r)
	r.CloseWithError(errReadBack)
	if failed := <-encoded; failed != nil && !errors.Is(failed, errReadBack) {
		return nil, failed
	}
	if err != nil {
		return nil, notWritten(path, err)
	}
	return fresh, nil
}

// errReadBack ends the writing of what cannot be read.
var errReadBack = errors.New("reading it back failed")

// checkOld refuses to lose what the file at path knows. fresh is b as it reads
// once it is written: without tombstones.
func checkOld(disk FileSystem, path string, b, fresh *Backup) error {
	const do = "Write to another path, or ask for the file to be replaced"
	f, err := disk.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	old, err := Read(f)
	if err != nil {
		return failure.New(failure.NotABackup, do, "the file at %s exists and is not a readable backup", path).Wrap(err)
	}
	if old.NodeID != b.NodeID {
		return failure.New(failure.WrongNode, do, "the file at %s is the backup of node %s, the new state is of node %s",
			path, old.NodeID, b.NodeID)
	}
	lost := 0
	c := comparison{oldEffects: old.effects(), newEffects: fresh.effects(), oldView: viewOf(old), newView: viewOf(fresh)}
	for i := range old.Entries {
		if e := &old.Entries[i]; c.loses(e, b.Entries.Get(e.Key)) {
			lost++
		}
	}
	if lost > 0 {
		entries := "1 entry"
		if lost > 1 {
			entries = fmt.Sprintf("%d entries", lost)
		}
		return failure.New(failure.OlderState, do,
			"the file at %s has %s that the new state does not have, has older or damaged, or contradicts", path, entries)
	}
	return nil
}

// comparison is what checkOld knows of the two states.
type comparison struct {
	oldEffects, newEffects map[string]Effect
	oldView, newView       view
}

// loses reports whether the old entry would be lost by writing mine in its
// place.
func (c *comparison) loses(old, mine *Entry) bool {
	if old.Kind() == KindOlder {
		return false // what it marks is compared itself
	}
	if mine == nil {
		return true
	}
	was, is := effectAt(c.oldEffects, old.Key), effectAt(c.newEffects, old.Key)
	switch {
	case is != was:
		return is < was
	case mine.Version < old.Version:
		return true
	case mine.Version == old.Version && old.Kind() != KindPeer:
		// Addresses are set by whoever knows one; all else is the signer's.
		return !bytes.Equal(mine.Value, old.Value)
	case old.Kind() != KindChannel:
		return false
	}
	_, rest := splitKey(old.Key)
	_, key, _ := parseChannelKey(rest)
	order := numbersOrder(c.oldView.channels[key], c.newView.channels[key])
	return order == Older || order == Diverged
}

// effects are the worst complaints by the entries' keys.
func (b *Backup) effects() map[string]Effect {
	out := make(map[string]Effect, len(b.Problems))
	for _, p := range b.Problems {
		out[p.key] = min(effectAt(out, p.key), p.Effect)
	}
	return out
}

func effectAt(m map[string]Effect, key string) Effect {
	if e, ok := m[key]; ok {
		return e
	}
	return Noted
}

// tempPrefix is how the temporary files for path begin.
func tempPrefix(path string) string { return "." + filepath.Base(path) + ".glrecover-" }

func replace(disk FileSystem, path string, b *Backup) error {
	dir := filepath.Dir(path)
	leftovers, err := disk.List(dir, tempPrefix(path))
	if err != nil {
		return err
	}
	for _, name := range leftovers {
		if err := disk.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	tmp, err := disk.CreateTemp(dir, tempPrefix(path))
	if err != nil {
		return err
	}
	if err := fill(tmp, b); err != nil {
		return errors.Join(err, disk.Remove(tmp.Name()))
	}
	if err := disk.Rename(tmp.Name(), path); err != nil {
		return errors.Join(err, disk.Remove(tmp.Name()))
	}
	return disk.SyncDir(dir)
}

func fill(f File, b *Backup) error {
	w := bufio.NewWriterSize(f, 1<<20)
	err := EncodeTo(w, b)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func notWritten(path string, err error) *failure.Error {
	return failure.New(failure.BackupNotWritten, "Check free space and permissions of the directory, then try again",
		"the backup could not be written to %s", path).Wrap(err)
}
