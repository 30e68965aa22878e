package chain

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// Descriptor is one thing that ScanTxOutSet looks for. Public keys only: it
// goes to bitcoind and may end in its log.
type Descriptor struct {
	// Desc is an output descriptor (bitcoind's doc/descriptors.md).
	Desc string
	// First and Last bound the index of a ranged descriptor, Last included;
	// both are 0 for one without range.
	First, Last uint32
}

// RawDescriptor looks for one scriptPubKey.
func RawDescriptor(script []byte) Descriptor {
	return Descriptor{Desc: "raw(" + hex.EncodeToString(script) + ")"}
}

// SetOutput is an output that a scan of the UTXO set found. bitcoind may name
// it by another descriptor than the one asked with: match on Script.
type SetOutput struct {
	TxOut
	OutPoint wire.OutPoint
	Height   uint32
	Coinbase bool
}

// SetScan is the answer of ScanTxOutSet: confirmed unspent outputs at one
// block. The mempool is not in it.
type SetScan struct {
	Height    uint32
	BestBlock chainhash.Hash
	Outputs   []SetOutput
}

// progressEvery is how often a running scan's progress is asked for.
const progressEvery = 2 * time.Second

// ScanTxOutSet is scantxoutset: minutes on the main chain, also on a pruned
// node. progress, if not nil, gets the percentage now and then. bitcoind runs
// one scan at a time: another one of ours is waited for, one of somebody else
// is ErrScanBusy and is left alone. If ctx ends the scan is aborted.
func (b *Bitcoind) ScanTxOutSet(ctx context.Context, want []Descriptor, progress func(percent float64)) (*SetScan, error) {
	select {
	case b.scan <- struct{}{}:
		defer func() { <-b.scan }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	objects := make([]any, len(want))
	for i, d := range want {
		objects[i] = d.Desc
		if d.Last > 0 {
			objects[i] = map[string]any{"desc": d.Desc, "range": [2]uint32{d.First, d.Last}}
		}
	}
	var r struct {
		Success  bool   `json:"success"`
		Height   uint32 `json:"height"`
		Best     string `json:"bestblock"`
		Unspents []struct {
			TxID     string   `json:"txid"`
			Vout     uint32   `json:"vout"`
			Script   hexBytes `json:"scriptPubKey"`
			Amount   btc      `json:"amount"`
			Height   uint32   `json:"height"`
			Coinbase bool     `json:"coinbase"`
		} `json:"unspents"`
	}
	// Somebody else's scan must survive even if ctx ends at once and we abort.
	var running any
	if err := b.call(ctx, &running, "scantxoutset", "status"); err != nil {
		return nil, err
	}
	if running != nil {
		return nil, ErrScanBusy
	}
	done := make(chan error, 1)
	go func() {
		done <- b.callCapped(ctx, maxAnswerScan, &r, "scantxoutset", "start", objects)
	}()
	if err := b.awaitScan(ctx, done, progress); err != nil {
		return nil, err
	}
	if !r.Success {
		return nil, errors.New("bitcoind scantxoutset: the scan was aborted")
	}
	best, err := decodeHash(r.Best)
	if err != nil {
		return nil, fmt.Errorf("bitcoind scantxoutset: %w", err)
	}
	scan := &SetScan{Height: r.Height, BestBlock: best, Outputs: make([]SetOutput, len(r.Unspents))}
	for i, u := range r.Unspents {
		id, err := decodeHash(u.TxID)
		if err != nil {
			return nil, fmt.Errorf("bitcoind scantxoutset: %w", err)
		}
		scan.Outputs[i] = SetOutput{
			TxOut:    TxOut{ValueSat: uint64(u.Amount), Script: u.Script},
			OutPoint: wire.OutPoint{Hash: id, Index: u.Vout},
			Height:   u.Height, Coinbase: u.Coinbase,
		}
	}
	return scan, nil
}

// awaitScan waits for the start call, and tells how far bitcoind is meanwhile.
func (b *Bitcoind) awaitScan(ctx context.Context, done <-chan error, progress func(float64)) error {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			switch {
			case isCode(err, codeParameter) && isMessage(err, "already in progress"):
				return ErrScanBusy
			case err != nil && ctx.Err() != nil:
				// bitcoind goes on scanning for a client that has hung up.
				stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
				defer cancel()
				_ = b.call(stop, nil, "scantxoutset", "abort")
				return ctx.Err()
			}
			return err
		case <-tick.C:
			if progress == nil {
				continue
			}
			var r *struct {
				Progress float64 `json:"progress"`
			}
			if err := b.call(ctx, &r, "scantxoutset", "status"); err == nil && r != nil {
				progress(r.Progress)
			}
		}
	}
}
