//go:build unix

package keychain

import "syscall"

func mkfifo(path string) error { return syscall.Mkfifo(path, 0o600) }

// umask sets the mask of new files' modes and returns how to undo it.
func umask(mask int) (undo func()) {
	old := syscall.Umask(mask)
	return func() { syscall.Umask(old) }
}
