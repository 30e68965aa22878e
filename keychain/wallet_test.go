package keychain

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/glrecover/glrecover/bolt3"
)

// The first is the example of BIP 380, the others descriptors
// by lightning-hsmtool v26.06.6.
func TestDescriptorChecksumsAreThoseOfBitcoind(t *testing.T) {
	for _, want := range []string{
		"raw(deadbeef)#89f8spxm",
		"wpkh(tpubD6NzVbkrYhZ4Y2WgNwTThJA2gGXSCmpmkqf84pCn6b8bU5s3UjJrjQFRCSFnDbai2mDaKdKRvSTKavc9UHSKFUatNk9XXUNEaLwdF89EJc4/0/0/*)#w5hjk9pl",
		"tr(xpub661MyMwAqRbcGEKpvkUNVNpfM9RnDPKiDD4piG9dkgNhioCLQWTmaxaaxQAzh6dUErgfi3oZPLdGtk7Y5Rb5N38bK9QDqwhzzPMDV4PUWUj/0/0/*)#7r94s5g0",
	} {
		plain, _, _ := strings.Cut(want, "#")
		if got := withChecksum(plain); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// The master key that lightning-hsmtool dumponchaindescriptors names, walked
// to /0/0, is the key in our descriptors.
func TestWalletIsTheOneThatLightningHsmtoolDescribes(t *testing.T) {
	for network, master := range map[string]string{
		"bitcoin": "xpub661MyMwAqRbcGEKpvkUNVNpfM9RnDPKiDD4piG9dkgNhioCLQWTmaxaaxQAzh6dUErgfi3oZPLdGtk7Y5Rb5N38bK9QDqwhzzPMDV4PUWUj",
		"regtest": "tpubD6NzVbkrYhZ4Y2WgNwTThJA2gGXSCmpmkqf84pCn6b8bU5s3UjJrjQFRCSFnDbai2mDaKdKRvSTKavc9UHSKFUatNk9XXUNEaLwdF89EJc4",
		"signet":  "tpubD6NzVbkrYhZ4Y2WgNwTThJA2gGXSCmpmkqf84pCn6b8bU5s3UjJrjQFRCSFnDbai2mDaKdKRvSTKavc9UHSKFUatNk9XXUNEaLwdF89EJc4",
	} {
		w, err := corpusCases(t)["used-both-ways"].Wallet(network)
		if err != nil {
			t.Fatal(err)
		}
		key, err := hdkeychain.NewKeyFromString(master)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if key, err = key.Derive(0); err != nil {
				t.Fatal(err)
			}
		}
		for i, form := range []string{"wpkh(", "tr("} {
			if got, want := w.Descriptors()[i], withChecksum(form+key.String()+"/*)"); got != want {
				t.Errorf("%s: %s, want %s", network, got, want)
			}
		}
	}
}

func TestAFileWithWordsHasAnotherWallet(t *testing.T) {
	words, raw := secretOf(t, mnemonicFile(aboutWords)), secretOf(t, []byte(aboutSecret))
	if nodeOf(t, words) != nodeOf(t, raw) {
		t.Fatal("not the same node")
	}
	old, err := words.Wallet("testnet")
	if err != nil {
		t.Fatal(err)
	}
	same, err := raw.LightningdWallet("testnet")
	if err != nil || old.Descriptors()[0] != same.Descriptors()[0] {
		t.Errorf("the 32 bytes show another wallet: %v", err)
	}
	bip86, err := words.LightningdWallet("testnet")
	if err != nil {
		t.Fatal(err)
	}
	// lightning-hsmtool dumponchaindescriptors, v26.06.6.
	want := "tr(tpubDC3pD7UZXnsgh3EBjbtBQiB1FnLask7UHBSunZ1DPK4dCFFZoFRkgxHB8gt42FvLzx1DpxfHWxAsYaY6b643RVcGjDxXxns7wKKYnnfEcbB/0/*)#myqwwh8u"
	if got := bip86.Descriptors()[1]; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// BIP 86's own vector: the words of aboutWords, m/86'/0'/0'/0/0.
func TestTaprootScriptsAreThoseOfBIP86(t *testing.T) {
	w, err := secretOf(t, mnemonicFile(aboutWords)).LightningdWallet("bitcoin")
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := w.Scripts(0)
	if want := unhex(t, "5120a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("script %x, %v, want %x", got, err, want)
	}
}

func TestAWalletHoldsNoPrivateKey(t *testing.T) {
	w, err := secretOf(t, []byte(aboutSecret)).Wallet("bitcoin")
	if err != nil {
		t.Fatal(err)
	}
	if w.branch.IsPrivate() || !w.branch.IsForNet(&chaincfg.MainNetParams) {
		t.Error("the wallet's key is private or of another network")
	}
	if _, err := secretOf(t, []byte(aboutSecret)).Wallet("liquid"); err == nil {
		t.Error("an unknown network was accepted")
	}
}

func TestWalletKeysAreThoseOfTheScripts(t *testing.T) {
	secret := secretOf(t, []byte(aboutSecret))
	for _, network := range []string{"bitcoin", "regtest"} {
		w, err := secret.Wallet(network)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []uint32{0, 1, 49, 1000} {
			key, err := secret.WalletKey(network, k)
			if err != nil {
				t.Fatal(err)
			}
			wpkh, taproot, err := w.Scripts(k)
			if err != nil {
				t.Fatal(err)
			}
			if got := bolt3.P2WPKH(key.PubKey()); !bytes.Equal(got, wpkh) {
				t.Errorf("%s, key %d: %x, want %x", network, k, got, wpkh)
			}
			digest := [32]byte{byte(k)}
			raw, err := key.SignTaproot(digest)
			if err != nil {
				t.Fatal(err)
			}
			sig, err1 := schnorr.ParseSignature(raw)
			output, err2 := schnorr.ParsePubKey(taproot[2:])
			if err1 != nil || err2 != nil || !sig.Verify(digest[:], output) {
				t.Errorf("%s, key %d: the signature is not the taproot output's", network, k)
			}
			key.Wipe()
			if _, err := key.SignTaproot(digest); !errors.Is(err, ErrWiped) {
				t.Errorf("wiped: %v", err)
			}
		}
	}
}
