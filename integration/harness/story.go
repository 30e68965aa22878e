package harness

import (
	"errors"
	"fmt"
	"slices"
)

// Node is a Lightning node of either kind.
type Node interface {
	NodeName() string
	NodeID() string
	// Address is "host:port".
	Address() string
	Connect(peer Node)
	FundWallet(sat uint64)
	Invoice(msat uint64) string
	Pay(invoice string) error
	WaitSynced()

	open(peer Node, o OpenOptions) (Outpoint, error)
	active(funding Outpoint) error
	settled(funding Outpoint) error

	address() string
	connectedTo(peer Node) bool
	confirmed() uint64
	bill(msat uint64) bill
	payOver(funding Outpoint, b bill, wait bool) error
}

// OpenOptions describe a channel to open.
type OpenOptions struct {
	Sat     uint64
	PushSat uint64
	// Announce makes the channel public.
	Announce bool
	// StaticRemoteKey asks for a channel without anchors (CLN openers only).
	StaticRemoteKey bool
}

// Mine makes blocks and waits until every given node has seen them.
func (n *Net) Mine(blocks int, nodes ...Node) {
	n.T.Helper()
	n.miner().Mine(blocks)
	for _, node := range nodes {
		node.WaitSynced()
	}
}

// fund pays sat to an address of the node's wallet and waits until the node sees
// the coins confirmed.
func (n *Net) fund(node Node, address string, sat uint64) {
	n.T.Helper()
	want := node.confirmed() + sat
	txid := n.miner().Send(address, sat)
	pool := n.miner().Mempool()
	n.Mine(1, node)
	Wait(n.T, node.NodeName()+"'s coins", func() error {
		if got := node.confirmed(); got != want {
			return fmt.Errorf("%d of %d sat, paid by %s, mempool then %v and now %v", got, want, txid, pool, n.miner().Mempool())
		}
		return nil
	})
}

// Open funds from's wallet, opens a channel and returns its funding output
// when both sides can use it.
func (n *Net) Open(from, to Node, o OpenOptions) Outpoint {
	n.T.Helper()
	return n.OpenSeveral(from, to, o)[0]
}

// OpenSeveral opens one channel after the other and then waits for all.
func (n *Net) OpenSeveral(from, to Node, options ...OpenOptions) []Outpoint {
	n.T.Helper()
	var need uint64
	for _, o := range options {
		need += o.Sat + 50_000
	}
	from.FundWallet(need)
	from.WaitSynced()
	to.WaitSynced()
	from.Connect(to)
	var fundings []Outpoint
	for _, o := range options {
		var funding Outpoint
		// A peer that has just seen the block may still refuse for a moment.
		Wait(n.T, fmt.Sprintf("%s to open to %s", from.NodeName(), to.NodeName()), func() (err error) {
			funding, err = n.open(from, to, o)
			return err
		})
		fundings = append(fundings, funding)
		// One confirmation at a time: the change funds the next one.
		n.Mine(1, from, to)
	}
	n.Mine(5, from, to)
	for _, funding := range fundings {
		n.WaitActive(funding, from, to)
	}
	return fundings
}

// open opens a channel, once. A refusal is told: one that comes late leaves a
// channel behind that never opens, and the next try's stands beside it.
func (n *Net) open(from, to Node, o OpenOptions) (Outpoint, error) {
	n.T.Helper()
	funding, err := from.open(to, o)
	if err != nil {
		n.T.Logf("%s could not open to %s: %v", from.NodeName(), to.NodeName(), err)
	}
	return funding, err
}

// WaitActive waits until all nodes can use the channel.
func (n *Net) WaitActive(funding Outpoint, nodes ...Node) {
	n.T.Helper()
	for _, node := range nodes {
		Wait(n.T, fmt.Sprintf("the channel to work for %s", node.NodeName()), func() error {
			return node.active(funding)
		})
	}
}

// Pay pays msat from one node to the other.
func (n *Net) Pay(from, to Node, msat uint64) {
	n.T.Helper()
	invoice := to.Invoice(msat)
	// Right after the opening, the channel may not be in the router's map.
	Wait(n.T, fmt.Sprintf("%s to pay %s", from.NodeName(), to.NodeName()), func() error {
		return from.Pay(invoice)
	})
}

// Use pays both ways over a fresh channel that from opened, until neither side
// is at its first commitments, and waits until nothing is pending. About a
// third of capacitySat ends at to.
func (n *Net) Use(from, to Node, funding Outpoint, capacitySat uint64) {
	n.T.Helper()
	n.Pay(from, to, capacitySat*1000*35/100)
	n.Pay(to, from, capacitySat*1000*4/100)
	n.Pay(from, to, capacitySat*1000*3/100)
	n.WaitSettled(funding, from, to)
}

// WaitSettled waits until no HTLC is pending on the channel.
func (n *Net) WaitSettled(funding Outpoint, nodes ...Node) {
	n.T.Helper()
	for _, node := range nodes {
		Wait(n.T, fmt.Sprintf("%s's payments to settle", node.NodeName()), func() error {
			return node.settled(funding)
		})
	}
}

// WaitSpent waits until something spends o and returns its txid.
func (n *Net) WaitSpent(o Outpoint) string {
	n.T.Helper()
	var txid string
	Wait(n.T, fmt.Sprintf("a spend of %s", o), func() (err error) {
		txid, err = n.miner().Spender(o)
		return err
	})
	return txid
}

// WaitMempool waits until the mempool holds the transaction.
func (n *Net) WaitMempool(txid string) {
	n.T.Helper()
	Wait(n.T, txid+" in the mempool", func() error {
		if slices.Contains(n.miner().Mempool(), txid) {
			return nil
		}
		return errors.New("not there")
	})
}

// StillUnspent returns nil while nothing in chain or mempool spends o.
func (n *Net) StillUnspent(o Outpoint) error {
	n.T.Helper()
	if !n.Bitcoind.Unspent(o) {
		return fmt.Errorf("%s is spent", o)
	}
	return nil
}
