package esplora

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
)

var (
	_ chain.Source = (*Client)(nil)
	_ chain.Sifter = (*Client)(nil)
)

// Best implements chain.Source.
func (c *Client) Best(ctx context.Context) (uint32, chainhash.Hash, error) {
	hash, err := c.hash(ctx, "/blocks/tip/hash")
	if err != nil {
		return 0, chainhash.Hash{}, gone(err)
	}
	var b struct {
		Height uint32 `json:"height"`
	}
	if err := c.json(ctx, &b, "/block/%s", hash); err != nil {
		return 0, chainhash.Hash{}, gone(err)
	}
	return b.Height, hash, nil
}

// HashAt implements chain.Source.
func (c *Client) HashAt(ctx context.Context, height uint32) (chainhash.Hash, error) {
	hash, err := c.hash(ctx, "/block-height/%d", height)
	if errors.Is(err, errNotFound) {
		err = fmt.Errorf("height %d: %w", height, chain.ErrNoBlock)
	}
	return hash, err
}

// HeaderAt is the header at a height.
func (c *Client) HeaderAt(ctx context.Context, height uint32) (*wire.BlockHeader, error) {
	hash, err := c.HashAt(ctx, height)
	if err != nil {
		return nil, err
	}
	raw, err := c.get(ctx, maxAnswer, "/block/%s/header", hash)
	if err != nil {
		return nil, gone(err)
	}
	bin, err := unhex(raw)
	h := new(wire.BlockHeader)
	if err == nil {
		err = h.Deserialize(bytes.NewReader(bin))
	}
	if err != nil || h.BlockHash() != hash {
		return nil, c.strange("the header of block %d", height)
	}
	return h, nil
}

// HeightBefore implements chain.Source.
func (c *Client) HeightBefore(ctx context.Context, t time.Time) (uint32, error) {
	tip, _, err := c.Best(ctx)
	if err != nil {
		return 0, err
	}
	return chain.HeightBefore(ctx, c, t, tip)
}

// Floor implements chain.Source: a server has all blocks.
func (c *Client) Floor(context.Context) (height uint32, ok bool, reason string) { return 0, true, "" }

// Block implements chain.Source.
func (c *Client) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	hash, err := c.HashAt(ctx, height)
	if err != nil {
		return nil, err
	}
	raw, err := c.get(ctx, maxBlock, "/block/%s/raw", hash)
	if err != nil {
		return nil, gone(err)
	}
	return chain.NewBlock(height, hash, raw)
}

// status is where a transaction is.
type status struct {
	Confirmed bool   `json:"confirmed"`
	Height    uint32 `json:"block_height"`
	Block     string `json:"block_hash"`
}

// outspend is what spends an output.
type outspend struct {
	Spent  bool   `json:"spent"`
	Txid   string `json:"txid"`
	Status status `json:"status"`
}

