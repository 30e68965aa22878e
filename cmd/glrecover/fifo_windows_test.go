package main

import "github.com/rogpeppe/go-internal/testscript"

func fifo(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("there are no pipes in the file system")
}
