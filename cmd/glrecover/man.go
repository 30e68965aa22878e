package main

import (
	"slices"
	"strings"

	"github.com/glrecover/glrecover/plugin"
)

var manCommand = command{
	name:    "man",
	args:    "[NAME]",
	summary: "print the manual page of one of the plugin's methods",
	help: `NAME is a method, glrecover by default: ` + strings.Join(plugin.ManPages(), ", ") + `.
lightning-cli help NAME looks for the page lightning-NAME, so put it where man finds
it, for example:

  glrecover man glrecover > /usr/local/share/man/man7/lightning-glrecover.7
`,
	run: man,
}

func man(c *cli, args []string) error {
	fs := flags("man")
	if err := fs.Parse(args); err != nil {
		return usagef("%v", err)
	}
	name := "glrecover"
	switch fs.NArg() {
	case 0:
	case 1:
		name = fs.Arg(0)
	default:
		return usagef("one argument too many: %q", fs.Arg(1))
	}
	if !slices.Contains(plugin.ManPages(), name) {
		return usagef("there is no method %q; there are %s", name, strings.Join(plugin.ManPages(), ", "))
	}
	return c.write([]byte(plugin.ManPage(name)))
}
