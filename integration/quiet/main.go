// Command quiet reads the output of `go test -v` and shows what a person
// needs: one line for each test and package, what was measured or could not
// run, and all of the output of tests that failed. It fails when a test
// failed or when no package reported success, so that it can end a pipe.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

func main() {
	if !filter(os.Stdin, os.Stdout) {
		os.Exit(1)
	}
}

var (
	turn    = regexp.MustCompile(`^=== (RUN|CONT|NAME|PAUSE)\s+(\S+)`)
	verdict = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+)`)
	summary = regexp.MustCompile(`^(ok|FAIL|\?|panic:)(\s|$)`)
	// The reason of a skip repeats the line NOT RUN, which stands already.
	always = regexp.MustCompile(`^\s*(NOT RUN: |(\S+_test\.go:\d+: )?(SYNTHETIC|MEASURED): )`)
)

// filter copies what matters and reports whether everything passed.
func filter(in io.Reader, out io.Writer) bool {
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 16<<20)
	kept := map[string][]string{}
	var current string
	var passed, failed, raw bool
	for scan.Scan() {
		line := scan.Text()
		switch {
		case turn.MatchString(line):
			current = turn.FindStringSubmatch(line)[2]
		case verdict.MatchString(line):
			m := verdict.FindStringSubmatch(line)
			current = m[2]
			if m[1] == "FAIL" {
				failed = true
				for _, l := range kept[current] {
					fmt.Fprintln(out, l)
				}
			}
			delete(kept, current)
			fmt.Fprintln(out, line)
		case line == "PASS":
			passed = true // of a test binary that was run by itself
		case raw, summary.MatchString(line):
			failed = failed || strings.HasPrefix(line, "FAIL") || strings.HasPrefix(line, "panic:")
			passed = passed || strings.HasPrefix(line, "ok")
			raw = raw || strings.HasPrefix(line, "panic:")
			fmt.Fprintln(out, line)
		case always.MatchString(line):
			fmt.Fprintln(out, strings.TrimSpace(line))
		case current == "":
			fmt.Fprintln(out, line) // a build's complaint
		default:
			kept[current] = append(kept[current], line)
		}
	}
	if err := scan.Err(); err != nil {
		fmt.Fprintln(out, "quiet:", err)
		return false
	}
	return passed && !failed
}
