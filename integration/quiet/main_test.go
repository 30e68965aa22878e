package main

import (
	"strings"
	"testing"
)

func TestFailingTestsShowTheirOutputAndOthersDoNot(t *testing.T) {
	const in = `=== RUN   TestA
=== PAUSE TestA
=== RUN   TestB
=== PAUSE TestB
=== CONT  TestA
=== CONT  TestB
    b_test.go:1: from B
=== NAME  TestA
    a_test.go:1: from A
NOT RUN: TestC needs lnd
=== NAME  TestB
    b_test.go:2: more from B
--- PASS: TestA (0.1s)
--- FAIL: TestB (0.2s)
FAIL
FAIL	example	0.3s
`
	var out strings.Builder
	if filter(strings.NewReader(in), &out, false) {
		t.Error("a failed run passed")
	}
	const want = `NOT RUN: TestC needs lnd
--- PASS: TestA (0.1s)
    b_test.go:1: from B
    b_test.go:2: more from B
--- FAIL: TestB (0.2s)
FAIL
FAIL	example	0.3s
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestWhatALongFailureSaidStandsLast(t *testing.T) {
	in := "=== RUN   TestA\n    a_test.go:1: from A\n    net.go:1: bitcoind had ended\n    net.go:2: --- end of log\n" + strings.Repeat("        a log\n", 30) + "--- FAIL: TestA (0.1s)\n"
	var out strings.Builder
	if filter(strings.NewReader(in), &out, false) {
		t.Error("a failed run passed")
	}
	const want = "        a log\n    a_test.go:1: from A\n    net.go:1: bitcoind had ended\n--- FAIL: TestA (0.1s)\n"
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("got\n%s\nwant at its end\n%s", out.String(), want)
	}
}

func TestOnlySuccessPasses(t *testing.T) {
	for in, want := range map[string]bool{
		"ok  \texample\t1s\n":                   true,
		"ok  \ta\t1s\nFAIL\tb [build failed]\n": false,
		"":                                      false,
		"?   \ta\t[no test files]\n":            false,
		"=== RUN TestA\npanic: test timed out\nstack\n": false,
	} {
		var out strings.Builder
		if got := filter(strings.NewReader(in), &out, false); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestBrieflyTestsThatCouldNotRunShareALine(t *testing.T) {
	const in = `=== RUN   TestA
    a_test.go:1: from A
--- PASS: TestA (0.1s)
=== RUN   TestB
NOT RUN: TestB needs lnd (it is not built)
    need.go:9: NOT RUN: TestB needs lnd (it is not built)
--- SKIP: TestB (0.0s)
=== RUN   TestC
NOT RUN: TestC needs lnd (it is not built)
    need.go:9: NOT RUN: TestC needs lnd (it is not built)
--- SKIP: TestC (0.0s)
=== RUN   TestD
=== RUN   TestD/one
    d_test.go:3: not run: no bitcoind on PATH
--- PASS: TestD (0.0s)
    --- SKIP: TestD/one (0.0s)
PASS
ok  	a	1s
=== RUN   TestE
    e_test.go:1: from E
--- FAIL: TestE (0.2s)
FAIL
FAIL	b	0.3s
`
	var out strings.Builder
	if filter(strings.NewReader(in), &out, true) {
		t.Error("a failed run passed")
	}
	const want = `ok  	a	1s
NOT RUN: TestB and 1 more: needs lnd (it is not built)
NOT RUN: TestD/one: no bitcoind on PATH
    e_test.go:1: from E
--- FAIL: TestE (0.2s)
FAIL
FAIL	b	0.3s
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
