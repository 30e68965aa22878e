//go:build unix

package doctor

import (
	"errors"
	"io/fs"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// owner is the user who owns a file, as a name where there is one.
func owner(info fs.FileInfo) (uid uint32, name string) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, ""
	}
	name = strconv.FormatUint(uint64(stat.Uid), 10)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return stat.Uid, name
}

// space is how many bytes this user may still write where dir is, and whether
// that is mounted read-only.
func space(dir string) (free uint64, readOnly bool, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false, err
	}
	free = uint64(s.Bavail) * uint64(s.Bsize) //nolint:unconvert // other types on other systems
	return free, errors.Is(unix.Access(dir, unix.W_OK), unix.EROFS), nil
}
