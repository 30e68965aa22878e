package recovery

import (
	"context"
	"fmt"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
)

// Find is the method glrecover-find: what of the lost node's coins is among the
// unspent outputs and in the mempool, as the command line's find says it. It has
// no effect, and asks lightningd for its own name and settings only.
func (s *Service) Find(ctx context.Context, from api.Backup, states uint64, progress api.Progress) (any, error) {
	b, err := backup.Load(from)
	if err != nil {
		return nil, err
	}
	network := b.Network
	if network == "" {
		network = s.facts.Network
	}
	bitcoind := s.view.Node(ctx)
	node, ok := bitcoind.(find.Node)
	if !ok {
		return nil, failure.New(failure.NodeUnreachable, "Configure lightningd with a bitcoind whose RPC can be reached, or use glrecover find on the command line",
			"finding the coins takes bitcoind's scantxoutset, and lightningd's settings lead to no bitcoind")
	}
	if err := find.CheckNode(ctx, bitcoind, network); err != nil {
		return nil, bitcoindFailed(err)
	}
	keys, _, release, err := s.keyring.Use()
	defer release()
	if err != nil {
		return nil, err
	}
	if keys.NodeID() != b.NodeID {
		return nil, s.explain(ctx, b.NodeID, failure.New(failure.WrongNode,
			"Start lightningd with the hsm_secret of the lost node, or use glrecover find on the command line",
			"the backup is of node %s, this node's secret is that of %s", b.NodeID, keys.NodeID()))
	}
	targets, warnings, err := keys.Targets(network, b.Channels, states)
	if err != nil {
		return nil, err
	}
	progress.Message("bitcoind searches the unspent outputs; on the main chain that takes some minutes")
	r, err := find.Run(ctx, node, targets, func(percent float64) {
		progress.Message(fmt.Sprintf("unspent outputs: %.0f %% searched", percent))
	})
	if err != nil {
		return nil, bitcoindFailed(err)
	}
	return r.Answer(network, targets.Problems, warnings), nil
}

// bitcoindFailed names an error of bitcoind's that has no name.
func bitcoindFailed(err error) error {
	if failure.NameOf(err) != "" {
		return err
	}
	return failure.New(failure.NodeUnreachable, "Look whether bitcoind runs and is not busy with another scantxoutset, then call again; nothing was changed", "%v", err).Wrap(err)
}
