package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// inputRow is something that a user brings, and a command that gets it.
type inputRow struct {
	given string
	// args are the command line; BACKUP stands for a backup of the node of
	// aboutWords, PEERS for one with the peer NODE_ID, OUT for a new file, GIVEN for
	// a file with the input, which is standard input too.
	args  []string
	input []byte
	code  int
	// show is the section's where it is "".
	show string
}

// inputSection is a part of docs/inputs.md.
type inputSection struct {
	title, text string
	// show begins the line that is shown where the command succeeds; the first line
	// where it is "".
	show string
	rows []inputRow
}

// inputSections are the parts, each in a file of its own.
func inputSections(t *testing.T) []inputSection {
	return []inputSection{backupInputs(t), secretInputs(t), addressInputs(t)}
}

const inputsPage = "../../docs/inputs.md"

// TestInputs gives the product what users bring and keeps docs/inputs.md as it
// answers (-update writes it anew). Nothing may be repeated of a secret, and
// nothing may take long.
func TestInputs(t *testing.T) {
	var page strings.Builder
	page.WriteString("# What people bring, and what glrecover says\n\n" +
		"Made by `go test ./cmd/glrecover -run TestInputs -update`, which runs each line. Only the first line of what\n" +
		"is said is shown, without paths; `hsm-secret` reads the input from standard input.\n")
	for _, section := range inputSections(t) {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n| given | command | what it says | exit code |\n|---|---|---|---|\n", section.title, section.text)
		for _, row := range section.rows {
			show := row.show
			if show == "" {
				show = section.show
			}
			said := row.run(t, show)
			fmt.Fprintf(&page, "| %s | `%s` | %s | %d |\n", row.given, strings.Join(row.args, " "), strings.ReplaceAll(said, "|", `\|`), row.code)
		}
	}
	if *update {
		if err := os.WriteFile(inputsPage, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(inputsPage)
	if err != nil || string(want) != page.String() {
		t.Errorf("docs/inputs.md is not what the product says (%v); go test ./cmd/glrecover -run TestInputs -update:\n%s", err, page.String())
	}
}

// run gives the input to the command and returns the first line of what it says.
func (row *inputRow) run(t *testing.T, show string) string {
	t.Helper()
	dir := t.TempDir()
	const onePeer = "02f0c7d96d5af2b7e689d69f5e0a832eba2c98882de3ba6c52e1a755f3203b0723"
	peers := corpusDir + "/used-both-ways/backup.json"
	given, out, backup := dir+"/given", dir+"/hsm_secret", backupOf(t)
	if err := os.WriteFile(given, row.input, 0o400); err != nil {
		t.Fatal(err)
	}
	args := make([]string, len(row.args))
	for i, arg := range row.args {
		args[i] = strings.NewReplacer("GIVEN", given, "OUT", out, "BACKUP", backup, "PEERS", peers, "NODE_ID", onePeer).Replace(arg)
	}
	var stdout, stderr bytes.Buffer
	c := &cli{stdin: bytes.NewReader(row.input), stdout: &stdout, stderr: &stderr, now: time.Now}
	start := time.Now()
	code := c.run(args)
	if code != row.code {
		t.Errorf("%s: exit code %d, want %d\n%s%s", row.given, code, row.code, stdout.String(), stderr.String())
	}
	// A phrase that is wrong in every way is tried in some thousand ways.
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("%s: took %v", row.given, took)
	}
	said := stderr.String()
	if lines := splitLines(said); strings.Contains(lines[0], "Looking for the mistake") {
		said = strings.Join(lines[1:], "\n")
	}
	if said == "" {
		said = stdout.String()
	}
	for _, path := range []string{out, given, backup, dir} {
		said = strings.ReplaceAll(said, path, "FILE")
	}
	row.noEcho(t, stdout.String()+stderr.String())
	said = strings.ReplaceAll(said, onePeer, "NODE_ID")
	for _, line := range splitLines(said) {
		if show != "" && strings.HasPrefix(strings.TrimSpace(line), show) {
			return plain(strings.TrimSpace(line))
		}
	}
	return plain(strings.TrimPrefix(splitLines(said)[0], "glrecover: "))
}

// noEcho demands that no run of eight characters of a secret is in a text.
func (row *inputRow) noEcho(t *testing.T, text string) {
	t.Helper()
	if row.args[0] != "hsm-secret" && row.args[0] != "verify" {
		return
	}
	// Their own words may stand in an input too.
	own := "hsm_secret node seed the words " + strings.Join(row.args, " ")
	for i := 0; i+8 <= len(row.input); i++ {
		if run := string(row.input[i : i+8]); strings.Contains(text, run) && !strings.Contains(own, run) && strings.Trim(run, "0") != "" {
			t.Errorf("%s: the text repeats %q:\n%s", row.given, run, text)
			return
		}
	}
}

// The command that an error names repairs what was given.
func TestTheCommandThatIsNamedRepairsTheSecret(t *testing.T) {
	commandLine := regexp.MustCompile(`: ((?:xxd|head|tail) [^:]*glrecover hsm-secret BACKUP)\.`)
	tried := 0
	for _, row := range secretInputs(t).rows {
		if row.code == exitOK {
			continue
		}
		dir, backup := t.TempDir(), backupOf(t)
		file := filepath.Join(dir, "given")
		if err := os.WriteFile(file, row.input, 0o400); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		args := []string{"verify", "--hsm-secret", file, backup}
		(&cli{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr, now: time.Now}).run(args)
		m := commandLine.FindStringSubmatch(stderr.String())
		if m == nil {
			continue
		}
		tried++
		command := strings.NewReplacer("FILE", file, "BACKUP", backup).Replace(m[1])
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		made, errRead := os.ReadFile(filepath.Join(dir, "hsm_secret"))
		if err != nil || errRead != nil || hex.EncodeToString(made) != aboutSecret {
			t.Errorf("%s: %s: %v\n%s", row.given, command, errors.Join(err, errRead), out)
		}
	}
	if tried < 3 {
		t.Errorf("only %d inputs name a command", tried)
	}
}
