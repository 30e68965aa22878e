package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

const corpusDir = "../../testdata/corpus"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"glrecover": main})
}

// TestScripts runs the program as a person does. Commands beyond testscript's
// own: exits, replace, cut, sparse, fifo, mode, lines.
func TestScripts(t *testing.T) {
	corpus, err := filepath.Abs(corpusDir)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CORPUS", corpus)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "replace": replace, "cut": cut, "sparse": sparse, "fifo": fifo, "mode": mode, "lines": lines,
		},
	})
}

// exits CODE PROGRAM ARGS... demands the exact exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got, exit := 0, new(exec.ExitError)
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// replace FILE OLD NEW replaces each OLD; at least one must be there.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not contain %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
}

// cut FILE SIZE cuts a file off, sparse FILE SIZE makes one of zeros.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), size))
}

func sparse(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), nil, 0o600))
	cut(ts, neg, args)
}

func fifo(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(syscall.Mkfifo(ts.MkAbs(args[0]), 0o600))
}

// mode PERM FILE demands a file's permissions.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// lines N FILE keeps the first lines of a file.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	kept := strings.SplitAfterN(ts.ReadFile(args[1]), "\n", n+1)[:n]
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(kept, "")), 0o600))
}

func TestEveryCorpusCaseIsCompared(t *testing.T) {
	script, err := os.ReadFile("testdata/script/convert-glcli.txtar")
	if err != nil {
		t.Fatal(err)
	}
	reports, err := filepath.Glob(filepath.Join(corpusDir, "*", "glclient-convert*.json"))
	if err != nil || len(reports) < 15 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	for _, path := range reports {
		name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
		if !strings.Contains(string(script), "cmp stdout $CORPUS/"+name) &&
			!strings.Contains(string(script), "cmp refusal $CORPUS/"+name) {
			t.Errorf("%s is not compared", name)
		}
	}
}
