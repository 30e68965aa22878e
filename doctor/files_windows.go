package doctor

import (
	"io/fs"

	"golang.org/x/sys/windows"
)

// owner is not asked for: lightningd does not run there.
func owner(fs.FileInfo) (uid uint32, name string) { return 0, "" }

// space is how many bytes this user may still write where dir is.
func space(dir string) (free uint64, readOnly bool, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false, err
	}
	err = windows.GetDiskFreeSpaceEx(path, &free, nil, nil)
	return free, false, err
}
