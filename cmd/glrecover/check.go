package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/glrecover/glrecover/keychain"
	proofs "github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/rehearsal"
)

var checkCommand = command{
	name:    "check",
	args:    "[--hsm-secret PATH] [--node SOCKET] [--max-age DURATION] [--quiet] [--json] BACKUP",
	summary: "tell whether this backup would bring the channels back today",
	help: `BACKUP is a signer backup, or - for standard input. It changes nothing. For
each channel it says whether it could be recovered and its peer found, and what would
be lost today. With the secret it also says whether that is the right one, and next to
the running node whether the backup has all its channels in their latest state. It
exits with 0 if all is well and with 1 if there is a problem that can be fixed, so it
can run from cron. What a backup with this strategy cannot contain is listed, but does
not count as a problem.

  --hsm-secret PATH
      a file that only you may read: lightningd's hsm_secret, vlsd's node.seed, words,
      hex, a hex dump or base64; - reads standard input. With --node, each commitment
      is then compared bit by bit
` + nodeHelp + `  --max-age DURATION
      report a backup older than this as a problem: 36h, 7d
  --quiet
      print nothing if all is well
  --json
      for programs; amounts in msat
`,
	run: check,
}

func check(c *cli, args []string) error {
	fs := flags("check")
	asJSON := fs.Bool("json", false, "")
	quiet := fs.Bool("quiet", false, "")
	secretPath := fs.String("hsm-secret", "", "")
	socket := fs.String("node", "", "")
	in := rehearsal.Input{Now: c.now()}
	fs.Func("max-age", "", func(s string) (err error) {
		in.MaxAge, err = parseAge(s)
		return err
	})
	files, err := parse(fs, args, "BACKUP")
	if err != nil {
		return err
	}
	if err := oneStdin(files[0], *secretPath); err != nil {
		return err
	}
	if in.Backup, err = c.load(files[0]); err != nil {
		return err
	}
	if *secretPath != "" {
		if err := c.proveFor(&in, *secretPath, files[0], *socket != ""); err != nil {
			return err
		}
	}
	if *socket != "" {
		node, err := nodeAt(*socket)
		if err != nil {
			return err
		}
		in.Node, in.NodeError = observe(context.Background(), node, in.Backup)
	}
	report := rehearsal.Rehearse(in)
	switch {
	case *quiet && report.Good:
	case *asJSON:
		err = c.writeJSON(report)
	default:
		err = c.write([]byte(checkText(report)))
	}
	if err == nil && !report.Good {
		err = errProblem
	}
	return err
}

// proveFor adds what the secret proves and, next to a node, our commitments.
func (c *cli) proveFor(in *rehearsal.Input, path, backup string, node bool) error {
	source, err := c.namedSecret(path, in.Backup.NodeID)
	if err != nil {
		return err
	}
	defer source.Wipe()
	var ask keychain.Ask
	if path != "-" && backup != "-" {
		ask = c.ask()
	}
	secret, err := source.Secret(ask)
	if err != nil {
		return err
	}
	defer secret.Wipe()
	if in.Proof, err = proofs.Verify(in.Backup, secret); err != nil || in.Proof.WrongNode() {
		return err
	}
	in.SecretWarnings = proofs.Warnings(secret)
	if node {
		in.Commitments, err = rehearsal.OurCommitments(in.Backup, secret)
	}
	return err
}

// parseAge reads a duration, also in whole days: "7d".
func parseAge(s string) (time.Duration, error) {
	const most = 100 * 365
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err == nil && n > 0 && n <= most {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return d, nil
	}
	return 0, errors.New("use a form like 36h or 7d")
}
