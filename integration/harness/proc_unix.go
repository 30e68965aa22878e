//go:build unix

package harness

import (
	"os"
	"syscall"
)

// killGroup ends a process and all of its group.
func killGroup(leader *os.Process) { _ = syscall.Kill(-leader.Pid, syscall.SIGKILL) }

// kill ends one process of ours.
func kill(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }

// alive reports whether there is a process with this id.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// inGroup reports whether a process is in the group of a leader.
func inGroup(pid, leader int) bool {
	pgid, err := syscall.Getpgid(pid)
	return err == nil && pgid == leader
}
