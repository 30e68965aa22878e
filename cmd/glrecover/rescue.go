package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/gates"
	secrets "github.com/glrecover/glrecover/recovery/secret"
	"github.com/glrecover/glrecover/rescue"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

var rescueCommand = command{
	name:    "rescue",
	args:    "[BACKUP] --to ADDRESS [--peer ID@HOST:PORT]... --decommissioned [--hsm-secret PATH] [--bitcoind URL | --esplora URL] [--feerate N] [--network NAME] [--dry-run] [--json]",
	summary: "bring the lost node's coins to an address, without lightningd",
	help: `This is only for disasters, never for moving to another node: while the hosted node
can still run, two nodes with one key lose money. It asks every peer to close its
channel, follows the closes, and sends what they pay to ADDRESS. Payments that are
under way can be lost; the node id is finished as a Lightning node.

BACKUP is a signer backup. Without one, the words and one peer are enough to begin:
what peers report about their channels, and the copies of the lost node's own backup
that CLN peers keep, lead to the rest. The plan lists what cannot be recovered that way.

Chain data comes from an embedded light client, which downloads headers, compact
filters and single blocks from the Bitcoin network, unless you give --bitcoind or
--esplora.

It ends when each coin is 6 blocks deep at ADDRESS. Ctrl-C stops it at any time: run
the same command again to continue from the journal, which holds no secret.

  --to ADDRESS
      where the coins go
  --peer ID@HOST:PORT
      a peer of the lost node; may be repeated. With BACKUP it finds channels that were
      opened later, and says where a peer is now
  --decommissioned
      your statement that the hosted node is dead for good, and that your signer will
      never connect to it again
  --hsm-secret PATH
      a file of mode 0400: lightningd's hsm_secret, vlsd's node.seed, or words;
      - reads standard input. Without it the words are asked for at the terminal
` + chainHelp + `  --network NAME
      bitcoin, testnet, testnet4, signet or regtest; default: the backup's, or the
      address's
  --since DATE
      without BACKUP: the day, like 2024-06-30, since which the node may have had
      channels; old closes are looked for from there on
  --feerate N
      in sat per virtual byte, for the sweeps; default: the chain's estimate, which the
      light client does not have
  --proxy HOST:PORT
      a SOCKS5 proxy, such as Tor's, for peers with onion addresses, and for the chain
      unless it is bitcoind's; --proxy-only uses it for every peer
  --journal DIR
      where it keeps its progress; default: .glrecover and the node id in your home
      directory
  --override NAME
      accept hosted_node_alive, peer_stale or numbers_moved; may be repeated
  --dry-run
      show the plan and stop. Without --decommissioned no peer is contacted
  --json
      one event per line, for programs; amounts in sat or msat, as their names say
  --verbose
      the log, to standard error

It exits with 0 if every channel is paid or holds nothing for you, with 1 if
something waits for your decision or a peer could not be heard, and with 130 after
Ctrl-C.
`,
	run: runRescue,
}

// exitStopped is for a rescue that was ended by Ctrl-C, as shells have it.
const exitStopped = 130

// errStopped says that the user has ended a command that can go on.
var errStopped = errors.New("stopped")

// rescueFlags are the command line of rescue.
type rescueFlags struct {
	to, secret, network, since, proxy, journal string
	chain                                      chainFlags
	peers                                      map[channel.PubKey]string
	override                                   []string
	feerate                                    float64
	decommissioned, dryRun, json, verbose      bool
	proxyOnly                                  bool
	file                                       string
}

