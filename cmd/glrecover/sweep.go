package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/rescue"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/offline"
	"github.com/glrecover/glrecover/sweep/seedkeys"
	"github.com/glrecover/glrecover/vlsstate"
)

var sweepCommand = command{
	name:    "sweep",
	args:    "[--hsm-secret PATH] (--tx PATH [--height N] | --bitcoind DIR [--from N | --wallet]) [--to ADDRESS] [--feerate N] [--broadcast] [--json] [FILE]",
	summary: "claim the outputs of closed channels, or the node's own coins, where the node cannot run",
	help: `FILE is a signer backup, or - for standard input. The plugin does all this by itself:
use this only if lightningd cannot run. It lists every output of the closes that
is or can become yours, or with --wallet every coin that the node had on chain, and
with --to the signed transactions that claim them, each checked by the script engine.
Nothing is sent without --broadcast. It never closes a channel.

  --hsm-secret PATH
      a file that only you may read: lightningd's hsm_secret, vlsd's node.seed, words,
      hex, a hex dump or base64;
      - reads standard input. Without it the secret is asked for at the terminal
  --tx PATH
      the closing transactions as hex, one per line, and those that spent their
      outputs since; - reads standard input
  --height N
      the block that holds them; without it, heights are unknown
  --bitcoind DIR
      a directory with bitcoind's cookie, or a bitcoin.conf with rpcuser and
      rpcpassword: its data directory; or the URL of its RPC, such as
      http://127.0.0.1:8332. The closes are looked for in its blocks
  --bitcoind-auth FILE
      a file that holds user:password, such as bitcoind's .cookie; default: as
      bitcoin-cli finds them
  --rpcconnect HOST[:PORT]
      where bitcoind answers, if not where its bitcoin.conf says
  --from N
      the first block to look at; by default one before the backup was written
  --wallet
      the coins of the lost node's own on-chain wallet instead, of its first 1,000 keys.
      They are looked for in bitcoind's unspent outputs, which takes minutes on the main
      chain. FILE may be missing then: the words are enough
  --network NAME
      bitcoin, testnet, testnet4, signet or regtest; default: the backup's, or the
      address's
  --to ADDRESS
      where the coins go
  --feerate N
      in sat per virtual byte; by default what bitcoind estimates for 6 blocks. The
      fee is at most 10 % of what is claimed, 90 % for penalties and expiring HTLCs
  --preimages PATH
      preimages of payments, as hex, one per line
  --broadcast
      send the transactions through bitcoind
  --json
      for programs; amounts in msat, fees in sat
`,
	run: sweepCloses,
}

// sweepFlags are the command line of sweep.
type sweepFlags struct {
	secret, tx, to, preimages string
	// bitcoind is a directory; what connect says is where its RPC is.
	bitcoind, connect, auth string
	height, from            uint
	feerate                 float64
	wallet, broadcast, json bool
	network, file           string
}

