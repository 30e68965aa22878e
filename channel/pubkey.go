package channel

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
)

// PubKeySize is the length in bytes of a compressed secp256k1 public key.
const PubKeySize = 33

// ErrPubKey is matched by every error that ParsePubKey and PubKeyFromBytes
// return.
var ErrPubKey = errors.New("not a compressed secp256k1 public key")

// PubKey is a compressed secp256k1 public key (SEC 1, 33 bytes, first byte 02
// or 03). A value made by ParsePubKey or PubKeyFromBytes is on the curve; the
// zero value is not a key.
type PubKey [PubKeySize]byte

// ParsePubKey reads 66 lower-case or upper-case hex digits. The error matches
// ErrPubKey and says whether the length, the alphabet or the point is wrong.
func ParsePubKey(s string) (PubKey, error) {
	if len(s) != 2*PubKeySize {
		return PubKey{}, fmt.Errorf("%w: %d hex digits, want %d", ErrPubKey, len(s), 2*PubKeySize)
	}
	raw, err := hex.DecodeString(s)
	if err != nil {
		return PubKey{}, fmt.Errorf("%w: not hex", ErrPubKey)
	}
	return PubKeyFromBytes(raw)
}

// PubKeyFromBytes checks length and curve membership of a compressed key.
func PubKeyFromBytes(raw []byte) (PubKey, error) {
	if len(raw) != PubKeySize {
		return PubKey{}, fmt.Errorf("%w: %d bytes, want %d", ErrPubKey, len(raw), PubKeySize)
	}
	if k := PubKey(raw); k.OnCurve() {
		return k, nil
	}
	return PubKey{}, fmt.Errorf("%w: not a point on the curve", ErrPubKey)
}

// PubKeyOf returns the compressed form of a parsed key.
func PubKeyOf(key *btcec.PublicKey) PubKey {
	return PubKey(key.SerializeCompressed())
}

// Point returns the key as a curve point. The error matches ErrPubKey; it can
// only occur for a value that was not made by this package.
func (k PubKey) Point() (*btcec.PublicKey, error) {
	p, err := btcec.ParsePubKey(k[:])
	if err != nil {
		return nil, fmt.Errorf("%w: not a point on the curve", ErrPubKey)
	}
	return p, nil
}

// String returns 66 lower-case hex digits.
func (k PubKey) String() string { return hex.EncodeToString(k[:]) }

// IsZero reports whether k is the zero value, which is no key.
func (k PubKey) IsZero() bool { return k == PubKey{} }

// MarshalText returns the hex form.
func (k PubKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the hex form strictly, as ParsePubKey does.
func (k *PubKey) UnmarshalText(text []byte) error {
	p, err := ParsePubKey(string(text))
	if err != nil {
		return err
	}
	*k = p
	return nil
}
