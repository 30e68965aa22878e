package main

import "github.com/glrecover/glrecover/vlsstate"

var inspectCommand = command{
	name:    "inspect",
	args:    "[--json] [--addresses PEER=ADDRESS[,...]] FILE",
	summary: "show what a signer backup holds and what it proves",
	help: `FILE is a signer backup or a dump of vlsd's storage, or - for standard input. For
each channel it shows the peer and where to find it, the funding, your last known
share, pending payments, and whether the file proves anything about the channel's
use. It ends with 1 if a part of the file could not be read.

  --json
      for programs; amounts in msat, names as in the answer of the RPC command
` + addressesHelp,
	run: inspect,
}

func inspect(c *cli, args []string) error {
	fs := flags("inspect")
	asJSON := fs.Bool("json", false, "")
	addrs := addressesFlag(fs)
	files, err := parse(fs, args, "FILE")
	if err != nil {
		return err
	}
	b, err := c.load(files[0])
	if err != nil {
		return err
	}
	if err := addrs.used(b); err != nil {
		return err
	}
	now := c.now()
	inv := takeInventory(b, addrs, now)
	if *asJSON {
		err = c.writeJSON(inv)
	} else {
		err = c.write([]byte(inv.text(now)))
	}
	if err != nil {
		return err
	}
	return problems(b)
}

// problems is errProblem where a part of the backup was not read.
func problems(b *vlsstate.Backup) error {
	for _, p := range b.Problems {
		if p.Effect != vlsstate.Noted {
			return errProblem
		}
	}
	return nil
}