func parseSweep(args []string) (*sweepFlags, error) {
	fs := flags("sweep")
	f := new(sweepFlags)
	fs.StringVar(&f.secret, "hsm-secret", "", "")
	fs.StringVar(&f.tx, "tx", "", "")
	fs.UintVar(&f.height, "height", 0, "")
	fs.StringVar(&f.bitcoind, "bitcoind", "", "")
	fs.StringVar(&f.connect, "rpcconnect", "", "")
	fs.StringVar(&f.auth, "bitcoind-auth", "", "")
	fs.UintVar(&f.from, "from", 0, "")
	fs.StringVar(&f.to, "to", "", "")
	fs.Float64Var(&f.feerate, "feerate", 0, "")
	fs.StringVar(&f.preimages, "preimages", "", "")
	fs.BoolVar(&f.wallet, "wallet", false, "")
	fs.StringVar(&f.network, "network", "", "")
	fs.BoolVar(&f.broadcast, "broadcast", false, "")
	fs.BoolVar(&f.json, "json", false, "")
	files, err := parseUpTo(fs, args, 1)
	if err != nil {
		return nil, err
	}
	if len(files) == 1 {
		f.file = files[0]
	}
	if strings.Contains(f.bitcoind, "://") {
		if f.connect != "" {
			return nil, usagef("--bitcoind says already where it answers: leave out --rpcconnect")
		}
		if f.connect, err = bitcoindAddress(f.bitcoind); err != nil {
			return nil, err
		}
	}
	const maxFeerate = 10_000
	inputs := 0
	for _, path := range []string{f.file, f.secret, f.tx, f.preimages} {
		if path == "-" {
			inputs++
		}
	}
	switch {
	case inputs > 1:
		return nil, usagef("standard input can be used only once")
	case f.file == "" && !f.wallet:
		return nil, usagef("FILE is missing: the backup. Without one, --wallet looks for the node's own coins, and glrecover rescue for its channels")
	case f.wallet && f.bitcoind == "":
		return nil, usagef("--wallet needs --bitcoind: the coins are looked for in its unspent outputs")
	case f.wallet && (f.tx != "" || f.from > 0 || f.preimages != ""):
		return nil, usagef("--wallet looks at no close: leave out --tx, --from and --preimages")
	case f.tx == "" && f.bitcoind == "":
		return nil, usagef("give --tx or --bitcoind, to say where the closing transaction is")
	case f.tx == "" && f.height > 0, f.tx != "" && f.from > 0, f.bitcoind == "" && f.connect != "":
		return nil, usagef("--height needs --tx; --from and --rpcconnect need --bitcoind")
	case f.auth != "" && f.bitcoind == "":
		return nil, usagef("--bitcoind-auth needs --bitcoind")
	case f.broadcast && (f.bitcoind == "" || f.to == ""):
		return nil, usagef("--broadcast needs --bitcoind and --to")
	case f.broadcast && f.tx != "" && f.height == 0:
		return nil, usagef("--broadcast needs --height: transactions that are too early are not sent")
	case f.feerate < 0 || f.feerate > maxFeerate || math.IsNaN(f.feerate):
		return nil, usagef("--feerate is in sat per virtual byte, from 1 to %d", maxFeerate)
	case f.to != "" && f.feerate == 0 && f.bitcoind == "":
		return nil, usagef("--feerate is missing, and there is no bitcoind to ask")
	case f.feerate != 0 && f.feerate < sweep.MinRelaySatPerVB:
		return nil, usagef("a --feerate below %d is not relayed", sweep.MinRelaySatPerVB)
	case f.height > math.MaxInt32 || f.from > math.MaxInt32:
		return nil, usagef("there is no block at this height")
	}
	return f, nil
}

func sweepCloses(c *cli, args []string) error {
	f, err := parseSweep(args)
	if err != nil {
		return err
	}
	if _, ok := terminal(c.stdin); f.secret == "" && (!ok || f.file == "-" || f.tx == "-" || f.preimages == "-") {
		return usagef("--hsm-secret is missing, and there is no terminal to ask for the secret")
	}
	var b *vlsstate.Backup
	if f.file != "" {
		if b, err = c.load(f.file); err != nil {
			return err
		}
		c.complain(vlsstate.Lines(b.Problems)...)
	}
	switch {
	case f.network == "":
		f.network = networkFor(b, f.to)
	case b != nil && b.Network != "" && b.Network != f.network:
		return failure.New(failure.WrongNetwork, "Leave --network out", "the backup is of a node on %s, not on %s", b.Network, f.network)
	}
	if !slices.Contains(networks, f.network) {
		return failure.New(failure.WrongNetwork, "Say it with --network bitcoin, or use a backup that has the node's entry",
			"neither the backup nor the address says on which network the node is")
	}
	s := &sweeping{c: c, f: f, network: claims.Network(f.network)}
	if f.to != "" {
		// Before anybody types twelve words.
		if err := rescue.CheckAddress(f.to, f.network); err != nil {
			return err
		}
	}
	if b != nil {
		if s.preimages, err = c.preimages(f.preimages, b); err != nil {
			return err
		}
	}
	if s.txs, err = c.transactions(f.tx); err != nil {
		return err
	}
	// Before anybody types twelve words.
	if err := s.connect(context.Background()); err != nil {
		return err
	}
	ask := c.ask()
	if f.file == "-" || f.secret == "-" || f.tx == "-" || f.preimages == "-" {
		ask = nil
	}
	secret, err := c.lostSecret(f.secret, b, ask)
	if err != nil {
		return err
	}
	defer secret.Wipe()
	s.keys = seedkeys.New(secret, f.network)
	// bitcoind goes on scanning for a client that has hung up: Ctrl-C has to end that too.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	if err := s.run(ctx, b); err == nil || ctx.Err() == nil {
		return err
	}
	return errStopped
}

