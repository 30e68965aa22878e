package main

import (
	"fmt"
	"slices"
	"strings"
)

const exitCodes = `Exit codes:
  0  done, and nothing wrong was found
  1  refused, or a problem was found; the text says which
  2  the command line is wrong
  3  a file cannot be read, or is no signer backup or secret
  4  the result could not be written
`

// overview is the help without a command.
func overview() string {
	var b strings.Builder
	b.WriteString(`glrecover recovers the channels of a lost Greenlight node from its signer backup.

It is for disasters only. While the hosted node can still run, do not recover:
two nodes with one key can lose everything.

These commands work on files; they need no node and no network. snapshot and check
can ask a running node, and change nothing there:

`)
	for _, cmd := range commands() {
		fmt.Fprintf(&b, "  %-10s %s\n", cmd.name, cmd.summary)
	}
	fmt.Fprintf(&b, "  %-10s %s\n", "help", "this text, or with a command's name more about it")
	b.WriteString("\nThe recovery itself runs inside lightningd: start it with plugin=/path/to/glrecover.\n\n")
	b.WriteString(exitCodes)
	return b.String()
}

func (c *cli) help(args []string) error {
	if len(args) == 0 {
		return c.write([]byte(overview()))
	}
	if len(args) > 1 {
		return usagef("one argument too many: %q", args[1])
	}
	all := commands()
	i := slices.IndexFunc(all, func(cmd command) bool { return cmd.name == args[0] })
	if i < 0 {
		return usagef("there is no command %q", args[0])
	}
	cmd := all[i]
	text := strings.TrimRight("glrecover "+cmd.name+" "+cmd.args, " ") + "\n\n" +
		strings.ToUpper(cmd.summary[:1]) + cmd.summary[1:] + ".\n"
	if cmd.help != "" {
		text += "\n" + cmd.help
	}
	return c.write([]byte(text + "\n" + exitCodes))
}
