package plan

import (
	"context"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/gates"
	"github.com/glrecover/glrecover/recovery/judge"
)

// Node is what a plan asks of lightningd. None of its calls changes anything.
type Node interface {
	gates.Node
	// Records is listdatastore.
	Records(ctx context.Context, key []string) ([]api.Record, error)
}

// Keys is what a plan needs of the node's secret, which stays in keychain.
type Keys interface {
	judge.Keys
	gates.Prover
	// FundingScript is the scriptPubKey of the channel's funding output.
	FundingScript(c *channel.Channel) ([]byte, error)
	// OpenPeerStorage decrypts the backup that a CLN node leaves with its peers.
	OpenPeerStorage(blob []byte) ([]byte, error)
	// Wallet is the public side of the lost node's on-chain wallet. Sees says
	// whether lightningd, as it runs, has that wallet: not with an hsm_secret
	// that holds words.
	Wallet() (w find.Keys, sees bool, err error)
}
