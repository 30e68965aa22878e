package keychain

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"

	"github.com/glrecover/glrecover/channel"
)

// errScalar has a chance of 2^-127; CLN tries the next salt then, which no key
// in use ever needed.
var errScalar = errors.New("derived bytes are not a private key")

// Key is one private key. It signs and makes shared secrets; the key itself
// stays here. PubKey and ECDH make it an lnd keychain.SingleKeyECDH.
type Key struct {
	// priv is nil once it was wiped.
	priv *sealed[btcec.PrivateKey]
	pub  *btcec.PublicKey
}

// newKey takes the 32 bytes, big endian, and clears them.
func newKey(raw []byte) (*Key, error) {
	defer clear(raw)
	var scalar btcec.ModNScalar
	if len(raw) != secretSize || scalar.SetByteSlice(raw) || scalar.IsZero() {
		return nil, errScalar
	}
	defer scalar.Zero()
	return keyOf(&btcec.PrivateKey{Key: scalar}), nil
}

// keyOf keeps a private key that nobody else has.
func keyOf(priv *btcec.PrivateKey) *Key {
	return &Key{priv: &sealed[btcec.PrivateKey]{value: priv}, pub: priv.PubKey()}
}

// PubKey returns the public key; it stays known after Wipe.
func (k *Key) PubKey() *btcec.PublicKey { return k.pub }

// ID returns the public key in compressed form.
func (k *Key) ID() channel.PubKey { return channel.PubKeyOf(k.pub) }

// Sign makes a deterministic ECDSA signature (RFC 6979, low S) of a digest.
func (k *Key) Sign(digest [32]byte) (*ecdsa.Signature, error) {
	if k.priv == nil {
		return nil, ErrWiped
	}
	return ecdsa.Sign(k.priv.value, digest[:]), nil
}

// Signed reports whether r || s, each 32 bytes, big endian, is this key's ECDSA
// signature of the digest. As in libsecp256k1, a high s is no signature. False
// once the key was wiped.
//
// Verifying takes R = u1*G + u2*Q. Whoever has the private key d has
// Q = d*G, and R = (u1 + u2*d)*G: one multiplication of the generator, for which
// there are tables, and none of another point.
func (k *Key) Signed(sig []byte, digest [32]byte) bool {
	if k.priv == nil || len(sig) != 2*secretSize {
		return false
	}
	var r, w, e btcec.ModNScalar
	if r.SetByteSlice(sig[:secretSize]) || w.SetByteSlice(sig[secretSize:]) || r.IsZero() || w.IsZero() || w.IsOverHalfOrder() {
		return false
	}
	e.SetBytes(&digest)
	w.InverseNonConst()
	var nonce btcec.ModNScalar
	defer nonce.Zero()
	nonce.Mul2(&r, &k.priv.value.Key).Add(&e).Mul(&w)
	if nonce.IsZero() {
		return false
	}
	var point btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(&nonce, &point)
	point.ToAffine()
	var x btcec.ModNScalar
	x.SetBytes(point.X.Bytes())
	return x.Equals(&r)
}

// SignTaproot makes the Schnorr signature (BIP 340) with which the P2TR output
// of this key alone is spent by its key path (BIP 86), for SIGHASH_DEFAULT.
func (k *Key) SignTaproot(digest [32]byte) ([]byte, error) {
	if k.priv == nil {
		return nil, ErrWiped
	}
	tweaked := txscript.TweakTaprootPrivKey(*k.priv.value, nil)
	defer tweaked.Zero()
	sig, err := schnorr.Sign(tweaked, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return sig.Serialize(), nil
}

// ECDH returns SHA256 of the compressed shared point, as BOLT 8 wants it.
func (k *Key) ECDH(pub *btcec.PublicKey) ([32]byte, error) {
	if k.priv == nil {
		return [32]byte{}, ErrWiped
	}
	var point, shared btcec.JacobianPoint
	pub.AsJacobian(&point)
	btcec.ScalarMultNonConst(&k.priv.value.Key, &point, &shared)
	shared.ToAffine()
	return sha256.Sum256(btcec.NewPublicKey(&shared.X, &shared.Y).SerializeCompressed()), nil
}

// Wipe clears the private key. Every later use returns ErrWiped.
func (k *Key) Wipe() {
	if k == nil || k.priv == nil {
		return
	}
	k.priv.value.Zero()
	k.priv = nil
}

// Format prints "(redacted)" for every verb.
func (Key) Format(f fmt.State, _ rune) { redact(f) }

// String returns "(redacted)".
func (Key) String() string { return redacted }

// MarshalText returns "(redacted)"; encoding/json uses it too.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// derive is HKDF-SHA256. A nil salt is as good as CLN's four zero bytes: HMAC
// pads both with zeros.
func derive(secret, salt []byte, info string, size int) ([]byte, error) {
	out, err := hkdf.Key(sha256.New, secret, salt, info, size)
	if err != nil {
		return nil, fmt.Errorf("derive %q: %w", info, err)
	}
	return out, nil
}

// NodeKey derives the key of the node id (CLN hsmd/libhsmd.c node_key).
func (s *Secret) NodeKey() (*Key, error) {
	secret, err := s.key32()
	if err != nil {
		return nil, err
	}
	raw, err := derive(secret, nil, "nodeid", secretSize)
	if err != nil {
		return nil, err
	}
	return newKey(raw)
}

// StateKey derives the key that Greenlight's signer signs the entries of its
// state with (gl-client src/signer/mod.rs).
func (s *Secret) StateKey() (*Key, error) {
	secret, err := s.key32()
	if err != nil {
		return nil, err
	}
	raw, err := derive(secret, nil, "greenlight/state-signing/v1", secretSize)
	if err != nil {
		return nil, err
	}
	return newKey(raw)
}
