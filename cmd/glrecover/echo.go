package main

import "golang.org/x/sys/unix"

// withoutEcho stops a terminal from showing what is typed, and returns how to
// undo it. term.ReadPassword does so itself, but only after the prompt: what is
// pasted at once would show.
func withoutEcho(fd int) (restore func() error, err error) {
	before, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return nil, err
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, ioctlSetTermios, &quiet); err != nil {
		return nil, err
	}
	return func() error { return unix.IoctlSetTermios(fd, ioctlSetTermios, before) }, nil
}
