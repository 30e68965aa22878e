package harness

import (
	"net/http"
	"os"
)

// Attach makes a Net of daemons that somebody else started: containers. It
// waits for bitcoind to answer and gives it a wallet; nothing is ended.
func Attach(t TB, b *Bitcoind) *Net {
	t.Helper()
	dir, err := os.MkdirTemp("", "glr-")
	if err != nil {
		t.Fatalf("temporary directory: %v", err)
	}
	n := &Net{T: t, Dir: dir, Bitcoind: b, names: map[string]bool{}}
	t.Cleanup(n.close)
	b.net = n
	Wait(t, "bitcoind to answer", func() error { return b.Call("getblockcount", nil) })
	b.fill()
	return n
}

// AttachCLN waits for a lightningd that was started by somebody else. dir is
// its lightning-dir, which must be reachable from here.
func (n *Net) AttachCLN(name, dir, host string, port int) *CLN {
	n.T.Helper()
	node := &CLN{Name: name, Dir: dir, Host: host, Port: port, net: n}
	node.WaitAnswer()
	return node
}

// WaitAnswer waits until the node answers, and learns its id.
func (n *CLN) WaitAnswer() {
	n.net.T.Helper()
	Wait(n.net.T, n.Name+" to answer", n.learnID)
}

func (n *CLN) learnID() error {
	var info struct {
		ID string `json:"id"`
	}
	err := n.Call("getinfo", nil, &info)
	if err == nil {
		n.ID = info.ID
	}
	return err
}

// AttachLND waits for an lnd that was started by somebody else.
func (n *Net) AttachLND(name, host string, port, restPort int) *LNDNode {
	n.T.Helper()
	node := &LNDNode{Name: name, Host: host, Port: port, RESTPort: restPort, net: n}
	Wait(n.T, name+" to answer", node.learnID)
	return node
}

func (n *LNDNode) learnID() error {
	var info struct {
		ID string `json:"identity_pubkey"`
	}
	err := n.Call(http.MethodGet, "/v1/getinfo", nil, &info)
	if err == nil {
		n.ID = info.ID
	}
	return err
}
