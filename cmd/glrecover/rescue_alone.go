package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/rescue"
)

// alone takes the lock of the node, and opens the journal. They are free again when
// done is called.
func (c *cli) alone(ctx context.Context, f *rescueFlags, id channel.PubKey) (j *rescue.Journal, done func(), err error) {
	if err := besideLightningd(ctx, f, id); err != nil {
		return nil, nil, err
	}
	unlock := func() {}
	home, err := os.UserHomeDir()
	if err == nil {
		var lock *rescue.Lock
		if lock, err = rescue.LockNode(filepath.Join(home, rescueDir), id); err == nil {
			unlock = func() { _ = lock.Close() }
		}
	}
	switch {
	case failure.NameOf(err) == failure.Busy:
		return nil, nil, err
	case err != nil && f.journal == "":
		return nil, nil, usagef("--journal is missing, and there is no home directory to keep one in: %v", err)
	case err != nil:
		fmt.Fprintf(c.stderr, "Nothing keeps a second rescue of this node away, since there is no home directory to use: %v\n", err)
	}
	if f.journal == "" {
		f.journal = filepath.Join(home, rescueDir, id.String())
	}
	if j, err = rescue.OpenJournal(f.journal); err != nil {
		unlock()
		return nil, nil, err
	}
	return j, func() { _ = j.Close(); unlock() }, nil
}

// rescueDir is in the user's home directory.
const rescueDir = ".glrecover"

// nodeAnswers is how long a lightningd of this machine has to say who it is.
const nodeAnswers = 3 * time.Second

// besideLightningd refuses where a lightningd of this machine runs with the node's
// key: it meets the same peers, and its plugin may recover the same channels. One that
// this user may not ask, or on another machine, is not seen.
func besideLightningd(ctx context.Context, f *rescueFlags, id channel.PubKey) error {
	place := nodePlace{network: f.network, rpcFile: defaultRPCFile, home: os.Getenv("HOME")}
	var sockets []string
	for _, dir := range place.dirs() {
		found, _ := place.socketsIn(dir)
		sockets = append(sockets, found...)
	}
	// Beside its hsm_secret there is its socket too.
	if at := filepath.Join(filepath.Dir(f.secret), defaultRPCFile); f.secret != "" && f.secret != "-" {
		if info, err := os.Stat(at); err == nil && info.Mode()&fs.ModeSocket != 0 {
			sockets = append(sockets, at)
		}
	}
	for _, at := range sockets {
		client, err := nodeAt(at)
		if err != nil {
			continue
		}
		if running(ctx, client) == id {
			return failure.New(failure.Busy, "Recover with its plugin (lightning-cli glrecover), or stop it first",
				"a lightningd runs with this node's key: %s", at)
		}
	}
	return nil
}

// running is the id of a node that answers, else zero.
func running(ctx context.Context, client *lightningd.Client) channel.PubKey {
	ctx, cancel := context.WithTimeout(ctx, nodeAnswers)
	defer cancel()
	info, err := client.GetInfo(ctx)
	if err != nil {
		return channel.PubKey{}
	}
	return info.ID
}
