package keychain

import (
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"

	"github.com/glrecover/glrecover/bolt3"
)

// Wallet is the public side of a node's on-chain wallet: one counter of keys
// for both address types. The first address that CLN hands out has key 1.
type Wallet struct {
	// branch is the public parent of the keys.
	branch *hdkeychain.ExtendedKey
	// keyText and path are how a descriptor names the keys.
	keyText, path string
}

// Wallet returns the wallet of a node whose secret is the first 32 bytes,
// which is what Greenlight's nodes have: keys m/0/0/k of HKDF(secret,
// "bip32 seed") (CLN hsmd/libhsmd.c, VLS's native style). network is CLN's
// name of it.
func (s *Secret) Wallet(network string) (*Wallet, error) {
	secret, err := s.key32()
	if err != nil {
		return nil, err
	}
	seed, err := derive(secret, nil, "bip32 seed", secretSize)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	branch, err := publicChild(seed, network, 0, 0)
	if err != nil {
		return nil, err
	}
	return &Wallet{branch: branch, keyText: branch.String(), path: "/*"}, nil
}

// LightningdWallet returns the wallet that lightningd shows when it runs on
// this very file. For the hsm_secret files with words that is BIP86
// (m/86'/0'/0'/0/k of the 64-byte seed, whatever the network), and not the
// wallet of the Greenlight node; otherwise it equals Wallet.
func (s *Secret) LightningdWallet(network string) (*Wallet, error) {
	if s.WholeWallet() {
		return s.Wallet(network)
	}
	seed, err := s.all()
	if err != nil {
		return nil, err
	}
	const hardened = hdkeychain.HardenedKeyStart
	account, err := publicChild(seed, network, hardened+86, hardened, hardened)
	if err != nil {
		return nil, err
	}
	branch, err := account.Derive(0)
	if err != nil {
		return nil, fmt.Errorf("derive wallet key: %w", err)
	}
	return &Wallet{branch: branch, keyText: account.String(), path: "/0/*"}, nil
}

// WalletKey returns key k of the wallet that Wallet describes; it signs for
// both of its scripts. The caller wipes it.
func (s *Secret) WalletKey(network string, k uint32) (*Key, error) {
	secret, err := s.key32()
	if err != nil {
		return nil, err
	}
	seed, err := derive(secret, nil, "bip32 seed", secretSize)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	child, err := privateChild(seed, network, 0, 0, k)
	if err != nil {
		return nil, err
	}
	defer child.Zero()
	priv, err := child.ECPrivKey()
	if err != nil {
		return nil, fmt.Errorf("derive wallet key: %w", err)
	}
	return keyOf(priv), nil
}

// publicChild walks from the BIP32 master of a seed and returns the public
// side of where the path ends.
func publicChild(seed []byte, network string, path ...uint32) (*hdkeychain.ExtendedKey, error) {
	key, err := privateChild(seed, network, path...)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	public, err := key.Neuter()
	if err != nil {
		return nil, fmt.Errorf("derive wallet key: %w", err)
	}
	// The neutered key shares its chain code with the key that is cleared.
	return hdkeychain.NewKeyFromString(public.String())
}

// privateChild walks from the BIP32 master of a seed to where the path ends.
func privateChild(seed []byte, network string, path ...uint32) (*hdkeychain.ExtendedKey, error) {
	params := &chaincfg.TestNet3Params
	switch network {
	case "bitcoin":
		params = &chaincfg.MainNetParams
	case "testnet", "testnet4", "signet", "regtest":
	default:
		return nil, fmt.Errorf("unknown network %.20q", network)
	}
	key, err := hdkeychain.NewMaster(seed, params)
	if err != nil {
		return nil, fmt.Errorf("derive wallet key: %w", err)
	}
	for _, index := range path {
		child, err := key.Derive(index)
		key.Zero()
		if err != nil {
			return nil, fmt.Errorf("derive wallet key: %w", err)
		}
		key = child
	}
	return key, nil
}

// Descriptors returns the wallet's output descriptors (BIP 380) with checksum,
// P2WPKH and P2TR, ranged. They hold public keys only; who has them sees the
// whole wallet.
func (w *Wallet) Descriptors() []string {
	return []string{
		withChecksum("wpkh(" + w.keyText + w.path + ")"),
		withChecksum("tr(" + w.keyText + w.path + ")"),
	}
}

// Scripts returns the P2WPKH and P2TR output scripts of key k.
func (w *Wallet) Scripts(k uint32) (wpkh, taproot []byte, err error) {
	child, err := w.branch.Derive(k)
	if err != nil {
		return nil, nil, fmt.Errorf("derive wallet key %d: %w", k, err)
	}
	key, err := child.ECPubKey()
	if err != nil {
		return nil, nil, fmt.Errorf("derive wallet key %d: %w", k, err)
	}
	taproot, err = txscript.PayToTaprootScript(txscript.ComputeTaprootKeyNoScript(key))
	if err != nil {
		return nil, nil, fmt.Errorf("taproot script of key %d: %w", k, err)
	}
	return bolt3.P2WPKH(key), taproot, nil
}

// The descriptor checksum (BIP 380): the descriptor's characters as symbols of
// 5 bits and one group symbol for every three, over a BCH code.
const (
	descriptorCharset = "0123456789()[],'/*abcdefgh@:$%{}" +
		"IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~" +
		"ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
	descriptorChecksumSize = 8
)

var descriptorGenerator = [5]uint64{0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd}

func withChecksum(descriptor string) string {
	sum := uint64(1)
	add := func(symbol int) {
		top := sum >> 35
		sum = sum&0x7ffffffff<<5 ^ uint64(symbol)
		for i, g := range descriptorGenerator {
			if top>>i&1 != 0 {
				sum ^= g
			}
		}
	}
	group, count := 0, 0
	for _, c := range []byte(descriptor) {
		place := strings.IndexByte(descriptorCharset, c)
		add(place & 31)
		group, count = group*3+(place>>5), count+1
		if count == 3 {
			add(group)
			group, count = 0, 0
		}
	}
	if count > 0 {
		add(group)
	}
	for range descriptorChecksumSize {
		add(0)
	}
	sum ^= 1
	out := []byte(descriptor + "#")
	for i := range descriptorChecksumSize {
		out = append(out, bech32Alphabet[sum>>(5*(descriptorChecksumSize-1-i))&31])
	}
	return string(out)
}
