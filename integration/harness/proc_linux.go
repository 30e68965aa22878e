package harness

import "syscall"

// processGroup makes the child lead a group of its own, and lets the kernel
// end it when this process dies without cleaning up (a test timeout).
func processGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
