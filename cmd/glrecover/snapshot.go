package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/page"
	"github.com/glrecover/glrecover/vlsstate"
)

var snapshotCommand = command{
	name:    "snapshot",
	args:    "--from FILE|- [--from ...] --to BACKUP [--addresses PEER@ADDRESS[,...]] [--node SOCKET] [--scb FILE] [--strategy WHEN] [--salvage [--hsm-secret PATH]] [--force-older]",
	summary: "write a signer backup from backups and dumps of vlsd's storage",
	help: `Data from a single backup is written byte for byte as it was. From several states
of one node it takes the newest version of each entry, or the newest readable one
if that is damaged; what the signer deleted stays deleted.
BACKUP is replaced whole or not at all, gets mode 0600, and is never replaced by an
older or damaged state; if it is a symbolic link, the file behind it is replaced. A dump has no date: it gets the file's, or for standard
input the present time.

Addresses are added where the state has no usable one: from --addresses
(these are used before the state's own), else from the node's gossip, its connections,
and the SCBs. The entry that holds them has no signature, and verify mentions
that. An address with a port that is usual for an outgoing connection is where the
peer called from: it is noted as that, and never dialled.

  --from FILE
      a signer backup, the text of vlsd --dump-storage or --dump-lss, or several
      one after the other; - for standard input
  --to BACKUP
      the file to write, or - for standard output
` + nodeHelp + `  --scb FILE
      {"scb":[...]} of staticbackup, recoverchannel, or glrecover convert
  --strategy never|new-channels-only|periodic:N
      for cron, and next to a vlsd: write only if the state is that much ahead of
      BACKUP (a new channel, or N changes of channels), and say so where it is not
  --salvage
      the inputs are damaged: save every entry that can still be read, of a text
      that is cut off, that is UTF-16, UTF-32 or base64, that has other text around it
      or in which a bit has flipped. It lists what is saved and what is gone, and exits
      with 1 if anything is gone.
      The inputs stay as they are: keep them
  --hsm-secret PATH
      with --salvage: save only entries whose signature holds (as for verify)
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
	salvage := fs.Bool("salvage", false, "")
	secret := fs.String("hsm-secret", "", "")
	var when *vlsstate.Strategy
	fs.Func("strategy", "", func(s string) (err error) {
		when, err = parseStrategy(s)
		return err
	})
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
		return usagef("standard input can be used only once")
	case *secret != "" && !*salvage:
		return usagef("--hsm-secret needs --salvage")
	case when != nil && *to == "-":
		return usagef("--strategy compares with the file at --to, so --to cannot be standard output")
	}
	var (
		b        *vlsstate.Backup
		complete = true
		err      error
	)
	if *salvage {
		b, complete, err = c.salvage(from, *secret)
	} else {
		b, err = c.states(from)
	}
	if err != nil {
		return err
	}
	if when != nil {
		b.Strategy = *when
		if due, err := c.due(*to, b); err != nil || !due {
			return err
		}
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
	c.complain(vlsstate.Lines(b.Problems)...)
	if err := c.writeSnapshot(*to, b, *force); err != nil {
		return err
	}
	if err := c.report(*to, b, added); err != nil {
		return err
	}
	if !complete {
		return errProblem
	}
	return problems(b)
}

// parseStrategy reads when a snapshot is to be written.
func parseStrategy(s string) (*vlsstate.Strategy, error) {
	switch strings.ReplaceAll(s, "_", "-") {
	case "never":
		return &vlsstate.Strategy{}, nil
	case "new-channels-only":
		return &vlsstate.Strategy{Kind: vlsstate.NewChannelsOnly}, nil
	}
	if n, ok := strings.CutPrefix(s, "periodic:"); ok {
		if updates, err := strconv.ParseUint(n, 10, 32); err == nil && updates > 0 {
			return &vlsstate.Strategy{Kind: vlsstate.Periodic, Updates: uint32(updates)}, nil
		}
	}
	return nil, errors.New("use never, new-channels-only or periodic:10")
}

// due reports whether b's strategy wants it written in place of the file at to,
// and says so where it does not. A file that cannot be read is the writing's
// trouble.
func (c *cli) due(to string, b *vlsstate.Backup) (bool, error) {
	var written vlsstate.Entries
	_, err := os.Stat(to)
	if err == nil {
		old, err := vlsstate.ReadFile(to)
		if err != nil || old.NodeID != b.NodeID {
			return true, nil
		}
		written = old.Entries
	}
	if b.Strategy.Due(written, b.Entries) {
		return true, nil
	}
	return false, c.write([]byte(plain(fmt.Sprintf("%s: nothing to write under the strategy %s\n", to, b.Strategy))))
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
		fmt.Fprintf(&s, "No usable address is known for %s; see --addresses.\n", page.Count(n, "peer", "peers"))
	}
	if to == "-" {
		_, err := fmt.Fprint(c.stderr, plain(s.String()))
		return err
	}
	fmt.Fprintf(&s, "%s: node %s, %s, state of %s UTC\n", to, b.NodeID, page.Count(len(b.Channels), "channel", "channels"),
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
