package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/keychain"
	proofs "github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/vlsstate"
)

var findCommand = command{
	name:    "find",
	args:    "[--bitcoind URL] [--bitcoind-auth FILE] [--bitcoin-datadir DIR] [--states N] [--json] --hsm-secret PATH FILE",
	summary: "find the node's coins with bitcoind alone, without lightningd",
	help: `FILE is a signer backup, or - for standard input. bitcoind searches its set of
unspent outputs, which takes some minutes on the main chain and works on a
pruned node. It lists each channel's funding output, unspent or spent if that is
known; what the peers' commitments pay to you (to_remote), what your own ones do
(to_local), and the coins of the on-chain wallet, with outpoint, height, amount,
address type and index; and the setting rescan=-HEIGHT that makes lightningd see
them. Nothing is spent or published. bitcoind gets only scripts and public keys, but
those reveal the whole wallet: use your own bitcoind.

  --hsm-secret PATH
      a file of mode 0400: lightningd's hsm_secret, vlsd's node.seed, or words;
      - reads standard input. Without it the secret is asked for at the terminal
  --bitcoind URL
      bitcoind's RPC, such as http://127.0.0.1:8332; default: as bitcoin-cli
      finds it
  --bitcoind-auth FILE
      a file that holds user:password, such as bitcoind's .cookie; default: as
      bitcoin-cli finds them
  --bitcoin-datadir DIR
      bitcoind's data directory, with bitcoin.conf and the cookie
  --states N
      look for to_local of your own commitments up to N states before and after the
      backup's; default 500
  --json
      for programs; amounts in msat

It exits with 0 if everything was searched, whether coins were found or not, and with
1 if bitcoind did not answer or a channel's scripts could not be made.
`,
	run: findCoins,
}

func findCoins(c *cli, args []string) error {
	fs := flags("find")
	asJSON := fs.Bool("json", false, "")
	secretPath := fs.String("hsm-secret", "", "")
	at := fs.String("bitcoind", "", "")
	auth := fs.String("bitcoind-auth", "", "")
	dataDir := fs.String("bitcoin-datadir", "", "")
	states := fs.Uint("states", find.States, "")
	files, err := parse(fs, args, "FILE")
	if err != nil {
		return err
	}
	if err := oneStdin(files[0], *secretPath); err != nil {
		return err
	}
	if _, ok := terminal(c.stdin); *secretPath == "" && (!ok || files[0] == "-") {
		return usagef("--hsm-secret is missing, and there is no terminal to ask for the secret")
	}
	if *states > find.MaxStates {
		return usagef("--states is larger than a million")
	}
	address, err := bitcoindAddress(*at)
	if err != nil {
		return err
	}
	b, err := c.load(files[0])
	if err != nil {
		return err
	}
	network := b.Network
	if network == "" {
		network = "bitcoin"
	}
	node, err := chain.NewBitcoind(chain.Options{Network: network, Connect: address, DataDir: *dataDir, Cookie: *auth})
	if err != nil {
		return bitcoindFailed(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Before anybody types twelve words.
	if err := find.CheckNode(ctx, node, network); err != nil {
		return bitcoindFailed(err)
	}
	targets, warnings, err := c.findTargets(b, network, *secretPath, files[0], uint64(*states))
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stderr, "bitcoind is searching its unspent outputs; on the main chain that takes some minutes.")
	report, err := find.Run(ctx, node, targets, func(percent float64) {
		fmt.Fprintf(c.stderr, "%d %%\n", int(percent))
	})
	if err != nil {
		return bitcoindFailed(err)
	}
	if *asJSON {
		err = c.writeJSON(report.Answer(network, targets.Problems, warnings))
	} else {
		err = c.write([]byte(findText(network, report, targets.Problems, warnings)))
	}
	if err == nil && len(targets.Problems) > 0 {
		err = errProblem
	}
	return err
}

// findTargets derives what is looked for; the secret is wiped before bitcoind
// is asked for it.
func (c *cli) findTargets(b *vlsstate.Backup, network, path, backup string, states uint64) (*find.Targets, []string, error) {
	source, err := c.namedSecret(path, b.NodeID)
	if err != nil {
		return nil, nil, err
	}
	defer source.Wipe()
	var ask keychain.Ask
	if path != "-" && backup != "-" {
		ask = c.ask()
	}
	secret, err := c.secretFor(b, source, ask)
	if err != nil {
		return nil, nil, err
	}
	defer secret.Wipe()
	targets, err := find.NewTargets(secret, network, b.Channels, states)
	return targets, proofs.Warnings(secret), err
}

// bitcoindAddress is the host and port of a URL, with https:// before them where
// that was said. Credentials are refused there:
// everybody on the machine reads the command line.
func bitcoindAddress(s string) (string, error) {
	if s == "" || !strings.Contains(s, "://") {
		if strings.Contains(s, "@") {
			return "", usagef("do not put credentials into --bitcoind: put them into a file and name it with --bitcoind-auth")
		}
		return s, nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", usagef("--bitcoind is not a URL") // quoting it could show a password
	case u.User != nil:
		return "", usagef("do not put credentials into --bitcoind: put them into a file and name it with --bitcoind-auth")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return "", usagef("--bitcoind must look like http://127.0.0.1:8332")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 32); err != nil || n == 0 || n > math.MaxUint16 {
			return "", usagef("--bitcoind has no valid port")
		}
	}
	if u.Scheme == "https" {
		return "https://" + u.Host, nil
	}
	return u.Host, nil
}

// bitcoindFailed names an error of bitcoind's that has no name.
func bitcoindFailed(err error) error {
	if failure.NameOf(err) != "" {
		return err
	}
	do := "Check that bitcoind runs, that its RPC can be reached, and that --bitcoind and --bitcoind-auth are right"
	switch {
	case errors.Is(err, chain.ErrScanBusy):
		do = "Wait for it, or end it with bitcoin-cli scantxoutset abort"
	case errors.Is(err, context.Canceled):
		do = "Start it again; nothing was changed"
	}
	return failure.New(failure.NodeUnreachable, do, "%v", err).Wrap(err)
}
