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

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
)

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
	if code != exitOK || strings.Contains(shown, "abandon") || !strings.Contains(shown, "Written: "+out) {
		t.Errorf("exit code %d, shown:\n%s", code, shown)
	}
}

func TestAnEmptyLineEndsWordsThatAreTooFew(t *testing.T) {
	shown, code := atTerminal(t, "abandon abandon\nabandon\n", "hsm-secret", "--show", backupOf(t))
	if code != exitUnreadable || !strings.Contains(shown, "this one has 3") {
		t.Errorf("exit code %d, shown:\n%s", code, shown)
	}
	shown, code = atTerminal(t, "", "hsm-secret", "--show", backupOf(t))
	if code != exitUnreadable || !strings.Contains(shown, "nothing was read from the terminal") {
		t.Errorf("exit code %d, shown:\n%s", code, shown)
	}
}

// typist types lines one after the other, each as soon as the program waits for
// it, and returns what the terminal showed.
func typist(t *testing.T, lines []string, args ...string) (shown string, code int) {
	t.Helper()
	keys, tty := pty(t)
	c := &cli{stdin: tty, stdout: tty, stderr: tty, now: time.Now}
	done := make(chan int, 1)
	go func() { done <- c.run(args); tty.Close() }()
	var all []byte
	for buf := make([]byte, 4096); ; {
		n, err := keys.Read(buf)
		all = append(all, buf[:n]...)
		if len(lines) > 0 && bytes.HasSuffix(all, []byte("(not shown): ")) {
			if _, err := keys.WriteString(lines[0] + "\n"); err != nil {
				t.Fatal(err)
			}
			lines = lines[1:]
		}
		if err != nil {
			return string(all), <-done
		}
	}
}

// However words are typed, nothing of them is shown, and the prompt ends by
// itself with the last one.
func TestWordsMayBeTypedOnePerLine(t *testing.T) {
	words := strings.Fields(aboutWords)
	numbered := make([]string, len(words))
	for i, w := range words {
		numbered[i] = fmt.Sprintf("%d. %s", i+1, w)
	}
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"words":            {words, "11 words so far"},
		"words in numbers": {numbered, "11 lines so far"},
		"hex in two lines": {[]string{aboutSecret[:32], aboutSecret[32:]}, "1 line so far"},
		"in two lines":     {[]string{strings.Join(words[:6], " "), strings.Join(words[6:], ",")}, "6 words so far"},
	} {
		out := filepath.Join(t.TempDir(), "hsm_secret")
		shown, code := typist(t, c.lines, "hsm-secret", "--out", out, backupOf(t))
		if code != exitOK || strings.Contains(shown, "aban") || strings.Contains(shown, "5eb00") || !strings.Contains(shown, c.want) || !strings.Contains(shown, "Written: "+out) {
			t.Errorf("%s: exit code %d, shown:\n%s", name, code, shown)
		}
	}
}

// Blank lines in what is pasted do not end it, and what stands behind the secret
// is not left to the shell.
func TestWhatIsPastedIsReadToItsEnd(t *testing.T) {
	for range 10 {
		if pasteSlowly(t) {
			return
		}
		t.Log("this machine was too busy for a paste without a long pause; once more")
	}
	t.Error("no paste without a long pause in ten")
}

// pasteSlowly pastes words and what does not belong to them, line by line. It is false
// where a pause between two lines was so long that the paste may well be taken for
// ended: that shows nothing.
func pasteSlowly(t *testing.T) bool {
	keys, tty := pty(t)
	c := &cli{stdin: tty, stdout: tty, stderr: tty, now: time.Now}
	out := filepath.Join(t.TempDir(), "hsm_secret")
	done := make(chan int, 1)
	go func() { done <- c.run([]string{"hsm-secret", "--out", out, backupOf(t)}) }()
	var shown []byte
	read := func(until string) {
		for buf := make([]byte, 4096); !bytes.Contains(shown, []byte(until)); {
			n, err := keys.Read(buf)
			if shown = append(shown, buf[:n]...); err != nil {
				t.Fatalf("%v after %q", err, shown)
			}
		}
	}
	read("(not shown): ")
	last, longest := time.Now(), time.Duration(0)
	for _, line := range strings.Split(strings.ReplaceAll(aboutWords, " ", "\n\n")+"\nabandon\nrm -rf abandon", "\n") {
		if _, err := keys.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		last, longest = now, max(longest, now.Sub(last))
		time.Sleep(quiet / 10) // a slow line
	}
	if longest > quiet/2 {
		return false
	}
	read("Written: ")
	if code := <-done; code != exitOK || bytes.Contains(shown, []byte("abandon")) {
		t.Errorf("exit code %d, shown:\n%s", code, shown)
	}
	if _, err := keys.WriteString("next\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := appendLine(tty, make([]byte, 0, 99)); err != nil || string(line) != "next" {
		t.Errorf("the terminal still held %q (%v)", line, err)
	}
	return true
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

// Where nobody knows the node, hex ends with its line, and words with an empty one.
func TestASecretOfAnUnknownNodeMayBeTyped(t *testing.T) {
	for _, c := range []struct {
		lines string
		kind  keychain.Kind
	}{
		{aboutSecret + "\n", keychain.Hex},
		{aboutWords + "\n\n", keychain.Phrase},
	} {
		keys, tty := pty(t)
		shown := &bytes.Buffer{}
		cmd := &cli{stdin: tty, stdout: tty, stderr: shown, now: time.Now}
		if _, err := keys.WriteString(c.lines); err != nil {
			t.Fatal(err)
		}
		source, err := cmd.typedSecret("Secret", channel.PubKey{})
		if err != nil {
			t.Fatal(err)
		}
		secret, err := source.Secret(nil)
		if err != nil || secret.Kind() != c.kind || strings.Contains(shown.String(), "abandon") {
			t.Errorf("%v, %q", err, shown)
		}
	}
}
