package keychain_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"

	h "github.com/glrecover/glrecover/integration/harness"
	"github.com/glrecover/glrecover/keychain"
)

func TestMain(m *testing.M) { os.Exit(h.Main(m.Run)) }

const liveWords = "vessel ladder alter error federal sibling chat ability sun glass valve picture"

func understood(t *testing.T, raw []byte) *keychain.Secret {
	t.Helper()
	s, err := keychain.FromBytes(raw).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// One phrase, four ways to give it to the real lightningd.
func TestRealNodesHaveTheIDAndTheAddressesThatWeDerive(t *testing.T) {
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(t)
	words := understood(t, []byte(liveWords))
	id, err := words.NodeID()
	if err != nil {
		t.Fatal(err)
	}
	hexText, codex, err := words.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	mnemonic := append(make([]byte, 32), liveWords...)
	withWords := understood(t, append([]byte(nil), mnemonic...))

	for _, c := range []struct {
		name string
		// file puts an hsm_secret into place, or does nothing.
		file   func(path string) error
		args   []string
		wallet func(network string) (*keychain.Wallet, error)
	}{
		{"file", words.WriteFile, nil, words.Wallet},
		{"hex", nil, []string{"--recover=" + hexText}, words.Wallet},
		{"codex32", nil, []string{"--recover=" + codex}, words.Wallet},
		{"mnemonic", func(path string) error { return os.WriteFile(path, mnemonic, 0o400) }, nil, withWords.LightningdWallet},
	} {
		node := n.NewCLN(c.name, h.CLNConfig{})
		path := filepath.Join(node.Dir, "regtest", "hsm_secret")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if c.file != nil {
			if err := c.file(path); err != nil {
				t.Fatal(err)
			}
		}
		node.Start(c.args...)
		if node.ID != id.String() {
			t.Errorf("%s: node %s, want %s", c.name, node.ID, id)
		}
		wallet, err := c.wallet("regtest")
		if err != nil {
			t.Fatal(err)
		}
		compareAddresses(t, node, wallet)
		node.Stop()
	}
}

// compareAddresses asks a fresh node for its first addresses. Each request
// takes one key.
func compareAddresses(t *testing.T, node *h.CLN, wallet *keychain.Wallet) {
	t.Helper()
	for k := uint32(1); k <= 3; k++ {
		var got struct{ Bech32, P2TR string }
		if err := node.Call("newaddr", h.Params{"addresstype": "all"}, &got); err != nil {
			t.Fatal(err)
		}
		wpkh, taproot, err := wallet.Scripts(k)
		if err != nil {
			t.Fatal(err)
		}
		for address, want := range map[string][]byte{got.Bech32: wpkh, got.P2TR: taproot} {
			decoded, err := btcutil.DecodeAddress(address, &chaincfg.RegressionNetParams)
			if err != nil {
				t.Fatalf("%s: %q: %v", node.Name, address, err)
			}
			script, err := txscript.PayToAddrScript(decoded)
			if err != nil || hex.EncodeToString(script) != hex.EncodeToString(want) {
				t.Errorf("%s: address %d is %s, script %x, want %x (%v)", node.Name, k, address, script, want, err)
			}
		}
	}
	descriptorsAreBitcoinds(t, node, wallet)
}

// descriptorsAreBitcoinds lets bitcoind read the descriptors, checksum
// included, and name their first address.
func descriptorsAreBitcoinds(t *testing.T, node *h.CLN, wallet *keychain.Wallet) {
	t.Helper()
	bitcoind := node.Net().Bitcoind
	wpkh, taproot, err := wallet.Scripts(1)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]byte{wpkh, taproot} {
		var addresses []string
		if err := bitcoind.Call("deriveaddresses", &addresses, wallet.Descriptors()[i], []int{1, 1}); err != nil {
			t.Fatalf("%s: %v", node.Name, err)
		}
		var info struct{ ScriptPubKey string }
		bitcoind.Must("validateaddress", &info, addresses[0])
		if info.ScriptPubKey != hex.EncodeToString(want) {
			t.Errorf("%s: descriptor %d leads to %s, want %x", node.Name, i, info.ScriptPubKey, want)
		}
	}
}
