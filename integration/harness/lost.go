package harness

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Lost is a node of which the words are left, and perhaps its backup.
type Lost struct {
	// Words is the file with the twelve words.
	Words  string
	Backup Backup
	// Sat is what the node had in its channel, Address where it shall come, From the
	// height at which it was lost.
	Sat     uint64
	Address string
	From    int
	// NodeID and Funding are what a person may like to read.
	NodeID  string
	Funding Outpoint

	net *Net
	dir string
}

// What LoseFundee's channel has, in sat.
const (
	FundeeCapacity = 1_000_000
	FundeePushed   = 300_000
)

// LoseFundee makes a small node, has lnd open a channel of the number dbid to it,
// and loses it.
func (n *Net) LoseFundee(lnd *LNDNode, dbid uint64) *Lost {
	t := n.T
	t.Helper()
	node := n.Fundee(NewWords(t), dbid)
	funding := node.Receive(lnd, OpenOptions{Sat: FundeeCapacity, PushSat: FundeePushed})
	name := "lost-" + strconv.FormatUint(dbid, 10)
	return &Lost{
		Backup: node.Lose(), Words: n.WriteFile(name+"-words", []byte(node.Words)), Sat: FundeePushed,
		Address: n.Btcd.NewAddress(), From: n.Btcd.Height(), NodeID: node.ID, Funding: funding,
		net: n, dir: filepath.Join(n.Dir, name+"-home"),
	}
}

// Rescue are the arguments of glrecover rescue that say where words, address and
// chain are: btcd's RPC.
func (l *Lost) Rescue() []string {
	b := l.net.Btcd
	auth := l.net.WriteFile("btcd-auth", []byte(b.User+":"+b.Password))
	return append(l.common(), "--bitcoind", "https://"+net.JoinHostPort(b.Host, strconv.Itoa(b.RPCPort)),
		"--bitcoind-auth", auth, "--bitcoind-cert", b.Cert)
}

// RescueLight is Rescue with the light client.
func (l *Lost) RescueLight() []string {
	b := l.net.Btcd
	return append(l.common(), "--bitcoin-node", net.JoinHostPort(b.Host, strconv.Itoa(b.P2PPort)))
}

func (l *Lost) common() []string {
	return []string{"--to", l.Address, "--hsm-secret", l.Words, "--feerate", "5"}
}

// rescueTime bounds a rescue, blockPace is how fast the chain goes on meanwhile.
const (
	rescueTime = 3 * time.Minute
	blockPace  = 500 * time.Millisecond
)

// Rescue runs glrecover rescue for a lost node while blocks are mined, and returns
// what it printed and its exit code.
func (n *Net) Rescue(l *Lost, args ...string) (output string, code int) {
	t := n.T
	t.Helper()
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	name := "rescue-" + randomHex(2)
	p := n.Run(name, []string{"HOME=" + l.dir}, PluginBinary(t), append([]string{"rescue"}, args...)...)
	for begun := time.Now(); time.Since(begun) < rescueTime; {
		if p.Wait(blockPace) == nil {
			break
		}
		n.miner().Mine(1)
	}
	if over, _ := p.Exited(); !over {
		p.Kill()
		t.Errorf("the rescue does not end")
	}
	raw, err := os.ReadFile(filepath.Join(n.Dir, name+".output"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return string(raw), p.cmd.ProcessState.ExitCode()
}
