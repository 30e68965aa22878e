package harness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Process is one program that the harness started, the leader of a process
// group of its own.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// startProcess starts name with its output appended to logPath. The child's
// environment is this process's, plus env.
func startProcess(stdin io.Reader, dir, logPath string, env []string, name string, args ...string) (*Process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, log, log
	cmd.SysProcAttr = processGroup()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(name), err)
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is the process's id and its group's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited reports whether the process has ended, and how.
func (p *Process) Exited() (bool, error) {
	select {
	case <-p.done:
		return true, p.err
	default:
		return false, nil
	}
}

// Wait waits until the process ended by itself.
func (p *Process) Wait(timeout time.Duration) error {
	select {
	case <-p.done:
		return nil
	case <-time.After(timeout):
		return errors.New("still running")
	}
}

// Kill ends the whole group with SIGKILL, as a power cut would, and waits. What
// has the id of a leader that is long dead is another test's.
func (p *Process) Kill() {
	if over, _ := p.Exited(); over && alive(p.PID()) {
		return
	}
	killGroup(p.cmd.Process)
	<-p.done
}

// Signal sends s to the process alone.
func (p *Process) Signal(s syscall.Signal) error {
	if over, _ := p.Exited(); over {
		return os.ErrProcessDone
	}
	return p.cmd.Process.Signal(s)
}

// Children returns the process ids of p's group whose program has this base
// name; empty where the system has no /proc.
func (p *Process) Children(program string) []int {
	entries, _ := filepath.Glob("/proc/[0-9]*/exe")
	var pids []int
	for _, e := range entries {
		target, err := os.Readlink(e)
		if err != nil || filepath.Base(strings.TrimSuffix(target, " (deleted)")) != program {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(e, "/proc/%d/exe", &pid); err != nil {
			continue
		}
		if inGroup(pid, p.PID()) {
			pids = append(pids, pid)
		}
	}
	return pids
}
