package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	h "github.com/glrecover/glrecover/integration/harness"
)

func main() {
	c := h.NewConsole("demo", func(line string) { fmt.Println(line) })
	ok := c.Run(func() {
		missing, reason := h.Missing(h.Lightningd, h.BitcoindD)
		switch {
		case len(missing) == 0:
			onRegtest(c)
		case dockerRuns():
			c.Logf("There is no %s here (%s), but Docker runs: the same story in containers.", strings.Join(missing, " and no "), reason)
			inDocker(c)
		default:
			onPaper(c, reason)
		}
	})
	if h.Main(func() int { return 0 }); !ok {
		os.Exit(1)
	}
}

// dockerRuns reports whether a Docker engine answers.
func dockerRuns() bool {
	return os.Getenv("GLRECOVER_IN_DOCKER") == "" && exec.Command("docker", "compose", "version").Run() == nil &&
		exec.Command("docker", "info").Run() == nil
}

func inDocker(t h.TB) {
	root, err := h.Root()
	if err != nil {
		t.Fatalf("%v", err)
	}
	cmd := exec.Command(filepath.Join(root, "docker", "run.sh"), "demo")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("docker/run.sh demo: %v", err)
	}
}

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
func (s *teller) command(format string, args ...any) {
	s.t.Logf("   $ %s", fmt.Sprintf(format, args...))
}

// sats writes an amount with thousands separated.
func sats(sat uint64) string {
	digits := fmt.Sprint(sat)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits + " sat"
}

// short abbreviates an id for reading.
func short(id string) string {
	if len(id) > 16 {
		return id[:12] + "..."
	}
	return id
}
