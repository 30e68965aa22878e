package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/vlsstate"
)

var snapshotCommand = command{
	name:    "snapshot",
	args:    "--from FILE|- [--from ...] --to BACKUP [--addresses PEER=ADDRESS[,...]] [--node SOCKET] [--scb FILE] [--force-older]",
	summary: "write a signer backup from backups and dumps of vlsd's storage",
	help: `What comes from one backup is written byte for byte as it was. Of several states of
one node the newest version of each entry is taken, and what the signer deleted
stays deleted; an entry that cannot be read gives way to the newest that can.
BACKUP is replaced whole or not at all, has mode 0600, and never takes an older or
a damaged state in place of a newer one; where it is a symbolic link, the file
behind it is replaced. A dump has no date: the file's is taken, or for standard
input the time of now.

Addresses are added where the state has none that can be dialled: from --addresses
(these go before the state's own), else from the node's gossip, its connections,
and the SCBs. The entry that holds them has no signature: verify says so, and
nothing else is meant by it. An address with a port that is usual for an outgoing
connection is noted as one where the peer called from, and is never dialled.

  --from FILE
      a signer backup, the text of vlsd --dump-storage or --dump-lss, or several
      one after the other; - for standard input
  --to BACKUP
      the file to write, or - for standard output
` + nodeHelp + `  --scb FILE
      {"scb":[...]} of staticbackup, recoverchannel, or glrecover convert
  --force-older
      write even over a file that knows something newer, that is of another node,
      or that is no backup
` + addressesHelp,
	run: snapshot,
}

// list collects a flag that may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

func snapshot(c *cli, args []string) error {
	fs := flags("snapshot")
	var from list
	fs.Var(&from, "from", "")
	to := fs.String("to", "", "")
	socket := fs.String("node", "", "")
	scb := fs.String("scb", "", "")
	force := fs.Bool("force-older", false, "")
	addrs := addressesFlag(fs)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	switch {
	case len(from) == 0:
		return usagef("--from is missing")
	case *to == "":
		return usagef("--to is missing")
	case len(slices.DeleteFunc(slices.Clone(from), func(f string) bool { return f != "-" })) > 1:
		return usagef("standard input can be given once")
	}
	b, err := c.states(from)
	if err != nil {
		return err
	}
	if err := addrs.used(b); err != nil {
		return err
	}
	known, err := c.knownAddresses(b, addrs, *socket, *scb)
	if err != nil {
		return err
	}
	added, err := known.addTo(b)
	if err != nil {
		return err
	}
	for _, p := range b.Problems {
		fmt.Fprintf(c.stderr, "glrecover: %s\n", plain(p.Error()))
	}
	if err := c.writeSnapshot(*to, b, *force); err != nil {
		return err
	}
	if err := c.report(*to, b, added); err != nil {
		return err
	}
	return problems(b)
}

// states reads and merges the inputs. An input without a date gets that of its
// file, which is when a dump was made.
func (c *cli) states(from []string) (*vlsstate.Backup, error) {
	var inputs []*vlsstate.Backup
	for _, file := range from {
		b, err := c.load(file)
		if err != nil {
			return nil, err
		}
		if b.CreatedAt.IsZero() {
			b.CreatedAt = c.dated(file)
		}
		inputs = append(inputs, b)
	}
	return vlsstate.Merge(inputs...)
}

// dated is the time of a file's last change, and now at the latest.
func (c *cli) dated(file string) time.Time {
	now := c.now().UTC()
	if file == "-" {
		return now
	}
	info, err := os.Stat(file)
	if err != nil || info.ModTime().After(now) {
		return now
	}
	return info.ModTime().UTC()
}

func (c *cli) writeSnapshot(to string, b *vlsstate.Backup, force bool) error {
	if to == "-" {
		data, err := vlsstate.Encode(b)
		if err != nil {
			return err
		}
		return c.write(data)
	}
	err := vlsstate.WriteFile(to, b, vlsstate.WriteOptions{ReplaceNewer: force})
	var f *failure.Error
	switch {
	case !errors.As(err, &f):
	case f.Name == failure.OlderState:
		return failure.New(f.Name, "Give that file as one more --from, write to another path, or give --force-older", "%s", f.Found).Wrap(err)
	case f.Name == failure.WrongNode, f.Name == failure.NotABackup:
		return failure.New(f.Name, "Write to another path, or give --force-older", "%s", f.Found).Wrap(err)
	case f.Name == failure.BackupNotWritten && f.Err != nil:
		return failure.New(f.Name, f.Do, "%s: %s", f.Found, reason(f.Err)).Wrap(err)
	}
	return err
}

// report says what was written.
func (c *cli) report(to string, b *vlsstate.Backup, added []addedAddress) error {
	var s strings.Builder
	for _, a := range added {
		how := "address"
		if a.inbound {
			how = "called from"
		}
		fmt.Fprintf(&s, "%s: %s %s (%s)\n", a.peer, how, a.addr, a.source)
	}
	if n := peersWithout(b); n > 0 {
		fmt.Fprintf(&s, "No address that can be dialled is known of %s; see --addresses.\n", count(n, "peer", "peers"))
	}
	if to == "-" {
		_, err := fmt.Fprint(c.stderr, plain(s.String()))
		return err
	}
	fmt.Fprintf(&s, "%s: node %s, %s, state of %s UTC\n", to, b.NodeID, count(len(b.Channels), "channel", "channels"),
		b.CreatedAt.UTC().Format(time.DateTime))
	return c.write([]byte(plain(s.String())))
}

// knownAddresses gathers the addresses from all sources that were named.
func (c *cli) knownAddresses(b *vlsstate.Backup, addrs addresses, socket, scb string) (*peerAddresses, error) {
	known := &peerAddresses{}
	known.parameter(addrs)
	if socket != "" {
		node, err := nodeAt(socket)
		if err != nil {
			return nil, err
		}
		if err := known.running(context.Background(), node, b); err != nil {
			return nil, err
		}
	}
	if scb != "" {
		if err := known.entries(scb); err != nil {
			return nil, err
		}
	}
	return known, nil
}
