//go:build unix

package vlsstate

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// SyncDir implements FileSystem.
func (Disk) SyncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer d.Close()
	if err = d.Sync(); errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		// Network and FUSE file systems have no such call for directories; there
		// the rename is as durable as it can be.
		return nil
	}
	return err
}
