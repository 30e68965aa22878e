package lightningd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/wire"
	"github.com/glrecover/glrecover/chain"
)

// Client is lightningd's bitcoin backend too, through the methods that bcli
// registers.
var _ chain.Backend = (*Client)(nil)

type getchaininfo struct {
	LastHeight uint32 `json:"last_height"`
}

func (getchaininfo) Name() string { return "getchaininfo" }

// ChainInfo calls getchaininfo.
func (c *Client) ChainInfo(ctx context.Context) (chain.Info, error) {
	out, err := get[struct {
		Chain   string `json:"chain"`
		Headers uint32 `json:"headercount"`
		Blocks  uint32 `json:"blockcount"`
		IBD     bool   `json:"ibd"`
	}](ctx, c, getchaininfo{})
	if err != nil {
		return chain.Info{}, backendError(err)
	}
	return chain.Info{Chain: out.Chain, Headers: out.Headers, Blocks: out.Blocks, IBD: out.IBD}, nil
}

type getutxout struct {
	Txid string `json:"txid"`
	Vout uint32 `json:"vout"`
}

func (getutxout) Name() string { return "getutxout" }

// UTXO calls getutxout; nil without an error means unknown, not spent.
func (c *Client) UTXO(ctx context.Context, op wire.OutPoint) (*chain.TxOut, error) {
	out, err := get[struct {
		Amount *sats `json:"amount"`
		Script Hex   `json:"script"`
	}](ctx, c, getutxout{op.Hash.String(), op.Index})
	if err != nil {
		return nil, backendError(err)
	}
	if out.Amount == nil {
		return nil, nil
	}
	return &chain.TxOut{ValueSat: uint64(*out.Amount), Script: out.Script}, nil
}

// sats is an amount as a backend plugin writes it: "123sat" (bcli), a number
// of sat (the documentation), or "123000msat".
type sats uint64

func (s *sats) UnmarshalJSON(raw []byte) error {
	text := strings.Trim(string(raw), `"`)
	whole, isMsat := strings.CutSuffix(text, "msat")
	if isMsat {
		if whole, isMsat = strings.CutSuffix(whole, "000"); !isMsat {
			return errAmount
		}
	} else {
		whole = strings.TrimSuffix(text, "sat")
	}
	v, err := strconv.ParseUint(whole, 10, 64)
	if err != nil {
		return errAmount
	}
	*s = sats(v)
	return nil
}

type getrawblockbyheight struct {
	Height uint32 `json:"height"`
}

func (getrawblockbyheight) Name() string { return "getrawblockbyheight" }

// Block calls getrawblockbyheight. Never ask for a block that bitcoind pruned:
// bcli, and with it lightningd, then waits for it for up to a minute.
func (c *Client) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	out, err := get[struct {
		Hash  *string `json:"blockhash"`
		Block *string `json:"block"`
	}](ctx, c, getrawblockbyheight{height})
	if err != nil {
		return nil, backendError(err)
	}
	if out.Hash == nil || out.Block == nil {
		return nil, fmt.Errorf("block %d: %w", height, chain.ErrNoBlock)
	}
	return chain.DecodeBlock(height, *out.Hash, *out.Block)
}

type sendrawtransaction struct {
	Tx            string `json:"tx"`
	AllowHighFees bool   `json:"allowhighfees"`
}

func (sendrawtransaction) Name() string { return "sendrawtransaction" }

// alreadyKnown are bitcoind's words for a transaction that it has or had
// (validation.cpp, node/transaction.cpp, rpc/mempool.cpp).
var alreadyKnown = []string{
	"txn-already-in-mempool", "txn-already-known",
	"Transaction already in block chain", "Transaction outputs already in utxo set",
}

// SendRaw calls sendrawtransaction. lightningd does not send it again.
func (c *Client) SendRaw(ctx context.Context, tx *wire.MsgTx, allowHighFees bool) error {
	raw, err := chain.EncodeTx(tx)
	if err != nil {
		return err
	}
	out, err := get[struct {
		Success bool   `json:"success"`
		Message string `json:"errmsg"`
	}](ctx, c, sendrawtransaction{raw, allowHighFees})
	if err != nil {
		return backendError(err)
	}
	known := func(words string) bool { return strings.Contains(out.Message, words) }
	if out.Success || slices.ContainsFunc(alreadyKnown, known) {
		return nil
	}
	return &chain.RejectedError{Reason: strings.TrimSpace(out.Message)}
}

type estimatefees struct{}

func (estimatefees) Name() string { return "estimatefees" }

// EstimateFees calls estimatefees.
func (c *Client) EstimateFees(ctx context.Context) (chain.Fees, error) {
	out, err := get[struct {
		Floor    json.Number `json:"feerate_floor"`
		Feerates []struct {
			Blocks  uint32 `json:"blocks"`
			Feerate uint64 `json:"feerate"`
		} `json:"feerates"`
	}](ctx, c, estimatefees{})
	if err != nil {
		return chain.Fees{}, backendError(err)
	}
	fees := chain.Fees{}
	if fees.FloorPerKVB, err = strconv.ParseUint(out.Floor.String(), 10, 64); err != nil {
		return chain.Fees{}, errors.New("lightningd: estimatefees: no feerate_floor")
	}
	for _, f := range out.Feerates {
		fees.Estimates = append(fees.Estimates, chain.FeeEstimate{Blocks: f.Blocks, PerKVB: f.Feerate})
	}
	slices.SortFunc(fees.Estimates, func(a, b chain.FeeEstimate) int { return int(a.Blocks) - int(b.Blocks) })
	return fees, nil
}

// backendError makes a backend that answers with an error match
// chain.ErrUnavailable, and keeps lightningd's words.
func backendError(err error) error {
	var rpc *RPCError
	if errors.As(err, &rpc) || errors.Is(err, ErrUnreachable) {
		return fmt.Errorf("%w: %w", chain.ErrUnavailable, err)
	}
	return err
}
