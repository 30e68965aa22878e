package bolt3

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/lightningnetwork/lnd/input"

	"github.com/glrecover/glrecover/channel"
)

// FundingScript is the 2-of-2 witness script of a funding output, the lesser
// key first.
func FundingScript(a, b channel.PubKey) ([]byte, error) {
	return input.GenMultiSigScript(a[:], b[:])
}

// FundingPkScript is the P2WSH output script of FundingScript.
func FundingPkScript(a, b channel.PubKey) ([]byte, error) {
	witness, err := FundingScript(a, b)
	if err != nil {
		return nil, err
	}
	return P2WSH(witness), nil
}

// P2WSH returns the output script that pays to a witness script.
func P2WSH(witness []byte) []byte {
	sum := sha256.Sum256(witness)
	return append([]byte{txscript.OP_0, txscript.OP_DATA_32}, sum[:]...)
}

// P2WPKH returns the output script that pays to a key.
func P2WPKH(key *btcec.PublicKey) []byte {
	return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, btcutil.Hash160(key.SerializeCompressed())...)
}

// DelayedScript is the witness script of to_local and of the output of an HTLC
// transaction: the revocation key at once, or the broadcaster after delay
// blocks.
func DelayedScript(revocation, delayed *btcec.PublicKey, delay uint16) ([]byte, error) {
	return input.CommitScriptToSelf(uint32(delay), delayed, revocation)
}

// ToRemote returns the scripts of to_remote. Without anchors it is P2WPKH and
// has no witness script; with anchors it is P2WSH and needs one confirmation
// (sequence 1).
func ToRemote(t channel.Type, key *btcec.PublicKey) (witness, pkScript []byte, err error) {
	if !t.HasAnchors() {
		return nil, P2WPKH(key), nil
	}
	witness, err = input.CommitScriptToRemoteConfirmed(key)
	if err != nil {
		return nil, nil, err
	}
	return witness, P2WSH(witness), nil
}

// AnchorScript is the witness script of the anchor of the side with this
// funding key.
func AnchorScript(funding *btcec.PublicKey) ([]byte, error) {
	return input.CommitScriptAnchor(funding)
}

// OfferedHTLCScript is the witness script of an HTLC that the broadcaster
// offered.
func OfferedHTLCScript(t channel.Type, keys Keys, hash [32]byte) ([]byte, error) {
	return input.SenderHTLCScript(keys.BroadcasterHTLC, keys.CountersignerHTLC, keys.Revocation, hash[:], t.HasAnchors())
}

// ReceivedHTLCScript is the witness script of an HTLC that the broadcaster was
// offered; expiry is a block height.
func ReceivedHTLCScript(t channel.Type, keys Keys, hash [32]byte, expiry uint32) ([]byte, error) {
	return input.ReceiverHTLCScript(expiry, keys.CountersignerHTLC, keys.BroadcasterHTLC, keys.Revocation, hash[:], t.HasAnchors())
}
