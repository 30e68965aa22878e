package rescue

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile fails where another program has the lock; it ends with the program,
// however that ends.
func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
}

// private: a directory below the user's profile is the user's alone there, and the
// mode bits say nothing.
func private(info fs.FileInfo) bool { return info.IsDir() }

// syncDir: a directory cannot be synced there; a rename is journaled by the file
// system.
func syncDir(string) error { return nil }
