package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// CLI runs the real lightning-cli on the node with what a person would type
// after its name. A lightning-cli that does not end by itself (it crashes on
// notifications that it cannot draw) fails the test.
func (n *CLN) CLI(args ...string) Run {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.program("lightning-cli"), append([]string{"--lightning-dir=" + n.Dir, "--network=regtest"}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		n.net.T.Errorf("%s: lightning-cli %.200q: %v: %s%s", n.Name, args, err, out.String(), errOut.String())
	}
	return Run{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// Type is CLI with named parameters, read as a program reads it: -J -k. What
// lightning-cli printed as an error is a *RPCError. Notifications stay on, as
// they are for a person.
func (n *CLN) Type(method string, p Params, result any) (Run, error) {
	args := []string{"-J", "-k", method}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		text, ok := p[name].(string)
		if !ok {
			raw, err := json.Marshal(p[name])
			if err != nil {
				return Run{}, err
			}
			text = string(raw)
		}
		args = append(args, name+"="+text)
	}
	run := n.CLI(args...)
	raw, err := run.Answer(method)
	if err != nil || result == nil {
		return run, err
	}
	if err := json.Unmarshal(raw, result); err != nil {
		return run, fmt.Errorf("%s: %w", method, err)
	}
	return run, nil
}

// Answer is the JSON that lightning-cli printed below the notifications,
// without its spaces. An exit code of 1 is lightningd's error, any other is
// lightning-cli's own.
func (r Run) Answer(method string) (json.RawMessage, error) {
	text := r.Stdout
	if !strings.HasPrefix(text, "{") {
		_, text, _ = strings.Cut(text, "\n{")
		text = "{" + text
	}
	switch r.Code {
	case 0:
		var raw bytes.Buffer
		if err := json.Compact(&raw, []byte(text)); err != nil {
			return nil, fmt.Errorf("%s: lightning-cli printed no JSON: %s", method, r.Text())
		}
		return raw.Bytes(), nil
	case 1:
		e := &RPCError{Method: method}
		if err := json.Unmarshal([]byte(text), e); err != nil {
			return nil, fmt.Errorf("%s: lightning-cli printed no error: %s", method, r.Text())
		}
		return nil, e
	}
	return nil, fmt.Errorf("%s: lightning-cli ended with %d: %s", method, r.Code, r.Text())
}

// Screen is what a terminal shows of the output in the end: a progress bar is
// drawn again and again over itself.
func (r Run) Screen() string {
	lines := strings.Split(r.Text(), "\n")
	for i, line := range lines {
		lines[i] = line[strings.LastIndexByte(line, '\r')+1:]
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}
