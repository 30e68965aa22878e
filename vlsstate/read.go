package vlsstate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/glrecover/glrecover/failure"
)

// MaxSize is the largest input in bytes that is read, as file, stream or text.
const MaxSize = 64 << 20

func tooLarge() *failure.Error {
	return failure.New(failure.BackupTooLarge, doUseBackup,
		"the input is larger than %d MiB; a channel takes about 25 kB", MaxSize>>20)
}

// Read reads one backup until the end of r, at most MaxSize bytes. Failures
// are those of Parse, and backup_unreadable.
func Read(r io.Reader) (*Backup, error) {
	data, err := readAll(r)
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// ReadFile reads the backup in a regular file. Failures are those of Parse,
// and backup_unreadable.
func ReadFile(path string) (*Backup, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, unreadable("the input", err)
	}
	if len(data) > MaxSize {
		return nil, tooLarge()
	}
	return data, nil
}

// readFile refuses what is no regular file before opening it, since opening a
// pipe would wait for a writer, and what is too large before reading it.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, failure.New(failure.BackupUnreadable, doUseBackup, "%s is not a regular file", path)
	}
	if info.Size() > MaxSize {
		return nil, tooLarge()
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	return readAll(f)
}

func unreadable(what string, err error) *failure.Error {
	var pathErr *fs.PathError
	reason := err
	if errors.As(err, &pathErr) {
		reason = pathErr.Err
	}
	return failure.New(failure.BackupUnreadable,
		"Check the path, and that the user who runs this program may read it",
		"%s cannot be read: %s", what, fmt.Sprint(reason)).Wrap(err)
}
