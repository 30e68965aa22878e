package sweep

import (
	"github.com/glrecover/glrecover/channel"
)

// KeyName says which of our keys signs an input.
type KeyName string

// Keys of ours that sign inputs.
const (
	// PaymentKey is the payment basepoint's, TweakedPaymentKey the one of a
	// Legacy channel in the commitment with KeyUse.Point.
	PaymentKey        KeyName = "payment"
	TweakedPaymentKey KeyName = "tweaked_payment"
	// DelayedKey and HTLCKey are tweaked with KeyUse.Point.
	DelayedKey KeyName = "delayed"
	HTLCKey    KeyName = "htlc"
	// RevocationKey comes from KeyUse.Secret, which the peer revealed.
	RevocationKey KeyName = "revocation"
	// WalletKey is the on-chain wallet's for KeyUse.PkScript.
	WalletKey KeyName = "wallet"
)

// KeyUse names one key of ours by what it is derived from.
type KeyUse struct {
	Channel  channel.Key
	Name     KeyName
	Point    channel.PubKey
	Secret   [32]byte
	PkScript []byte
}

// Keys are our keys; package seedkeys has them from the node's secret. A Signer
// that also has a method Wipe is wiped after use; for a P2TR output of the
// wallet it is a TaprootSigner.
type Keys interface {
	Signer(use KeyUse) (Signer, error)
}

// TaprootSigner signs for the key path of a P2TR output (BIP 86), with
// SIGHASH_DEFAULT.
type TaprootSigner interface {
	SignTaproot(digest [32]byte) ([]byte, error)
}

func wipe(s Signer) {
	if w, ok := s.(interface{ Wipe() }); ok {
		w.Wipe()
	}
}
