package recovery

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
)

// Node is what the recovery asks of lightningd. Each method is one RPC of the
// same name; the planning phase uses only those above the line (see
// docs/architecture.md), and a test holds it to that.
type Node interface {
	Info(ctx context.Context) (Info, error)
	PeerChannels(ctx context.Context) ([]PeerChannel, error)
	// ClosedChannels are the ids of the channels that lightningd has forgotten
	// as closed, and the txid of what spent them.
	ClosedChannels(ctx context.Context) ([]channel.ID, error)
	// StaticBackup are the encoded SCB entries of the loaded channels.
	StaticBackup(ctx context.Context) ([][]byte, error)
	// GossipNode is nil where gossip has no announcement of the node.
	GossipNode(ctx context.Context, id channel.PubKey) (*GossipNode, error)
	// GossipUpdate is the newest channel_update of the node; zero if none.
	GossipUpdate(ctx context.Context, source channel.PubKey) (time.Time, error)
	// Wallet lists the outputs of listfunds, spent ones included.
	Wallet(ctx context.Context) ([]WalletOutput, error)
	// Configs are the values of listconfigs by name; they hold bitcoind's
	// password, so they are never logged.
	Configs(ctx context.Context) (map[string]string, error)
	Records(ctx context.Context, key []string) ([]Record, error)

	// ---- calls with an effect ----

	RecoverChannel(ctx context.Context, scbs [][]byte) ([]channel.ID, error)
	SaveRecord(ctx context.Context, key []string, value string) error
	DeleteRecord(ctx context.Context, key []string) error
}

// Info is getinfo.
type Info struct {
	ID      channel.PubKey
	Network string
	Version string
	// Height is the block that lightningd has processed.
	Height uint32
	// Syncing is lightningd's warning that it or bitcoind is behind, else "".
	Syncing string
}

// PeerChannel is one entry of listpeerchannels.
type PeerChannel struct {
	Peer      channel.PubKey
	Connected bool
	ID        channel.ID
	// Funding is the zero value for a channel that is not funded yet.
	Funding wire.OutPoint
	State   string
	// Stub says that recoverchannel made it (short channel id 1x1x1).
	Stub    bool
	Private bool
}

// GossipNode is one entry of listnodes.
type GossipNode struct {
	// LastTimestamp is that of the node_announcement; zero if there is none.
	LastTimestamp time.Time
	// Addresses are "host:port" as scbconv.ParseAddress reads them.
	Addresses []string
}

// WalletOutput is one output of listfunds.
type WalletOutput struct {
	OutPoint wire.OutPoint
	Sat      uint64
	Status   string
	// Height is 0 while unconfirmed.
	Height uint32
}

// Record is one entry of the node's datastore.
type Record struct {
	Key   []string
	Value string
}
