package main

import (
	"fmt"

	"github.com/glrecover/glrecover/vlsstate"
)

var inspectCommand = command{
	name:    "inspect",
	args:    "[--json] [--addresses PEER@ADDRESS[,...]] FILE",
	summary: "show what a signer backup holds and what it proves",
	help: `FILE is a signer backup or a dump of vlsd's storage, or - for standard input. For
each channel it shows the peer and where to find it, the funding, your last known
share, pending payments, and what the file proves about the channel's
use. It exits with 1 if part of the file could not be read, or if a channel cannot
be recovered.

  --json
      for programs; amounts in msat, names as in the answer of the RPC command
` + addressesHelp,
	run: inspect,
}

func inspect(c *cli, args []string) error {
	fs := flags("inspect")
	asJSON := fs.Bool("json", false, "")
	// glcli's way to say the same.
	fs.Func("format", "", func(format string) error {
		*asJSON = format == "json"
		if format != "json" && format != formatText {
			return fmt.Errorf("it is json or %s", formatText)
		}
		return nil
	})
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
		around := *inv
		around.Channels = []channelFacts{}
		err = encodeJSONList(result{c}, around, "channels", len(inv.Channels), func(i int) any { return &inv.Channels[i] })
	} else {
		err = c.write([]byte(inv.text(now)))
	}
	if err != nil {
		return err
	}
	if inv.lost {
		return errProblem
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
