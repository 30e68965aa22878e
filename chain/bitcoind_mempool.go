package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// Spenders implements Node.
func (b *Bitcoind) Spenders(ctx context.Context, ops []wire.OutPoint) (map[wire.OutPoint]chainhash.Hash, error) {
	found := make(map[wire.OutPoint]chainhash.Hash)
	if len(ops) == 0 {
		return found, nil
	}
	type outpoint struct {
		TxID     string `json:"txid"`
		Vout     uint32 `json:"vout"`
		Spending string `json:"spendingtxid,omitempty"`
	}
	ask := make([]outpoint, len(ops))
	asked := make(map[wire.OutPoint]bool, len(ops))
	for i, op := range ops {
		ask[i] = outpoint{TxID: op.Hash.String(), Vout: op.Index}
		asked[op] = true
	}
	var r []outpoint
	if err := b.call(ctx, &r, "gettxspendingprevout", ask); err != nil {
		return nil, err
	}
	for _, o := range r {
		if o.Spending == "" {
			continue
		}
		prev, err := decodeHash(o.TxID)
		if err != nil {
			return nil, fmt.Errorf("bitcoind gettxspendingprevout: %w", err)
		}
		by, err := decodeHash(o.Spending)
		if err != nil {
			return nil, fmt.Errorf("bitcoind gettxspendingprevout: %w", err)
		}
		if op := (wire.OutPoint{Hash: prev, Index: o.Vout}); asked[op] {
			found[op] = by
		}
	}
	return found, nil
}

// SendRaw implements Backend.
func (b *Bitcoind) SendRaw(ctx context.Context, tx *wire.MsgTx, allowHighFees bool) error {
	raw, err := EncodeTx(tx)
	if err != nil {
		return err
	}
	params := []any{raw}
	if allowHighFees {
		params = append(params, 0)
	}
	err = b.call(ctx, nil, "sendrawtransaction", params...)
	switch {
	case isCode(err, codeKnown), isMessage(err, "already have transaction"): // btcd says the second
		return nil
	case isCode(err, codeRejected), isCode(err, codeVerify):
		return &RejectedError{Reason: messageOf(err)}
	}
	return err
}

// Acceptance is bitcoind's word on one transaction of testmempoolaccept.
type Acceptance struct {
	TxID    chainhash.Hash
	Allowed bool
	// Reason is bitcoind's, where not allowed. It is empty too where bitcoind
	// stopped at another transaction of the package.
	Reason string
	// VSize is in virtual bytes, FeeSat in sat; 0 where not allowed.
	VSize  uint64
	FeeSat uint64
}

// TestAccept is testmempoolaccept: would the transactions, in order, be taken
// into the mempool? Nothing is published. High fees are not judged.
func (b *Bitcoind) TestAccept(ctx context.Context, txs ...*wire.MsgTx) ([]Acceptance, error) {
	raws, err := encodeTxs(txs)
	if err != nil {
		return nil, err
	}
	var r []struct {
		TxID    string `json:"txid"`
		Allowed bool   `json:"allowed"`
		Reason  string `json:"reject-reason"`
		VSize   uint64 `json:"vsize"`
		Fees    struct {
			Base btc `json:"base"`
		} `json:"fees"`
	}
	if err := b.call(ctx, &r, "testmempoolaccept", raws, 0); err != nil {
		return nil, err
	}
	out := make([]Acceptance, len(r))
	for i, a := range r {
		id, err := decodeHash(a.TxID)
		if err != nil {
			return nil, fmt.Errorf("bitcoind testmempoolaccept: %w", err)
		}
		out[i] = Acceptance{TxID: id, Allowed: a.Allowed, Reason: a.Reason, VSize: a.VSize, FeeSat: uint64(a.Fees.Base)}
	}
	return out, nil
}

// SubmitPackage is submitpackage: a child with its unconfirmed parents, the
// child last, judged by the fee of all together. Nil means that every one is in
// the mempool now. The error matches ErrUnsupported on a bitcoind before 28,
// and is a *RejectedError where bitcoind refused.
func (b *Bitcoind) SubmitPackage(ctx context.Context, txs ...*wire.MsgTx) error {
	raws, err := encodeTxs(txs)
	if err != nil {
		return err
	}
	var r struct {
		Message string `json:"package_msg"`
		Results map[string]struct {
			Error string `json:"error"`
		} `json:"tx-results"`
	}
	err = b.call(ctx, &r, "submitpackage", raws)
	switch {
	case isCode(err, codeRejected), isCode(err, codeVerify), isCode(err, codeParameter):
		return &RejectedError{Reason: messageOf(err)}
	case err != nil:
		return err
	case r.Message == "success":
		return nil
	}
	reason := r.Message
	for _, tx := range txs {
		if why := r.Results[tx.WitnessHash().String()].Error; why != "" && why != reason {
			reason += "; " + why
		}
	}
	return &RejectedError{Reason: reason}
}

// EstimateFees implements Backend, for the targets that lightningd asks for.
func (b *Bitcoind) EstimateFees(ctx context.Context) (Fees, error) {
	var pool struct {
		MempoolMin btc `json:"mempoolminfee"`
		RelayMin   btc `json:"minrelaytxfee"`
	}
	if err := b.call(ctx, &pool, "getmempoolinfo"); err != nil {
		return Fees{}, err
	}
	fees := Fees{FloorPerKVB: uint64(max(pool.MempoolMin, pool.RelayMin))}
	for _, blocks := range []uint32{2, 6, 12, 100} {
		var est struct {
			FeeRate json.RawMessage `json:"feerate"`
		}
		err := b.call(ctx, &est, "estimatesmartfee", blocks)
		if errors.Is(err, ErrUnsupported) {
			break // btcd: the user is asked
		}
		if err != nil {
			return Fees{}, err
		}
		if est.FeeRate == nil {
			continue // no data yet
		}
		rate, err := ParseBTC(string(est.FeeRate))
		if err != nil {
			return Fees{}, fmt.Errorf("bitcoind estimatesmartfee: %w", err)
		}
		fees.Estimates = append(fees.Estimates, FeeEstimate{Blocks: blocks, PerKVB: max(rate, fees.FloorPerKVB)})
	}
	return fees, nil
}

func encodeTxs(txs []*wire.MsgTx) ([]string, error) {
	raws := make([]string, len(txs))
	for i, tx := range txs {
		raw, err := EncodeTx(tx)
		if err != nil {
			return nil, err
		}
		raws[i] = raw
	}
	return raws, nil
}
