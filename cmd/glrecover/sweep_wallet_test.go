package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/sweep/seedkeys"
)

// Coins that are being spent do not vanish from the report.
func TestCoinsThatAreBeingSpentAreNamed(t *testing.T) {
	spent := []walletCoin{{Outpoint: "aa:0", AmountMsat: 5_000_000, Type: "p2tr"}}
	for _, r := range []*sweepReport{{WalletSpent: spent}, {WalletSpent: spent, Wallet: []walletCoin{{Outpoint: "bb:1", AmountMsat: 7_000_000, Type: "p2wpkh"}}}} {
		text := r.walletText(&sweepFlags{to: "x"})
		if !strings.Contains(text, "5,000 sat in 1 coin more: being spent, and waiting for a block") || !strings.Contains(text, "aa:0") {
			t.Errorf("%s", text)
		}
	}
	if text := (&sweepReport{}).walletText(&sweepFlags{}); strings.Contains(text, "being spent") {
		t.Errorf("%s", text)
	}
}

// A scan of somebody else's is waited for: bitcoind runs already.
func TestAScanThatIsBusyIsToldAsThat(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"result":{"progress":41},"error":null,"id":"x"}`)
	}))
	defer server.Close()
	cookie := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(cookie, []byte("u:p"), 0o600); err != nil {
		t.Fatal(err)
	}
	node, err := chain.NewBitcoind(chain.Options{Network: "regtest", Connect: server.Listener.Addr().String(), Cookie: cookie})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := keychain.FromBytes(bytes.Repeat([]byte{7}, 32)).Secret(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &sweeping{c: &cli{stderr: io.Discard}, node: node, network: &chaincfg.RegressionNetParams, keys: seedkeys.New(secret, "regtest")}
	_, err = s.openWallet(t.Context(), "coins")
	if !errors.Is(err, chain.ErrScanBusy) || strings.Contains(err.Error(), "Start bitcoind") {
		t.Error(err)
	}
}
