package plugin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/plugin"
	"github.com/glrecover/glrecover/recovery/api"
)

// TestMain is the plugin itself when lightningd starts the test binary.
func TestMain(m *testing.M) {
	if os.Getenv("LIGHTNINGD_PLUGIN") == "" {
		os.Exit(m.Run())
	}
	os.Exit(plugin.Main(context.Background(), os.Stdin, os.Stdout, func(c *lightningd.Client, log logrus.FieldLogger) plugin.Service {
		log.WithField("a", 1).Info("made")
		f := newFake()
		f.recover = func(p api.RecoverParams, progress api.Progress) (any, error) {
			progress.Message("reading the backup")
			// lightning-cli crashes on a progress of 1 or more than it is told of.
			for _, total := range []uint32{0, 1, 2, 3} {
				for done := range total + 2 {
					progress.Step(done, total)
				}
			}
			if p.Backup.Path == "/panic" {
				panic("x")
			}
			if !p.Decommissioned {
				return nil, failure.New(failure.NotDecommissioned, "Say so", "the flag is not set").With(map[string]int{"channels": 3})
			}
			info, err := c.GetInfo(context.Background())
			if err != nil {
				return nil, err
			}
			return map[string]any{"path": p.Backup.Path, "inline": string(p.Backup.Inline), "dry_run": p.DryRun, "height": info.BlockHeight}, nil
		}
		f.allowed = func(_ context.Context, peer *channel.PubKey, how string) error {
			return failure.New(failure.OpeningRefused, "Restart lightningd", "no %s with %s now", how, peer)
		}
		return f
	}))
}

// daemon starts a program that ends with the test.
func daemon(t *testing.T, log, name string, args ...string) {
	t.Helper()
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			if text, err := os.ReadFile(log); err == nil {
				t.Logf("the end of %s:\n%s", name, text[max(0, len(text)-8000):])
			}
		}
	})
}

func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

type live struct {
	t          *testing.T
	dir, btc   string
	rpcPort    string
	pluginPath string
}

func startBitcoind(t *testing.T) *live {
	t.Helper()
	if testing.Short() {
		t.Skip("starts lightningd")
	}
	for _, name := range []string{"lightningd", "lightning-cli", "bitcoind", "bitcoin-cli"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not on PATH", name)
		}
	}
	dir, err := os.MkdirTemp("", "live")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &live{t: t, dir: dir, btc: filepath.Join(dir, "btc"), rpcPort: freePort(t), pluginPath: filepath.Join(dir, "glrecover")}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, l.pluginPath); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(l.btc, 0o700); err != nil {
		t.Fatal(err)
	}
	daemon(t, filepath.Join(dir, "bitcoind.log"), "bitcoind", "-regtest", "-datadir="+l.btc, "-rpcport="+l.rpcPort,
		"-listen=0", "-fallbackfee=0.0001", "-rpcuser=u", "-rpcpassword=p")
	eventually(t, "bitcoind", func() error { return l.bitcoin("createwallet", "w") })
	l.mine(1)
	return l
}

