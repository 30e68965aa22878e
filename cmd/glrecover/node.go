package main

import (
	"context"
	"net"
	"path/filepath"
	"strconv"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/rehearsal"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

const nodeHelp = `  --node SOCKET
      lightningd's RPC socket (lightning-rpc in its network's directory); only
      commands that change nothing are called
`

// nodeAt is a client of a running lightningd.
func nodeAt(socket string) (*lightningd.Client, error) {
	path, err := filepath.Abs(socket)
	if err != nil {
		return nil, unreachable(err)
	}
	return lightningd.NewClient(path), nil
}

func unreachable(err error) error {
	return failure.New(failure.NodeUnreachable, "Give the path of lightningd's RPC socket, and make sure that lightningd runs", "%v", err).Wrap(err)
}

// observe asks a running node what a rehearsal wants to know of it.
func observe(ctx context.Context, node *lightningd.Client, b *vlsstate.Backup) (*rehearsal.Node, error) {
	info, err := node.GetInfo(ctx)
	if err != nil {
		return nil, err
	}
	n := &rehearsal.Node{ID: info.ID, Network: info.Network, Height: info.BlockHeight}
	if n.ID != b.NodeID {
		return n, nil // nothing is compared with another node
	}
	if n.Channels, err = node.ListPeerChannels(ctx, nil); err != nil {
		return nil, err
	}
	closed, err := node.ListClosedChannels(ctx)
	if err != nil {
		return nil, err
	}
	for i := range closed {
		n.Closed = append(n.Closed, channel.ID(closed[i].ID))
	}
	entries, err := node.StaticBackup(ctx)
	if err != nil {
		return nil, err
	}
	for _, raw := range entries {
		// An entry of a later release is a channel without numbers to compare.
		if e, err := scbconv.Decode(raw); err == nil {
			n.SCBs = append(n.SCBs, e)
		}
	}
	n.Gossip, err = announced(ctx, node, peersOf(b))
	return n, err
}

// peersOf are the peers of a backup's channels, each once.
func peersOf(b *vlsstate.Backup) []channel.PubKey {
	var peers []channel.PubKey
	seen := make(map[channel.PubKey]bool)
	for _, c := range b.Channels {
		if !seen[c.Peer] {
			seen[c.Peer] = true
			peers = append(peers, c.Peer)
		}
	}
	return peers
}

// announced are the addresses that the peers announce in gossip.
func announced(ctx context.Context, node *lightningd.Client, peers []channel.PubKey) (map[channel.PubKey][]scbconv.Address, error) {
	out := make(map[channel.PubKey][]scbconv.Address)
	for _, id := range peers {
		nodes, err := node.ListNodes(ctx, &id)
		if err != nil {
			return nil, err
		}
		for i := range nodes {
			for _, a := range nodes[i].Addresses {
				addr, err := scbconv.ParseAddress(net.JoinHostPort(a.Address, strconv.Itoa(int(a.Port))))
				if err == nil {
					out[id] = append(out[id], addr)
				}
			}
		}
	}
	return out, nil
}
