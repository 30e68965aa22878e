//go:build unix

package main

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// withoutEcho stops a terminal from showing what is typed, and returns how to
// undo it. What was typed or pasted and not read by then is thrown away, or the
// shell would take it for commands, show it and keep it in its history.
//
// A signal that ends the program undoes it first: else the user's shell would
// stay without echo. The program cannot be stopped meanwhile, since the terminal
// would show what is typed after that.
func withoutEcho(fd int) (restore func() error, err error) {
	before, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return nil, err
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	signal.Ignore(syscall.SIGTSTP)
	if err := unix.IoctlSetTermios(fd, ioctlSetTermios, &quiet); err != nil {
		signal.Stop(signals)
		signal.Reset(syscall.SIGTSTP)
		return nil, err
	}
	undo := sync.OnceValue(func() error { return unix.IoctlSetTermios(fd, ioctlFlushTermios, before) })
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
		case s := <-signals:
			// The signal ends the program even if the terminal is gone.
			_ = undo()
			signal.Reset(s)
			_ = unix.Kill(unix.Getpid(), s.(syscall.Signal))
		}
	}()
	return func() error {
		close(done)
		signal.Stop(signals)
		signal.Reset(syscall.SIGTSTP)
		return undo()
	}, nil
}

// arrives reports whether a terminal has something to read within a time.
func arrives(fd int, within time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(within.Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			// Where the terminal is gone, the next read says so.
			return err == nil && n > 0
		}
	}
}