func (s *sweeping) run(ctx context.Context, b *vlsstate.Backup) error {
	if s.f.wallet {
		return s.sweepWallet(ctx)
	}
	s.backup = &offline.Backup{Channels: b.Channels, Keys: s.keys, Preimages: s.preimages}
	if err := s.find(ctx, b); err != nil {
		return err
	}
	return s.show(ctx)
}

// sweeping is one run of the command.
type sweeping struct {
	c         *cli
	f         *sweepFlags
	network   *chaincfg.Params
	keys      *seedkeys.Keys
	backup    *offline.Backup
	preimages sweep.Preimages
	txs       []*wire.MsgTx

	node   *chain.Bitcoind
	perKW  uint32
	tip    uint32
	search *offline.Search
}

// connect asks bitcoind whether it is the right one, and for the feerate.
func (s *sweeping) connect(ctx context.Context) (err error) {
	if s.f.bitcoind != "" {
		at := chain.Options{Network: s.f.network, DataDir: s.f.bitcoind, Connect: s.f.connect, Cookie: s.f.auth}
		if strings.Contains(s.f.bitcoind, "://") {
			at.DataDir = ""
		}
		s.node, err = chain.NewBitcoind(at)
		if err != nil {
			return bitcoindFailed(err)
		}
		info, err := s.node.BlockchainInfo(ctx)
		if err != nil {
			return bitcoindFailed(err)
		}
		if info.Network() != s.f.network {
			return failure.New(failure.WrongNetwork, "Name the data directory of a bitcoind on that network",
				"the node is on %s, bitcoind is on %s", s.f.network, info.Chain)
		}
		if info.IBD || info.Blocks < info.Headers {
			return failure.New(failure.NodeSyncing, "Wait until it has caught up", "bitcoind is at block %d of %d", info.Blocks, info.Headers)
		}
		s.tip = info.Blocks
	}
	s.perKW, err = s.feerate(ctx)
	return err
}

// find finds the closes.
func (s *sweeping) find(ctx context.Context, b *vlsstate.Backup) (err error) {
	if s.f.tx != "" {
		closes, unused, err := s.backup.Transactions(s.txs, uint32(s.f.height))
		if err != nil {
			return err
		}
		if len(closes) == 0 {
			return failure.New(failure.InvalidParameter, "Give the transaction that spends the channel's funding output",
				"none of the transactions closes a channel of this backup")
		}
		for _, id := range unused {
			fmt.Fprintf(s.c.stderr, "glrecover: %s does not belong to any channel of this backup\n", id)
		}
		if s.f.height > 0 {
			s.tip = max(s.tip, uint32(s.f.height))
		} else {
			s.tip = 0 // nothing is said of heights
		}
		s.search = &offline.Search{Closes: closes}
		return nil
	}
	src := chain.Join(s.node, s.node)
	from := uint32(s.f.from)
	if from == 0 {
		if b.CreatedAt.IsZero() {
			return usagef("--from is missing: the input does not say when it was written")
		}
		if from, err = src.HeightBefore(ctx, b.CreatedAt); err != nil {
			return bitcoindFailed(err)
		}
		from = max(from, 1)
	}
	progress := func(height, to uint32) {
		if height%1000 == 0 {
			fmt.Fprintf(s.c.stderr, "glrecover: block %d of %d\n", height, to)
		}
	}
	s.search, err = s.backup.Blocks(ctx, src, from, progress)
	if err != nil {
		return bitcoindFailed(err)
	}
	s.tip = s.search.Tip
	return nil
}

