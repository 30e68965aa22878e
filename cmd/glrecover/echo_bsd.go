//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package main

import "golang.org/x/sys/unix"

const (
	ioctlGetTermios = unix.TIOCGETA
	ioctlSetTermios = unix.TIOCSETA
	// ioctlFlushTermios also throws away what was typed and not read.
	ioctlFlushTermios = unix.TIOCSETAF
)
