package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/glrecover/glrecover/failure"
)

// Exit codes; documented in doc.go and in the help.
const (
	exitOK         = 0
	exitProblem    = 1
	exitUsage      = 2
	exitUnreadable = 3
	exitWrite      = 4
)

// cli is what a command may touch of the world besides files.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
}

// command is one command of the command line.
type command struct {
	name string
	// args is the synopsis after the name, summary one line, help the rest.
	args, summary, help string
	// run gets the arguments after the name. It parses them with parse, prints
	// its result to stdout, and returns what went wrong.
	run func(c *cli, args []string) error
}

// errProblem says that problems were found and are printed already.
var errProblem = errors.New("problems were found")

// usageError is a command line that makes no sense.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return usageError{fmt.Sprintf(format, args...)}
}

// writeError is a result that could not be written.
type writeError struct{ err error }

func (e writeError) Error() string { return "could not write the result: " + reason(e.err) }
func (e writeError) Unwrap() error { return e.err }

// run executes one command line and returns the exit code.
func (c *cli) run(args []string) int {
	if len(args) == 0 {
		fmt.Fprint(c.stderr, overview())
		return exitUsage
	}
	if err := secretInArguments(args); err != nil {
		return c.exit("", err)
	}
	name, args := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		return c.exit("help", c.help(args))
	case "--version":
		name = versionCommand.name
	}
	all := commands()
	i := slices.IndexFunc(all, func(cmd command) bool { return cmd.name == name })
	if i < 0 {
		return c.exit("", noCommand(name))
	}
	err := all[i].run(c, args)
	if errors.Is(err, flag.ErrHelp) {
		err = c.help([]string{name})
	}
	return c.exit(name, err)
}

// exit prints an error and turns it into an exit code.
func (c *cli) exit(name string, err error) int {
	var (
		usage usageError
		write writeError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errProblem):
		return exitProblem
	case errors.Is(err, errStopped):
		return exitStopped
	case errors.As(err, &usage):
		see := "glrecover help"
		if name != "" {
			see += " " + name
		}
		fmt.Fprintf(c.stderr, "glrecover: %s\nSee: %s\n", plain(usage.text), see)
		return exitUsage
	}
	fmt.Fprintf(c.stderr, "glrecover: %s\n", plain(err.Error()))
	if errors.As(err, &write) {
		return exitWrite
	}
	switch failure.NameOf(err) {
	case failure.BackupUnreadable, failure.NotABackup, failure.UnsupportedVersion, failure.BackupTooLarge,
		failure.SecretUnreadable:
		return exitUnreadable
	case failure.BackupNotWritten:
		return exitWrite
	}
	return exitProblem
}

// flags makes the flag set of a command; parse reads it.
func flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse reads flags that may stand before, between and after the other
// arguments, which must be as many as there are names. "--" ends the flags. FILE
// may also be given as --path, which is glcli's way.
func parse(fs *flag.FlagSet, args []string, names ...string) ([]string, error) {
	var positional []string
	if len(names) == 1 && names[0] == "FILE" {
		fs.Func("path", "", func(path string) error {
			positional = append(positional, path)
			return nil
		})
	}
	rest, err := parseUpTo(fs, args, len(names))
	if err != nil {
		return nil, err
	}
	positional = append(positional, rest...)
	switch {
	case len(positional) < len(names):
		return nil, usagef("%s is missing", names[len(positional)])
	case len(positional) > len(names):
		return nil, usagef("too many arguments: %q", positional[len(names)])
	}
	return positional, nil
}

// parseUpTo is parse for arguments of which there may be fewer than most.
func parseUpTo(fs *flag.FlagSet, args []string, most int) (positional []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError{err.Error()}
		}
		rest := fs.Args()
		if read := len(args) - len(rest); read > 0 && args[read-1] == "--" {
			positional = append(positional, rest...)
			break
		}
		if len(rest) == 0 {
			break
		}
		positional, args = append(positional, rest[0]), rest[1:]
	}
	if len(positional) > most {
		return nil, usagef("too many arguments: %q", positional[most])
	}
	return positional, nil
}

// write prints a command's result.
func (c *cli) write(data []byte) error {
	if _, err := c.stdout.Write(data); err != nil {
		return writeError{err}
	}
	return nil
}
