package harness

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Net is one scenario's world: a bitcoind on regtest, nodes, and a directory
// that goes away with them.
type Net struct {
	T   TB
	Dir string
	// Bitcoind is running and has mature coins in its wallet; nil on btcd.
	Bitcoind *Bitcoind
	// Btcd makes the chain of a Net of NewOnBtcd; else nil.
	Btcd *Btcd

	mu    sync.Mutex
	procs []*Process
	logs  []string
	names map[string]bool
}

// InDockerEnv is set in the project's container images.
const InDockerEnv = "GLRECOVER_IN_DOCKER"

// New makes a directory and starts bitcoind. Everything is ended and removed
// when t is cleaned up; with GLRECOVER_KEEP set, or when a Console failed
// outside of a container, the directory stays.
func New(t TB) *Net {
	t.Helper()
	return NewOn(t, Chain{})
}

// Chain says how a scenario's bitcoind is to run.
type Chain struct {
	// Born dates the first blocks; the zero value is now. Bitcoind.Now ends it.
	Born time.Time
	// Options are further lines of bitcoin.conf, "name=value".
	Options []string
	// Filters has it listen, and serve compact filters (BIP 157).
	Filters bool
}

// NewOn is New with a chain of its own kind.
func NewOn(t TB, chain Chain) *Net {
	t.Helper()
	n := newNet(t)
	n.Bitcoind = startBitcoind(n, chain)
	return n
}

// NewOnBtcd is New with btcd in bitcoind's place, on regtest too: for scenarios
// that need nothing but Go.
func NewOnBtcd(t TB) *Net {
	t.Helper()
	n := newNet(t)
	n.Btcd = startBtcd(n)
	return n
}

func newNet(t TB) *Net {
	t.Helper()
	// Unix socket paths end at about 100 bytes: no test name in it, and not
	// below a long TMPDIR.
	base := os.TempDir()
	if len(base) > 40 {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "glr-")
	if err != nil {
		t.Fatalf("temporary directory: %v", err)
	}
	n := &Net{T: t, Dir: dir, names: map[string]bool{}}
	t.Cleanup(n.close)
	return n
}

// miner is the daemon that makes a Net's chain and has coins.
type miner interface {
	// Height is the height of the tip.
	Height() int
	// Mine makes blocks with what is in the mempool and returns the new height.
	Mine(blocks int) int
	// Send pays sat to an address and returns the txid; unconfirmed.
	Send(address string, sat uint64) string
	// Mempool lists the txids in the mempool.
	Mempool() []string
	// Spender returns the txid of the transaction that spends o, in the mempool
	// or in one of the last spenderDepth blocks.
	Spender(o Outpoint) (string, error)
	// lndConf are the sections of lnd.conf that say where it is.
	lndConf() string
}

func (n *Net) miner() miner {
	if n.Btcd != nil {
		return n.Btcd
	}
	return n.Bitcoind
}

func (n *Net) close() {
	n.mu.Lock()
	procs := n.procs
	n.procs = nil
	n.mu.Unlock()
	for _, p := range procs {
		if over, err := p.Exited(); over && n.T.Failed() {
			n.T.Logf("%s in %s had ended before the test did: %v", filepath.Base(p.cmd.Path), filepath.Base(p.cmd.Dir), err)
		}
		p.Kill()
	}
	// What is in a container is gone with it.
	_, person := n.T.(*Console)
	person = person && os.Getenv(InDockerEnv) == ""
	if n.T.Failed() && !person {
		n.dumpLogs()
	}
	if os.Getenv("GLRECOVER_KEEP") != "" || n.T.Failed() && person {
		n.T.Logf("the logs are in %s", n.Dir)
		return
	}
	_ = os.RemoveAll(n.Dir)
}

// logTail is how much of each log a failed test shows, in bytes.
const logTail = 12 << 10

func (n *Net) dumpLogs() {
	for _, path := range n.logs {
		text := tail(path, logTail)
		if text == "" {
			continue
		}
		rel, _ := filepath.Rel(n.Dir, path)
		if said := plugin(path, logTail); said != "" {
			n.T.Logf("--- the plugin in %s\n%s", rel, said)
		}
		n.T.Logf("--- end of %s\n%s", rel, text)
	}
}

// plugin returns what the product said in a node's log, up to max bytes: its first
// decisions are no longer in the tail.
func plugin(path string, max int) string {
	log, _ := os.ReadFile(path)
	var said []string
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, " plugin-glrecover: ") {
			said = append(said, line)
		}
	}
	text := strings.Join(said, "")
	return text[:min(len(text), max)]
}

// tail returns the last max bytes of a file from the start of a line.
func tail(path string, max int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	skip := info.Size() - max
	if skip < 0 {
		skip = 0
	}
	buf := make([]byte, info.Size()-skip)
	k, _ := f.ReadAt(buf, skip)
	text := string(buf[:k])
	if skip > 0 {
		_, text, _ = strings.Cut(text, "\n")
	}
	return strings.TrimRight(text, "\n")
}

// start runs a program of the net; it is killed at the end at the latest.
func (n *Net) start(dir, logPath string, env []string, name string, args ...string) *Process {
	n.T.Helper()
	return n.startWith(nil, dir, logPath, env, name, args...)
}

// startWith is start for a program that reads its standard input.
func (n *Net) startWith(stdin io.Reader, dir, logPath string, env []string, name string, args ...string) *Process {
	n.T.Helper()
	p, err := startProcess(stdin, dir, logPath, env, name, args...)
	if err != nil {
		n.T.Fatalf("%v", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.procs = append(n.procs, p)
	for _, l := range n.logs {
		if l == logPath {
			return p
		}
	}
	n.logs = append(n.logs, logPath)
	return p
}

// Run starts any other program in the net's directory; its output is in
// NAME.output there. It is killed at the end at the latest.
func (n *Net) Run(name string, env []string, program string, args ...string) *Process {
	n.T.Helper()
	return n.start(n.Dir, filepath.Join(n.Dir, name+".output"), env, program, args...)
}

// nodeDir makes the directory of a node of this name, which must be new.
func (n *Net) nodeDir(name string) string {
	n.T.Helper()
	n.mu.Lock()
	taken := n.names[name]
	n.names[name] = true
	n.mu.Unlock()
	if taken {
		n.T.Fatalf("harness: two nodes named %s", name)
	}
	dir := filepath.Join(n.Dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		n.T.Fatalf("%v", err)
	}
	return dir
}

// WriteFile writes a file of mode 0600 into the net's directory and returns
// its absolute path.
func (n *Net) WriteFile(name string, data []byte) string {
	n.T.Helper()
	path := filepath.Join(n.Dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		n.T.Fatalf("%v", err)
	}
	return path
}

var (
	portMu   sync.Mutex
	portUsed = map[int]bool{}
)

// FreePort returns a port of 127.0.0.1 that nobody listens on and that this
// process was not given before. It is below the range from which the system
// takes ports for outgoing connections, so that a node can be stopped and
// started again on the same one.
func FreePort(t TB) int {
	t.Helper()
	portMu.Lock()
	defer portMu.Unlock()
	for range 1000 {
		port := 20000 + rand.IntN(10000)
		if portUsed[port] {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		_ = l.Close()
		portUsed[port] = true
		return port
	}
	t.Fatalf("no free port on 127.0.0.1")
	return 0
}
