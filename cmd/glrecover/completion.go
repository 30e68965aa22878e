package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glrecover/glrecover/plugin"
)

// completionCommand is a function: it knows all commands.
func completionCommand() command {
	return command{
		name:    "completion",
		args:    "bash|zsh|fish",
		summary: "print a shell completion script",
		help: `make install and the Debian package install it for you; by hand, for bash:

  glrecover completion bash > ~/.local/share/bash-completion/completions/glrecover
`,
		run: func(c *cli, args []string) error {
			shells, err := parse(flags("completion"), args, "bash, zsh or fish")
			if err != nil {
				return err
			}
			script, ok := map[string]func() string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[shells[0]]
			if !ok {
				return usagef("completion exists for bash, zsh and fish, not for %q", shells[0])
			}
			return c.write([]byte(script()))
		},
	}
}

// flagsOf are the flags of a command, as its help lists them.
func flagsOf(cmd *command) []string {
	var out []string
	for _, line := range splitLines(cmd.help) {
		// "  --flag VALUE" or "  -o OUT"; several may stand in one line.
		if !strings.HasPrefix(line, "  -") {
			continue
		}
		for _, part := range strings.Split(strings.TrimSpace(line), ", ") {
			if name, _, _ := strings.Cut(part, " "); strings.HasPrefix(name, "-") && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// wordsOf are what may stand behind a command besides files.
func wordsOf(cmd *command) []string {
	switch cmd.name {
	case "man":
		return append(flagsOf(cmd), plugin.ManPages()...)
	case "completion":
		return []string{"bash", "zsh", "fish"}
	}
	return flagsOf(cmd)
}

func commandNames() []string {
	var names []string
	for _, cmd := range commands() {
		names = append(names, cmd.name)
	}
	return append(names, "help")
}

func bashCompletion() string {
	var b strings.Builder
	fmt.Fprintf(&b, `_glrecover() {
  local cur=${COMP_WORDS[COMP_CWORD]} words= files=1
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W '%s' -- "$cur"))
    return
  fi
  case ${COMP_WORDS[1]} in
  help) words='%s' files= ;;
`, strings.Join(commandNames(), " "), strings.Join(commandNames(), " "))
	for _, cmd := range commands() {
		if words := wordsOf(&cmd); len(words) > 0 {
			files := ""
			if cmd.name == "man" || cmd.name == "completion" {
				files = " files="
			}
			fmt.Fprintf(&b, "  %s) words='%s'%s ;;\n", cmd.name, strings.Join(words, " "), files)
		}
	}
	b.WriteString(`  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur") $([ -z "$files" ] || compgen -f -- "$cur"))
}
complete -o filenames -F _glrecover glrecover
`)
	return b.String()
}

func zshCompletion() string {
	var b strings.Builder
	b.WriteString("#compdef glrecover\nlocal -a commands words\ncommands=(\n")
	for _, cmd := range commands() {
		fmt.Fprintf(&b, "  '%s:%s'\n", cmd.name, strings.ReplaceAll(cmd.summary, "'", `'\''`))
	}
	b.WriteString("  'help:more about a command'\n)\nif (( CURRENT == 2 )); then\n  _describe command commands\n  return\nfi\ncase $words[2] in\n")
	fmt.Fprintf(&b, "help) compadd -- %s; return ;;\n", strings.Join(commandNames(), " "))
	for _, cmd := range commands() {
		if words := wordsOf(&cmd); len(words) > 0 {
			fmt.Fprintf(&b, "%s) compadd -- %s ;;\n", cmd.name, strings.Join(words, " "))
		}
	}
	b.WriteString("esac\n_files\n")
	// The shell's own array is meant, not a local one.
	return strings.Replace(b.String(), "local -a commands words", "local -a commands", 1)
}

func fishCompletion() string {
	var b strings.Builder
	for _, cmd := range commands() {
		fmt.Fprintf(&b, "complete -c glrecover -n __fish_use_subcommand -f -a %s -d '%s'\n", cmd.name, strings.ReplaceAll(cmd.summary, "'", `\'`))
		for _, word := range wordsOf(&cmd) {
			at := "-a " + word
			if name, long := strings.CutPrefix(word, "--"); long {
				at = "-l " + name
			} else if name, short := strings.CutPrefix(word, "-"); short {
				at = "-s " + name
			}
			fmt.Fprintf(&b, "complete -c glrecover -n '__fish_seen_subcommand_from %s' %s\n", cmd.name, at)
		}
	}
	fmt.Fprintf(&b, "complete -c glrecover -n __fish_use_subcommand -f -a help\ncomplete -c glrecover -n '__fish_seen_subcommand_from help' -f -a '%s'\n",
		strings.Join(commandNames(), " "))
	return b.String()
}
