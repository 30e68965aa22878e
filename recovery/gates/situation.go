package gates

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/scbconv"
)

// Node is what is asked of lightningd. None of its calls changes anything.
type Node interface {
	// Info is getinfo.
	Info(ctx context.Context) (api.Info, error)
	// PeerChannels is listpeerchannels.
	PeerChannels(ctx context.Context) ([]api.PeerChannel, error)
	// ClosedChannels are the ids that listclosedchannels has.
	ClosedChannels(ctx context.Context) ([]channel.ID, error)
	// StaticBackup are the encoded SCB entries of the loaded channels.
	StaticBackup(ctx context.Context) ([][]byte, error)
	// GossipNode is listnodes for one node, nil where gossip does not know it.
	GossipNode(ctx context.Context, id channel.PubKey) (*api.GossipNode, error)
	// GossipUpdate is the newest channel_update of the node; zero if none.
	GossipUpdate(ctx context.Context, source channel.PubKey) (time.Time, error)
	// Wallet lists the outputs of listfunds, spent ones included.
	Wallet(ctx context.Context) ([]api.WalletOutput, error)
}

// Situation is what the node says before anything is decided.
type Situation struct {
	Info     api.Info
	Channels []api.PeerChannel
	// Closed are the channels that lightningd has forgotten.
	Closed map[channel.ID]bool
	// Entries are the dbids that loaded channels have.
	Entries []LoadedEntry
	// Gossip and Update are what gossip has of the backup's own node id.
	Gossip *api.GossipNode
	Update time.Time
	Wallet []api.WalletOutput
	// Warnings say what of the node could not be read.
	Warnings []string
}

// LoadedEntry is a channel of this node with its dbid.
type LoadedEntry struct {
	DBID uint64
	Peer channel.PubKey
	ID   channel.ID
}

// Has reports whether lightningd has the channel.
func (s *Situation) Has(id channel.ID) bool {
	return slices.ContainsFunc(s.Channels, func(c api.PeerChannel) bool { return c.ID == id })
}

// Look collects what the node says of itself, and gossip of the node id of the
// backup.
func Look(ctx context.Context, n Node, backupNode channel.PubKey) (*Situation, error) {
	s := &Situation{Closed: map[channel.ID]bool{}}
	var err error
	if s.Info, err = n.Info(ctx); err != nil {
		return nil, err
	}
	if s.Channels, err = n.PeerChannels(ctx); err != nil {
		return nil, err
	}
	closed, err := n.ClosedChannels(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range closed {
		s.Closed[id] = true
	}
	raw, err := n.StaticBackup(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range raw {
		e, err := scbconv.Decode(r)
		if err != nil {
			// A channel of a newer kind: its dbid is unknown, so the comparison
			// after the import has to find a clash.
			s.Warnings = append(s.Warnings, fmt.Sprintf("lightningd's own backup of a channel cannot be read: %v", err))
			continue
		}
		s.Entries = append(s.Entries, LoadedEntry{e.DBID, e.NodeID, e.ChannelID})
	}
	if s.Gossip, err = n.GossipNode(ctx, backupNode); err != nil {
		return nil, err
	}
	if s.Update, err = n.GossipUpdate(ctx, backupNode); err != nil {
		return nil, err
	}
	s.Wallet, err = n.Wallet(ctx)
	return s, err
}
