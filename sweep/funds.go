package sweep

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// releasePatience bounds the release of coins after the caller's context has
// ended.
const releasePatience = 30 * time.Second

// funds are the wallet's part of a transaction: every input but the first.
type funds struct {
	wallet Wallet
	// blocks is how long inputs are reserved; 0 is DefaultReserveBlocks.
	blocks uint32
}

// spendable sorts out coins that are unconfirmed, reserved, an output of the
// transaction to be spent, or to be left alone.
func spendable(coins []Coin, parent chainhash.Hash, avoid func(wire.OutPoint) bool) []Coin {
	var available []Coin
	for _, c := range coins {
		avoided := c.OutPoint.Hash == parent || avoid != nil && avoid(c.OutPoint)
		if c.Confirmed && !c.Reserved && !avoided && c.ValueSat <= maxMoney {
			available = append(available, c)
		}
	}
	return available
}

// reserve reserves the inputs, the first fixed ones again. The function that
// it returns takes back what it did.
func (f funds) reserve(ctx context.Context, inputs []wire.OutPoint, fixed int) (release func(), err error) {
	blocks := f.blocks
	if blocks == 0 {
		blocks = DefaultReserveBlocks
	}
	var done []string
	release = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releasePatience)
		defer cancel()
		for _, text := range done {
			// A reservation that cannot be released ends by itself.
			_ = f.wallet.Release(ctx, text, blocks)
		}
	}
	for _, part := range []struct {
		inputs    []wire.OutPoint
		exclusive bool
	}{{inputs[:fixed], false}, {inputs[fixed:], true}} {
		if len(part.inputs) == 0 {
			continue
		}
		text, err := bareInputs(part.inputs)
		if err != nil {
			release()
			return nil, err
		}
		reserved, err := f.wallet.Reserve(ctx, text, part.exclusive, blocks)
		if err != nil {
			release()
			return nil, fmt.Errorf("%w: %w", ErrReservation, err)
		}
		done = append(done, text)
		for _, in := range part.inputs {
			if !slices.Contains(reserved, in) {
				release()
				return nil, fmt.Errorf("%w: %s was not", ErrReservation, in)
			}
		}
	}
	return release, nil
}

// sign has the wallet sign its inputs and returns their witnesses.
func (f funds) sign(ctx context.Context, tx *wire.MsgTx, prevouts map[wire.OutPoint]*wire.TxOut) ([]wire.TxWitness, error) {
	text, err := encode(tx, prevouts)
	if err != nil {
		return nil, err
	}
	indexes := make([]uint32, 0, len(tx.TxIn)-1)
	for i := range tx.TxIn[1:] {
		indexes = append(indexes, uint32(i+1))
	}
	signed, err := f.wallet.Sign(ctx, text, indexes)
	if err != nil {
		return nil, err
	}
	found, err := witnesses(signed, tx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSelfCheck, err)
	}
	return found, nil
}
