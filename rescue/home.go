package rescue

import (
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
)

// home stands where the plugin has lightningd: it has the lost node's id and a
// chain, and neither channels, nor a wallet, nor gossip.
type home struct {
	id      channel.PubKey
	network string
	// ledger is nil where chain is asked.
	ledger Ledger
	chain  chain.Backend
}

var _ recovery.Node = home{}

// Info is the id with the chain's height.
func (h home) Info(ctx context.Context) (api.Info, error) {
	if h.ledger != nil {
		tip, _, err := h.ledger.Best(ctx)
		return api.Info{ID: h.id, Network: h.network, Height: tip}, err
	}
	i, err := h.chain.ChainInfo(ctx)
	if err != nil {
		return api.Info{}, err
	}
	out := api.Info{ID: h.id, Network: h.network, Height: i.Blocks}
	if i.IBD || i.Blocks < i.Headers {
		out.Syncing = "blocks are still being downloaded"
	}
	return out, nil
}

// PeerChannels are none.
func (home) PeerChannels(context.Context) ([]api.PeerChannel, error) { return nil, nil }

// ClosedChannels are none.
func (home) ClosedChannels(context.Context) ([]channel.ID, error) { return nil, nil }

// StaticBackup has no channel.
func (home) StaticBackup(context.Context) ([][]byte, error) { return nil, nil }

// GossipNode knows nobody.
func (home) GossipNode(context.Context, channel.PubKey) (*api.GossipNode, error) { return nil, nil }

// GossipUpdate has heard nothing.
func (home) GossipUpdate(context.Context, channel.PubKey) (time.Time, error) {
	return time.Time{}, nil
}

// Neighbours are unknown: there is no gossip.
func (home) Neighbours(context.Context, channel.PubKey) ([]channel.PubKey, error) { return nil, nil }

// Wallet is empty: what is swept is the user's address's.
func (home) Wallet(context.Context) ([]api.WalletOutput, error) { return nil, nil }

// Records are none.
func (home) Records(context.Context, []string) ([]api.Record, error) { return nil, nil }

// Configs are none.
func (home) Configs(context.Context) (map[string]string, error) { return map[string]string{}, nil }

// Spends are none.
func (home) Spends(context.Context) (map[wire.OutPoint]claims.Spend, error) { return nil, nil }

// RecoverChannel cannot be called: there are no stubs.
func (home) RecoverChannel(context.Context, [][]byte) ([]channel.ID, error) {
	return nil, errors.New("there is no lightningd that takes stubs")
}
