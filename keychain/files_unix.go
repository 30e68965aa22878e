//go:build unix

package keychain

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// modesCount: the bits of a file's mode say who may read it.
const modesCount = true

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		// Network and FUSE file systems have no such call for directories; there a
		// new file is as durable as it can be.
		err = nil
	}
	return errors.Join(err, d.Close())
}
