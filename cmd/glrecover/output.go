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
// existing one: the name is reserved first, and the finished file takes its
// place.
func writeNew(path string, write func(io.Writer) error) (err error) {
	reserved, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		if errors.Is(err, fs.ErrExist) {
			return failure.New(failure.InvalidParameter, "Choose another file; nothing is ever overwritten",
				"%s exists already", path)
		}
		return writeError{err}
	}
	defer func() {
		if err != nil {
			os.Remove(path)
			err = writeError{err}
		}
	}()
	if err := reserved.Close(); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".glrecover-*")
	if err != nil {
		return err
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
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return vlsstate.Disk{}.SyncDir(dir)
}
