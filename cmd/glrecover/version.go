package main

import (
	"fmt"
	"runtime"
)

var versionCommand = command{
	name:    "version",
	summary: "print the version",
	run: func(c *cli, args []string) error {
		if _, err := parse(flags("version"), args); err != nil {
			return err
		}
		return c.write(fmt.Appendf(nil, "glrecover %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH))
	},
}
