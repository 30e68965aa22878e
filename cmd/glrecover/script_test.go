package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/testdata"

	"github.com/rogpeppe/go-internal/testscript"
)

var corpusDir = testdata.Corpus()

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"glrecover": program})
}

// program is main with a clock that is never before the corpus was made: the
// clock of the machine that runs the tests may be.
func program() {
	made := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c := &cli{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: func() time.Time {
		if now := time.Now(); now.After(made) {
			return now
		}
		return made
	}}
	os.Exit(c.run(os.Args[1:]))
}

// TestScripts runs the program as a person does. Commands beyond testscript's
// own: exits, replace, cut, sparse, fifo, mode, lines, cutsignatures.
func TestScripts(t *testing.T) {
	corpus, err := filepath.Abs(corpusDir)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CORPUS", corpus)
			e.Setenv("INPUTS", filepath.Join(filepath.Dir(corpus), "inputs"))
			secret, err := os.ReadFile(filepath.Join(corpus, "used-both-ways", "hsm_secret.hex"))
			if err != nil {
				return err
			}
			for name, network := range map[string]string{"BITCOIND": "regtest", "MAINNET": "main"} {
				s, err := fakeBitcoind(e, network, string(secret))
				if err != nil {
					return err
				}
				e.Setenv(name, s.URL)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "replace": replace, "cut": cut, "sparse": sparse, "fifo": fifo, "mode": mode, "lines": lines,
			"cutsignatures": cutSignatures,
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

// cutsignatures FILE [whole] takes the last byte off each entry's signature, or
// takes the signatures away.
func cutSignatures(ts *testscript.TestScript, _ bool, args []string) {
	var file struct {
		Version   json.RawMessage `json:"version"`
		CreatedAt json.RawMessage `json:"created_at"`
		NodeID    json.RawMessage `json:"node_id"`
		Strategy  json.RawMessage `json:"strategy"`
		State     struct {
			Values map[string][]json.RawMessage `json:"values"`
		} `json:"state"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &file))
	for key, entry := range file.State.Values {
		var sig []int
		ts.Check(json.Unmarshal(entry[2], &sig))
		file.State.Values[key] = entry[:2]
		if len(args) == 1 {
			short, err := json.Marshal(sig[:len(sig)-1])
			ts.Check(err)
			file.State.Values[key] = append(entry[:2], short)
		}
	}
	data, err := json.Marshal(file)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
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
