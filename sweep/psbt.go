package sweep

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// sequence signals BIP 125 and no relative lock time.
const sequence = wire.MaxTxInSequenceNum - 2

// maxPSBT caps in base64 characters what lightningd returns: maxInputs, each
// with the whole transaction that made it.
const maxPSBT = 16 << 20

// bareInputs is a PSBT that names outputs to reserve or release, and nothing
// else. The anchor must not be in it: lightningd logs an input that it does not
// know as broken.
func bareInputs(inputs []wire.OutPoint) (string, error) {
	tx := wire.NewMsgTx(2)
	for _, in := range inputs {
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: in, Sequence: sequence})
	}
	return encode(tx, nil)
}

// encode makes a PSBT of an unsigned transaction. With prevouts every input
// has its witness_utxo: a taproot signature commits to the anchor's too.
func encode(tx *wire.MsgTx, prevouts map[wire.OutPoint]*wire.TxOut) (string, error) {
	p, err := psbt.NewFromUnsignedTx(tx)
	if err != nil {
		return "", fmt.Errorf("psbt: %w", err)
	}
	for i, in := range tx.TxIn {
		p.Inputs[i].WitnessUtxo = prevouts[in.PreviousOutPoint]
	}
	text, err := p.B64Encode()
	if err != nil {
		return "", fmt.Errorf("psbt: %w", err)
	}
	return text, nil
}

// witnesses reads from a signed PSBT of tx the witnesses of all inputs but the
// first, which is the anchor. Nothing else in the PSBT is used.
func witnesses(text string, tx *wire.MsgTx) ([]wire.TxWitness, error) {
	if len(text) > maxPSBT {
		return nil, fmt.Errorf("signed psbt of %d characters", len(text))
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(text); err != nil {
		return nil, errors.New("signed psbt is not base64")
	}
	p, err := psbt.NewFromRawBytes(strings.NewReader(text), true)
	if err != nil {
		return nil, fmt.Errorf("signed psbt: %w", err)
	}
	if p.UnsignedTx.TxHash() != tx.TxHash() {
		return nil, errors.New("signed psbt is of another transaction")
	}
	found := make([]wire.TxWitness, 0, len(tx.TxIn)-1)
	for i, in := range p.Inputs[1:] {
		switch {
		case len(in.TaprootKeySpendSig) > 0:
			found = append(found, wire.TxWitness{in.TaprootKeySpendSig})
		case len(in.PartialSigs) == 1:
			found = append(found, wire.TxWitness{in.PartialSigs[0].Signature, in.PartialSigs[0].PubKey})
		default:
			return nil, fmt.Errorf("signed psbt: no signature for input %d", i+1)
		}
	}
	return found, nil
}

// hashAll refuses every signature that leaves the transaction open to change.
func hashAll(w wire.TxWitness) bool {
	sig := w[0]
	taproot := len(w) == 1
	return taproot && len(sig) == 64 || len(sig) > 0 && txscript.SigHashType(sig[len(sig)-1]) == txscript.SigHashAll
}