func parseRescue(args []string) (*rescueFlags, error) {
	fs := flags("rescue")
	f := &rescueFlags{peers: map[channel.PubKey]string{}}
	fs.StringVar(&f.to, "to", "", "")
	fs.StringVar(&f.secret, "hsm-secret", "", "")
	f.chain.add(fs)
	fs.StringVar(&f.network, "network", "", "")
	fs.StringVar(&f.since, "since", "", "")
	fs.StringVar(&f.proxy, "proxy", "", "")
	fs.BoolVar(&f.proxyOnly, "proxy-only", false, "")
	fs.StringVar(&f.journal, "journal", "", "")
	fs.Float64Var(&f.feerate, "feerate", 0, "")
	fs.BoolVar(&f.decommissioned, "decommissioned", false, "")
	fs.BoolVar(&f.dryRun, "dry-run", false, "")
	fs.BoolVar(&f.json, "json", false, "")
	fs.BoolVar(&f.verbose, "verbose", false, "")
	fs.Func("override", "", func(name string) error {
		if !slices.Contains([]string{string(failure.HostedNodeAlive), string(failure.PeerStale), rescue.NumbersMoved}, name) {
			return errors.New("it is hosted_node_alive, peer_stale or numbers_moved")
		}
		f.override = append(f.override, name)
		return nil
	})
	fs.Func("peer", "", func(text string) error {
		id, at, err := scbconv.ReadPeerAddress(text)
		if err != nil {
			return err
		}
		f.peers[id] = at.String()
		return nil
	})
	files, err := parseUpTo(fs, args, 1)
	if err != nil {
		return nil, err
	}
	if len(files) == 1 {
		f.file = files[0]
	}
	const maxFeerate = 10_000
	switch {
	case f.file == "-":
		return nil, usagef("BACKUP must be a file: it is needed again later")
	case f.to == "":
		return nil, usagef("--to is missing: where do the coins go?")
	case f.feerate < 0 || f.feerate > maxFeerate || math.IsNaN(f.feerate):
		return nil, usagef("--feerate is in sat per virtual byte, from 1 to %d", maxFeerate)
	case f.feerate > 0 && f.feerate < 1:
		return nil, usagef("a --feerate below 1 is not relayed")
	case f.since != "" && f.file != "":
		return nil, usagef("--since is only for a rescue without BACKUP, because a backup has its own date")
	case f.proxyOnly && f.proxy == "":
		return nil, usagef("--proxy-only needs --proxy")
	}
	return f, f.chain.check()
}

