package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glrecover/glrecover/plugin"
)

// manCommand is a function: it prints the page of all commands.
func manCommand() command {
	return command{
		name:    "man",
		args:    "[--command | --list | NAME]",
		summary: "print the manual page of a plugin method",
		help: `NAME is a method (default: glrecover): ` + strings.Join(plugin.ManPages(), ", ") + `.
lightning-cli help NAME looks for the page lightning-NAME. make install puts all of
them where man finds them. By hand:

  glrecover man glrecover > /usr/local/share/man/man7/lightning-glrecover.7

  --command
      the page of this program, glrecover(1)
  --list
      the names of the methods
`,
		run: man,
	}
}

func man(c *cli, args []string) error {
	fs := flags("man")
	ofCommand := fs.Bool("command", false, "")
	list := fs.Bool("list", false, "")
	names, err := parseUpTo(fs, args, 1)
	if err != nil {
		return err
	}
	name := "glrecover"
	if len(names) > 0 {
		name = names[0]
	}
	switch {
	case (*ofCommand || *list) && len(names) > 0 || *ofCommand && *list:
		return usagef("give only one of --command, --list and NAME")
	case *ofCommand:
		return c.write([]byte(commandPage()))
	case *list:
		return c.write([]byte(strings.Join(plugin.ManPages(), "\n") + "\n"))
	case !slices.Contains(plugin.ManPages(), name):
		return usagef("there is no method %q; the methods are %s", name, strings.Join(plugin.ManPages(), ", "))
	}
	return c.write([]byte(plugin.ManPage(name)))
}

// commandPage is the page of the command line, made of the help texts as they are.
func commandPage() string {
	var b strings.Builder
	b.WriteString(".TH GLRECOVER 1 \"\" glrecover\n.SH NAME\nglrecover \\- recover the channels of a lost Greenlight node\n" +
		".SH SYNOPSIS\n.B glrecover\nCOMMAND [ARGUMENTS]\n")
	section := func(title, text string) {
		fmt.Fprintf(&b, ".SH %s\n.nf\n", title)
		for _, line := range splitLines(text) {
			line = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(line)
			if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
				line = `\&` + line
			}
			b.WriteString(line + "\n")
		}
		b.WriteString(".fi\n")
	}
	section("DESCRIPTION", overview())
	for _, cmd := range commands() {
		section(strings.ToUpper(cmd.name), strings.TrimRight("glrecover "+cmd.name+" "+cmd.args, " ")+"\n\n"+
			strings.ToUpper(cmd.summary[:1])+cmd.summary[1:]+".\n\n"+cmd.help)
	}
	return b.String()
}
