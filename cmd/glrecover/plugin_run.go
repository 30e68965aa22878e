package main

import (
	"context"
	"io"
	"runtime"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/plugin"
)

// startedByLightningd reports whether lightningd runs this program as a plugin:
// it sets LIGHTNINGD_PLUGIN (CLN lightningd/plugin.c) and gives no arguments but
// --developer, where it runs with that itself. A command given by somebody who
// has the variable in the environment stays a command.
func startedByLightningd(args []string, env func(string) string) bool {
	if env("LIGHTNINGD_PLUGIN") == "" {
		return false
	}
	return len(args) == 0 || (len(args) == 1 && args[0] == "--developer")
}

// runPlugin serves lightningd until it ends the plugin.
func runPlugin(in io.Reader, out io.Writer) int {
	return plugin.Main(context.Background(), in, out, func(rpc *lightningd.Client, log logrus.FieldLogger) plugin.Service {
		log.Infof("glrecover %s, %s", buildText(), runtime.Version())
		return plugin.ForLightningd(rpc, log)
	})
}
