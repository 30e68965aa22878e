package bolt3

import (
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/lightningnetwork/lnd/input"

	"github.com/glrecover/glrecover/channel"
)

// TweakPubKey returns basepoint + SHA256(point || basepoint)*G, the public key
// that a basepoint has in the commitment with the given per-commitment point
// (BOLT 3, "Key Derivation").
func TweakPubKey(basepoint, point *btcec.PublicKey) *btcec.PublicKey {
	return input.TweakPubKey(basepoint, point)
}

// TweakPrivKey returns the private key of TweakPubKey.
func TweakPrivKey(base *btcec.PrivateKey, point *btcec.PublicKey) *btcec.PrivateKey {
	return input.TweakPrivKey(base, input.SingleTweakBytes(point, base.PubKey()))
}

// RevocationPubKey returns the key that can take every output of a commitment
// once its per-commitment secret is known. The basepoint belongs to the side
// that punishes, the point to the side that published.
func RevocationPubKey(basepoint, point *btcec.PublicKey) *btcec.PublicKey {
	return input.DeriveRevocationPubkey(basepoint, point)
}

// RevocationPrivKey returns the private key of RevocationPubKey from the
// punisher's basepoint secret and the revealed per-commitment secret. It
// leaves both arguments as they are.
func RevocationPrivKey(base, perCommitment *btcec.PrivateKey) *btcec.PrivateKey {
	return input.DeriveRevocationPrivKey(base, perCommitment)
}

// Keys are the public keys in one commitment, named by role: the broadcaster
// is the side that can publish it.
type Keys struct {
	// Revocation is the countersigner's key to punish the broadcaster.
	Revocation *btcec.PublicKey
	// Delayed is the broadcaster's key of to_local and of HTLC transactions.
	Delayed *btcec.PublicKey
	// BroadcasterHTLC and CountersignerHTLC are the two HTLC keys, nil where nobody
	// asked for them.
	BroadcasterHTLC   *btcec.PublicKey
	CountersignerHTLC *btcec.PublicKey
	// ToRemote is the countersigner's key of to_remote. It is the payment
	// basepoint itself unless the type is Legacy.
	ToRemote *btcec.PublicKey
}

// DeriveKeys returns the keys of the broadcaster's commitment with the given
// per-commitment point, those of HTLCs only where there are any. The error matches
// channel.ErrPubKey.
func DeriveKeys(t channel.Type, broadcaster, countersigner channel.Basepoints, point *btcec.PublicKey, htlcs bool) (Keys, error) {
	basepoints := []channel.PubKey{countersigner.Revocation, broadcaster.Delayed, countersigner.Payment}
	if htlcs {
		basepoints = append(basepoints, broadcaster.HTLC, countersigner.HTLC)
	}
	var points [5]*btcec.PublicKey
	for i, k := range basepoints {
		p, err := k.Point()
		if err != nil {
			return Keys{}, err
		}
		points[i] = p
	}
	keys := Keys{
		Revocation: RevocationPubKey(points[0], point),
		Delayed:    TweakPubKey(points[1], point),
		ToRemote:   points[2],
	}
	if t == channel.Legacy {
		keys.ToRemote = TweakPubKey(points[2], point)
	}
	if htlcs {
		keys.BroadcasterHTLC, keys.CountersignerHTLC = TweakPubKey(points[3], point), TweakPubKey(points[4], point)
	}
	return keys, nil
}
