package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	aboutWords  = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
	aboutNode   = "03653e90c1ce4660fd8505dd6d643356e93cfe202af109d382787639dd5890e87d"
	aboutSecret = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
	// The node of the corpus case fresh-outbound.
	birthNode = "02c109efc62908d440f0dc672bf9dd2c0da73cbed2ef4c8e002c721323ee2db12c"
)

// backupOf is a backup of the corpus under the node id of aboutWords; its
// signatures are wrong by that.
func backupOf(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpusDir, "fresh-outbound", "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "backup.json")
	if err := os.WriteFile(path, bytes.ReplaceAll(raw, []byte(birthNode), []byte(aboutNode)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVerifyWarnsOfTheWalletOfAnHsmSecretWithWords(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "hsm_secret")
	if err := os.WriteFile(secret, append(make([]byte, 32), aboutWords...), 0o400); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	c := &cli{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, now: time.Now}
	// The renamed backup's signatures do not verify: 1.
	if code := c.run([]string{"verify", "--hsm-secret", secret, backupOf(t)}); code != exitProblem {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	for _, want := range []string{"hsm_secret with words", "WARNING: this hsm_secret holds words", "glrecover hsm-secret"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not say %q:\n%s", want, out.String())
		}
	}
}

// pty opens a pseudo-terminal: what a person types goes to keys, and what the
// terminal shows comes from it.
func pty(t *testing.T) (keys, tty *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { keys.Close() })
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keys, tty
}

// atTerminal runs a command at a terminal, types a line once the prompt is
// there, and returns everything that the terminal showed.
func atTerminal(t *testing.T, line string, args ...string) (shown string, code int) {
	t.Helper()
	keys, tty := pty(t)
	c := &cli{stdin: tty, stdout: tty, stderr: tty, now: time.Now}
	done := make(chan int, 1)
	go func() { done <- c.run(args); tty.Close() }()
	var all []byte
	buf := make([]byte, 4096)
	typed := false
	for {
		// An error is the end: the other side is closed.
		n, err := keys.Read(buf)
		all = append(all, buf[:n]...)
		if !typed && bytes.Contains(all, []byte("(not shown): ")) {
			typed = true
			if _, err := keys.WriteString(line + "\n"); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			return string(all), <-done
		}
	}
}

func TestWordsTypedAtATerminalAreNotShown(t *testing.T) {
	out := filepath.Join(t.TempDir(), "hsm_secret")
	shown, code := atTerminal(t, aboutWords, "hsm-secret", "--out", out, backupOf(t))
	if code != exitOK || strings.Contains(shown, "abandon") || !strings.Contains(shown, "Written: "+out) {
		t.Errorf("exit code %d, shown:\n%s", code, shown)
	}
	if strings.Contains(shown, aboutSecret) || strings.Contains(shown, "cl10") {
		t.Error("the secret is shown without --show")
	}
}

func TestShowPrintsTheSecretWithAWarningAndWritesNoFile(t *testing.T) {
	backup := backupOf(t)
	t.Chdir(t.TempDir())
	shown, code := atTerminal(t, aboutWords, "hsm-secret", "--show", backup)
	for _, want := range []string{"THE SECRET FOLLOWS", "hex:     " + aboutSecret, "codex32: cl10glres"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the terminal does not show %q:\n%s", want, shown)
		}
	}
	left, err := os.ReadDir(".")
	if code != exitOK || err != nil || len(left) != 0 {
		t.Errorf("exit code %d, %d files here", code, len(left))
	}
}

func TestVerifyAsksForTheSecretAtATerminal(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(corpusDir, "used-both-ways", "hsm_secret.hex"))
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(string(raw))
	shown, code := atTerminal(t, secret, "verify", filepath.Join(corpusDir, "used-both-ways", "backup.json"))
	if code != exitOK || strings.Contains(shown, secret) || !strings.Contains(shown, "Everything that can be checked is proven.") {
		t.Errorf("exit code %d, shown:\n%s", code, shown)
	}
}

func TestWordsMayBePastedInSeveralLines(t *testing.T) {
	out := filepath.Join(t.TempDir(), "hsm_secret")
	shown, code := atTerminal(t, strings.ReplaceAll(aboutWords, " ", "\n"), "hsm-secret", "--out", out, backupOf(t))
	if code != exitOK || strings.Contains(shown, "abandon") || !strings.Contains(shown, "1 word so far") || !strings.Contains(shown, "Written: "+out) {
		t.Errorf("exit code %d, shown:\n%s", code, shown)
	}
}

func TestAnEmptyLineEndsWordsThatAreTooFew(t *testing.T) {
	shown, code := atTerminal(t, "abandon abandon\nabandon\n", "hsm-secret", "--show", backupOf(t))
	if code != exitUnreadable || !strings.Contains(shown, "3 words so far") || !strings.Contains(shown, "this one has 3") {
		t.Errorf("exit code %d, shown:\n%s", code, shown)
	}
	shown, code = atTerminal(t, "", "hsm-secret", "--show", backupOf(t))
	if code != exitUnreadable || !strings.Contains(shown, "nothing was read from the terminal") {
		t.Errorf("exit code %d, shown:\n%s", code, shown)
	}
}

// A shell would take what is left over for commands, and keep it in its history.
func TestWhatIsPastedAndNotReadIsThrownAway(t *testing.T) {
	keys, tty := pty(t)
	restore, err := withoutEcho(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.WriteString("first\nabandon\nabout\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := appendLine(tty, make([]byte, 0, 9)); err != nil || string(line) != "first" {
		t.Errorf("%q, %v", line, err)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.WriteString("next\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := appendLine(tty, make([]byte, 0, 9)); err != nil || string(line) != "next" {
		t.Errorf("the terminal still held %q (%v)", line, err)
	}
}

// Interrupted at the prompt, the program leaves the terminal as it was.
func TestAnInterruptGivesTheEchoBack(t *testing.T) {
	keys, tty := pty(t)
	cmd := exec.Command("glrecover", "hsm-secret", "--out", filepath.Join(t.TempDir(), "hsm_secret"), backupOf(t))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	echo := func() bool {
		state, err := unix.IoctlGetTermios(int(tty.Fd()), ioctlGetTermios)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag&unix.ECHO != 0
	}
	var shown []byte
	for buf := make([]byte, 4096); !bytes.Contains(shown, []byte("(not shown): ")); {
		n, err := keys.Read(buf)
		if shown = append(shown, buf[:n]...); err != nil {
			t.Fatalf("%v after %q", err, shown)
		}
	}
	if echo() {
		t.Error("the terminal shows what is typed")
	}
	const interrupt = "aban\x03"
	if _, err := keys.WriteString(interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); err == nil || !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("ended with %v", err)
	}
	if !echo() {
		t.Error("the terminal stays without echo")
	}
}
