package harness

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// Running is a command that goes on and prints an event a line (--json).
type Running struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	lines  []string
	stderr strings.Builder
	done   chan struct{}
}

// StartCommand starts the product on the command line.
func (n *Net) StartCommand(args ...string) *Running {
	n.T.Helper()
	r := &Running{cmd: exec.Command(PluginBinary(n.T), args...), done: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), "HOME="+n.Dir) // where rescues of one node keep their lock
	r.cmd.Dir = n.Dir
	r.cmd.Stderr = &r.stderr
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		n.T.Fatalf("glrecover %s: %v", args[0], err)
	}
	go func() {
		defer close(r.done)
		in := bufio.NewScanner(out)
		in.Buffer(nil, 16<<20)
		for in.Scan() {
			r.mu.Lock()
			r.lines = append(r.lines, in.Text())
			r.mu.Unlock()
		}
		_ = r.cmd.Wait()
	}()
	n.T.Cleanup(r.Kill)
	return r
}

// Kill ends it at once (SIGKILL), if it runs.
func (r *Running) Kill() {
	_ = r.cmd.Process.Kill()
	<-r.done
}

// Ended reports whether it has ended, and with what code.
func (r *Running) Ended() (code int, ended bool) {
	select {
	case <-r.done:
		return r.cmd.ProcessState.ExitCode(), true
	default:
		return 0, false
	}
}

// Lines are what it has printed so far.
func (r *Running) Lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.lines...)
}

// Text is all that it printed; ask when it has ended.
func (r *Running) Text() string { return strings.Join(r.Lines(), "\n") + r.stderr.String() }

// States are the states in which its channels were so far, by channel id.
func (r *Running) States() map[string][]string {
	out := map[string][]string{}
	for _, line := range r.Lines() {
		var e struct {
			Channel *struct {
				ID    string `json:"channel_id"`
				State string `json:"state"`
			} `json:"channel"`
		}
		if json.Unmarshal([]byte(line), &e) == nil && e.Channel != nil {
			out[e.Channel.ID] = append(out[e.Channel.ID], e.Channel.State)
		}
	}
	return out
}
