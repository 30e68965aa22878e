package docker

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// engine puts a docker on PATH that only writes down how it is called. It fails
// when its arguments contain fails, and where they contain hangs it stays.
func engine(t *testing.T, fails, hangs string) (calls func() string, script *exec.Cmd) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "calls")
	fake := `#!/bin/sh
echo "$*" >>` + log + `
case "$*" in
*"` + hangs + `"*) exec sleep 60 ;;
*"` + fails + `"*) exit 7 ;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	script = exec.Command("sh", "run.sh")
	script.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	return func() string {
		raw, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(raw)
	}, script
}

const nothing = "no such argument"

// removed is how all that was started goes away.
const removed = "down --volumes --remove-orphans"

func TestASignalRemovesWhatWasStarted(t *testing.T) {
	// Under nohup a hang-up is ignored, and a shell cannot catch what was ignored when
	// it began. What we catch ourselves is not handed on as ignored.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130, syscall.SIGHUP: 129} {
		for _, at := range []string{"build scenarios lost", "run --rm -T scenarios", "run --rm -T story"} {
			calls, script := engine(t, nothing, at)
			if err := script.Start(); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(20 * time.Second)
			for !strings.Contains(calls(), at) {
				if time.Now().After(deadline) {
					t.Fatalf("docker was not called with %q:\n%s", at, calls())
				}
				time.Sleep(10 * time.Millisecond)
			}
			_ = script.Process.Signal(sig)
			_ = script.Wait()
			if got := script.ProcessState.ExitCode(); got != code || !strings.Contains(calls(), removed) {
				t.Errorf("%s at %q: exit code %d, want %d, and docker was called:\n%s", sig, at, got, code, calls())
			}
		}
	}
}

func TestExitCodesOfTheScript(t *testing.T) {
	for _, c := range []struct {
		fails string
		code  int
		says  string
	}{
		{nothing, 0, removed},
		{"build scenarios lost", 3, removed},
		{"run --rm -T scenarios", 7, removed},
		{"run --rm -T story", 7, "logs --no-color"},
	} {
		calls, script := engine(t, c.fails, nothing)
		_ = script.Run()
		if got := script.ProcessState.ExitCode(); got != c.code || !strings.Contains(calls(), c.says) {
			t.Errorf("%q fails: exit code %d, want %d with %q, and docker was called:\n%s", c.fails, got, c.code, c.says, calls())
		}
	}
}
