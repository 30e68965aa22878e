package secret

import (
	"errors"
	"sync"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/seedkeys"
	"github.com/glrecover/glrecover/vlsstate"
)

// Keys is what a recovery needs of a node's secret. The keys of a channel are derived
// once and kept, since every look at a close needs them.
type Keys struct {
	secret *keychain.Secret
	id     channel.PubKey
	node   *keychain.Key

	network string
	claims  *seedkeys.Keys

	mu       sync.Mutex
	channels map[channel.Key]*keychain.ChannelKeys
	// scripts are the wallet's first ones, derived when first asked for.
	scripts map[string]bool
}

// walletKeys is how many keys of the wallet are looked through for a script.
const walletKeys = 1000

// New makes Keys of a node's secret, which they own from now on.
func New(secret *keychain.Secret, network string) (*Keys, error) {
	node, err := secret.NodeKey()
	if err != nil {
		return nil, err
	}
	return &Keys{
		secret: secret, id: node.ID(), node: node, network: network,
		claims: seedkeys.New(secret, network), channels: map[channel.Key]*keychain.ChannelKeys{},
	}, nil
}

// Funding signs with our key of the channel's funding output.
func (k *Keys) Funding(c channel.Key) (sweep.Signer, error) {
	keys, err := k.of(c)
	if err != nil {
		return nil, err
	}
	return keys.Funding(), nil
}

// Signer signs claims.
func (k *Keys) Signer(use sweep.KeyUse) (sweep.Signer, error) { return k.claims.Signer(use) }

// Prove checks a backup with the secret.
func (k *Keys) Prove(b *vlsstate.Backup) (*proof.Report, []string, error) {
	report, err := proof.Verify(b, k.secret)
	return report, proof.Warnings(k.secret), err
}

// Targets are all that can be looked for among the unspent outputs.
func (k *Keys) Targets(network string, channels []*channel.Channel, states uint64) (*find.Targets, []string, error) {
	t, err := find.NewTargets(k.secret, network, channels, states)
	return t, proof.Warnings(k.secret), err
}

// OpenPeerStorage decrypts what the node left with its peers.
func (k *Keys) OpenPeerStorage(blob []byte) ([]byte, error) {
	return k.secret.OpenPeerStorage(blob)
}

// InWallet looks through the wallet that lightningd has with this secret.
func (k *Keys) InWallet(pkScript []byte) bool {
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

// Wallet is the lost node's wallet, which lightningd has too, unless its own
// hsm_secret holds words.
func (k *Keys) Wallet() (w find.Keys, sees bool, err error) {
	w, err = k.secret.Wallet(k.network)
	return w, k.secret.WholeWallet(), err
}

// NodeID is the node's id.
func (k *Keys) NodeID() channel.PubKey { return k.id }

// NodeKey is its identity for sessions.
func (k *Keys) NodeKey() peer.NodeKey { return k.node }

// of returns a channel's keys. Deriving them can only fail for a secret whose
// derived scalar is no key, which nobody will ever see (BIP 32).
func (k *Keys) of(c channel.Key) (*keychain.ChannelKeys, error) {
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

// Basepoints are our own public keys of a channel.
func (k *Keys) Basepoints(c channel.Key) (channel.Basepoints, error) {
	keys, err := k.of(c)
	if err != nil {
		return channel.Basepoints{}, err
	}
	return keys.Basepoints(), nil
}

// PerCommitmentPoint is the point of our commitment n.
func (k *Keys) PerCommitmentPoint(c channel.Key, n uint64) (channel.PubKey, error) {
	keys, err := k.of(c)
	if err != nil {
		return channel.PubKey{}, err
	}
	return keys.PerCommitmentPoint(n)
}

// PerCommitmentSecret is its secret, for checking a peer's claim.
func (k *Keys) PerCommitmentSecret(c channel.Key, n uint64) ([32]byte, error) {
	keys, err := k.of(c)
	if err != nil {
		return [32]byte{}, err
	}
	return keys.PerCommitmentSecret(n)
}

// FundingScript is the scriptPubKey of the channel's funding output. Neither a stored
// copy nor a peer's word has the peer's funding key, without which there is none.
func (k *Keys) FundingScript(c *channel.Channel) ([]byte, error) {
	if c.Remote.Funding.IsZero() {
		return nil, errors.New("the peer's funding key is unknown")
	}
	ours, err := k.Basepoints(c.Key)
	if err != nil {
		return nil, err
	}
	return bolt3.FundingPkScript(ours.Funding, c.Remote.Funding)
}

// Wipe clears the secret; no other method may be called after it.
func (k *Keys) Wipe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, keys := range k.channels {
		keys.Wipe()
	}
	clear(k.channels)
	k.node.Wipe()
	k.secret.Wipe()
}
