package rescue

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

// Lock keeps a second rescue of one node away, whichever journal that has: two of
// them would end each other's sessions, and pay two sweeps for one output.
type Lock struct{ file *os.File }

// LockNode locks a node below the directory that all rescues of this user share. The
// failures are busy, where another program has it, and that of the file system.
func LockNode(dir string, id channel.PubKey) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock of the node: %w", err)
	}
	file, err := lockAt(filepath.Join(dir, id.String()+".lock"), "another glrecover rescue of node "+id.String()+" runs")
	if err != nil {
		return nil, err
	}
	return &Lock{file}, nil
}

// Close lets others have it. The file stays: whoever deleted it could delete the one
// that the next program has locked.
func (l *Lock) Close() error { return l.file.Close() }

// lockAt makes a file, if there is none, and locks it.
func lockAt(path, taken string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(file); err != nil {
		_ = file.Close()
		return nil, failure.New(failure.Busy, "Let the other one continue, or end it first", "%s", taken).Wrap(err)
	}
	return file, nil
}
