package chain

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// BlockchainInfo implements Node.
func (b *Bitcoind) BlockchainInfo(ctx context.Context) (BlockchainInfo, error) {
	var r struct {
		Chain       string `json:"chain"`
		Blocks      uint32 `json:"blocks"`
		Headers     uint32 `json:"headers"`
		Best        string `json:"bestblockhash"`
		IBD         bool   `json:"initialblockdownload"`
		Pruned      bool   `json:"pruned"`
		PruneHeight uint32 `json:"pruneheight"`
	}
	if err := b.call(ctx, &r, "getblockchaininfo"); err != nil {
		return BlockchainInfo{}, err
	}
	best, err := decodeHash(r.Best)
	if err != nil {
		return BlockchainInfo{}, fmt.Errorf("bitcoind getblockchaininfo: %w", err)
	}
	return BlockchainInfo{
		Info:        Info{Chain: r.Chain, Headers: r.Headers, Blocks: r.Blocks, IBD: r.IBD},
		Pruned:      r.Pruned,
		PruneHeight: r.PruneHeight,
		BestBlock:   best,
	}, nil
}

// ChainInfo implements Backend.
func (b *Bitcoind) ChainInfo(ctx context.Context) (Info, error) {
	i, err := b.BlockchainInfo(ctx)
	return i.Info, err
}

// BlockHash implements Node.
func (b *Bitcoind) BlockHash(ctx context.Context, height uint32) (chainhash.Hash, error) {
	var s string
	if err := b.call(ctx, &s, "getblockhash", height); err != nil {
		if isCode(err, codeParameter) || isCode(err, codeMisc) && isMessage(err, "out of range") { // btcd says the second
			return chainhash.Hash{}, fmt.Errorf("height %d: %w", height, ErrNoBlock)
		}
		return chainhash.Hash{}, err
	}
	return decodeHash(s)
}

// HeaderAt implements Node.
func (b *Bitcoind) HeaderAt(ctx context.Context, height uint32) (*wire.BlockHeader, error) {
	hash, err := b.BlockHash(ctx, height)
	if err != nil {
		return nil, err
	}
	var s string
	if err := b.call(ctx, &s, "getblockheader", hash.String(), false); err != nil {
		return nil, err
	}
	h := new(wire.BlockHeader)
	if err := decodeHex(s, h.Deserialize); err != nil {
		return nil, fmt.Errorf("header %d: %w", height, err)
	}
	if h.BlockHash() != hash {
		return nil, fmt.Errorf("header %d does not hash to the block's name", height)
	}
	return h, nil
}

// Block implements Backend and Node. It never waits for a pruned block.
func (b *Bitcoind) Block(ctx context.Context, height uint32) (*Block, error) {
	hash, err := b.BlockHash(ctx, height)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var s string
	if err := b.callCapped(ctx, maxAnswerBlock, &s, "getblock", hash.String(), 0); err != nil {
		if isCode(err, codeMisc) && isMessage(err, "pruned") {
			return nil, fmt.Errorf("height %d: %w", height, ErrPruned)
		}
		return nil, err
	}
	return DecodeBlock(height, hash.String(), s)
}

// TxOut implements Node.
func (b *Bitcoind) TxOut(ctx context.Context, op wire.OutPoint, mempool bool) (*UTXO, error) {
	var r *struct {
		Best          string    `json:"bestblock"`
		Confirmations int       `json:"confirmations"`
		Value         btc       `json:"value"`
		Script        scriptHex `json:"scriptPubKey"`
	}
	if err := b.call(ctx, &r, "gettxout", op.Hash.String(), op.Index, mempool); err != nil || r == nil {
		return nil, err
	}
	best, err := decodeHash(r.Best)
	if err != nil {
		return nil, fmt.Errorf("bitcoind gettxout: %w", err)
	}
	return &UTXO{
		TxOut:         TxOut{ValueSat: uint64(r.Value), Script: r.Script},
		Confirmations: r.Confirmations,
		BestBlock:     best,
	}, nil
}

// UTXO implements Backend: the mempool counts, nil is unknown.
func (b *Bitcoind) UTXO(ctx context.Context, op wire.OutPoint) (*TxOut, error) {
	u, err := b.TxOut(ctx, op, true)
	if err != nil || u == nil {
		return nil, err
	}
	return &u.TxOut, nil
}

// Transaction implements Node.
func (b *Bitcoind) Transaction(ctx context.Context, txid chainhash.Hash, block *chainhash.Hash) (*Transaction, error) {
	params := []any{txid.String(), 1} // btcd takes no true
	if block != nil {
		params = append(params, block.String())
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var r struct {
		Hex           string `json:"hex"`
		Block         string `json:"blockhash"`
		Confirmations uint32 `json:"confirmations"`
	}
	// The verbose answer repeats the transaction decoded: several times its
	// size.
	if err := b.callCapped(ctx, maxAnswerScan, &r, "getrawtransaction", params...); err != nil {
		if isCode(err, codeNotFound) || isMessage(err, "pruned") || isMessage(err, "block not available") {
			return nil, nil
		}
		return nil, err
	}
	tx, err := DecodeTx(r.Hex)
	if err != nil {
		return nil, fmt.Errorf("bitcoind getrawtransaction: %w", err)
	}
	if tx.TxHash() != txid {
		return nil, fmt.Errorf("bitcoind getrawtransaction: a different transaction than requested")
	}
	out := &Transaction{Tx: tx, Confirmations: r.Confirmations}
	if r.Block != "" {
		if out.Block, err = decodeHash(r.Block); err != nil {
			return nil, fmt.Errorf("bitcoind getrawtransaction: %w", err)
		}
	}
	return out, nil
}

// scriptHex is the hex member of a scriptPubKey object.
type scriptHex []byte

func (s *scriptHex) UnmarshalJSON(raw []byte) error {
	var o struct {
		Hex hexBytes `json:"hex"`
	}
	err := json.Unmarshal(raw, &o)
	*s = scriptHex(o.Hex)
	return err
}
