package find

import (
	"context"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/failure"
)

// CheckNode refuses a bitcoind of another network than the backup's, by
// lightningd's name, and one that has not read all blocks. Other errors are those
// of bitcoind.
func CheckNode(ctx context.Context, node interface {
	BlockchainInfo(ctx context.Context) (chain.BlockchainInfo, error)
}, network string,
) error {
	info, err := node.BlockchainInfo(ctx)
	switch {
	case err != nil:
		return err
	case info.Network() != network:
		return failure.New(failure.WrongNetwork, "Use the bitcoind of the backup's network", "the backup is of %s, bitcoind runs on %s", network, info.Chain)
	case info.IBD:
		return failure.New(failure.NodeSyncing, "Wait until bitcoind has all blocks",
			"bitcoind is at block %d of %d", info.Blocks, info.Headers)
	}
	return nil
}
