package harness

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
)

// Run is what one call of the product's command line did.
type Run struct {
	Code           int
	Stdout, Stderr string
}

// Command calls the product on the command line, as a user without a terminal
// does: stdin is typed in.
func (n *Net) Command(stdin string, args ...string) Run {
	n.T.Helper()
	cmd := exec.Command(PluginBinary(n.T), args...)
	cmd.Dir = n.Dir
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