func (l *live) bitcoin(args ...string) error {
	out, err := exec.Command("bitcoin-cli", append([]string{"-regtest", "-datadir=" + l.btc, "-rpcport=" + l.rpcPort, "-rpcuser=u", "-rpcpassword=p"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (l *live) mine(n int) {
	l.t.Helper()
	if err := l.bitcoin("-generate", fmt.Sprint(n)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) lightningd(name string, args ...string) string {
	l.t.Helper()
	dir := filepath.Join(l.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		l.t.Fatal(err)
	}
	daemon(l.t, filepath.Join(l.dir, name+".log"), "lightningd", append([]string{
		"--lightning-dir=" + dir, "--network=regtest", "--bitcoin-rpcport=" + l.rpcPort, "--bitcoin-rpcuser=u", "--bitcoin-rpcpassword=p",
		"--addr=127.0.0.1:" + freePort(l.t), "--log-level=debug", "--allow-deprecated-apis=false",
		// It is there in builds with Rust, on one fixed port for all nodes, and
		// its end is lightningd's.
		"--disable-plugin=cln-grpc",
	}, args...)...)
	l.waitHeight(dir, 1)
	return dir
}

// waitHeight waits until lightningd has seen the chain up to this height.
func (l *live) waitHeight(dir string, height uint32) {
	l.t.Helper()
	eventually(l.t, "block height", func() error {
		i, err := lightningd.NewClient(filepath.Join(dir, "regtest", "lightning-rpc")).GetInfo(context.Background())
		if err == nil && i.BlockHeight < height {
			err = fmt.Errorf("height is %d", i.BlockHeight)
		}
		return err
	})
}

// cli runs lightning-cli and returns what it printed, also for an error. Its
// exit code must say whether it printed an error.
func (l *live) cli(dir string, args ...string) string {
	l.t.Helper()
	cmd := exec.Command("lightning-cli", append([]string{"--lightning-dir=" + dir, "--network=regtest"}, args...)...)
	out, _ := cmd.CombinedOutput()
	code := 0
	if strings.Contains(string(out), `"code": `) {
		code = 1
	}
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		l.t.Errorf("lightning-cli %.100q: %v, want exit code %d: %s", args, cmd.ProcessState, code, out)
	}
	return string(out)
}

func (l *live) want(dir, words string, args ...string) string {
	l.t.Helper()
	out := l.cli(dir, args...)
	if !strings.Contains(out, words) {
		l.t.Errorf("%.100q: want %q in %s", args, words, out)
	}
	return out
}

func TestLiveFromConfig(t *testing.T) {
	l := startBitcoind(t)
	dir := l.lightningd("one", "--plugin="+l.pluginPath, "--glrecover-hsm-secret=/s",
		"--glrecover-allow-openings="+keyA, "--glrecover-allow-openings="+keyB)
	log := func(words string) {
		t.Helper()
		eventually(t, "log line "+words, func() error {
			text, err := os.ReadFile(filepath.Join(l.dir, "one.log"))
			if err == nil && !strings.Contains(string(text), words) {
				err = fmt.Errorf("not there")
			}
			return err
		})
	}
	l.want(dir, "glrecover [backup] [decommissioned] [dry_run] [addresses] [destination] [feerate] [skip_incomplete] [override] [max_fee_percent] [extra] [wait] [peers] [since]", "help")

	for _, args := range [][]string{
		{"glrecover", "backup=/b.json", "decommissioned=true", "dry_run=true"},
		{"-k", "glrecover", "dry_run=true", "backup=/b.json", "decommissioned=true"},
		{"glrecover", "/b.json", "true", "true"},
	} {
		out := l.want(dir, `"path": "/b.json"`, args...)
		for _, words := range []string{`"dry_run": true`, `"height": 1`, "# reading the backup", "2/2 |", "3/3 |"} {
			if !strings.Contains(out, words) {
				t.Errorf("%q: no %q in %s", args, words, out)
			}
		}
	}
	const inline = "{\"version\":18446744073709551615,\n\n\"b\":1,\"a\":\"x\\n\\ny\"}"
	var echoed struct{ Inline string }
	out := l.cli(dir, "-N", "none", "glrecover", "backup="+inline, "decommissioned=true")
	if err := json.Unmarshal([]byte(out), &echoed); err != nil || echoed.Inline != inline {
		t.Errorf("inline: %v, %s", err, out)
	}
	out = l.want(dir, `"code": 3100`, "glrecover", "/b")
	if !strings.Contains(out, `"message": "not_decommissioned: the flag is not set. Say so."`) || !strings.Contains(out, `"channels": 3`) {
		t.Errorf("error: %s", out)
	}
	l.want(dir, `Did you mean \"decommissioned\"?`, "glrecover", "backup=/b", typo+"=true")
	l.want(dir, `parameter \"dry_run\" is null`, "glrecover", "backup=/b", "dry_run=null")
	l.want(dir, `parameter \"decommissioned\" is not true or false`, "glrecover", "backup=/b", "decommissioned=yes")
	l.want(dir, `"command_to_check": "glrecover"`, "check", "glrecover", "/b", "true")
	l.want(dir, `"command_to_check": "glrecover"`, "-k", "check", "command_to_check=glrecover", "backup=/b")
	l.want(dir, `"code": -32602`, "-k", "check", "command_to_check=glrecover", "backup=/b", "dry_run=null")
	l.want(dir, `"code": -32602`, "check", "glrecover")

	l.want(dir, `"code": -32603`, "glrecover", "/panic")
	log("panic in glrecover: a string")
	log("INFO    plugin-plugin.test: made a=1")
	l.want(dir, "opening_refused: no fundchannel with "+keyA+" now. Restart lightningd.", "fundchannel", keyA, "100000")
	l.want(dir, "opening_refused: no multifundchannel with "+keyB, "multifundchannel", `[{"id":"`+keyB+`@127.0.0.1:1","amount":"100000"}]`)
	l.want(dir, `"code": 3120`, "openchannel_update", strings.Repeat("00", 32), "x")

	l.mine(3)
	l.waitHeight(dir, 4)
	liveClient(t, lightningd.NewClient(filepath.Join(dir, "regtest", "lightning-rpc")))
	l.want(dir, `"command": "stop"`, "plugin", "stop", l.pluginPath)
	l.want(dir, "Unknown command", "glrecover-status")
	l.want(dir, `"active": true`, "-k", "plugin", "subcommand=start", "plugin="+l.pluginPath, "glrecover-allow-openings="+keyA)
	l.want(dir, `"state": "credited"`, "glrecover-status")
	l.want(dir, `"active": true`, "-k", "plugin", "subcommand=start", "plugin="+l.second(), "glrecover-allow-openings=nobody")
	log("glrecover-allow-openings has values that are neither a node id")
}

// second stops the running plugin, so that it can be started with another
// value.
func (l *live) second() string {
	l.cli(filepath.Join(l.dir, "one"), "plugin", "stop", l.pluginPath)
	return l.pluginPath
}

// liveClient calls what a fresh regtest node can answer.
func liveClient(t *testing.T, c *lightningd.Client) {
	t.Helper()
	ctx := context.Background()
	fail := func(what string, got any, err error) {
		if err != nil {
			t.Errorf("%s: %v (%v)", what, err, got)
		}
	}
	configs, err := c.ListConfigs(ctx)
	fail("listconfigs", nil, err)
	if n, ok := configs.Number("rescan"); !ok || n <= 0 {
		t.Errorf("rescan is %d, %v", n, ok)
	}
	if s, _ := configs.Text("network"); s != "regtest" && !configs.Flag("regtest") {
		t.Error("no network in listconfigs")
	}
	if s, _ := configs.Text("bitcoin-rpcuser"); s != "u" {
		t.Error("no bitcoin-rpcuser in listconfigs")
	}
	info, err := c.ChainInfo(ctx)
	if err != nil || info.Chain != "regtest" || info.Blocks != 4 {
		t.Errorf("getchaininfo: %+v, %v", info, err)
	}
	block, err := c.Block(ctx, 1)
	fail("getrawblockbyheight", block, err)
	if _, err := c.Block(ctx, 99); err == nil {
		t.Error("block 99 is there")
	}
	if fees, err := c.EstimateFees(ctx); err != nil || fees.FloorPerKVB == 0 {
		t.Errorf("estimatefees: %+v, %v", fees, err)
	}
	msg, err := block.Decode()
	fail("getrawblockbyheight", block, err)
	coinbase := msg.Transactions[0]
	op := coinbase.TxIn[0].PreviousOutPoint
	if o, err := c.UTXO(ctx, op); err != nil || o != nil {
		t.Errorf("getutxout of nothing: %+v, %v", o, err)
	}
	op.Hash, op.Index = coinbase.TxHash(), 0
	if o, err := c.UTXO(ctx, op); err != nil || o == nil || o.ValueSat != 50_0000_0000 || len(o.Script) == 0 {
		t.Errorf("getutxout of a coinbase: %+v, %v", o, err)
	}
	if err := c.SendRaw(ctx, coinbase, true); err != nil {
		t.Errorf("a transaction of the chain sent again: %v", err)
	}
	foreign := coinbase.Copy()
	foreign.TxIn[0].PreviousOutPoint.Hash[0] = 1
	var rejected *chain.RejectedError
	if err := c.SendRaw(ctx, foreign, true); !errors.As(err, &rejected) {
		t.Errorf("a transaction without inputs: %v", err)
	}
	addr, err := c.NewAddr(ctx)
	if err != nil || addr.Bech32 == "" || addr.P2TR == "" {
		t.Errorf("newaddr: %+v, %v", addr, err)
	}
	funds, err := c.ListFunds(ctx, true)
	fail("listfunds", funds, err)
	peers, err := c.ListPeers(ctx, nil)
	fail("listpeers", peers, err)
	channels, err := c.ListPeerChannels(ctx, nil)
	fail("listpeerchannels", channels, err)
	closed, err := c.ListClosedChannels(ctx)
	fail("listclosedchannels", closed, err)
	backup, err := c.StaticBackup(ctx)
	fail("staticbackup", backup, err)
	rates, err := c.Feerates(ctx)
	fail("feerates", rates, err)
	usage, err := c.Help(ctx, "glrecover-status")
	if err != nil || fmt.Sprint(usage) != "[glrecover-status [channel]]" {
		t.Errorf("help: %v, %v", usage, err)
	}
	me, err := c.GetInfo(ctx)
	fail("getinfo", me, err)
	nodes, err := c.ListNodes(ctx, &me.ID)
	fail("listnodes", nodes, err)
	gossip, err := c.ListChannelsFrom(ctx, me.ID)
	fail("listchannels", gossip, err)

	key := []string{"glrecover", "test"}
	entry, err := c.Datastore(ctx, key, []byte{0, 255}, lightningd.MustCreate, nil)
	fail("datastore", entry, err)
	var wrong uint64 = 7
	if _, err := c.Datastore(ctx, key, []byte{1}, lightningd.MustReplace, &wrong); err == nil {
		t.Error("datastore replaced a wrong generation")
	}
	if _, err := c.Datastore(ctx, key, []byte{1}, lightningd.MustReplace, &entry.Generation); err != nil {
		t.Errorf("datastore: %v", err)
	}
	entries, err := c.ListDatastore(ctx, "glrecover")
	if err != nil || len(entries) != 1 || fmt.Sprintf("%v %d %x", entries[0].Key, entries[0].Generation, entries[0].Value) != "[glrecover test] 1 01" {
		t.Errorf("listdatastore: %+v, %v", entries, err)
	}
	fail("deldatastore", nil, c.DelDatastore(ctx, key, nil))
}

func TestLiveOpeningByAPeerIsRefusedOnBothProtocols(t *testing.T) {
	l := startBitcoind(t)
	peer := l.lightningd("peer", "--experimental-dual-fund")
	address, err := lightningd.NewClient(filepath.Join(peer, "regtest", "lightning-rpc")).NewAddr(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	l.mine(100)
	if err := l.bitcoin("sendtoaddress", address.Bech32, "1"); err != nil {
		t.Fatal(err)
	}
	l.mine(1)
	l.waitHeight(peer, 102)
	for hook, args := range map[string][]string{"openchannel": nil, "openchannel2": {"--experimental-dual-fund"}} {
		dir := l.lightningd(hook, append(args, "--plugin="+l.pluginPath)...)
		l.waitHeight(dir, 102)
		info, err := lightningd.NewClient(filepath.Join(dir, "regtest", "lightning-rpc")).GetInfo(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		l.want(peer, `"direction": "out"`, "connect", info.ID.String(), "127.0.0.1", fmt.Sprint(info.Binding[0].Port))
		l.want(peer, "opening_refused: this node accepts no new channels at present", "fundchannel", info.ID.String(), "100000")
		l.want(dir, info.ID.String(), "getinfo")
		log, err := os.ReadFile(filepath.Join(l.dir, hook+".log"))
		if err != nil || !strings.Contains(string(log), "("+hook+")") {
			t.Errorf("%s: not the hook that answered (%v)", hook, err)
		}
	}
}
