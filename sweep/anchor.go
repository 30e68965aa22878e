package sweep

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
)

// FindAnchor returns the index of our anchor output in a commitment of the
// channel. It is not ok where the channel's type has no anchors, where tx does
// not spend the funding output alone, and where this commitment has no anchor
// of ours.
func FindAnchor(tx *wire.MsgTx, ch *channel.Channel, ourFunding channel.PubKey) (vout uint32, ok bool) {
	if !ch.Type.HasAnchors() || len(tx.TxIn) != 1 || tx.TxIn[0].PreviousOutPoint != ch.Funding {
		return 0, false
	}
	script, err := anchorScript(ourFunding)
	if err != nil {
		return 0, false
	}
	pkScript := bolt3.P2WSH(script)
	for i, out := range tx.TxOut {
		if out.Value == bolt3.AnchorSat && bytes.Equal(out.PkScript, pkScript) {
			return uint32(i), true
		}
	}
	return 0, false
}

func anchorScript(funding channel.PubKey) ([]byte, error) {
	key, err := funding.Point()
	if err != nil {
		return nil, fmt.Errorf("funding key: %w", err)
	}
	return bolt3.AnchorScript(key)
}

// checkParent proves with the signatures on the funding input that tx is a
// commitment of the channel and that the funding output is worth fundingSat
// (BIP 143 signs the amount), and returns what it pays.
func checkParent(tx *wire.MsgTx, ch *channel.Channel, ourFunding channel.PubKey, fundingSat uint64) (Paid, error) {
	if len(tx.TxIn) != 1 || tx.TxIn[0].PreviousOutPoint != ch.Funding || fundingSat > maxMoney {
		return Paid{}, ErrNotCommitment
	}
	left := fundingSat
	for _, out := range tx.TxOut {
		if out.Value < 0 || uint64(out.Value) > left {
			return Paid{}, ErrNotCommitment
		}
		left -= uint64(out.Value)
	}
	pkScript, err := bolt3.FundingPkScript(ourFunding, ch.Remote.Funding)
	if err != nil {
		return Paid{}, fmt.Errorf("%w: %w", ErrNotCommitment, err)
	}
	prevouts := map[wire.OutPoint]*wire.TxOut{ch.Funding: wire.NewTxOut(int64(fundingSat), pkScript)}
	if err := runScripts(tx, prevouts); err != nil {
		return Paid{}, fmt.Errorf("%w: %w", ErrNotCommitment, err)
	}
	return Paid{FeeSat: left, VSize: VSize(weightOf(tx))}, nil
}

// runScripts executes the script of every input. The error names the first
// input that fails.
func runScripts(tx *wire.MsgTx, prevouts map[wire.OutPoint]*wire.TxOut) error {
	fetcher := txscript.NewMultiPrevOutFetcher(prevouts)
	for i, in := range tx.TxIn {
		if prevouts[in.PreviousOutPoint] == nil {
			return fmt.Errorf("input %d spends an unknown output", i)
		}
	}
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i, in := range tx.TxIn {
		out := prevouts[in.PreviousOutPoint]
		engine, err := txscript.NewEngine(out.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, out.Value, fetcher)
		if err == nil {
			err = engine.Execute()
		}
		if err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
	}
	return nil
}
