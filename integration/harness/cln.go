package harness

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Secret is the 32 bytes of a node's hsm_secret file.
type Secret [32]byte

// NewSecret returns a random secret.
func NewSecret() Secret {
	var s Secret
	_, _ = rand.Read(s[:]) // never fails (crypto/rand)
	return s
}

// CLNConfig says how a lightningd is to be run.
type CLNConfig struct {
	// Secret is written as the raw hsm_secret; zero means a random one.
	Secret Secret
	// SecretFile is written in its place if it is given, as lightningd wants
	// an hsm_secret of another form.
	SecretFile []byte
	// Passphrase is typed at lightningd's prompt for the one of its
	// hsm_secret; empty: lightningd is not made to ask.
	Passphrase string
	// Plugin adds the product, as a line of the config file.
	Plugin bool
	// AllPlugins leaves every plugin of this lightningd enabled, each on a
	// port of its own, in place of those alone that the scenarios need.
	AllPlugins bool
	// Release is the directory that a lightningd was installed to, with its
	// programs in bin; empty: the one on PATH.
	Release string
	// Signer makes the genuine Greenlight signer its hsmd.
	Signer *Signer
	// RecordPeers, Hold and ZeroConf switch on parts of the test plugin:
	// RecordPeers is implied by Signer.
	Hold, ZeroConf bool
	// HideBitcoind gives lightningd a bitcoin-cli that knows by itself where
	// bitcoind is: nobody else can learn it from lightningd's settings.
	HideBitcoind bool
	// Options are further lines of the config file, "name" or "name=value".
	Options []string
	// Env is added to lightningd's environment.
	Env []string
}

// CLN is a lightningd on regtest.
type CLN struct {
	Name string
	// Dir is the lightning-dir.
	Dir string
	// ID is the node id in hex, known once it was started.
	ID     string
	Secret Secret
	// Host and Port are where its peers reach it.
	Host   string
	Port   int
	Config CLNConfig

	net     *Net
	proc    *Process
	omitted []string
	// plugins are the lines that pluginLines made.
	plugins []string
}

// CLN makes and starts a lightningd.
func (n *Net) CLN(name string, cfg CLNConfig) *CLN {
	n.T.Helper()
	node := n.NewCLN(name, cfg)
	node.Start()
	return node
}

// NewCLN makes a lightningd without starting it.
func (n *Net) NewCLN(name string, cfg CLNConfig) *CLN {
	n.T.Helper()
	if cfg.Secret == (Secret{}) {
		cfg.Secret = NewSecret()
	}
	node := &CLN{
		Name: name, Dir: n.nodeDir(name), Secret: cfg.Secret,
		Host: "127.0.0.1", Port: FreePort(n.T), Config: cfg, net: n,
	}
	regtest := filepath.Join(node.Dir, "regtest")
	if err := os.MkdirAll(regtest, 0o700); err != nil {
		n.T.Fatalf("%v", err)
	}
	file := cfg.Secret[:] // 32 raw bytes
	if cfg.SecretFile != nil {
		file = cfg.SecretFile
	}
	// Readable by the owner alone, as lightningd writes it.
	if err := os.WriteFile(node.SecretPath(), file, 0o400); err != nil {
		n.T.Fatalf("%v", err)
	}
	return node
}

// Heir makes a node with this node's secret and nothing else of it: what a
// user has who lost the node. It is not started.
func (n *CLN) Heir(name string, cfg CLNConfig) *CLN {
	n.net.T.Helper()
	cfg.Secret = n.Secret
	return n.net.NewCLN(name, cfg)
}

// program is the path of one of lightningd's programs.
func (n *CLN) program(name string) string {
	if n.Config.Release == "" {
		return name
	}
	return filepath.Join(n.Config.Release, "bin", name)
}

// unneeded are plugins that no scenario needs: slow to start, or (those in
// Rust, which not every build has) on one fixed port for all nodes of a
// machine. cln-grpc is an important plugin: the second node would die of it.
// lightningd takes a name that it does not know.
var unneeded = []string{
	"cln-renepay", "recklessrpc", "autoclean", "bookkeeper", "commando", "sql",
	"cln-grpc", "clnrest", "wss-proxy", "cln-bip353", "cln-currencyrate", "cln-lsps-client", "cln-lsps-service",
}

// listening are the options of plugins that listen, up to the port. clnrest
// and wss-proxy are idle without theirs; wss-proxy also wants lightningd itself
// to listen for websockets.
var listening = []string{"grpc-port=", "clnrest-port=", "wss-bind-addr=127.0.0.1:"}

