package recovery

import (
	"sync"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/vlsstate"
)

// secretKeys is Keys over a node's secret. The keys of a channel are derived
// once and kept, since every look at a close needs them.
type secretKeys struct {
	secret *keychain.Secret
	id     channel.PubKey
	node   *keychain.Key

	network string

	mu       sync.Mutex
	channels map[channel.Key]*keychain.ChannelKeys
	// scripts are the wallet's first ones, derived when first asked for.
	scripts map[string]bool
}

// walletKeys is how many keys of the wallet are looked through for a script.
const walletKeys = 1000

func newSecretKeys(secret *keychain.Secret, network string) (*secretKeys, error) {
	node, err := secret.NodeKey()
	if err != nil {
		return nil, err
	}
	return &secretKeys{
		secret: secret, id: node.ID(), node: node, network: network,
		channels: map[channel.Key]*keychain.ChannelKeys{},
	}, nil
}

func (k *secretKeys) Funding(c channel.Key) (sweep.Signer, error) {
	keys, err := k.of(c)
	if err != nil {
		return nil, err
	}
	return keys.Funding(), nil
}

// Prove checks a backup with the secret.
func (k *secretKeys) Prove(b *vlsstate.Backup) (*proof.Report, []string, error) {
	report, err := proof.Verify(b, k.secret)
	return report, proof.Warnings(k.secret), err
}

// OpenPeerStorage decrypts what the node left with its peers.
func (k *secretKeys) OpenPeerStorage(blob []byte) ([]byte, error) {
	return k.secret.OpenPeerStorage(blob)
}

// InWallet looks through the wallet that lightningd has with this secret.
func (k *secretKeys) InWallet(pkScript []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.scripts == nil {
		k.scripts = map[string]bool{}
		wallet, err := k.secret.LightningdWallet(k.network)
		if err != nil {
			return false
		}
		for i := range uint32(walletKeys) {
			wpkh, taproot, err := wallet.Scripts(i)
			if err != nil {
				continue // BIP 32: this index is no key
			}
			k.scripts[string(wpkh)], k.scripts[string(taproot)] = true, true
		}
	}
	return k.scripts[string(pkScript)]
}

func (k *secretKeys) NodeID() channel.PubKey { return k.id }

func (k *secretKeys) NodeKey() peer.NodeKey { return k.node }

// of returns a channel's keys. Deriving them can only fail for a secret whose
// derived scalar is no key, which nobody will ever see (BIP 32).
func (k *secretKeys) of(c channel.Key) (*keychain.ChannelKeys, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if keys, ok := k.channels[c]; ok {
		return keys, nil
	}
	keys, err := k.secret.ChannelKeys(c.Peer, c.DBID)
	if err != nil {
		return nil, err
	}
	k.channels[c] = keys
	return keys, nil
}

func (k *secretKeys) Basepoints(c channel.Key) (channel.Basepoints, error) {
	keys, err := k.of(c)
	if err != nil {
		return channel.Basepoints{}, err
	}
	return keys.Basepoints(), nil
}

func (k *secretKeys) PerCommitmentPoint(c channel.Key, n uint64) (channel.PubKey, error) {
	keys, err := k.of(c)
	if err != nil {
		return channel.PubKey{}, err
	}
	return keys.PerCommitmentPoint(n)
}

func (k *secretKeys) PerCommitmentSecret(c channel.Key, n uint64) ([32]byte, error) {
	keys, err := k.of(c)
	if err != nil {
		return [32]byte{}, err
	}
	return keys.PerCommitmentSecret(n)
}

func (k *secretKeys) FundingScript(c *channel.Channel) ([]byte, error) {
	ours, err := k.Basepoints(c.Key)
	if err != nil {
		return nil, err
	}
	return bolt3.FundingPkScript(ours.Funding, c.Remote.Funding)
}

func (k *secretKeys) Wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, keys := range k.channels {
		keys.Wipe()
	}
	clear(k.channels)
	k.node.Wipe()
	k.secret.Wipe()
}