// Output implements chain.Source.
func (c *Client) Output(ctx context.Context, op wire.OutPoint) (*chain.UTXO, error) {
	tip, best, err := c.Best(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := c.tx(ctx, op.Hash)
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if int(op.Index) >= len(tx.TxOut) {
		return nil, nil
	}
	var at status
	var by outspend
	if err := c.json(ctx, &at, "/tx/%s/status", op.Hash); err != nil {
		return nil, gone(err)
	}
	if err := c.json(ctx, &by, "/tx/%s/outspend/%d", op.Hash, op.Index); err != nil {
		return nil, gone(err)
	}
	if by.Spent && by.Status.Confirmed {
		return nil, nil
	}
	out := tx.TxOut[op.Index]
	u := &chain.UTXO{TxOut: chain.TxOut{ValueSat: uint64(out.Value), Script: out.PkScript}, BestBlock: best}
	switch {
	case at.Confirmed && at.Height > tip:
		return nil, fmt.Errorf("%w: a block came between two questions", chain.ErrUnavailable)
	case at.Confirmed:
		u.Confirmations = int(tip - at.Height + 1)
	case by.Spent:
		return nil, nil // neither is in a block
	}
	return u, nil
}

// Spenders implements chain.Source.
func (c *Client) Spenders(ctx context.Context, ops []wire.OutPoint) (map[wire.OutPoint]*wire.MsgTx, error) {
	found := map[wire.OutPoint]*wire.MsgTx{}
	for _, op := range ops {
		var by outspend
		switch err := c.json(ctx, &by, "/tx/%s/outspend/%d", op.Hash, op.Index); {
		case errors.Is(err, errNotFound):
			continue
		case err != nil:
			return nil, err
		}
		if !by.Spent || by.Status.Confirmed {
			continue
		}
		id, err := parseHash(by.Txid)
		if err != nil {
			return nil, c.strange("what spends %s", op)
		}
		tx, err := c.tx(ctx, id)
		switch {
		case errors.Is(err, errNotFound):
			continue // it left meanwhile
		case err != nil:
			return nil, err
		}
		for _, in := range tx.TxIn {
			if in.PreviousOutPoint == op {
				found[op] = tx
			}
		}
	}
	return found, nil
}

// tx is a transaction, held against its id; errNotFound where the server has none.
func (c *Client) tx(ctx context.Context, id chainhash.Hash) (*wire.MsgTx, error) {
	raw, err := c.get(ctx, maxBlock, "/tx/%s/raw", id)
	if err != nil {
		return nil, err
	}
	tx, rest := new(wire.MsgTx), bytes.NewReader(raw)
	if err := tx.Deserialize(rest); err != nil || rest.Len() > 0 || tx.TxHash() != id {
		return nil, c.strange("transaction %s", id)
	}
	return tx, nil
}

// Send publishes transactions that belong together, a child last: as a package where
// the server takes one, else one by one.
func (c *Client) Send(ctx context.Context, txs ...*wire.MsgTx) error {
	raws := make([]string, len(txs))
	for i, tx := range txs {
		raw, err := chain.EncodeTx(tx)
		if err != nil {
			return err
		}
		raws[i] = raw
	}
	if len(txs) > 1 {
		if taken, err := c.sendPackage(ctx, raws); taken || err != nil {
			return err
		}
	}
	for _, raw := range raws {
		_, err := c.call(ctx, "POST", "/tx", []byte(raw), maxAnswer)
		var refused *statusError
		switch {
		case errors.As(err, &refused) && known(refused.text):
		case errors.As(err, &refused):
			return &chain.RejectedError{Reason: refused.text}
		case err != nil:
			return gone(err)
		}
	}
	return nil
}

// sendPackage reports whether the server took a package; false says that each is to
// be sent by itself.
func (c *Client) sendPackage(ctx context.Context, raws []string) (taken bool, err error) {
	body, err := json.Marshal(raws)
	if err != nil {
		return false, err
	}
	raw, err := c.call(ctx, "POST", "/txs/package", body, maxAnswer)
	var refused *statusError
	if errors.Is(err, errNotFound) || errors.As(err, &refused) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var a struct {
		Message string `json:"package_msg"`
	}
	return json.Unmarshal(raw, &a) == nil && a.Message == "success", nil
}

// known reports whether a refusal says that the transaction is in the mempool or in a
// block (bitcoind's texts).
func known(text string) bool {
	text = strings.ToLower(text)
	for _, s := range []string{"txn-already-in-mempool", "txn-already-known", "already in block chain", "already in utxo set"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// EstimateFees is /fee-estimates, for the targets that lightningd has too.
func (c *Client) EstimateFees(ctx context.Context) (chain.Fees, error) {
	var all map[string]float64
	if err := c.json(ctx, &all, "/fee-estimates"); err != nil {
		return chain.Fees{}, gone(err)
	}
	const (
		floor = 1000    // sat per 1000 virtual bytes: what nodes relay at the least
		most  = 100_000 // sat per virtual byte; more is no fee rate
	)
	fees := chain.Fees{FloorPerKVB: floor}
	for _, blocks := range []uint32{2, 6, 12, 144} {
		rate, ok := all[strconv.Itoa(int(blocks))]
		if !ok || !(rate > 0 && rate < most) {
			continue
		}
		fees.Estimates = append(fees.Estimates, chain.FeeEstimate{Blocks: blocks, PerKVB: max(uint64(rate*1000+0.5), floor)})
	}
	return fees, nil
}

// json asks for a path and decodes the answer.
func (c *Client) json(ctx context.Context, out any, format string, args ...any) error {
	raw, err := c.get(ctx, maxAnswer, format, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return c.strange("%s", fmt.Sprintf(format, args...))
	}
	return nil
}

// hash asks for a hash.
func (c *Client) hash(ctx context.Context, format string, args ...any) (chainhash.Hash, error) {
	raw, err := c.get(ctx, maxAnswer, format, args...)
	if err != nil {
		return chainhash.Hash{}, err
	}
	h, err := parseHash(strings.TrimSpace(string(raw)))
	if err != nil {
		return h, c.strange("%s", fmt.Sprintf(format, args...))
	}
	return h, nil
}

// strange is an answer that is none.
func (c *Client) strange(format string, args ...any) error {
	return fmt.Errorf("%w: %s answers with something other than %s", chain.ErrUnavailable, c.host, fmt.Sprintf(format, args...))
}

// gone makes an error of what was there a moment ago, or is no part of this server.
func gone(err error) error {
	var refused *statusError
	if errors.Is(err, errNotFound) || errors.As(err, &refused) {
		return fmt.Errorf("%w: %w", chain.ErrUnavailable, err)
	}
	return err
}