// pluginLines are the lines of the config file about lightningd's own plugins.
func (n *CLN) pluginLines() []string {
	n.net.T.Helper()
	if n.plugins != nil {
		return n.plugins
	}
	if !n.Config.AllPlugins {
		for _, p := range unneeded {
			n.plugins = append(n.plugins, "disable-plugin="+p)
		}
		return n.plugins
	}
	known := n.options()
	n.plugins = []string{fmt.Sprintf("bind-addr=ws:127.0.0.1:%d", FreePort(n.net.T))}
	for _, l := range listening {
		if option, _, _ := strings.Cut(l, "="); slices.Contains(known, option) {
			n.plugins = append(n.plugins, fmt.Sprintf("%s%d", l, FreePort(n.net.T)))
		}
	}
	return n.plugins
}

// options asks lightningd for its options, its plugins' included: it refuses a
// config file with any other.
func (n *CLN) options() []string {
	t := n.net.T
	t.Helper()
	dir, err := os.MkdirTemp(n.net.Dir, "help")
	if err != nil {
		t.Fatalf("%v", err)
	}
	out, err := exec.Command(n.program("lightningd"), "--lightning-dir="+dir, "--network=regtest", "--help").Output()
	if err != nil {
		t.Fatalf("lightningd --help: %v", err)
	}
	var options []string
	for _, m := range optionInHelp.FindAllSubmatch(out, -1) {
		options = append(options, string(m[1]))
	}
	return options
}

var optionInHelp = regexp.MustCompile(`(?m)^--([\w-]+)`)

func (n *CLN) writeConfig() {
	n.net.T.Helper()
	b := n.net.Bitcoind
	settings := []string{
		"bitcoin-datadir=" + b.Dir,
		"bitcoin-rpcconnect=127.0.0.1",
		fmt.Sprintf("bitcoin-rpcport=%d", b.RPCPort),
		"bitcoin-rpcuser=" + b.User,
		"bitcoin-rpcpassword=" + b.Password,
	}
	if n.Config.HideBitcoind {
		settings = []string{"bitcoin-datadir=" + n.Dir, "bitcoin-cli=" + b.ownCLI()}
	}
	lines := append(settings,
		"bind-addr="+n.Address(),
		"disable-dns",
		"log-level=debug",
		"log-file="+n.LogPath(),
		"alias="+n.Name,
		"force-feerates=1255",
		"ignore-fee-limits=true",
		"allow-deprecated-apis=false",
	)
	lines = append(lines, n.pluginLines()...)
	if n.Config.Signer != nil || n.Config.Hold || n.Config.ZeroConf {
		lines = append(lines, "plugin="+helperBinary(n.net.T))
	}
	if n.Config.Plugin {
		lines = append(lines, "plugin="+PluginBinary(n.net.T))
	}
	lines = append(lines, n.Config.Options...)
	text := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(n.Dir, "config"), []byte(text), 0o600); err != nil {
		n.net.T.Fatalf("%v", err)
	}
}

// Start starts lightningd, with further command line arguments if any, and
// waits until it has caught up with bitcoind.
func (n *CLN) Start(args ...string) {
	n.net.T.Helper()
	n.Launch(args...)
	n.WaitSynced()
}

// Launch is Start for a node that has no bitcoind to catch up with: it waits
// for the RPC alone.
func (n *CLN) Launch(args ...string) {
	t := n.net.T
	t.Helper()
	n.writeConfig()
	argv := []string{
		"--lightning-dir=" + n.Dir, "--network=regtest", "--developer",
		"--dev-fast-gossip", "--dev-bitcoind-poll=1", "--dev-fast-reconnect", "--dev-no-version-checks",
	}
	env := n.Config.Env
	if n.Config.Hold {
		env = append(env, "GLR_TEST_HOLD="+n.holdFile())
	}
	if n.Config.ZeroConf {
		env = append(env, "GLR_TEST_ZEROCONF=1")
	}
	if s := n.Config.Signer; s != nil {
		argv = append(argv, s.arguments(t)...)
		env = append(env, s.environment(n)...)
	}
	var stdin io.Reader
	if p := n.Config.Passphrase; p != "" {
		argv = append(argv, "--hsm-passphrase")
		stdin = strings.NewReader(p + "\n")
	}
	_ = os.Remove(n.Socket())
	n.proc = n.net.startWith(stdin, n.Dir, n.LogPath(), env, n.program("lightningd"), append(argv, args...)...)
	Wait(t, n.Name+" to answer", func() error {
		if over, err := n.proc.Exited(); over {
			t.Fatalf("%s ended at its start: %v\n%s", n.Name, err, tail(n.LogPath(), 4000))
		}
		return n.learnID()
	})
}

// LogPath is the file of lightningd's own log and output.
func (n *CLN) LogPath() string { return filepath.Join(n.Dir, "log") }

