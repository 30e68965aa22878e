package seedkeys_test

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/seedkeys"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func secretOf(name string) *keychain.Secret {
	text := must(os.ReadFile(filepath.Join("..", "..", "testdata", "corpus", name, "hsm_secret.hex")))
	return must(keychain.FromBytes(must(hex.DecodeString(strings.TrimSpace(string(text))))).Secret(nil))
}

// Every key is the one whose public side BOLT 3 derives from the basepoints, and
// is gone after its use, while the next one is there.
func TestKeysAreThoseOfThePublicSide(t *testing.T) {
	keys := seedkeys.New(secretOf("used-both-ways"), "regtest")
	ch := channel.Key{Peer: must(secretOf("inbound-used").NodeID()), DBID: 3}
	pub := must(keys.Public(ch))
	revealed := [32]byte{5, 6}
	point := bolt3.PointOf(revealed)
	p := must(point.Point())
	ours := func(key channel.PubKey) channel.PubKey {
		return channel.PubKeyOf(bolt3.TweakPubKey(must(key.Point()), p))
	}
	for name, want := range map[sweep.KeyName]channel.PubKey{
		sweep.PaymentKey:        pub.Ours.Payment,
		sweep.TweakedPaymentKey: ours(pub.Ours.Payment),
		sweep.DelayedKey:        ours(pub.Ours.Delayed),
		sweep.HTLCKey:           ours(pub.Ours.HTLC),
		sweep.RevocationKey:     channel.PubKeyOf(bolt3.RevocationPubKey(must(pub.Ours.Revocation.Point()), p)),
	} {
		for range 2 {
			s, err := keys.Signer(sweep.KeyUse{Channel: ch, Name: name, Point: point, Secret: revealed})
			if err != nil || s.ID() != want {
				t.Fatalf("%s: %v, %v", name, s, err)
			}
			must(s.Sign([32]byte{1}))
			s.(interface{ Wipe() }).Wipe()
			if _, err := s.Sign([32]byte{1}); !errors.Is(err, keychain.ErrWiped) {
				t.Errorf("%s: signs after it was wiped: %v", name, err)
			}
		}
	}
	for name, use := range map[string]sweep.KeyUse{
		"no such key": {Channel: ch, Name: "funding", Point: point}, "no point": {Channel: ch, Name: sweep.HTLCKey},
	} {
		if _, err := keys.Signer(use); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got, err := pub.Point(7); err != nil || got != must(must(secretOf("used-both-ways").ChannelKeys(ch.Peer, 3)).PerCommitmentPoint(7)) {
		t.Errorf("point 7: %s, %v", got, err)
	}
}

func TestWalletScriptsHaveTheirKeys(t *testing.T) {
	secret := secretOf("used-both-ways")
	keys := seedkeys.New(secret, "regtest")
	wpkh, taproot, err := must(secret.Wallet("regtest")).Scripts(42)
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range [][]byte{wpkh, taproot} {
		s, err := keys.Signer(sweep.KeyUse{Name: sweep.WalletKey, PkScript: script})
		if err != nil || !keys.InWallet(script) || string(bolt3.P2WPKH(must(s.ID().Point()))) != string(wpkh) {
			t.Fatalf("%x: %v", script, err)
		}
		s.(interface{ Wipe() }).Wipe()
	}
	other, _, err := must(secretOf("inbound-used").Wallet("regtest")).Scripts(42)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Signer(sweep.KeyUse{Name: sweep.WalletKey, PkScript: other}); !errors.Is(err, seedkeys.ErrNotOurs) || keys.InWallet(other) {
		t.Errorf("another wallet's script: %v", err)
	}
	descriptors, last, first, err := keys.Wallet()
	if err != nil || len(descriptors) != 2 || last < 999 || !keys.InWallet(first) {
		t.Errorf("%v, %d, %x, %v", descriptors, last, first, err)
	}
}

// The coins of a wallet are swept together, those that cost more than they bring are
// named, and the script engine has looked at each input (Build).
func TestCoinsOfTheWalletAreSwept(t *testing.T) {
	secret := secretOf("used-both-ways")
	wallet := must(secret.Wallet("regtest"))
	var coins []sweep.Coin
	add := func(index uint32, sat uint64, confirmed bool) {
		wpkh, taproot, err := wallet.Scripts(index)
		if err != nil {
			t.Fatal(err)
		}
		for _, script := range [][]byte{wpkh, taproot} {
			at := wire.OutPoint{Hash: chainhash.Hash{9}, Index: uint32(len(coins))}
			coins = append(coins, sweep.Coin{OutPoint: at, ValueSat: sat, PkScript: script, Confirmed: confirmed})
		}
	}
	add(0, 50_000, true)
	add(999, 70_000, true)
	add(5, 400, true)
	add(6, 90_000, false)
	coins = append(coins, sweep.Coin{OutPoint: wire.OutPoint{Index: 99}, ValueSat: 1_000_000, PkScript: []byte{0x51}, Confirmed: true})
	claims := sweep.WalletClaims(coins)
	if len(claims) != 6 {
		t.Fatalf("%d claims", len(claims))
	}
	tx, err := sweep.Build(t.Context(), seedkeys.New(secret, "regtest"), sweep.Order{
		Claims: claims, Destination: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", Network: &chaincfg.RegressionNetParams, FeeratePerKW: 2_500, Height: 200,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tx.Claims) != 4 || len(tx.Uneconomic) != 2 || tx.OutputSat+tx.Paid.FeeSat != 240_000 || !tx.Paid.Reaches(2_500) {
		t.Errorf("%d claims, %d left out, %d sat and a fee of %d", len(tx.Claims), len(tx.Uneconomic), tx.OutputSat, tx.Paid.FeeSat)
	}
}

// A transaction that is heavier than nodes relay would never be sent: 1,500 closes are
// swept by several.
func TestManyClaimsAreDivided(t *testing.T) {
	secret := secretOf("used-both-ways")
	wpkh, _, err := must(secret.Wallet("regtest")).Scripts(0)
	if err != nil {
		t.Fatal(err)
	}
	var coins []sweep.Coin
	for i := range uint32(1_500) {
		coins = append(coins, sweep.Coin{OutPoint: wire.OutPoint{Hash: chainhash.Hash{9}, Index: i}, ValueSat: 50_000, PkScript: wpkh, Confirmed: true})
	}
	count := 0
	for _, batch := range sweep.Batches(sweep.WalletClaims(coins), 200) {
		tx, err := sweep.Build(t.Context(), seedkeys.New(secret, "regtest"), sweep.Order{
			Claims: batch, Destination: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", Network: &chaincfg.RegressionNetParams, FeeratePerKW: 2_500, Height: 200,
		})
		if err != nil {
			t.Fatal(err)
		}
		if weight := 4 * tx.Paid.VSize; weight > 400_000 {
			t.Errorf("weight %d", weight)
		}
		count += len(tx.Claims)
	}
	if count != len(coins) {
		t.Errorf("%d of %d", count, len(coins))
	}
}
