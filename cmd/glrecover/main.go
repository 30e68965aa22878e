package main

import (
	"os"
	"runtime/debug"
	"time"
)

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
		rescueCommand,
		findCommand,
		sweepCommand,
		doctorCommand,
		statusCommand,
		reportCommand,
		manCommand(),
		completionCommand(),
		versionCommand,
	}
}

func main() {
	if startedByLightningd(os.Args[1:], os.Getenv) {
		os.Exit(runPlugin(os.Stdin, os.Stdout))
	}
	if os.Getenv("GOGC") == "" {
		// The entries of a large backup live until the end: at Go's default they
		// would take twice their size.
		debug.SetGCPercent(60)
	}
	c := &cli{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now}
	os.Exit(c.run(os.Args[1:]))
}
