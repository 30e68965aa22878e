package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

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

// prompt asks for one line at the terminal without showing it.
func (c *cli) prompt(text string) ([]byte, error) {
	in, ok := terminal(c.stdin)
	if !ok {
		return nil, errors.New("standard input is no terminal")
	}
	restore, err := withoutEcho(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	fmt.Fprint(c.stderr, text)
	line, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(c.stderr)
	return line, errors.Join(err, restore())
}

// ask is how the keychain asks for a passphrase; nil where nobody can be asked.
func (c *cli) ask() keychain.Ask {
	if _, ok := terminal(c.stdin); !ok {
		return nil
	}
	return func() ([]byte, error) { return c.prompt("Passphrase of the secret (not shown): ") }
}

// typedSecret reads a secret from the terminal, or all of standard input where
// that is none.
func (c *cli) typedSecret(what string) (*keychain.Source, error) {
	if _, ok := terminal(c.stdin); !ok {
		return keychain.FromReader(c.stdin)
	}
	line, err := c.prompt(what + " (not shown): ")
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, failure.New(failure.SecretUnreadable, "Try again", "nothing was read from the terminal").Wrap(err)
	}
	return keychain.FromBytes(line), nil
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
		made = &id
	}
	fmt.Fprintln(c.stderr, "This is not the secret of the backup's node. Looking for the mistake; that may take some seconds.")
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
