package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What is completed is what the program takes.
func TestEachCompletedFlagIsKnown(t *testing.T) {
	for _, cmd := range commands() {
		for _, flag := range flagsOf(&cmd) {
			code, _, stderr := runCLI(t, cmd.name, flag)
			if strings.Contains(stderr, "flag provided but not defined") {
				t.Errorf("%s %s: exit code %d, %s", cmd.name, flag, code, stderr)
			}
		}
	}
	for name, want := range map[string][]string{
		"convert": {"--format", "--skip-incomplete", "--json", "-o", "--addresses"},
		"status":  {"--watch", "--json", "--lightning-dir", "--network", "--rpc-file"},
	} {
		i := slices.IndexFunc(commands(), func(c command) bool { return c.name == name })
		cmd := commands()[i]
		for _, flag := range want {
			if !slices.Contains(flagsOf(&cmd), flag) {
				t.Errorf("%s %s is not completed", name, flag)
			}
		}
	}
}

// bash itself completes.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	for line, want := range map[string]string{
		"glrecover st":             "status",
		"glrecover help doc":       "doctor",
		"glrecover hsm-secret --o": "--out",
		"glrecover man glrecover-": "glrecover-find glrecover-forget glrecover-inspect glrecover-report glrecover-retry glrecover-status glrecover-sweep",
		"glrecover completion f":   "fish",
	} {
		words := strings.Fields(line)
		script := bashCompletion() + "COMP_WORDS=(" + line + ")\nCOMP_CWORD=" + string(rune('0'+len(words)-1)) + "\n_glrecover\necho \"${COMPREPLY[@]}\"\n"
		out, err := exec.Command(bash, "-c", script).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", line, got, err, want)
		}
	}
}

func TestEveryShellsScriptNamesEachCommand(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		_, script, _ := runCLI(t, "completion", shell)
		for _, cmd := range commands() {
			if !strings.Contains(script, cmd.name) {
				t.Errorf("%s: no %s", shell, cmd.name)
			}
		}
	}
	if code, _, stderr := runCLI(t, "completion", "csh"); code != exitUsage || !strings.Contains(stderr, `not for "csh"`) {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
