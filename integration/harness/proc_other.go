//go:build unix && !linux

package harness

import "syscall"

// processGroup makes the child lead a group of its own.
func processGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
