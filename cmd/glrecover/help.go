package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/glrecover/glrecover/plugin"
)

const exitCodes = `Exit codes:
  0  done, and nothing wrong was found
  1  refused, or a problem was found; the text says which
  2  the command line is wrong
  3  a file cannot be read, or is not a signer backup or secret
  4  the result could not be written
  130  stopped by Ctrl-C; the same command goes on with it
`

// overview is the help without a command.
func overview() string {
	var b strings.Builder
	b.WriteString(`glrecover recovers the channels of a lost Greenlight node from its signer backup.

It is for disasters only. While the hosted node can still run, do not recover:
two nodes with one key can lose everything.

These commands work on files and need no node and no network, with these exceptions:
snapshot and check can ask a running node, doctor, status and report do ask one, and
find asks bitcoind; none of them changes anything. sweep can ask bitcoind, and sends
nothing unless told to. rescue recovers a node without lightningd, once you state that
the node is dead:

`)
	for _, cmd := range commands() {
		fmt.Fprintf(&b, "  %-10s %s\n", cmd.name, cmd.summary)
	}
	fmt.Fprintf(&b, "  %-10s %s\n", "help", "this text; with the name of a command, more about that command")
	b.WriteString("\nThe recovery itself runs inside lightningd: start it with plugin=/path/to/glrecover.\n\n")
	b.WriteString(exitCodes)
	return b.String()
}

func (c *cli) help(args []string) error {
	if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help" {
		return c.write([]byte(overview()))
	}
	if len(args) > 1 {
		return usagef("too many arguments: %q", args[1])
	}
	all := commands()
	i := slices.IndexFunc(all, func(cmd command) bool { return cmd.name == args[0] })
	if i < 0 {
		return noCommand(args[0])
	}
	cmd := all[i]
	text := strings.TrimRight("glrecover "+cmd.name+" "+cmd.args, " ") + "\n\n" +
		strings.ToUpper(cmd.summary[:1]) + cmd.summary[1:] + ".\n"
	if cmd.help != "" {
		text += "\n" + cmd.help
	}
	return c.write([]byte(text + "\n" + exitCodes))
}

// noCommand says what somebody meant who typed a name that is no command.
func noCommand(name string) error {
	method := "glrecover-" + strings.TrimPrefix(strings.TrimPrefix(name, "glrecover"), "-")
	if name == "recover" || name == "glrecover" {
		method = "glrecover"
	}
	if slices.Contains(plugin.ManPages(), method) {
		usage := "lightning-cli " + method
		if method == "glrecover" {
			usage += " backup=/PATH/TO/BACKUP dry_run=true"
		}
		return usagef("%s runs inside lightningd, where the plugin is loaded: %s (glrecover man %s says more)", method, usage, method)
	}
	if _, err := os.Stat(name); err == nil {
		return usagef("%q is a file; put a command before it, such as: glrecover inspect %s", name, name)
	}
	return usagef("there is no command %q", name)
}
