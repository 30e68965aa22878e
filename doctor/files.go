package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
)

// secret looks at the running node's own hsm_secret: its kind, its owner and its
// node.
func (e *examination) secret() {
	path := filepath.Join(e.report.LightningDir, "hsm_secret")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.say(HSMSecret, Warning, "This is as it should be if lightningd uses another signer; glrecover then needs the option glrecover-hsm-secret", "there is no file %s", path)
		return
	case errors.Is(err, fs.ErrPermission):
		e.say(HSMSecret, Unknown, "Run this as the user who runs lightningd", "this user may not access %s", path)
		return
	case err != nil:
		e.say(HSMSecret, Unknown, "", "%s cannot be examined", path)
		return
	}
	uid, name := owner(info)
	if socket, err := os.Stat(e.Client.Socket()); err == nil {
		if runs, runsName := owner(socket); runs != uid {
			e.say(HSMSecret, Missing, fmt.Sprintf("Run: chown %s '%s'", runsName, path), "%s belongs to %s, and lightningd runs as %s", path, name, runsName)
			return
		}
	}
	e.secretAt(path, info, &e.info.ID)
}

// secretAt says of which kind an hsm_secret is, and returns its node; runs is the
// node that runs with it, nil where none does.
func (e *examination) secretAt(path string, info fs.FileInfo, runs *channel.PubKey) (id channel.PubKey, ok bool) {
	secret, err := keychain.Load(path, false, nil)
	switch {
	case errors.Is(err, keychain.ErrPassphraseNeeded):
		e.say(HSMSecret, Warning, "Write the 32-byte secret with: glrecover hsm-secret BACKUP --out FILE, and name it in the option glrecover-hsm-secret",
			"the hsm_secret has a passphrase: the plugin cannot use it, and cannot ask peers to close")
		return id, false
	case errors.Is(err, fs.ErrPermission):
		e.say(HSMSecret, Unknown, "Run this as the user who runs lightningd", "this user may not read %s", path)
		return id, false
	case err != nil:
		e.say(HSMSecret, Missing, doOf(err, ""), "%s", reasonOf(err))
		return id, false
	}
	defer secret.Wipe()
	if id, err = secret.NodeID(); err != nil {
		e.say(HSMSecret, Unknown, "", "%s is not usable as a node's secret", path)
		return id, false
	}
	_, name := owner(info)
	switch k := secret.Kind(); {
	case runs != nil && id != *runs:
		e.say(HSMSecret, Missing, "Check which hsm_secret lightningd was started with", "%s is not the secret of the running node", path)
	case k != keychain.Raw && k != keychain.Mnemonic && k != keychain.MnemonicPassphrase && k != keychain.Encrypted:
		e.say(HSMSecret, Missing, "Make the file with: glrecover hsm-secret BACKUP < FILE", "%s is a %s, which lightningd does not accept", path, k)
	case !secret.WholeWallet():
		e.say(HSMSecret, Warning, "To see everything, start a node in a fresh directory with the 32-byte file that glrecover hsm-secret writes",
			"%s is an %s: its channels are the right ones, but its on-chain wallet is not the lost node's", path, k)
	case keychain.Shared(info):
		e.say(HSMSecret, Warning, fmt.Sprintf("Run: chmod 400 '%s'", path), "%s has mode %04o: other users than its owner may access it", path, info.Mode().Perm())
	default:
		e.say(HSMSecret, OK, "", "%s is an %s, mode %04o, owned by %s", path, k, info.Mode().Perm(), name)
	}
	return id, true
}

// prepared looks for a node that is not started yet: an hsm_secret in place.
func (e *examination) prepared() {
	found := false
	for _, dir := range e.Dirs {
		path := filepath.Join(dir, "hsm_secret")
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		found = true
		id, ok := e.secretAt(path, info, nil)
		switch {
		case !ok || e.Backup == nil:
		case id == e.Backup.NodeID:
			e.say(NodeID, OK, "", "it is the lost node's secret")
		default:
			e.say(NodeID, Missing, "Start a fresh node in another directory, with the file that glrecover hsm-secret BACKUP makes",
				"it belongs to node %s, the backup to %s", id, e.Backup.NodeID)
		}
	}
	if !found {
		e.say(HSMSecret, Missing, "Create it before lightningd starts for the first time, since lightningd would create another one: glrecover hsm-secret BACKUP --out LIGHTNING_DIR/NETWORK/hsm_secret",
			"no hsm_secret was found where a node would start")
	}
}

// leastFree is what a recovery should have on the disk, in bytes.
const leastFree = 1 << 30

// disk looks at the room where the node's database is.
func (e *examination) disk() {
	dir := e.report.LightningDir
	free, readOnly, err := space(dir)
	switch {
	case err != nil:
		e.say(Disk, Unknown, "", "the disk of %s cannot be examined", dir)
	case readOnly:
		e.say(Disk, Missing, "Look at the disk; it may have failed", "the disk of %s is mounted read-only", dir)
	case free < leastFree:
		e.say(Disk, Missing, "Make room: a full disk stops lightningd in the middle", "%d MiB are free in %s", free>>20, dir)
	default:
		e.say(Disk, OK, "", "%d GiB are free in %s", free>>30, dir)
	}
}
