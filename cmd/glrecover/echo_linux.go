package main

import "golang.org/x/sys/unix"

const (
	ioctlGetTermios = unix.TCGETS
	ioctlSetTermios = unix.TCSETS
	// ioctlFlushTermios also throws away what was typed and not read.
	ioctlFlushTermios = unix.TCSETSF
)
