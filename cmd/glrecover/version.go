package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and commit are set by the linker (Makefile, packaging/release).
var (
	version = "unknown"
	commit  = ""
)

// buildText is the version with its commit, where one of the two is known: from
// the linker, or from what Go knows of a program that go install made.
func buildText() string {
	v, at := version, commit
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "unknown" && info.Main.Version != "" && info.Main.Version != "(devel)" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if at == "" && s.Key == "vcs.revision" {
				at = s.Value
			}
		}
	}
	if at != "" {
		v += ", commit " + at[:min(len(at), 12)]
	}
	return v
}

var versionCommand = command{
	name:    "version",
	summary: "print the version",
	run: func(c *cli, args []string) error {
		if _, err := parse(flags("version"), args); err != nil {
			return err
		}
		return c.write(fmt.Appendf(nil, "glrecover %s (%s %s/%s)\n", buildText(), runtime.Version(), runtime.GOOS, runtime.GOARCH))
	},
}
