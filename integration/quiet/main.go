// Command quiet reads the output of `go test -v` and shows what a person
// needs: one line for each test and package, what was measured or could not
// run, and all of the output of tests that failed. With -brief it shows no line
// for a test that passed, and the tests of a package that could not run for one
// reason share a line. It fails when a test failed or when no package reported
// success, so that it can end a pipe.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	brief := flag.Bool("brief", false, "packages, failures and what could not run")
	flag.Parse()
	if !filter(os.Stdin, os.Stdout, *brief) {
		os.Exit(1)
	}
}

var (
	turn    = regexp.MustCompile(`^=== (RUN|CONT|NAME|PAUSE)\s+(\S+)`)
	verdict = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+)`)
	summary = regexp.MustCompile(`^(ok|FAIL|\?|panic:)(\s|$)`)
	// The reason of a skip repeats the line NOT RUN, which stands already.
	always = regexp.MustCompile(`^\s*(NOT RUN: |(\S+_test\.go:\d+: )?(SYNTHETIC|MEASURED): )`)
	where  = regexp.MustCompile(`^\s*\S+\.go:\d+: `)
	named  = regexp.MustCompile(`^(NOT RUN|not run): (Test\S+ )?`)
)

// filter copies what matters and reports whether everything passed.
func filter(in io.Reader, out io.Writer, brief bool) bool {
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 16<<20)
	kept := map[string][]string{}
	var skipped skips
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
			switch {
			case m[1] == "FAIL":
				failed = true
				tellFailure(out, kept[current])
				fmt.Fprintln(out, line)
			case !brief:
				fmt.Fprintln(out, line)
			case m[1] == "SKIP":
				skipped.add(current, kept[current])
			}
			delete(kept, current)
		case line == "PASS":
			passed = true // of a test binary that was run by itself
		case raw, summary.MatchString(line):
			failed = failed || strings.HasPrefix(line, "FAIL") || strings.HasPrefix(line, "panic:")
			passed = passed || strings.HasPrefix(line, "ok")
			raw = raw || strings.HasPrefix(line, "panic:")
			fmt.Fprintln(out, line)
			skipped.tell(out)
		case always.MatchString(line):
			if !brief || !strings.Contains(line, "NOT RUN: "+current+" ") { // else the skip says it
				fmt.Fprintln(out, strings.TrimSpace(line))
			}
		case current == "":
			fmt.Fprintln(out, line) // a build's complaint
		default:
			kept[current] = append(kept[current], line)
		}
	}
	skipped.tell(out)
	if err := scan.Err(); err != nil {
		fmt.Fprintln(out, "quiet:", err)
		return false
	}
	return passed && !failed
}

// tellFailure writes what a failed test printed, and after long logs once more
// what the test and the harness said: a reader of the last lines sees why it failed.
func tellFailure(out io.Writer, output []string) {
	const long = 20
	for _, l := range output {
		fmt.Fprintln(out, l)
	}
	if len(output) <= long {
		return
	}
	for _, l := range output {
		if where.MatchString(l) && !strings.Contains(l, ": --- ") {
			fmt.Fprintln(out, l)
		}
	}
}

// skips are the tests of one package that did not run, by their reason.
type skips []struct {
	reason string
	tests  []string
}

func (s *skips) add(test string, output []string) {
	reason := "no reason given"
	if n := len(output); n > 0 {
		reason = named.ReplaceAllString(where.ReplaceAllString(output[n-1], ""), "")
	}
	for i := range *s {
		if (*s)[i].reason == reason {
			(*s)[i].tests = append((*s)[i].tests, test)
			return
		}
	}
	*s = append(*s, struct {
		reason string
		tests  []string
	}{reason, []string{test}})
}

// tell writes one line for each reason, and begins anew.
func (s *skips) tell(out io.Writer) {
	for _, x := range *s {
		slices.Sort(x.tests)
		what := x.tests[0]
		if n := len(x.tests); n > 1 {
			what = fmt.Sprintf("%s and %d more", what, n-1)
		}
		fmt.Fprintf(out, "NOT RUN: %s: %s\n", what, x.reason)
	}
	*s = nil
}
