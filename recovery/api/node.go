package api

import (
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
)

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
	// Died is lightningd's word that onchaind for this channel has died, "" if it
	// has not.
	Died string
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
	// Reserved says that the wallet has set it aside for a transaction of its own.
	Reserved bool
}

// Record is one entry of the node's datastore.
type Record struct {
	Key   []string
	Value string
}
