package keychain

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/lightningnetwork/lnd/shachain"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
)

// ErrCommitNumber says that a commitment number does not fit 48 bits.
var ErrCommitNumber = errors.New("no such commitment number")

// ChannelKeys are our keys of one channel. They depend on the peer and the
// channel's dbid and on nothing else.
type ChannelKeys struct {
	funding, revocation, htlc, payment, delayed *Key

	// shaSeed is nil once it was wiped.
	shaSeed *sealed[[32]byte]
	points  channel.Basepoints
}

// ChannelKeys derives the keys of the channel with this peer and dbid (CLN
// hsmd/libhsmd.c get_channel_seed, common/derive_basepoints.c; VLS's native
// style is the same).
func (s *Secret) ChannelKeys(peer channel.PubKey, dbid uint64) (*ChannelKeys, error) {
	secret, err := s.key32()
	if err != nil {
		return nil, err
	}
	base, err := derive(secret, nil, "peer seed", secretSize)
	if err != nil {
		return nil, err
	}
	defer clear(base)
	seed, err := derive(base, binary.LittleEndian.AppendUint64(peer[:], dbid), "per-peer seed", secretSize)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	raw, err := derive(seed, nil, "c-lightning", 6*secretSize)
	if err != nil {
		return nil, err
	}
	defer clear(raw)

	k := &ChannelKeys{shaSeed: seal([32]byte(raw[5*secretSize:]))}
	for i, key := range []struct {
		key   **Key
		point *channel.PubKey
	}{
		{&k.funding, &k.points.Funding},
		{&k.revocation, &k.points.Revocation},
		{&k.htlc, &k.points.HTLC},
		{&k.payment, &k.points.Payment},
		{&k.delayed, &k.points.Delayed},
	} {
		derived, err := newKey(raw[i*secretSize : (i+1)*secretSize])
		if err != nil {
			k.Wipe()
			return nil, err
		}
		*key.key, *key.point = derived, channel.PubKeyOf(derived.pub)
	}
	return k, nil
}

// Basepoints returns our public keys of the channel; they stay known after
// Wipe.
func (k *ChannelKeys) Basepoints() channel.Basepoints { return k.points }

// Funding signs what spends the 2-of-2.
func (k *ChannelKeys) Funding() *Key { return k.funding }

// Payment signs what spends our to_remote on the peer's commitment. The key is
// the same in every commitment of the types that are in use.
func (k *ChannelKeys) Payment() *Key { return k.payment }

// Delayed is the key of our to_local, and of the outputs of our HTLC
// transactions, in the commitment with this per-commitment point of ours. The
// caller wipes it.
func (k *ChannelKeys) Delayed(point *btcec.PublicKey) (*Key, error) { return tweak(k.delayed, point) }

// HTLC is our HTLC key in the commitment, ours or the peer's, with this
// per-commitment point. The caller wipes it.
func (k *ChannelKeys) HTLC(point *btcec.PublicKey) (*Key, error) { return tweak(k.htlc, point) }

// TweakedPayment is the key of our to_remote in a commitment of type Legacy.
// The caller wipes it.
func (k *ChannelKeys) TweakedPayment(point *btcec.PublicKey) (*Key, error) {
	return tweak(k.payment, point)
}

func tweak(k *Key, point *btcec.PublicKey) (*Key, error) {
	if k.priv == nil {
		return nil, ErrWiped
	}
	return keyOf(bolt3.TweakPrivKey(k.priv.value, point)), nil
}

// Revocation is the key that takes every output of a revoked commitment of the
// peer whose per-commitment secret this is. The caller wipes it.
func (k *ChannelKeys) Revocation(secret [32]byte) (*Key, error) {
	if k.revocation.priv == nil {
		return nil, ErrWiped
	}
	theirs, err := newKey(secret[:])
	if err != nil {
		return nil, err
	}
	defer theirs.Wipe()
	return keyOf(bolt3.RevocationPrivKey(k.revocation.priv.value, theirs.priv.value)), nil
}

// PerCommitmentSecret returns our secret of commitment n, counted from 0. Who
// knows it can take everything in that commitment of ours: it is for comparing
// with what a peer proves, never for sending.
func (k *ChannelKeys) PerCommitmentSecret(n uint64) ([32]byte, error) {
	if k.shaSeed == nil {
		return [32]byte{}, ErrWiped
	}
	if n > channel.MaxShachainIndex {
		return [32]byte{}, fmt.Errorf("%w: %d", ErrCommitNumber, n)
	}
	secret, err := shachain.NewRevocationProducer(chainhash.Hash(*k.shaSeed.value)).AtIndex(n)
	if err != nil {
		return [32]byte{}, fmt.Errorf("%w: %d", ErrCommitNumber, n)
	}
	return *secret, nil
}

// PerCommitmentPoint returns our public point of commitment n.
func (k *ChannelKeys) PerCommitmentPoint(n uint64) (channel.PubKey, error) {
	secret, err := k.PerCommitmentSecret(n)
	if err != nil {
		return channel.PubKey{}, err
	}
	defer clear(secret[:])
	return bolt3.PointOf(secret), nil
}

// Wipe clears all private keys of the channel.
func (k *ChannelKeys) Wipe() {
	if k == nil {
		return
	}
	for _, key := range []*Key{k.funding, k.revocation, k.htlc, k.payment, k.delayed} {
		key.Wipe()
	}
	if k.shaSeed != nil {
		clear(k.shaSeed.value[:])
		k.shaSeed = nil
	}
}

// Format prints "(redacted)" for every verb.
func (ChannelKeys) Format(f fmt.State, _ rune) { redact(f) }

// String returns "(redacted)".
func (ChannelKeys) String() string { return redacted }

// MarshalText returns "(redacted)"; encoding/json uses it too.
func (ChannelKeys) MarshalText() ([]byte, error) { return []byte(redacted), nil }
