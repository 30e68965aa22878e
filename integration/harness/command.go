package harness

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
)

// Run is what one call of a command line did.
type Run struct {
	Code           int
	Stdout, Stderr string
}

// Command calls the product on the command line, as a user without a terminal
// does: stdin is typed in.
func (n *Net) Command(stdin string, args ...string) Run {
	n.T.Helper()
	return n.CommandWith(nil, stdin, args...)
}

// CommandWith is Command with more of an environment ("NAME=value"). The home directory
// is the net's own.
func (n *Net) CommandWith(env []string, stdin string, args ...string) Run {
	n.T.Helper()
	cmd := exec.Command(PluginBinary(n.T), args...)
	cmd.Dir = n.Dir
	cmd.Env = append(append(os.Environ(), "HOME="+n.Dir), env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		n.T.Fatalf("glrecover %s: %v", args[0], err)
	}
	return Run{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// Text is all that was printed.
func (r Run) Text() string { return r.Stdout + r.Stderr }
