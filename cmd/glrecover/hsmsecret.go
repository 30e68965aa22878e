package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/vlsstate"
)

var hsmSecretCommand = command{
	name:    "hsm-secret",
	args:    "[--out PATH] [--show] FILE",
	summary: "make the node's 32-byte hsm_secret from its twelve words",
	help: `FILE is the signer backup of the node; the secret must make its node id. The words
are asked for at the terminal and not shown; without a terminal they are read from
standard input. They may stand in several lines. 64 hex digits, codex32 and CLN's own
hsm_secret with words and no passphrase will do too. The file has mode 0400 and
never replaces another.

  --out PATH
      the directory or the name of the new file; default: hsm_secret, here
  --show
      print the forms that lightningd --recover takes, at a terminal only; without
      --out no file is written
`,
	run: hsmSecret,
}

func hsmSecret(c *cli, args []string) error {
	flagSet := flags("hsm-secret")
	out := flagSet.String("out", "", "")
	show := flagSet.Bool("show", false, "")
	files, err := parse(flagSet, args, "FILE")
	if err != nil {
		return err
	}
	if files[0] == "-" {
		return usagef("FILE must be a file: standard input is for the words")
	}
	if _, ok := terminal(c.stdout); *show && !ok {
		return usagef("--show prints the secret and needs a terminal")
	}
	path := ""
	if *out != "" || !*show {
		if path, err = secretPath(*out); err != nil {
			return err
		}
	}
	b, err := c.load(files[0])
	if err != nil {
		return err
	}
	source, err := c.typedSecret("The node's twelve words")
	if err != nil {
		return err
	}
	defer source.Wipe()
	secret, err := c.secretFor(b, source, c.ask())
	if err != nil {
		return err
	}
	defer secret.Wipe()
	if path != "" {
		if err := secret.WriteFile(path); err != nil {
			if errors.Is(err, fs.ErrExist) {
				return err
			}
			return writeError{err}
		}
		if err := c.write([]byte(startText(path, b))); err != nil {
			return err
		}
	}
	if *show {
		return c.reveal(secret)
	}
	return nil
}

// secretPath is where the file goes. Nothing may stand there: the user is told
// before typing twelve words.
func secretPath(out string) (string, error) {
	path := out
	if out == "" {
		path = "."
	}
	info, err := os.Stat(path)
	isDir := err == nil && info.IsDir()
	if !isDir && out != "" && os.IsPathSeparator(out[len(out)-1]) {
		return "", failure.New(failure.InvalidParameter, "Make the directory first", "there is no directory %s", out)
	}
	if isDir {
		path = filepath.Join(path, "hsm_secret")
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("working directory: %w", err)
	}
	_, err = os.Lstat(path)
	switch {
	case err == nil:
		return "", failure.New(failure.InvalidParameter, "Name another place, or look at that file first: it may be a node's only secret",
			"%s exists already and is never replaced", path)
	case !errors.Is(err, fs.ErrNotExist):
		return "", failure.New(failure.InvalidParameter, "Name a directory that this user may write to", "%s cannot be a new file: %s", path, reason(err))
	}
	return path, nil
}

// startText says what was written and how to start the node with it.
func startText(path string, b *vlsstate.Backup) string {
	network := b.Network
	if network == "" {
		network = "bitcoin"
	}
	quoted := "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	return fmt.Sprintf(`Written: %s (32 bytes, mode 0400)
It is the secret of node %s.
Who has it has the coins. Keep the words and the backup all the same.

Start a fresh node with it, in a directory that no node has used:

  mkdir -p -m 700 NEWDIR/%s
  mv -n %s NEWDIR/%s/hsm_secret
  lightningd --lightning-dir=NEWDIR --network=%s

lightningd --recover takes the secret as hex or codex32 text instead, where no
hsm_secret is yet; glrecover hsm-secret --show prints both. Then everybody on the
machine can read it in the process list: the file is the better way.
`, path, b.NodeID, network, quoted, network, network)
}

// reveal prints the secret, on request only.
func (c *cli) reveal(secret *keychain.Secret) error {
	hexText, codex, err := secret.Reveal()
	if err != nil {
		return err
	}
	return c.write([]byte("\nTHE SECRET FOLLOWS. Who sees it can take all coins of the node. Clear the screen afterwards.\n\n" +
		"hex:     " + hexText + "\ncodex32: " + codex + "\n"))
}
