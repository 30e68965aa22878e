package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/vlsstate"
)

var hsmSecretCommand = command{
	name:    "hsm-secret",
	args:    "[--out PATH] [--show] FILE | --node-id ID",
	summary: "make the node's 32-byte hsm_secret from its twelve words",
	help: `FILE is the node's signer backup; the secret must produce its node id. Without a
backup, give the node id with --node-id; explorers and glrecover rescue show it. The words
are asked for at the terminal and not shown; without a terminal they are read from
standard input. They may span several lines. 64 hex digits, codex32, or CLN's own
hsm_secret with words and no passphrase work too. The new file has mode 0400 and
never replaces an existing one.

  --out PATH
      the directory or name of the new file; default: hsm_secret in this directory
  --node-id ID
      the node whose secret it must be, instead of FILE
  --show
      print the secret as lightningd --recover takes it, only at a terminal; without
      --out no file is written
`,
	run: hsmSecret,
}

func hsmSecret(c *cli, args []string) error {
	flagSet := flags("hsm-secret")
	out := flagSet.String("out", "", "")
	show := flagSet.Bool("show", false, "")
	nodeID := flagSet.String("node-id", "", "")
	files, err := parseUpTo(flagSet, args, 1)
	switch {
	case err != nil:
		return err
	case (len(files) == 0) == (*nodeID == ""):
		return usagef("give either FILE or --node-id")
	case len(files) == 1 && files[0] == "-":
		return usagef("FILE cannot be -: standard input is for the words")
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
	b, err := c.nodeOf(files, *nodeID)
	if err != nil {
		return err
	}
	source, err := c.typedSecret("The node's twelve words", b.NodeID)
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

// nodeOf is the backup that is named, or one that holds nothing but the id.
func (c *cli) nodeOf(files []string, id string) (*vlsstate.Backup, error) {
	if len(files) > 0 {
		return c.load(files[0])
	}
	key, err := channel.ParsePubKey(id)
	if err != nil {
		return nil, usagef("--node-id is the node's id, 66 hex digits: %v", err)
	}
	return &vlsstate.Backup{NodeID: key}, nil
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
		return "", failure.New(failure.InvalidParameter, "Create the directory first", "there is no directory %s", out)
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
		return "", failure.New(failure.InvalidParameter, "Choose another place, or look at that file first: it may be a node's only secret",
			"%s already exists and is never replaced", path)
	case !errors.Is(err, fs.ErrNotExist):
		return "", failure.New(failure.InvalidParameter, "Choose a directory that this user may write to", "%s cannot be created: %s", path, reason(err))
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
Whoever has this file can take the coins. Keep the words and the backup too.

Start a fresh node with it, in a directory that no node has used, and offline until
the channels are imported (docs/recovery-guide.md):

  mkdir -p -m 700 NEWDIR/%s
  mv -n %s NEWDIR/%s/hsm_secret
  lightningd --lightning-dir=NEWDIR --network=%s --offline

Instead of the file, lightningd --recover takes the secret as hex or codex32 text
(glrecover hsm-secret --show prints both). But then every user of the machine can read
it in the list of processes: the file is safer.
`, path, b.NodeID, network, quoted, network, network)
}

// reveal prints the secret, on request only.
func (c *cli) reveal(secret *keychain.Secret) error {
	hexText, codex, err := secret.Reveal()
	if err != nil {
		return err
	}
	return c.write([]byte("\nTHE SECRET FOLLOWS. Anyone who sees it can take all the node's coins. Clear the screen afterwards.\n\n" +
		"hex:     " + hexText + "\ncodex32: " + codex + "\n"))
}
