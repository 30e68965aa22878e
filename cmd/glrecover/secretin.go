package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode"

	"golang.org/x/term"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	proofs "github.com/glrecover/glrecover/proof"
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

// prompt asks for a secret at the terminal without showing it: one line, or as
// many as more wants after those that are there. more may be nil.
func (c *cli) prompt(text string, more func(typed []byte) bool) (typed []byte, err error) {
	in, ok := terminal(c.stdin)
	if !ok {
		return nil, errors.New("standard input is no terminal")
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
		if typed, err = appendLine(in, typed); err != nil || more == nil || len(typed) == before || !more(typed) {
			break
		}
		if len(typed) < cap(typed) {
			typed = append(typed, '\n')
		}
		fmt.Fprint(c.stderr, "\n"+count(len(bytes.Fields(typed)), "word", "words")+" so far; go on, or end with an empty line (not shown): ")
	}
	fmt.Fprintln(c.stderr)
	if err = errors.Join(err, restore()); err != nil {
		clear(typed)
		return nil, err
	}
	return typed, nil
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
// that is none. Words may be typed or pasted in several lines.
func (c *cli) typedSecret(what string) (*keychain.Source, error) {
	if _, ok := terminal(c.stdin); !ok {
		return keychain.FromReader(c.stdin)
	}
	typed, err := c.prompt(what+" (not shown): ", beginsPhrase)
	if err != nil || len(typed) == 0 {
		return nil, failure.New(failure.SecretUnreadable, "Try again", "nothing was read from the terminal").Wrap(err)
	}
	return keychain.FromBytes(typed), nil
}

// beginsPhrase reports whether a text is words, and too few for a phrase. Hex
// digits and codex32 have digits.
func beginsPhrase(text []byte) bool {
	const fewest = 12
	// Words of other languages have bytes above ASCII.
	letter := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsLetter(r) || r >= 0x80 }
	return len(bytes.Fields(text)) < fewest && bytes.IndexFunc(text, func(r rune) bool { return !letter(r) }) < 0
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
	what := "This is not the secret of the backup's node."
	if errSecret != nil {
		what = "This cannot be understood as a secret."
	}
	fmt.Fprintln(c.stderr, what+" Looking for the mistake; that may take some seconds.")
	wrong := proofs.Diagnose(context.Background(), b.NodeID, source, made)
	// What could not be understood keeps its own error unless the mistake is
	// known for sure.
	if d, ok := wrong.Data.(proofs.Diagnosis); errSecret != nil && ok && !d.Certain {
		return nil, errSecret
	}
	return nil, wrong
}

// oneStdin refuses to read two things from standard input.
func oneStdin(backup, secret string) error {
	if backup == "-" && secret == "-" {
		return usagef("backup and secret cannot both come from standard input")
	}
	return nil
}

// pad fills a text with spaces.
func pad(s string, width int) string {
	return s + string(bytes.Repeat([]byte(" "), max(0, width-len(s))))
}
