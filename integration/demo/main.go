package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	h "github.com/glrecover/glrecover/integration/harness"
)

func main() {
	c := h.NewConsole("demo", func(line string) { fmt.Println(line) })
	alone := false
	ok := c.Run(func() { alone = os.Getenv(h.InDockerEnv) == "" && goOnly(c) })
	ok = ok && c.Run(func() { withPlugin(c, alone) })
	if h.Main(func() int { return 0 }); !ok {
		os.Exit(1)
	}
}

// withPlugin tells the plugin's story where that can be. alone says that the other
// one was told.
func withPlugin(c *h.Console, alone bool) {
	missing, reason := h.Missing(h.Lightningd, h.BitcoindD)
	if alone {
		c.Logf("\nThe same with the plugin, in a node of one's own:")
	}
	switch {
	case len(missing) == 0:
		onRegtest(c)
		return
	case dockerRuns():
		c.Logf("There is no %s here (%s), but Docker runs: the same story in containers.", strings.Join(missing, " and no "), reason)
		if inDocker(c) {
			return
		}
		reason += "; Docker runs, but its images could not be built"
	default:
		reason += "; no Docker engine answers"
	}
	if alone {
		c.Logf("NOT SHOWN (%s). With lightningd and bitcoind on PATH, or with Docker: make demo.", reason)
		return
	}
	onPaper(c, reason)
}

// dockerRuns reports whether a Docker engine answers.
func dockerRuns() bool {
	return os.Getenv(h.InDockerEnv) == "" && exec.Command("docker", "compose", "version").Run() == nil &&
		exec.Command("docker", "info").Run() == nil
}

// inDocker plays the story in a container. It reports whether there were images
// to do so: they need a registry.
func inDocker(t h.TB) bool {
	root, err := h.Root()
	if err != nil {
		t.Fatalf("%v", err)
	}
	cmd := exec.Command(filepath.Join(root, "docker", "run.sh"), "demo")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Run()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == noImages {
		return false
	}
	if err != nil {
		t.Fatalf("docker/run.sh demo: %v", err)
	}
	return true
}

// noImages is the exit code of docker/run.sh when it could not build.
const noImages = 3

// teller numbers the steps.
type teller struct {
	t h.TB
	n int
}

// step begins a step.
func (s *teller) step(format string, args ...any) {
	s.n++
	s.t.Logf("\n%d. %s", s.n, fmt.Sprintf(format, args...))
}

// say adds a line to the step.
func (s *teller) say(format string, args ...any) {
	for _, line := range strings.Split(fmt.Sprintf(format, args...), "\n") {
		s.t.Logf("   %s", line)
	}
}

// command shows what a user would type.
func (s *teller) command(words ...string) {
	s.t.Logf("   $ %s", strings.Join(words, " "))
}

// cli types a command at lightning-cli, prints what a terminal would show of
// it, and fails the demo unless it ends with this exit code.
func (s *teller) cli(node *h.CLN, exit int, args ...string) h.Run {
	s.command(append([]string{"lightning-cli"}, args...)...)
	run := node.CLI(args...)
	s.say("%s", run.Screen())
	if run.Code != exit {
		s.t.Fatalf("lightning-cli ended with %d, want %d", run.Code, exit)
	}
	return run
}

// status types glrecover status, the table for people, and prints it.
func (s *teller) status(node *h.CLN) {
	s.command("glrecover", "status")
	cmd := exec.Command(h.PluginBinary(s.t), "status", "--lightning-dir", node.Dir, "--network", "regtest")
	out, err := cmd.CombinedOutput()
	s.say("%s", strings.TrimRight(string(out), "\n"))
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("glrecover status: %v", err)
	}
	if code := cmd.ProcessState.ExitCode(); code > 1 { // 1: something waits for the user
		s.t.Fatalf("glrecover status ended with %d", code)
	}
}

// sats writes an amount with thousands separated.
func sats(sat uint64) string {
	digits := fmt.Sprint(sat)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits + " sat"
}
