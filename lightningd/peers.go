package lightningd

import (
	"context"

	"github.com/glrecover/glrecover/channel"
)

// Peer is one entry of listpeers.
type Peer struct {
	ID        channel.PubKey `json:"id"`
	Connected bool           `json:"connected"`
	Channels  uint32         `json:"num_channels"`
	// NetAddr are "host:port" of the current connection.
	NetAddr  []string `json:"netaddr"`
	Features string   `json:"features"`
}

type listpeers struct {
	ID string `json:"id,omitempty"`
}

func (listpeers) Name() string { return "listpeers" }

// ListPeers calls listpeers; id nil lists all.
func (c *Client) ListPeers(ctx context.Context, id *channel.PubKey) ([]Peer, error) {
	out, err := get[struct {
		Peers []Peer `json:"peers"`
	}](ctx, c, listpeers{optional(id)})
	if err != nil {
		return nil, err
	}
	return out.Peers, nil
}

// GossipNode is one entry of listnodes.
type GossipNode struct {
	ID channel.PubKey `json:"nodeid"`
	// LastTimestamp is the Unix time of the node announcement, 0 where only
	// channels of the node are known.
	LastTimestamp int64     `json:"last_timestamp"`
	Alias         string    `json:"alias"`
	Addresses     []Address `json:"addresses"`
}

type listnodes struct {
	ID string `json:"id,omitempty"`
}

func (listnodes) Name() string { return "listnodes" }

// ListNodes calls listnodes; id nil lists all, which is some 20 MB on mainnet.
func (c *Client) ListNodes(ctx context.Context, id *channel.PubKey) ([]GossipNode, error) {
	out, err := get[struct {
		Nodes []GossipNode `json:"nodes"`
	}](ctx, c, listnodes{optional(id)})
	if err != nil {
		return nil, err
	}
	return out.Nodes, nil
}

// GossipChannel is one direction of a channel in gossip.
type GossipChannel struct {
	Source         channel.PubKey `json:"source"`
	Destination    channel.PubKey `json:"destination"`
	ShortChannelID string         `json:"short_channel_id"`
	Amount         Msat           `json:"amount_msat"`
	Public         bool           `json:"public"`
	Active         bool           `json:"active"`
	// LastUpdate is the Unix time of the channel_update.
	LastUpdate int64 `json:"last_update"`
}

type listchannels struct {
	Source string `json:"source"`
}

func (listchannels) Name() string { return "listchannels" }

// ListChannelsFrom calls listchannels for the directions that the node
// announces itself.
func (c *Client) ListChannelsFrom(ctx context.Context, source channel.PubKey) ([]GossipChannel, error) {
	out, err := get[struct {
		Channels []GossipChannel `json:"channels"`
	}](ctx, c, listchannels{source.String()})
	if err != nil {
		return nil, err
	}
	return out.Channels, nil
}

func optional(id *channel.PubKey) string {
	if id == nil {
		return ""
	}
	return id.String()
}
