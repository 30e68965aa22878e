package find

import (
	"errors"
	"fmt"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
)

// Kind says what a coin is.
type Kind string

// Kinds of coins.
const (
	// ToRemote is our output on the peer's commitment.
	ToRemote Kind = "to_remote"
	// ToLocal is our delayed output on our own commitment.
	ToLocal Kind = "to_local"
	// Wallet is a coin of the on-chain wallet; a mutual close pays there too.
	Wallet Kind = "wallet"
	// Multisig pays into the 2-of-2 of a channel and is not its funding output:
	// a splice, or a payment by mistake.
	Multisig Kind = "multisig"
)

// What is looked for unless told otherwise.
const (
	// FirstIndexes is how many wallet keys the first pass covers, Gap how many
	// unused ones must follow the last that is used.
	FirstIndexes = 1000
	Gap          = 200
	// States is how many commitments after the snapshot's, and as many before,
	// to_local is looked for on.
	// MaxStates bounds it.
	States    = 500
	MaxStates = 1_000_000
)

// owner says whose script it is.
type owner struct {
	kind    Kind
	channel *channel.Channel
	// commitment is the number of our commitment, for ToLocal.
	commitment uint64
	// wallet, addressType and index name a wallet key.
	wallet, addressType string
	index               uint32
}

// Targets are the scripts and descriptors that are looked for. They hold
// nothing secret; who has them sees the whole wallet.
type Targets struct {
	channels []*channel.Channel
	wallets  []namedWallet
	scripts  map[string]owner
	raw      []chain.Descriptor
	// Problems name the channels whose scripts cannot be made.
	Problems []error
}

// Keys are the public side of an on-chain wallet; *keychain.Wallet implements it.
type Keys interface {
	// Descriptors are ranged output descriptors, P2WPKH and P2TR.
	Descriptors() []string
	// Scripts are the output scripts of key k.
	Scripts(k uint32) (wpkh, taproot []byte, err error)
}

type namedWallet struct {
	name string
	Keys
	// last is the highest index looked for.
	last uint32
}

// Names of wallets in a report.
const (
	// NodeWallet is the wallet of the Greenlight node, which lightningd shows
	// where it runs on the 32-byte secret.
	NodeWallet = "node"
	// MnemonicWallet is the wallet that lightningd shows where its hsm_secret
	// holds the words themselves (BIP 86, CLN 25.12 and later).
	MnemonicWallet = "mnemonic"
)

// NewTargets derives all that is looked for. network is CLN's name; states is how
// many of our commitments before and after the snapshot's are covered.
func NewTargets(secret *keychain.Secret, network string, channels []*channel.Channel, states uint64) (*Targets, error) {
	w, err := secret.Wallet(network)
	if err != nil {
		return nil, err
	}
	t := WalletTargets(w)
	t.channels = channels
	if !secret.WholeWallet() {
		if w, err = secret.LightningdWallet(network); err != nil {
			return nil, err
		}
		t.addWallet(MnemonicWallet, w)
	}
	for _, ch := range channels {
		keys, err := secret.ChannelKeys(ch.Peer, ch.DBID)
		if err != nil {
			return nil, err
		}
		if err := t.addChannel(ch, keys, states); err != nil {
			t.Problems = append(t.Problems, fmt.Errorf("channel %s: %w", ch.Key, err))
		}
		keys.Wipe()
	}
	return t, nil
}

// WalletTargets are the lost node's on-chain wallet alone.
func WalletTargets(keys Keys) *Targets {
	t := &Targets{scripts: map[string]owner{}}
	t.addWallet(NodeWallet, keys)
	return t
}

func (t *Targets) addWallet(name string, keys Keys) {
	t.wallets = append(t.wallets, namedWallet{name: name, Keys: keys})
	t.extend(&t.wallets[len(t.wallets)-1], FirstIndexes)
}

// AddToRemote adds the script to which the peer's commitments of a channel pay us.
func (t *Targets) AddToRemote(ch *channel.Channel, script []byte) {
	t.add(script, owner{kind: ToRemote, channel: ch})
}

// extend takes in the wallet's keys up to an index.
func (t *Targets) extend(w *namedWallet, last uint32) {
	first := w.last + 1
	if w.last == 0 {
		first = 0
	}
	for k := first; k <= last; k++ {
		wpkh, taproot, err := w.Scripts(k)
		if err != nil {
			continue // BIP 32: this index is no key
		}
		t.scripts[string(wpkh)] = owner{kind: Wallet, wallet: w.name, addressType: "p2wpkh", index: k}
		t.scripts[string(taproot)] = owner{kind: Wallet, wallet: w.name, addressType: "p2tr", index: k}
	}
	w.last = last
}

func (t *Targets) add(script []byte, o owner) {
	// Two channels have no script in common but by mistake: the first keeps it.
	if _, known := t.scripts[string(script)]; !known {
		t.scripts[string(script)] = o
		t.raw = append(t.raw, chain.RawDescriptor(script))
	}
}

var errLegacy = errors.New("its to_remote depends on a point that only the peer knows (Legacy commitments)")

// addChannel adds a channel's scripts.
func (t *Targets) addChannel(ch *channel.Channel, keys *keychain.ChannelKeys, states uint64) error {
	ours := keys.Basepoints()
	funding, err := bolt3.FundingPkScript(ours.Funding, ch.Remote.Funding)
	if err != nil {
		return fmt.Errorf("funding script: %w", err)
	}
	t.add(funding, owner{kind: Multisig, channel: ch})
	if ch.Type == channel.Legacy {
		return errLegacy
	}
	_, toRemote, err := bolt3.ToRemote(ch.Type, keys.Payment().PubKey())
	if err != nil {
		return fmt.Errorf("to_remote script: %w", err)
	}
	t.AddToRemote(ch, toRemote)

	number := ch.State.NextHolderCommitNum
	for n := max(number, states) - states; n <= number+states; n++ {
		id, err := keys.PerCommitmentPoint(n)
		if err != nil {
			return err
		}
		point, err := id.Point()
		if err != nil {
			return err
		}
		derived, err := bolt3.DeriveKeys(ch.Type, ours, ch.Remote, point, false)
		if err != nil {
			return err
		}
		witness, err := bolt3.DelayedScript(derived.Revocation, derived.Delayed, ch.CounterpartyDelay)
		if err != nil {
			return fmt.Errorf("to_local script: %w", err)
		}
		t.add(bolt3.P2WSH(witness), owner{kind: ToLocal, channel: ch, commitment: n})
	}
	return nil
}

// descriptors are what a pass asks for.
func (t *Targets) descriptors() []chain.Descriptor {
	want := append([]chain.Descriptor(nil), t.raw...)
	for _, w := range t.wallets {
		for _, d := range w.Descriptors() {
			want = append(want, chain.Descriptor{Desc: d, Last: w.last})
		}
	}
	return want
}
