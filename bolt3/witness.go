package bolt3

import (
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
)

// The witness stacks of BOLT 3. Every signature is DER with its sighash byte.

// ToRemoteWitness spends to_remote with the key that ToRemote was given.
func ToRemoteWitness(t channel.Type, sig []byte, key *btcec.PublicKey, witnessScript []byte) wire.TxWitness {
	if t.HasAnchors() {
		return wire.TxWitness{sig, witnessScript}
	}
	return wire.TxWitness{sig, key.SerializeCompressed()}
}

// DelayedWitness spends to_local, or the output of an HTLC transaction, with
// the delayed key; the input's sequence is the delay.
func DelayedWitness(sig, witnessScript []byte) wire.TxWitness {
	return wire.TxWitness{sig, nil, witnessScript}
}

// PenaltyWitness spends to_local, or the output of an HTLC transaction, of a
// revoked commitment with the revocation key.
func PenaltyWitness(sig, witnessScript []byte) wire.TxWitness {
	return wire.TxWitness{sig, {1}, witnessScript}
}

// HTLCPenaltyWitness spends an HTLC output of a revoked commitment with the
// revocation key.
func HTLCPenaltyWitness(sig []byte, revocation *btcec.PublicKey, witnessScript []byte) wire.TxWitness {
	return wire.TxWitness{sig, revocation.SerializeCompressed(), witnessScript}
}

// HTLCPreimageWitness spends, for the countersigner, an HTLC that the
// broadcaster offered.
func HTLCPreimageWitness(sig []byte, preimage [32]byte, witnessScript []byte) wire.TxWitness {
	return wire.TxWitness{sig, preimage[:], witnessScript}
}

// HTLCExpiredWitness spends, for the countersigner, an HTLC that the
// broadcaster was offered; the transaction's locktime is the expiry.
func HTLCExpiredWitness(sig, witnessScript []byte) wire.TxWitness {
	return wire.TxWitness{sig, nil, witnessScript}
}

// Witness is the broadcaster's input of the HTLC transaction. preimage is used
// by HTLC-success only.
func (h *HTLCTx) Witness(counterparty, broadcaster []byte, preimage [32]byte) wire.TxWitness {
	w := wire.TxWitness{nil, counterparty, broadcaster, nil, h.SpentScript}
	if h.Success {
		w[3] = preimage[:]
	}
	return w
}

// WithHashType appends the sighash byte to a DER signature as a signer's
// backup stores it.
func WithHashType(der []byte, hashType txscript.SigHashType) []byte {
	return append(der[:len(der):len(der)], byte(hashType))
}
