package sweep

import (
	"context"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// Coin is one output of the wallet.
type Coin struct {
	OutPoint wire.OutPoint
	ValueSat uint64
	PkScript []byte
	// Confirmed is for an output in a block that may be spent now.
	Confirmed bool
	Reserved  bool
}

// Wallet is what BuildChild needs of lightningd. A PSBT is base64 of version 0.
type Wallet interface {
	// Coins lists the unspent outputs, reserved ones too.
	Coins(ctx context.Context) ([]Coin, error)
	// Reserve reserves the PSBT's inputs that are the wallet's for so many
	// blocks, on top of what a reservation has left, and returns those that it
	// reserved. Exclusive fails, and reserves none, where one is reserved.
	Reserve(ctx context.Context, psbt string, exclusive bool, blocks uint32) ([]wire.OutPoint, error)
	// Release takes so many blocks from the reservations of the inputs.
	Release(ctx context.Context, psbt string, blocks uint32) error
	// Sign adds the wallet's signatures to these inputs and to no other.
	Sign(ctx context.Context, psbt string, inputs []uint32) (string, error)
	// NewAddress makes a fresh P2TR or P2WPKH address.
	NewAddress(ctx context.Context) (string, error)
}

// Weights in weight units; signatures at their largest.
const (
	// version, locktime, marker, flag, and the counts of inputs and outputs.
	emptyWeight = 4*(4+4+1+1) + 2
	// outpoint, sequence and the length of an empty script.
	bareInputWeight = 4 * (36 + 4 + 1)
	// count, signature of 72 bytes, script of 40 bytes.
	anchorWeight = bareInputWeight + 1 + 1 + 72 + 1 + 40
	// count, signature of 72 bytes, key.
	p2wpkhWeight = bareInputWeight + 1 + 1 + 72 + 1 + 33
	// count, signature of 65 bytes (64 with the default hash type).
	p2trWeight = bareInputWeight + 1 + 1 + 65
)

// Output scripts in bytes and their dust limits in sat.
const (
	p2trSize, p2trDust     = 34, 330
	p2wpkhSize, p2wpkhDust = 22, 294
	p2shSize, p2pkhSize    = 23, 25
)

// dustLimit is Bitcoin Core's default for an output script of this size: three
// times its bytes and those of the input that will spend it.
func dustLimit(scriptSize int) uint64 {
	spending := 67
	if scriptSize == p2shSize || scriptSize == p2pkhSize {
		spending = 148
	}
	return 3 * uint64(8+1+scriptSize+spending)
}

// inputWeight is the weight of an input that spends the script; zero for
// scripts that are not used: nested P2WPKH, and P2WSH, which is a to_remote.
func inputWeight(pkScript []byte) uint64 {
	switch {
	case txscript.IsPayToWitnessPubKeyHash(pkScript):
		return p2wpkhWeight
	case txscript.IsPayToTaproot(pkScript):
		return p2trWeight
	}
	return 0
}

// outputWeight is the weight of an output: value, length and script.
func outputWeight(scriptSize int) uint64 { return 4 * uint64(8+1+scriptSize) }

// releaseAll is more blocks than any reservation has, and small enough for
// lightningd to add it to a height.
const releaseAll = 1_000_000

// Release ends the reservations of a child's wallet inputs, for when the child
// will never be sent again: the close confirmed without it, or another
// transaction closed the channel. Outputs that are spent or not the wallet's
// are left alone.
func Release(ctx context.Context, w Wallet, inputs []wire.OutPoint) error {
	if len(inputs) == 0 {
		return nil
	}
	text, err := bareInputs(inputs)
	if err != nil {
		return err
	}
	return w.Release(ctx, text, releaseAll)
}