// Log returns lightningd's log from its first byte.
func (n *CLN) Log() string {
	raw, err := os.ReadFile(n.LogPath())
	if err != nil {
		n.net.T.Fatalf("%v", err)
	}
	return string(raw)
}

// WaitLog waits until the log contains text.
func (n *CLN) WaitLog(text string) {
	n.net.T.Helper()
	Wait(n.net.T, "the log of "+n.Name, func() error { return n.LogHas(text) })
}

// WaitSynced waits until lightningd is at bitcoind's height.
func (n *CLN) WaitSynced() {
	n.net.T.Helper()
	Wait(n.net.T, n.Name+" to catch up", func() error {
		var info struct {
			Height     int    `json:"blockheight"`
			Bitcoind   string `json:"warning_bitcoind_sync"`
			Lightningd string `json:"warning_lightningd_sync"`
		}
		if err := n.Call("getinfo", nil, &info); err != nil {
			return err
		}
		if want := n.net.Bitcoind.Height(); info.Height < want || info.Bitcoind+info.Lightningd != "" {
			return fmt.Errorf("at %d of %d %s%s", info.Height, want, info.Bitcoind, info.Lightningd)
		}
		return nil
	})
}

// Running reports whether lightningd runs.
func (n *CLN) Running() bool {
	if n.proc == nil {
		return false
	}
	over, _ := n.proc.Exited()
	return !over
}

// Stop ends lightningd in good order.
func (n *CLN) Stop() {
	n.net.T.Helper()
	_ = n.Call("stop", nil, nil)
	if err := n.proc.Wait(Timeout); err != nil {
		n.net.T.Fatalf("%s after stop: %v", n.Name, err)
	}
}

// Kill ends lightningd and all that it started with SIGKILL.
func (n *CLN) Kill() { n.proc.Kill() }

// Restart stops lightningd in good order and starts it again.
func (n *CLN) Restart(args ...string) {
	n.net.T.Helper()
	n.Stop()
	n.Start(args...)
}

// PluginPIDs are the running copies of the product under this lightningd.
func (n *CLN) PluginPIDs() []int {
	return n.proc.Children(filepath.Base(PluginBinary(n.net.T)))
}

// KillPlugin ends the product's process with SIGKILL and leaves lightningd
// running.
func (n *CLN) KillPlugin() {
	n.net.T.Helper()
	pids := n.PluginPIDs()
	if len(pids) == 0 {
		n.net.T.Fatalf("%s: the plugin does not run", n.Name)
	}
	for _, pid := range pids {
		kill(pid)
	}
}

// StartPlugin starts the product in a running lightningd, as
// `lightning-cli plugin start` does.
func (n *CLN) StartPlugin() {
	n.net.T.Helper()
	n.Must("plugin", Params{"subcommand": "start", "plugin": PluginBinary(n.net.T)}, nil)
}

// StartPluginAgain is StartPlugin for one that was killed: lightningd must have
// noticed.
func (n *CLN) StartPluginAgain() {
	n.net.T.Helper()
	Wait(n.net.T, "lightningd to notice", func() error {
		if pids := n.PluginPIDs(); len(pids) > 0 {
			return fmt.Errorf("runs as %v", pids)
		}
		if err := n.Call("glrecover-status", nil, nil); AsRPCError(err) == nil {
			return errors.New("still a method")
		}
		return nil
	})
	n.StartPlugin()
}

// Net is the scenario's world.
func (n *CLN) Net() *Net { return n.net }

// NodeName returns the name it has in the scenario.
func (n *CLN) NodeName() string { return n.Name }

// NodeID returns the node id in hex.
func (n *CLN) NodeID() string { return n.ID }

// Address returns "host:port".
func (n *CLN) Address() string { return net.JoinHostPort(n.Host, strconv.Itoa(n.Port)) }

func (n *CLN) holdFile() string { return filepath.Join(n.Dir, "hold") }

// HoldHTLCs makes the node keep each HTLC it is the end of, until Release.
func (n *CLN) HoldHTLCs() {
	n.net.T.Helper()
	if !n.Config.Hold {
		n.net.T.Fatalf("harness: %s was not configured to hold HTLCs", n.Name)
	}
	if err := os.WriteFile(n.holdFile(), nil, 0o600); err != nil {
		n.net.T.Fatalf("%v", err)
	}
}

// ReleaseHTLCs ends HoldHTLCs.
func (n *CLN) ReleaseHTLCs() { _ = os.Remove(n.holdFile()) }

// LogHas returns nil when the log contains text.
func (n *CLN) LogHas(text string) error {
	if strings.Contains(n.Log(), text) {
		return nil
	}
	return fmt.Errorf("%q is not in the log of %s", text, n.Name)
}
