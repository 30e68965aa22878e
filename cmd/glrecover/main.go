package main

import (
	"os"
	"time"
)

// version is set by the linker (Makefile).
var version = "unknown"

// commands are the commands of the command line, in the order of the help.
func commands() []command {
	return []command{
		inspectCommand,
		convertCommand,
		verifyCommand,
		hsmSecretCommand,
		snapshotCommand,
		diffCommand,
		checkCommand,
		manCommand,
		versionCommand,
	}
}

func main() {
	if startedByLightningd(os.Args[1:], os.Getenv) {
		os.Exit(runPlugin(os.Stdin, os.Stdout))
	}
	c := &cli{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now}
	os.Exit(c.run(os.Args[1:]))
}
