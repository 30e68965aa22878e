package keychain

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

// Locate finds the secret of the running node. First its own hsm_secret in
// lightningd's network directory dir ("" if unknown); then the file that the
// user named ("" for none), whose mode must be 0400; else a failure
// needs_secret that says how to make that file. A secret of another node is
// not accepted: for the named file that is a failure wrong_secret.
//
// Nobody is asked for a passphrase, so a file that needs one counts as
// unreadable. Where lightningd itself signs through a remote signer, dir holds
// no hsm_secret.
func Locate(dir, file string, node channel.PubKey) (*Secret, error) {
	why := "the node's directory is not known"
	if dir != "" {
		secret, err := loadOf(node, filepath.Join(dir, "hsm_secret"), false)
		if err == nil {
			return secret, nil
		}
		why = ownReason(err)
	}
	if file != "" {
		return loadOf(node, file, true)
	}
	return nil, failure.New(failure.NeedsSecret,
		"Write the 32-byte secret with: glrecover hsm-secret BACKUP --out FILE (it asks for the words), and give that file",
		"the node's secret is needed and %s", why)
}

// ownReason says in a few words why the node's own hsm_secret is no use.
func ownReason(err error) string {
	switch {
	case errors.Is(err, ErrPassphraseNeeded):
		return "its hsm_secret has a passphrase"
	case errors.Is(err, os.ErrNotExist):
		return "there is no hsm_secret in its directory"
	case errors.Is(err, os.ErrPermission):
		return "this user may not read its hsm_secret"
	case failure.NameOf(err) == failure.WrongSecret:
		return "the hsm_secret in its directory belongs to another node"
	}
	return "its hsm_secret is in no known format"
}

func loadOf(node channel.PubKey, path string, readOnly bool) (*Secret, error) {
	secret, err := Load(path, readOnly, nil)
	if err != nil {
		return nil, err
	}
	id, err := secret.NodeID()
	if err != nil {
		secret.Wipe()
		return nil, err
	}
	if id != node {
		secret.Wipe()
		return nil, failure.New(failure.WrongSecret, "Give the secret of this node",
			"the secret in %s makes the node %s, this node is %s", path, id, node)
	}
	return secret, nil
}
