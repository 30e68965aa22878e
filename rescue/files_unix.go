//go:build !windows

package rescue

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile fails where another program has the lock; it ends with the program,
// however that ends.
func lockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// private reports whether only its owner may read and write a directory.
func private(info fs.FileInfo) bool { return info.IsDir() && info.Mode().Perm()&0o077 == 0 }

// syncDir makes what was renamed or deleted in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