func runRescue(c *cli, args []string) error {
	f, err := parseRescue(args)
	if err != nil {
		return err
	}
	params, b, err := f.params()
	if err != nil {
		return err
	}
	if !f.decommissioned && (!f.dryRun || b == nil) {
		return rescueRefused()
	}
	var held *vlsstate.Backup
	if b != nil {
		held = b.Backup
	}
	if _, ok := terminal(c.stdin); f.secret == "" && !ok {
		return usagef("--hsm-secret is missing, and there is no terminal to ask for the words")
	}
	if f.network == "" {
		f.network = networkFor(held, f.to)
	}
	if f.network == "" {
		return usagef("--network is missing, and neither a backup nor the address implies it")
	}
	// Before anything is asked: a typo here would be seen after the words only.
	if err := rescue.CheckAddress(f.to, f.network); err != nil {
		return err
	}
	// A file that is the wrong one is told before the chain is waited for, and the chain is
	// looked for before anybody types twelve words.
	var secret *keychain.Secret
	defer func() { secret.Wipe() }()
	if f.secret != "" {
		ask := c.ask()
		if f.secret == "-" {
			ask = nil
		}
		if secret, err = c.lostSecret(f.secret, held, ask); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	at, err := openChain(ctx, c, f.chain, f.network, f.proxy)
	if err != nil && ctx.Err() != nil {
		return errStopped
	}
	if err != nil {
		return err
	}
	defer func() { _ = at.close() }()
	if f.feerate == 0 && !f.dryRun {
		switch known, err := at.hasEstimates(ctx); {
		case err != nil:
			return bitcoindFailed(err)
		case !known:
			return usagef("--feerate is missing: there is no fee estimate for this chain. Any site that shows the mempool tells you the current rate, in sat per virtual byte")
		}
	}
	if secret == nil {
		if secret, err = c.lostSecret("", held, c.ask()); err != nil {
			return err
		}
	}
	keys, err := secrets.New(secret, f.network)
	if err != nil {
		return err
	}
	defer keys.Wipe()
	journal, done, err := c.alone(ctx, f, keys.NodeID())
	if err != nil {
		return err
	}
	defer done()
	log := logrus.New()
	log.SetOutput(io.Discard)
	if f.verbose {
		log.SetOutput(c.stderr)
	}
	show := newRescueView(c, f.json)
	end, err := rescue.Run(ctx, rescue.Options{
		Keys: keys, Network: f.network, Params: params, Ledger: at.ledger, Backend: at.backend, Node: at.node,
		Proxy: f.proxy, ProxyOnly: f.proxyOnly, Journal: journal, Log: log, Tell: show.event, Now: c.now,
	})
	switch {
	case err != nil && ctx.Err() != nil, err == nil && !end.Done:
		show.stopped(journal.Dir())
		return errStopped
	case err != nil:
		return err
	case show.err != nil:
		return show.err
	case end.NeedsYou:
		return errProblem
	}
	return nil
}

// rescueRefused says it in the words of the command line.
func rescueRefused() error {
	return failure.New(failure.NotDecommissioned,
		"If the hosted node is gone for good and your signer will never connect to it again, say so with --decommissioned; with a backup, --dry-run shows first what would happen",
		"%s", gates.OnlyForDisasters)
}

// params are the parameters of the recovery, with the backup that they name, nil
// if none.
func (f *rescueFlags) params() (api.RecoverParams, *backup.Loaded, error) {
	p := api.RecoverParams{
		Decommissioned: f.decommissioned, DryRun: f.dryRun, Destination: f.to, Override: f.override, Peers: f.peers, Addresses: f.peers,
		MaxFeePercent: new(uint64), // there is no wallet that could pay for a stuck close
	}
	if f.feerate > 0 {
		p.Feerate = fmt.Sprintf("%dperkw", uint32(math.Ceil(f.feerate*1000/4)))
	}
	if f.since != "" {
		t, err := time.Parse(time.DateOnly, f.since)
		if err != nil {
			return p, nil, usagef("--since must be a day, such as 2024-06-30")
		}
		p.Since = t
	}
	if f.file == "" {
		p.Addresses = nil
		return p, nil, nil
	}
	path, err := filepath.Abs(f.file)
	if err != nil {
		return p, nil, err
	}
	p.Backup.Path = path
	b, err := backup.Load(p.Backup)
	return p, b, err
}

// networkFor is the network of a backup, or what the address tells of it: "" for one
// that several networks share.
func networkFor(b *vlsstate.Backup, address string) string {
	if b != nil && b.Network != "" {
		return b.Network
	}
	switch low := strings.ToLower(address); {
	case strings.HasPrefix(low, "bcrt1"):
		return "regtest"
	case strings.HasPrefix(low, "bc1"), strings.HasPrefix(low, "1"), strings.HasPrefix(low, "3"):
		return "bitcoin"
	}
	return ""
}

// lostSecret asks for the lost node's secret. With a backup it must be that node's, else
// it says whose it is. ask is nil where nothing can be asked.
func (c *cli) lostSecret(path string, b *vlsstate.Backup, ask keychain.Ask) (*keychain.Secret, error) {
	var want channel.PubKey
	if b != nil {
		want = b.NodeID
	}
	source, err := c.namedSecret(path, want)
	if err != nil {
		return nil, err
	}
	defer source.Wipe()
	if b != nil {
		return c.secretFor(b, source, ask)
	}
	secret, err := source.Secret(ask)
	if err != nil {
		return nil, err
	}
	id, err := secret.NodeID()
	if err == nil {
		fmt.Fprintf(c.stderr, "These words are those of node %s.\n", id)
	}
	return secret, err
}

// rescueView shows events.
type rescueView struct {
	c    *cli
	json bool
	// bar is the line at the bottom of a terminal, "" where there is none.
	bar string
	// trouble is the chain's that was shown last, where there is no bar.
	trouble  string
	terminal bool
	err      error
}

func newRescueView(c *cli, asJSON bool) *rescueView {
	_, isTerminal := terminal(c.stdout)
	return &rescueView{c: c, json: asJSON, terminal: isTerminal && !asJSON}
}

// event shows one.
func (v *rescueView) event(e rescue.Event) {
	if v.err != nil {
		return
	}
	if v.json {
		var line bytes.Buffer
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		if v.err = enc.Encode(e); v.err == nil {
			v.err = v.c.write(line.Bytes())
		}
		return
	}
	text, bar := rescueText(e)
	if bar != "" {
		v.bar = bar
	}
	if e.Chain != nil && !v.terminal && e.Chain.Trouble != v.trouble {
		v.trouble = e.Chain.Trouble
		text = troubleText(e)
	}
	if text != "" || v.terminal {
		v.draw(text)
	}
}

// draw prints lines above the bar.
func (v *rescueView) draw(text string) {
	const clear = "\r\x1b[K"
	if v.terminal {
		text = clear + text + v.bar
	}
	v.err = v.c.write([]byte(text))
}

// stopped says how it goes on.
func (v *rescueView) stopped(journal string) {
	v.bar = ""
	fmt.Fprintf(v.c.stderr, "\nStopped. Nothing is lost: run the same command again to continue from %s. Peers that were asked may close in the meantime.\n", plain(journal))
}
