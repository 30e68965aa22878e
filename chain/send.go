package chain

import (
	"context"
	"errors"

	"github.com/btcsuite/btcd/wire"
)

// packager is what a bitcoind can do that takes packages.
type packager interface {
	SubmitPackage(ctx context.Context, txs ...*wire.MsgTx) error
}

// Send publishes a transaction, or a child with its unconfirmed parents, the child
// last. These are judged by the fee of all together where bitcoind takes packages:
// the way in for a parent whose own fee the mempool does not take. Without such a
// bitcoind (node may be nil) they are sent one by one, and the first refusal is the
// error. One that is known already is no error; one that was refused is a
// *RejectedError.
func Send(ctx context.Context, backend Backend, node Node, txs ...*wire.MsgTx) error {
	if p, ok := node.(packager); ok && len(txs) > 1 {
		if err := p.SubmitPackage(ctx, txs...); !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrUnavailable) {
			return err
		}
	}
	for _, tx := range txs {
		if err := backend.SendRaw(ctx, tx, false); err != nil {
			return err
		}
	}
	return nil
}