// feerate is in sat per 1000 weight.
func (s *sweeping) feerate(ctx context.Context) (uint32, error) {
	if s.f.feerate > 0 {
		return uint32(math.Ceil(s.f.feerate * 1000 / 4)), nil
	}
	if s.node == nil {
		return 0, nil
	}
	fees, err := s.node.EstimateFees(ctx)
	if err != nil {
		return 0, bitcoindFailed(err)
	}
	for _, e := range fees.Estimates {
		if e.Blocks >= 6 {
			return uint32((e.PerKVB + 3) / 4), nil
		}
	}
	if s.f.to == "" {
		return 0, nil
	}
	return 0, usagef("--feerate is missing, and bitcoind has no estimate yet")
}

// maxLines caps what is read of transactions and preimages.
const maxLines = 16 << 20

// hexLines reads lines of hex, empty ones left out. Errors never quote a line.
func (c *cli) hexLines(path, what string) ([][]byte, error) {
	in := c.stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, failure.New(failure.InvalidParameter, "Name a file that can be read", "%s: %s", what, reason(err))
		}
		defer file.Close()
		in = file
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxLines+1))
	if err != nil || len(raw) > maxLines {
		return nil, failure.New(failure.InvalidParameter, "Give a smaller file", "%s cannot be read whole", what)
	}
	var lines [][]byte
	scan := bufio.NewScanner(bytes.NewReader(raw))
	scan.Buffer(nil, maxLines+1)
	for n := 1; scan.Scan(); n++ {
		text := strings.TrimSpace(scan.Text())
		if text == "" {
			continue
		}
		line, err := hex.DecodeString(text)
		if err != nil {
			return nil, failure.New(failure.InvalidParameter, "Write one per line, as hex", "line %d of %s is not hex", n, what)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func (c *cli) transactions(path string) ([]*wire.MsgTx, error) {
	if path == "" {
		return nil, nil
	}
	lines, err := c.hexLines(path, "--tx")
	if err != nil {
		return nil, err
	}
	var txs []*wire.MsgTx
	for _, line := range lines {
		tx, err := chain.DecodeTx(hex.EncodeToString(line))
		if err != nil {
			return nil, failure.New(failure.InvalidParameter, "Give whole transactions, as bitcoin-cli getrawtransaction prints them",
				"a line of --tx is not a transaction: %v", err)
		}
		txs = append(txs, tx)
	}
	return txs, nil
}

// preimages are the user's and the backup's.
func (c *cli) preimages(path string, b *vlsstate.Backup) (sweep.Preimages, error) {
	p := sweep.NewPreimages()
	for _, v := range b.Preimages {
		p.Add(v)
	}
	if path == "" {
		return p, nil
	}
	lines, err := c.hexLines(path, "--preimages")
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		if len(line) != 32 {
			return nil, failure.New(failure.InvalidParameter, "Write 64 hex digits per line", "a line of --preimages has %d bytes, not 32", len(line))
		}
		p.Add([32]byte(line))
	}
	return p, nil
}

// order is what all transactions have in common. Where an HTLC transaction needs
// a coin for its fee, the wallet of the seed is looked through.
func (s *sweeping) order(ctx context.Context) (sweep.Order, error) {
	o := sweep.Order{Destination: s.f.to, Network: s.network, FeeratePerKW: s.perKW, Height: s.tip}
	needs := func(c sweep.Claim) bool { return c.Needs == sweep.NeedFeeInput }
	if s.node == nil || !slices.ContainsFunc(s.search.Closes, func(c offline.Close) bool { return slices.ContainsFunc(c.Claims, needs) }) {
		return o, nil
	}
	w, err := s.openWallet(ctx, "coins of the wallet that can pay for HTLC transactions")
	if err != nil {
		return o, err
	}
	o.Wallet, o.Change = w, w.Address()
	return o, nil
}

func (s *sweeping) openWallet(ctx context.Context, why string) (*offline.Wallet, error) {
	fmt.Fprintf(s.c.stderr, "glrecover: looking for %s; this takes minutes on the main chain\n", why)
	w, err := offline.OpenWallet(ctx, s.node, s.keys, s.network, func(percent float64) {
		fmt.Fprintf(s.c.stderr, "glrecover: %.0f %% of the UTXO set\n", percent)
	})
	if err != nil {
		return nil, bitcoindFailed(err)
	}
	return w, nil
}

// sweepWallet is show for the coins of the wallet itself.
func (s *sweeping) sweepWallet(ctx context.Context) error {
	w, err := s.openWallet(ctx, "the coins of the node's own wallet")
	if err != nil {
		return err
	}
	coins, err := w.Coins(ctx)
	if err != nil {
		return err
	}
	r := newSweepReport()
	r.Tip, r.Wallet = s.tip, walletFacts(coins)
	r.WalletSpent = walletFacts(w.Spent())
	return s.print(ctx, r, r.walletText(s.f), func() ([]offline.Built, bool, error) {
		order := sweep.Order{Destination: s.f.to, Network: s.network, FeeratePerKW: s.perKW, Height: s.tip}
		return w.Sweep(ctx, order), true, nil
	})
}

// show prints the result and sends what is to be sent.
func (s *sweeping) show(ctx context.Context) error {
	r := newSweepReport()
	for i := range s.search.Closes {
		r.Closes = append(r.Closes, closeFacts(&s.search.Closes[i]))
	}
	r.Open, r.NotFound = namesOf(s.search.Open), namesOf(s.search.NotFound)
	r.From, r.Tip, r.Missing = s.search.From, s.tip, s.search.Missing
	return s.print(ctx, r, r.text(s.f), func() ([]offline.Built, bool, error) {
		order, err := s.order(ctx)
		if err != nil {
			return nil, false, err
		}
		return s.backup.Build(ctx, s.search.Closes, order), order.Wallet != nil, nil
	})
}

// print prints a report, and with --to what build makes, and offers it to bitcoind.
// wallet says that the wallet's coins could be used.
func (s *sweeping) print(ctx context.Context, r *sweepReport, text string, build func() (list []offline.Built, wallet bool, err error)) error {
	if !s.f.json {
		if err := s.c.write([]byte(text)); err != nil {
			return err
		}
	}
	var wrong error
	if s.f.to != "" {
		list, wallet, err := build()
		if err != nil {
			return err
		}
		for _, built := range list {
			t, err := txFacts(built, wallet)
			if err != nil {
				return err
			}
			// What is about to be sent is printed first.
			if !s.f.json {
				if err := s.c.write([]byte(t.text())); err != nil {
					return err
				}
			}
			s.offer(ctx, built, &t)
			if !s.f.json {
				if err := s.c.write([]byte(t.outcome(s.f.broadcast))); err != nil {
					return err
				}
			}
			if t.Error != "" || len(t.LeftOut) > 0 {
				wrong = errProblem
			}
			r.Transactions = append(r.Transactions, t)
		}
	}
	if s.f.json {
		if err := s.c.writeJSON(r); err != nil {
			return err
		}
	}
	return wrong
}

// offer asks bitcoind whether it takes a transaction, or sends it. One that is in
// its mempool counts as sent.
func (s *sweeping) offer(ctx context.Context, built offline.Built, t *sweepTx) {
	if built.Err != nil || s.node == nil || s.tip == 0 {
		return
	}
	if s.f.broadcast {
		if err := s.node.SendRaw(ctx, built.Tx.Tx, true); err != nil {
			t.Error = err.Error()
			return
		}
		t.Sent = true
		return
	}
	accepted, err := s.node.TestAccept(ctx, built.Tx.Tx)
	switch {
	case err != nil:
		t.Error = err.Error()
	case len(accepted) == 1 && accepted[0].Reason == "txn-already-in-mempool":
		t.Sent = true
	case len(accepted) != 1 || !accepted[0].Allowed:
		t.Error = "bitcoind rejected it"
		if len(accepted) == 1 {
			t.Error += ": " + accepted[0].Reason
		}
	}
}
