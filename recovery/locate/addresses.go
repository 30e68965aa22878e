// Package locate finds where each peer is dialled, and says who said so: the user, the
// backup, gossip, the host that an inbound peer called from, or nobody.
package locate

import (
	"context"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// FromCopy is the source of an address that only a stored copy of the lost
// node's own backup has.
const FromCopy scbconv.Source = "stored_copy"

// Node is the gossip of a node.
type Node interface {
	// GossipNode is listnodes for one node, nil where gossip does not know it.
	GossipNode(ctx context.Context, id channel.PubKey) (*api.GossipNode, error)
}

// Inputs are what is known. Node may be nil.
type Inputs struct {
	// Given are the user's addresses, as typed.
	Given map[channel.PubKey]string
	// Gossip are addresses that are known besides what Node tells, best first.
	Gossip map[channel.PubKey][]scbconv.Address
	Backup *vlsstate.Backup
	Node   Node
}

// Addresses finds the peers' addresses, each peer's once.
type Addresses struct {
	in     Inputs
	given  map[channel.PubKey]scbconv.Address
	chosen map[channel.PubKey]scbconv.Choice
}

// New reads the user's addresses. The failure is invalid_parameter.
func New(in Inputs) (*Addresses, error) {
	a := &Addresses{in: in, given: map[channel.PubKey]scbconv.Address{}, chosen: map[channel.PubKey]scbconv.Choice{}}
	for id, text := range in.Given {
		addr, err := scbconv.ReadAddress(text, id)
		if err != nil {
			return nil, failure.New(failure.InvalidParameter,
				"Write it as host:port, [IPv6]:port or name.onion:port", "addresses: peer %s: %v", id, err).Wrap(err)
		}
		a.given[id] = addr
	}
	return a, nil
}

// Of is the address to use for a peer.
func (a *Addresses) Of(ctx context.Context, id channel.PubKey) scbconv.Choice {
	choice, seen := a.chosen[id]
	if !seen {
		c := scbconv.Candidates{Parameter: a.given[id], Gossip: a.in.Gossip[id]}
		if p, ok := a.in.Backup.Peers[id]; ok {
			c.Backup, c.BackupInbound = p.Addr, p.Direction == vlsstate.In
		}
		if a.in.Node != nil {
			c.Gossip = append(Announced(ctx, a.in.Node, id), c.Gossip...)
		}
		choice = scbconv.Choose(c)
		a.chosen[id] = choice
	}
	return choice
}

// Announced are the addresses of a peer that the node's gossip knows, Tor last.
func Announced(ctx context.Context, n Node, id channel.PubKey) []scbconv.Address {
	g, err := n.GossipNode(ctx, id)
	if err != nil || g == nil {
		return nil
	}
	var direct, onion []scbconv.Address
	for _, text := range g.Addresses {
		switch a, err := scbconv.ParseAddress(text); {
		case err != nil:
		case a.Kind() == scbconv.TorV3:
			onion = append(onion, a)
		default:
			direct = append(direct, a)
		}
	}
	return append(direct, onion...)
}
