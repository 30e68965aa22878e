package bolt3

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"

	"github.com/glrecover/glrecover/channel"
)

// ErrSignature is matched by every error of VerifySignatures.
var ErrSignature = errors.New("signature does not verify")

// SignatureError says which of the counterparty's signatures is wrong.
type SignatureError struct {
	// HTLC is the place of the HTLC signature in output order, or -1 for the
	// signature on the commitment itself.
	HTLC int
	// Reason is a short text without any data of the backup.
	Reason string
}

// Error names the signature and the reason.
func (e *SignatureError) Error() string {
	if e.HTLC < 0 {
		return "commitment signature: " + e.Reason
	}
	return fmt.Sprintf("HTLC signature %d: %s", e.HTLC, e.Reason)
}

// Is matches ErrSignature.
func (e *SignatureError) Is(target error) bool { return target == ErrSignature }

// VerifySignatures checks the counterparty's signatures on our commitment and
// on each of its HTLC transactions, with the counterparty's funding key. Every
// signature must be there and none may be left over. A failure is a
// *SignatureError.
func (t *CommitTx) VerifySignatures(sigs *channel.Signatures, counterpartyFunding channel.PubKey) error {
	key, err := counterpartyFunding.Point()
	if err != nil {
		return fmt.Errorf("counterparty's funding key: %w", err)
	}
	digest, err := t.SigHash()
	if err != nil {
		return err
	}
	if err := verifyDER(sigs.Commit, digest, key); err != nil {
		return &SignatureError{HTLC: -1, Reason: err.Error()}
	}
	vouts := t.HTLCVouts()
	if len(sigs.HTLCs) != len(vouts) {
		return &SignatureError{
			HTLC:   min(len(sigs.HTLCs), len(vouts)),
			Reason: fmt.Sprintf("%d signatures for %d HTLC outputs", len(sigs.HTLCs), len(vouts)),
		}
	}
	for i, vout := range vouts {
		htlc, err := t.HTLCTx(vout)
		if err != nil {
			return &SignatureError{HTLC: i, Reason: err.Error()}
		}
		digest, err := htlc.SigHash(HTLCSigHashType(t.Type))
		if err != nil {
			return err
		}
		if err := verifyDER(sigs.HTLCs[i], digest, t.Keys.CountersignerHTLC); err != nil {
			return &SignatureError{HTLC: i, Reason: err.Error()}
		}
	}
	return nil
}

var (
	errDER   = errors.New("not a DER signature")
	errWrong = errors.New("does not verify")
)

func verifyDER(der []byte, digest [32]byte, key *btcec.PublicKey) error {
	sig, err := ecdsa.ParseDERSignature(der)
	if err != nil {
		return errDER
	}
	if !sig.Verify(digest[:], key) {
		return errWrong
	}
	return nil
}
