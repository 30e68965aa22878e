package onchain

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
)

// Step is what a transaction does that spends outputs of a close.
type Step struct {
	TxID chainhash.Hash
	// Spent are the outputs of the close that it spends.
	Spent []*Output
	// Outputs are the outputs of HTLC transactions in it: on a revoked
	// commitment the peer's, which the revocation key takes, on our own
	// commitment ours. Their CSV counts from this transaction's block.
	Outputs []Output
}

// Follow reads a transaction that spends outputs of a close that Classify has
// named. HTLC transactions are known by the script that they pay to, so also
// those of HTLCs that the backup does not know, and several in one transaction.
// The error is ErrNotASpend, or about a key that is none.
func Follow(ch *channel.Channel, keys Keys, c *Close, tx *wire.MsgTx) (*Step, error) {
	s := &Step{TxID: tx.TxHash()}
	by := make([]*Output, max(len(tx.TxIn), len(tx.TxOut)))
	htlcs := false
	for i, in := range tx.TxIn {
		for j := range c.Outputs {
			if o := &c.Outputs[j]; o.OutPoint == in.PreviousOutPoint {
				by[i] = o
				htlcs = htlcs || o.HTLC != nil || o.Role == Unnamed
				s.Spent = append(s.Spent, o)
			}
		}
	}
	if len(s.Spent) == 0 {
		return nil, ErrNotASpend
	}
	if !htlcs || c.Point == nil || keys.Ours == (channel.Basepoints{}) || !c.Kind.Ours() && !c.Kind.Theirs() {
		return s, nil
	}
	script, err := c.delayedScript(ch, keys.Ours)
	if err != nil {
		return nil, err
	}
	pkScript := bolt3.P2WSH(script)
	for i, out := range tx.TxOut {
		if !bytes.Equal(out.PkScript, pkScript) {
			continue
		}
		o := Output{
			OutPoint: wire.OutPoint{Hash: s.TxID, Index: uint32(i)},
			ValueSat: uint64(out.Value), PkScript: pkScript, WitnessScript: script,
			Role: HTLCTransaction, Owner: OwnerPeer, Claimant: ByNobody, Path: PathNone,
		}
		// The signatures tie each output to the input of the same place (BOLT
		// 3: SIGHASH_SINGLE, or there is one of each).
		if spent := by[i]; spent != nil {
			o.HTLC, o.Direction = spent.HTLC, spent.Direction
		}
		switch {
		case c.Kind.Ours():
			o.take(OwnerUs, BySweep, PathDelayed)
			o.CSV = uint32(c.Delay)
		case c.Kind == TheirsRevoked && c.HasSecret:
			o.take(OwnerUs, BySweep, PathPenalty)
		}
		s.Outputs = append(s.Outputs, o)
	}
	return s, nil
}

// delayedScript is that of the publisher's to_local and HTLC transactions.
func (c *Close) delayedScript(ch *channel.Channel, ours channel.Basepoints) ([]byte, error) {
	point, err := c.Point.Point()
	if err != nil {
		return nil, fmt.Errorf("per-commitment point: %w", err)
	}
	publisher, other := ours, ch.Remote
	if c.Kind.Theirs() {
		publisher, other = ch.Remote, ours
	}
	keys, err := bolt3.DeriveKeys(ch.Type, publisher, other, point, false)
	if err != nil {
		return nil, err
	}
	script, err := bolt3.DelayedScript(keys.Revocation, keys.Delayed, c.Delay)
	if err != nil {
		return nil, fmt.Errorf("to_local script: %w", err)
	}
	return script, nil
}

// Preimages are the values in the witnesses of a transaction that can be the
// preimage of a payment. Whoever looks for one compares hashes.
func Preimages(tx *wire.MsgTx) [][32]byte {
	var found [][32]byte
	for _, in := range tx.TxIn {
		for _, item := range in.Witness {
			if len(item) == 32 {
				found = append(found, [32]byte(item))
			}
		}
	}
	return found
}
