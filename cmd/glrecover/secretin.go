package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	proofs "github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/vlsstate"
)

// terminal returns the file behind a stream if it is a terminal.
func terminal(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, false
	}
	return f, true
}

// quiet is how long nothing must arrive from a terminal before what was pasted
// counts as ended.
const quiet = 150 * time.Millisecond

// prompt asks for a secret at the terminal without showing it: one line where
// whole is nil; else lines until whole says that it is all there, or an empty one.
// What is pasted behind that is read too, and dropped: a shell must not get it.
func (c *cli) prompt(text string, whole func(typed []byte) bool) (typed []byte, err error) {
	in, ok := terminal(c.stdin)
	if !ok {
		return nil, errors.New("standard input is not a terminal")
	}
	restore, err := withoutEcho(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	fmt.Fprint(c.stderr, text)
	// Never grown, so that no copy is left behind.
	typed = make([]byte, 0, keychain.MaxSize+1)
	for {
		before := len(typed)
		typed, err = appendLine(in, typed)
		waiting := arrives(int(in.Fd()), quiet)
		if err != nil || whole == nil || len(typed) == cap(typed) || whole(typed) || len(typed) == before && !waiting {
			break
		}
		if len(typed) > 0 {
			typed = append(typed, '\n')
		}
		if !waiting {
			fmt.Fprint(c.stderr, "\n"+soFar(typed)+" so far; go on, or end with an empty line (not shown): ")
		}
	}
	for err == nil && arrives(int(in.Fd()), quiet) {
		var dropped []byte
		dropped, err = appendLine(in, make([]byte, 0, keychain.MaxSize))
		clear(dropped)
	}
	if errors.Is(err, io.EOF) && len(typed) > 0 {
		err = nil
	}
	fmt.Fprintln(c.stderr)
	if err = errors.Join(err, restore()); err != nil {
		clear(typed)
		return nil, err
	}
	return typed, nil
}

// soFar counts what was typed: words where it is letters, else lines.
func soFar(typed []byte) string {
	fields := bytes.Fields(typed)
	for _, f := range fields {
		if bytes.ContainsFunc(f, unicode.IsDigit) {
			return page.Count(bytes.Count(typed, []byte("\n")), "line", "lines")
		}
	}
	return page.Count(len(fields), "word", "words")
}

// appendLine reads a line without its end. The end of the input ends it too,
// but is an error where nothing stands before it. What has no place any more is
// dropped: it is longer than any secret.
func appendLine(in io.Reader, typed []byte) ([]byte, error) {
	var b [1]byte
	defer clear(b[:])
	before := len(typed)
	for {
		n, err := in.Read(b[:])
		switch {
		case n == 1 && b[0] == '\n':
			if n := len(typed); n > before && typed[n-1] == '\r' {
				typed = typed[:n-1] // a console of Windows ends lines with both
			}
			return typed, nil
		case n == 1 && len(typed) < cap(typed):
			typed = append(typed, b[0])
		case errors.Is(err, io.EOF) && len(typed) > before:
			return typed, nil
		case err != nil:
			return typed, err
		}
	}
}

// ask is how the keychain asks for a passphrase; nil where nobody can be asked.
func (c *cli) ask() keychain.Ask {
	if _, ok := terminal(c.stdin); !ok {
		return nil
	}
	return func() ([]byte, error) { return c.prompt("Passphrase of the secret (not shown): ", nil) }
}

// typedSecret reads a secret from the terminal, or all of standard input where
// that is none. It may be typed or pasted in several lines; the prompt ends by
// itself where it makes the node want. Where nobody knows the node, want is the
// zero key; then words end with an empty line.
func (c *cli) typedSecret(what string, want channel.PubKey) (*keychain.Source, error) {
	if _, ok := terminal(c.stdin); !ok {
		return keychain.FromReader(c.stdin)
	}
	typed, err := c.prompt(what+" (not shown): ", func(typed []byte) bool { return makesNode(typed, want) })
	if err != nil || len(bytes.TrimSpace(typed)) == 0 {
		return nil, failure.New(failure.SecretUnreadable, "Try again", "nothing was read from the terminal").Wrap(err)
	}
	return keychain.FromBytes(typed), nil
}

// makesNode reports whether what was typed is the secret of a node, as far as no
// passphrase is needed. Twelve words may be the first half of a longer phrase.
func makesNode(typed []byte, want channel.PubKey) bool {
	source := keychain.FromBytes(bytes.Clone(typed))
	defer source.Wipe()
	secret, err := source.Secret(nil)
	if err != nil {
		return false
	}
	defer secret.Wipe()
	if want == (channel.PubKey{}) {
		return secret.Kind() != keychain.Phrase
	}
	id, err := secret.NodeID()
	return err == nil && id == want
}

// secretFor understands a source and demands that it makes the backup's node.
// If it does not, the error names the likely mistake.
func (c *cli) secretFor(b *vlsstate.Backup, source *keychain.Source, ask keychain.Ask) (*keychain.Secret, error) {
	secret, errSecret := source.Secret(ask)
	if errSecret != nil && failure.NameOf(errSecret) != failure.SecretUnreadable {
		return nil, errSecret
	}
	var made *channel.PubKey
	if errSecret == nil {
		id, err := secret.NodeID()
		if err != nil || id == b.NodeID {
			return secret, err
		}
		defer secret.Wipe()
		if damaged := proofs.DamagedNodeID(b, id); damaged != nil {
			return nil, damaged
		}
		made = &id
	}
	what := "This is not the secret of the node in the backup."
	if errSecret != nil {
		what = "This is not a secret in any known form."
	}
	fmt.Fprintln(c.stderr, what+" Looking for the mistake; this may take some seconds.")
	wrong := proofs.Diagnose(context.Background(), b.NodeID, source, made)
	// What could not be understood keeps its own error unless the mistake is
	// known for sure.
	if d, ok := wrong.Data.(proofs.Diagnosis); errSecret != nil && ok && !d.Certain {
		return nil, errSecret
	}
	return nil, wrong
}

// secretInArguments refuses a secret that was typed where a file is named. What is
// said of a bad argument repeats it, and users show that to those who help them.
func secretInArguments(args []string) error {
	looks := func(arg string) bool {
		if strings.HasPrefix(arg, "-") {
			_, arg, _ = strings.Cut(arg, "=")
		}
		raw, err := hex.DecodeString(arg)
		if codex32 := strings.HasPrefix(strings.ToLower(arg), "cl1") && len(arg) > 60; !codex32 && (err != nil || len(raw) != 32) {
			return false
		}
		_, err = os.Stat(arg)
		return err != nil
	}
	// A line without a secret has one or two: report, rescue and convert are in the list.
	const most = 8
	if !slices.ContainsFunc(args, looks) && keychain.CountWords(strings.Join(args, " ")) <= most {
		return nil
	}
	return usagef("what looks like a secret stands in the command line, which the shell's history keeps and other users can read. " +
		"Leave it out: you are asked for it; or put it into a file that only you may read, and name that. Delete it from the history")
}

// oneStdin refuses to read two things from standard input.
func oneStdin(backup, secret string) error {
	if backup == "-" && secret == "-" {
		return usagef("only one of backup and secret can come from standard input")
	}
	return nil
}

// pad fills a text with spaces.
func pad(s string, width int) string {
	return s + string(bytes.Repeat([]byte(" "), max(0, width-len(s))))
}
