package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/vlsstate"
)

// writeNew writes a file with mode 0600, whole or not at all, and never over an
// existing one. Its name is taken only when it is finished: who stops a long
// conversion finds no empty file that stands in the way of the next one.
func writeNew(path string, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil {
		return existsAlready(path)
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".glrecover-*")
	if err != nil {
		return writeError{err}
	}
	defer os.Remove(tmp.Name())
	err = write(tmp)
	if err == nil {
		err = tmp.Sync()
	}
	if errClose := tmp.Close(); err == nil {
		err = errClose
	}
	if err != nil {
		return writeError{err}
	}
	reserved, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return existsAlready(path)
	}
	if err != nil {
		return writeError{err}
	}
	if err = reserved.Close(); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		err = vlsstate.Disk{}.SyncDir(dir)
	}
	if err != nil {
		os.Remove(path)
		return writeError{err}
	}
	return nil
}

func existsAlready(path string) error {
	return failure.New(failure.InvalidParameter, "Choose another file; nothing is ever overwritten", "%s exists already", path)
}
