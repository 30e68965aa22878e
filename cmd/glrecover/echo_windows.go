package main

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/windows"
)

// withoutEcho stops the console from showing what is typed, and returns how to
// undo it, which also throws away what was typed or pasted and not read: a shell
// would take it for commands. Ctrl-C undoes it first, since the mode is the
// console's and not the program's.
func withoutEcho(fd int) (restore func() error, err error) {
	console := windows.Handle(fd)
	var before uint32
	if err := windows.GetConsoleMode(console, &before); err != nil {
		return nil, err
	}
	quiet := before&^windows.ENABLE_ECHO_INPUT | windows.ENABLE_LINE_INPUT | windows.ENABLE_PROCESSED_INPUT
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	if err := windows.SetConsoleMode(console, quiet); err != nil {
		signal.Stop(interrupts)
		return nil, err
	}
	undo := sync.OnceValue(func() error {
		return errors.Join(windows.FlushConsoleInputBuffer(console), windows.SetConsoleMode(console, before))
	})
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
		case <-interrupts:
			_ = undo()
			os.Exit(exitInterrupted)
		}
	}()
	return func() error {
		close(done)
		signal.Stop(interrupts)
		return undo()
	}, nil
}

// exitInterrupted is what a shell takes for Ctrl-C.
const exitInterrupted = 130

// arrives cannot be told from a console: its buffer also holds keys that were let
// go and moves of the mouse. What was pasted behind a secret is thrown away at the
// end.
func arrives(int, time.Duration) bool { return false }
