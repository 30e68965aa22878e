package bolt3

import (
	"fmt"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
)

// Weights of the HTLC transactions (BOLT 3, "Fee Calculation").
const (
	htlcTimeoutWeight        = 663
	htlcSuccessWeight        = 703
	htlcTimeoutWeightAnchors = 666
	htlcSuccessWeightAnchors = 706
)

// HTLCTx is the transaction, without witness, with which the broadcaster of a
// commitment resolves one HTLC output.
type HTLCTx struct {
	Tx *wire.MsgTx
	// Vout is the spent output of the commitment.
	Vout uint32
	// HTLC is the spent output's HTLC; Success is true for HTLC-success, which
	// needs the preimage, and false for HTLC-timeout.
	HTLC    channel.HTLC
	Success bool
	// SpentScript is the witness script of the spent output, OutputScript that
	// of the only output (DelayedScript).
	SpentScript  []byte
	OutputScript []byte
	// FeeSat is 0 with zero-fee anchors.
	FeeSat uint64
}

// HTLCTx builds the second-stage transaction of the HTLC at the given output
// index. An HTLC worth less than its fee is an error: such an output is
// trimmed and never exists.
func (t *CommitTx) HTLCTx(vout int) (*HTLCTx, error) {
	if vout < 0 || vout >= len(t.Outputs) || t.Outputs[vout].HTLC == nil {
		return nil, fmt.Errorf("output %d is no HTLC", vout)
	}
	out := &t.Outputs[vout]
	success := out.Kind == ReceivedHTLC
	fee := htlcFee(t.Type, success, t.FeeratePerKW)
	if fee > out.ValueSat {
		return nil, fmt.Errorf("output %d: HTLC of %d sat is below its fee of %d sat", vout, out.ValueSat, fee)
	}
	script, err := DelayedScript(t.Keys.Revocation, t.Keys.Delayed, t.Delay)
	if err != nil {
		return nil, fmt.Errorf("HTLC transaction script: %w", err)
	}
	tx := wire.NewMsgTx(2)
	in := &wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: t.Tx.TxHash(), Index: uint32(vout)}}
	if t.Type.HasAnchors() {
		in.Sequence = 1
	}
	tx.AddTxIn(in)
	tx.AddTxOut(wire.NewTxOut(int64(out.ValueSat-fee), P2WSH(script)))
	if !success {
		tx.LockTime = out.HTLC.CLTVExpiry
	}
	return &HTLCTx{
		Tx: tx, Vout: uint32(vout), HTLC: *out.HTLC, Success: success,
		SpentScript: out.WitnessScript, OutputScript: script, FeeSat: fee,
	}, nil
}

// htlcFee is in sat; the feerate is in sat per 1000 weight units.
func htlcFee(t channel.Type, success bool, feerate uint32) uint64 {
	if t == channel.AnchorsZeroFeeHTLC {
		return 0
	}
	return HTLCWeight(t, success) * uint64(feerate) / 1000
}

// HTLCSigHashType is what the counterparty's signature on an HTLC transaction
// commits to: with anchors, inputs and outputs may be added.
func HTLCSigHashType(t channel.Type) txscript.SigHashType {
	if t.HasAnchors() {
		return txscript.SigHashSingle | txscript.SigHashAnyOneCanPay
	}
	return txscript.SigHashAll
}

// SigHash is the BIP 143 digest of the HTLC transaction. The counterparty
// signs with HTLCSigHashType, the broadcaster with SIGHASH_ALL.
func (h *HTLCTx) SigHash(hashType txscript.SigHashType) ([32]byte, error) {
	return sigHash(h.Tx, h.SpentScript, h.HTLC.ValueSat, hashType)
}
