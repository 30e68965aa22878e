package chain

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// Backend is what lightningd's bitcoin backend can do. The lightningd client
// implements it with bcli's methods (CLN doc, "Bitcoin backend"); Bitcoind
// implements it too.
type Backend interface {
	// ChainInfo is getchaininfo.
	ChainInfo(ctx context.Context) (Info, error)
	// UTXO is getutxout. Nil without an error means unknown: spent, never
	// there, and a failing bitcoin-cli look alike. The answer counts the
	// mempool: an output that is there may be unconfirmed, one that is not
	// may be spent by an unconfirmed transaction only.
	UTXO(ctx context.Context, op wire.OutPoint) (*TxOut, error)
	// Block is getrawblockbyheight. The error matches ErrNoBlock where the
	// chain has no block of that height yet.
	Block(ctx context.Context, height uint32) (*Block, error)
	// SendRaw is sendrawtransaction. A transaction that is known already is
	// no error; one that was refused is a *RejectedError.
	SendRaw(ctx context.Context, tx *wire.MsgTx, allowHighFees bool) error
	// EstimateFees is estimatefees.
	EstimateFees(ctx context.Context) (Fees, error)
}

// Node is what only bitcoind itself can say. Bitcoind implements it.
type Node interface {
	// BlockchainInfo is getblockchaininfo.
	BlockchainInfo(ctx context.Context) (BlockchainInfo, error)
	// BlockHash is getblockhash; ErrNoBlock beyond the tip.
	BlockHash(ctx context.Context, height uint32) (chainhash.Hash, error)
	// HeaderAt is the header at a height of the best chain, there on a pruned
	// node too; ErrNoBlock beyond the tip.
	HeaderAt(ctx context.Context, height uint32) (*wire.BlockHeader, error)
	// Block is the block at a height; ErrNoBlock, or ErrPruned.
	Block(ctx context.Context, height uint32) (*Block, error)
	// TxOut is gettxout; nil without an error means not in the UTXO set (and
	// the mempool, where asked).
	TxOut(ctx context.Context, op wire.OutPoint, mempool bool) (*UTXO, error)
	// Spenders names the mempool transactions that spend the outpoints;
	// ErrUnsupported on a bitcoind before 24.
	Spenders(ctx context.Context, ops []wire.OutPoint) (map[wire.OutPoint]chainhash.Hash, error)
	// Transaction is getrawtransaction: from the mempool, from the given
	// block, or from the transaction index where there is one. Nil without an
	// error means not found.
	Transaction(ctx context.Context, txid chainhash.Hash, block *chainhash.Hash) (*Transaction, error)
}

// Errors that callers tell apart.
var (
	// ErrNoBlock: the best chain has no block of that height.
	ErrNoBlock = errors.New("there is no block at this height yet")
	// ErrPruned: the block was there and its data is deleted.
	ErrPruned = errors.New("block is pruned")
	// ErrUnavailable: the backend gave no answer (down, starting, refused the
	// credentials).
	ErrUnavailable = errors.New("bitcoin backend unavailable")
	// ErrUnsupported: this bitcoind does not have the method.
	ErrUnsupported = errors.New("not supported by this bitcoind")
	// ErrScanBusy: another scantxoutset is under way; only one can be.
	ErrScanBusy = errors.New("another scan of the UTXO set is running")
)

// RejectedError says why bitcoind refused a transaction, in bitcoind's words.
type RejectedError struct{ Reason string }

// Error returns "transaction rejected: " and the reason.
func (e *RejectedError) Error() string { return "transaction rejected: " + e.Reason }

// Info is the state of the chain as lightningd's backend sees it.
type Info struct {
	// Chain is bitcoind's name: main, test, testnet4, signet or regtest.
	Chain string
	// Headers and Blocks are heights.
	Headers uint32
	Blocks  uint32
	// IBD says that the initial download is under way.
	IBD bool
}

// Network is lightningd's name of the chain.
func (i Info) Network() string {
	switch i.Chain {
	case "main":
		return "bitcoin"
	case "test":
		return "testnet"
	}
	return i.Chain
}

// BlockchainInfo is Info with what only bitcoind tells.
type BlockchainInfo struct {
	Info
	Pruned bool
	// PruneHeight is the lowest block whose data is complete; 0 if not pruned.
	PruneHeight uint32
	// BestBlock is the hash of the block at height Blocks.
	BestBlock chainhash.Hash
}

// TxOut is an output's value in sat and its scriptPubKey.
type TxOut struct {
	ValueSat uint64
	Script   []byte
}

// UTXO is an output in the UTXO set or the mempool.
type UTXO struct {
	TxOut
	// Confirmations is 0 for an output in the mempool, ConfirmationsUnknown
	// where lightningd's backend answered.
	Confirmations int
	// BestBlock is the tip that the answer refers to; the zero hash where
	// lightningd's backend answered.
	BestBlock chainhash.Hash
}

// Transaction is a transaction with the block that holds it, if any.
type Transaction struct {
	Tx            *wire.MsgTx
	Confirmations uint32
	// Block is the zero hash for a transaction in the mempool.
	Block chainhash.Hash
}

// Fees are fee rates in sat per 1000 virtual bytes.
type Fees struct {
	// FloorPerKVB is the least that the mempool takes now.
	FloorPerKVB uint64
	// Estimates are in ascending order of Blocks; empty where bitcoind has no
	// data yet.
	Estimates []FeeEstimate
}

// FeeEstimate is the fee rate for confirmation within a number of blocks.
type FeeEstimate struct {
	Blocks uint32
	PerKVB uint64
}

// maxBlockBytes is the consensus limit of a block's weight: no block has more
// bytes.
const maxBlockBytes = 4_000_000

// DecodeBlock reads the hex of a raw block, as getrawblockbyheight and
// getblock with verbosity 0 give it, and checks its header against its hash
// (display order).
func DecodeBlock(height uint32, hash, rawHex string) (*Block, error) {
	want, err := decodeHash(hash)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", height, err)
	}
	if len(rawHex) > 2*maxBlockBytes {
		return nil, fmt.Errorf("block %d: more than %d bytes", height, maxBlockBytes)
	}
	raw, err := hex.DecodeString(rawHex)
	if err != nil {
		return nil, fmt.Errorf("block %d: not hex", height)
	}
	return NewBlock(height, want, raw)
}

// DecodeTx reads the hex of one serialised transaction, without trailing
// bytes.
func DecodeTx(rawHex string) (*wire.MsgTx, error) {
	if len(rawHex) > 2*maxBlockBytes {
		return nil, fmt.Errorf("transaction: more than %d bytes", maxBlockBytes)
	}
	tx := new(wire.MsgTx)
	if err := decodeHex(rawHex, tx.Deserialize); err != nil {
		return nil, fmt.Errorf("transaction: %w", err)
	}
	return tx, nil
}

// EncodeTx is the inverse of DecodeTx.
func EncodeTx(tx *wire.MsgTx) (string, error) {
	var b strings.Builder
	if err := tx.Serialize(hex.NewEncoder(&b)); err != nil {
		return "", fmt.Errorf("transaction: %w", err)
	}
	return b.String(), nil
}

// decodeHash reads 64 hex digits in display order; chainhash itself pads short
// ones.
func decodeHash(s string) (chainhash.Hash, error) {
	if len(s) != 2*chainhash.HashSize {
		return chainhash.Hash{}, errors.New("hash is not 64 hex digits")
	}
	h, err := chainhash.NewHashFromStr(s)
	if err != nil {
		return chainhash.Hash{}, errors.New("hash is not hex")
	}
	return *h, nil
}
