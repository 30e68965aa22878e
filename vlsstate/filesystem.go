package vlsstate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FileSystem is what WriteFile needs of a file system; a test puts one in its
// place that loses power between any two calls.
type FileSystem interface {
	// Resolve is the path of the regular file that path names, through symbolic
	// links, or path itself where nothing is. It fails where anything else is
	// there, and for a link to nothing.
	Resolve(path string) (string, error)
	// Open opens a regular file of at most MaxSize bytes; a missing one is an
	// error that matches fs.ErrNotExist.
	Open(path string) (io.ReadCloser, error)
	// CreateTemp makes a new file of mode 0600 in dir; its name is prefix and
	// something random.
	CreateTemp(dir, prefix string) (File, error)
	// List returns the names in dir that begin with prefix.
	List(dir, prefix string) ([]string, error)
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes renames and removals in dir durable.
	SyncDir(dir string) error
}

// File is a file that is being written.
type File interface {
	io.Writer
	Name() string
	Sync() error
	Close() error
}

// Disk is the machine's own file system.
type Disk struct{}

// Resolve implements FileSystem.
func (Disk) Resolve(path string) (string, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	case err != nil:
		return "", err
	case info.Mode()&fs.ModeSymlink != 0:
		// To write next to the link would leave the file that it means as it is.
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return "", fmt.Errorf("the symbolic link leads nowhere: %w", err)
		}
		if info, err = os.Lstat(path); err != nil {
			return "", err
		}
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	return path, nil
}

// Open implements FileSystem.
func (Disk) Open(path string) (io.ReadCloser, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// CreateTemp implements FileSystem; os.CreateTemp's mode is 0600.
func (Disk) CreateTemp(dir, prefix string) (File, error) {
	f, err := os.CreateTemp(dir, prefix+"*")
	if err != nil {
		return nil, err
	}
	return f, nil
}

// List implements FileSystem.
func (Disk) List(dir, prefix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if name := e.Name(); len(name) > len(prefix) && name[:len(prefix)] == prefix {
			out = append(out, name)
		}
	}
	return out, nil
}

// Rename implements FileSystem.
func (Disk) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FileSystem.
func (Disk) Remove(path string) error { return os.Remove(path) }
