// Package seedkeys has the keys with which claims are signed from the node's
// secret. It derives each one when it is used and has it wiped afterwards; it
// never shows one, and keeps public scripts only.
package seedkeys

import (
	"errors"
	"fmt"
	"sync"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/sweep"
)

// walletKeys is how many keys of the wallet are looked through for a script.
const walletKeys = 1000

// ErrNotOurs says that the wallet has no key for a script.
var ErrNotOurs = errors.New("the script is not of this seed's wallet")

// Keys implements sweep.Keys. The secret must outlive it.
type Keys struct {
	secret  *keychain.Secret
	network string

	mu      sync.Mutex
	scripts map[string]uint32
}

var _ sweep.Keys = (*Keys)(nil)

// New takes the node's secret; network is CLN's name of it.
func New(secret *keychain.Secret, network string) *Keys {
	return &Keys{secret: secret, network: network}
}

// Public are the public keys that onchain.Classify uses.
func (k *Keys) Public(c channel.Key) (onchain.Keys, error) {
	keys, err := k.secret.ChannelKeys(c.Peer, c.DBID)
	if err != nil {
		return onchain.Keys{}, err
	}
	defer keys.Wipe()
	point := func(n uint64) (channel.PubKey, error) {
		keys, err := k.secret.ChannelKeys(c.Peer, c.DBID)
		if err != nil {
			return channel.PubKey{}, err
		}
		defer keys.Wipe()
		return keys.PerCommitmentPoint(n)
	}
	return onchain.Keys{Ours: keys.Basepoints(), Point: point, IsOurs: k.InWallet}, nil
}

// Wallet describes the wallet: its output descriptors, the index of the last key
// that is looked at, and the P2WPKH script of its first address.
func (k *Keys) Wallet() (descriptors []string, last uint32, first []byte, err error) {
	wallet, err := k.secret.Wallet(k.network)
	if err != nil {
		return nil, 0, nil, err
	}
	if first, _, err = wallet.Scripts(1); err != nil {
		return nil, 0, nil, err
	}
	return wallet.Descriptors(), walletKeys - 1, first, nil
}

// InWallet reports whether a script is one of the first of the wallet that the
// lost node had.
func (k *Keys) InWallet(pkScript []byte) bool {
	_, ok := k.index(pkScript)
	return ok
}

func (k *Keys) index(pkScript []byte) (uint32, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.scripts == nil {
		wallet, err := k.secret.Wallet(k.network)
		if err != nil {
			return 0, false
		}
		k.scripts = map[string]uint32{}
		for i := range uint32(walletKeys) {
			wpkh, taproot, err := wallet.Scripts(i)
			if err != nil {
				continue // BIP 32: this index is no key
			}
			k.scripts[string(wpkh)], k.scripts[string(taproot)] = i, i
		}
	}
	i, ok := k.scripts[string(pkScript)]
	return i, ok
}

// Signer implements sweep.Keys. The errors are the keychain's, ErrNotOurs, and
// channel.ErrPubKey for a point that is none.
func (k *Keys) Signer(use sweep.KeyUse) (sweep.Signer, error) {
	if use.Name == sweep.WalletKey {
		i, ok := k.index(use.PkScript)
		if !ok {
			return nil, ErrNotOurs
		}
		key, err := k.secret.WalletKey(k.network, i)
		if err != nil {
			return nil, err
		}
		return signer{Key: key}, nil
	}
	keys, err := k.secret.ChannelKeys(use.Channel.Peer, use.Channel.DBID)
	if err != nil {
		return nil, err
	}
	key, err := derive(keys, use)
	if err != nil {
		keys.Wipe()
		return nil, err
	}
	return signer{key, keys}, nil
}

func derive(keys *keychain.ChannelKeys, use sweep.KeyUse) (*keychain.Key, error) {
	tweak := keys.HTLC
	switch use.Name {
	case sweep.PaymentKey:
		return keys.Payment(), nil
	case sweep.RevocationKey:
		return keys.Revocation(use.Secret)
	case sweep.TweakedPaymentKey:
		tweak = keys.TweakedPayment
	case sweep.DelayedKey:
		tweak = keys.Delayed
	case sweep.HTLCKey:
	default:
		return nil, fmt.Errorf("no such key of a channel: %q", use.Name)
	}
	point, err := use.Point.Point()
	if err != nil {
		return nil, fmt.Errorf("per-commitment point: %w", err)
	}
	return tweak(point)
}

// signer wipes the channel's other keys with its own.
type signer struct {
	*keychain.Key
	all *keychain.ChannelKeys
}

// Wipe clears the key and those that it came with.
func (s signer) Wipe() {
	s.Key.Wipe()
	s.all.Wipe()
}
