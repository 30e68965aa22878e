package vlsstate

import (
	"errors"
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
// 0600 in the same directory, fsync, rename, fsync of the directory. Temporary
// files that an earlier loss of power left behind are removed first, so two
// writers of one path may fail each other, but never spoil the file.
//
// Failures: those of Encode; older_state where the file at path knows
// something newer; wrong_node where it is another node's; not_a_backup where
// it is something else; backup_not_written where the file system fails, and
// then the old file is still there unless only the last fsync failed.
func WriteFile(path string, b *Backup, opts WriteOptions) error {
	disk := opts.FileSystem
	if disk == nil {
		disk = Disk{}
	}
	data, err := Encode(b)
	if err != nil {
		return err
	}
	// Entries that cannot be read again must not take the place of a good file.
	if _, err := Parse(data); err != nil {
		return notWritten(path, err)
	}
	if !opts.ReplaceNewer {
		if err := checkOld(disk, path, b); err != nil {
			return err
		}
	}
	if err := replace(disk, path, data); err != nil {
		return notWritten(path, err)
	}
	return nil
}

// checkOld refuses to lose what the file at path knows.
func checkOld(disk FileSystem, path string, b *Backup) error {
	const do = "Write to another path, or ask for the replacement"
	data, err := disk.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	old, err := Parse(data)
	if err != nil {
		return failure.New(failure.NotABackup, do, "the file at %s is there and is no readable backup", path).Wrap(err)
	}
	if old.NodeID != b.NodeID {
		return failure.New(failure.WrongNode, do, "the file at %s is the backup of node %s, the new state is of node %s",
			path, old.NodeID, b.NodeID)
	}
	newer := 0
	for _, e := range old.Entries {
		if mine := b.Entries.Get(e.Key); mine == nil || mine.Version < e.Version && !mine.Tombstone() {
			newer++
		}
	}
	if newer > 0 {
		return failure.New(failure.OlderState, do,
			"the file at %s has %d entries that the new state does not have or has older", path, newer)
	}
	return nil
}

// tempPrefix is how the temporary files for path begin.
func tempPrefix(path string) string { return "." + filepath.Base(path) + ".glrecover-" }

func replace(disk FileSystem, path string, data []byte) error {
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
	if err := fill(tmp, data); err != nil {
		return errors.Join(err, disk.Remove(tmp.Name()))
	}
	if err := disk.Rename(tmp.Name(), path); err != nil {
		return errors.Join(err, disk.Remove(tmp.Name()))
	}
	return disk.SyncDir(dir)
}

func fill(f File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func notWritten(path string, err error) *failure.Error {
	return failure.New(failure.BackupNotWritten, "Check free space and permissions of the directory, then try again",
		"the backup could not be written to %s", path).Wrap(err)
}
