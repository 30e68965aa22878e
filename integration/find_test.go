package integration

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"

	h "github.com/glrecover/glrecover/integration/harness"
	"github.com/glrecover/glrecover/keychain"
)

// found is what glrecover find --json prints.
type found struct {
	Channels []struct {
		Funding, State string
		CloseTxID      string `json:"close_txid"`
		CloseHeight    int    `json:"close_height"`
	}
	Coins []struct {
		Kind, Outpoint string
		AmountMsat     uint64 `json:"amount_msat"`
		Height         int
		AddressType    string `json:"address_type"`
		Index          int
		Rescan         *int
	}
	Totals struct {
		ToRemoteMsat uint64 `json:"to_remote_msat"`
		WalletMsat   uint64 `json:"wallet_msat"`
	}
	Rescan       *int
	NewaddrCalls int `json:"newaddr_calls"`
}

// A node is lost; its peer closed one of two channels 300 blocks ago, and its
// wallet had coins at several keys, some spent. bitcoind alone finds all of it.
func TestFindByBitcoindAlone(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		var lost, peer *h.CLN
		h.Together(t,
			func() { lost = n.CLN("lost", src.Config()) },
			func() { peer = n.CLN("peer", h.CLNConfig{}) })
		closed := &h.Lane{From: lost, To: peer, Sat: 1_000_000}
		open := &h.Lane{From: lost, To: peer, Sat: 800_000}
		n.OpenLanes(closed, open)
		n.UseLane(closed)

		// Coins at index 0, 49, 51 and 170, of both types, and those that the
		// node's own openings spent and gave back as change.
		before := n.Bitcoind.Height()
		type key struct {
			kind  string
			index int
		}
		sent := map[key]string{}
		for i, k := range []key{{"p2wpkh", 0}, {"p2tr", 49}, {"p2wpkh", 51}, {"p2tr", 170}} {
			sent[k] = n.Bitcoind.Send(addressOf(t, lost.SecretPath(), k.kind, uint32(k.index)), uint64(100_000*(i+1)))
		}
		// One more at key 51, which its owner spends again. Nobody but it could.
		again := n.Bitcoind.Send(lost.NewAddress(), 70_000)
		n.Mine(1, lost)
		h.Wait(t, "the coin", func() error { return lost.HasOutputOf(again) })
		spend(t, lost, again)
		n.Mine(1, lost, peer)

		backup := src.Lose(lost)
		closing := peer.ForceClose(closed.Funding)
		n.Mine(1, peer)
		closeHeight := n.Bitcoind.Height()
		n.Bitcoind.MineEmpty(300)

		run := n.Command("", "find", "--json", "--bitcoin-datadir", n.Bitcoind.Dir, "--hsm-secret", lost.SecretPath(), backup.Path)
		var got found
		if err := json.Unmarshal([]byte(run.Stdout), &got); err != nil || run.Code != 0 {
			t.Fatalf("%d, %v\n%s", run.Code, err, run.Text())
		}
		for _, c := range got.Channels {
			switch c.Funding {
			case closed.Funding.String():
				if c.State != "spent" || c.CloseTxID != closing || c.CloseHeight != closeHeight {
					t.Errorf("the closed channel: %+v, want %s at %d", c, closing, closeHeight)
				}
			case open.Funding.String():
				if c.State != "unspent" {
					t.Errorf("the open channel: %+v", c)
				}
			default:
				t.Errorf("channel %s", c.Funding)
			}
		}
		toRemote, listed := 0, map[key]bool{}
		for _, c := range got.Coins {
			switch c.Kind {
			case "to_remote":
				toRemote++
				if !strings.HasPrefix(c.Outpoint, closing) || c.Height != closeHeight || c.Rescan == nil || *c.Rescan != closeHeight-1 {
					t.Errorf("to_remote: %+v", c)
				}
			case "wallet":
				if strings.HasPrefix(c.Outpoint, again) {
					t.Errorf("a coin that is spent is listed: %+v", c)
				}
				if txid := sent[key{c.AddressType, c.Index}]; txid != "" && strings.HasPrefix(c.Outpoint, txid) {
					listed[key{c.AddressType, c.Index}] = true
					if c.Height != before+1 {
						t.Errorf("%+v, want height %d", c, before+1)
					}
				}
			default:
				t.Errorf("%+v", c)
			}
		}
		if toRemote != 1 || got.Totals.ToRemoteMsat == 0 || len(listed) != len(sent) {
			t.Errorf("%d to_remote, %d of %d coins found\n%s", toRemote, len(listed), len(sent), run.Stdout)
		}
		if got.Rescan == nil || *got.Rescan > before || got.NewaddrCalls != 120 {
			t.Errorf("rescan %v, newaddr %d", got.Rescan, got.NewaddrCalls)
		}

		// For a person; the credentials in a file, the address as a URL.
		auth := n.WriteFile("auth", []byte(n.Bitcoind.User+":"+n.Bitcoind.Password))
		run = n.Command("", "find", "--bitcoind", fmt.Sprintf("http://127.0.0.1:%d", n.Bitcoind.RPCPort), "--bitcoind-auth", auth,
			"--hsm-secret", lost.SecretPath(), backup.Path)
		t.Log(run.Text())
		for _, want := range []string{
			fmt.Sprintf("spent by %s in block %d", closing, closeHeight), "p2tr key 170", "p2wpkh key 0;",
			"newaddr all 120 times", fmt.Sprintf("rescan=-%d", *got.Rescan),
		} {
			if run.Code != 0 || !strings.Contains(run.Stdout, want) && !strings.Contains(run.Stdout, strings.ReplaceAll(want, ";", ",")) {
				t.Errorf("%d, no %q in\n%s", run.Code, want, run.Text())
			}
		}
		secret, err := os.ReadFile(lost.SecretPath())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(run.Text(), hex.EncodeToString(secret)) || strings.Contains(run.Text(), n.Bitcoind.Password) {
			t.Error("a secret is printed")
		}

		t.Run("that restart brings what it says", func(t *testing.T) {
			node := lost.Heir("heir", h.CLNConfig{})
			node.Start()
			for range got.NewaddrCalls {
				node.Must("newaddr", h.Params{"addresstype": "all"}, nil)
			}
			node.Restart(fmt.Sprintf("--rescan=-%d", *got.Rescan))
			var wallet uint64
			for _, c := range got.Coins {
				if c.Kind == "wallet" {
					wallet += c.AmountMsat / 1000
					txid, _, _ := strings.Cut(c.Outpoint, ":")
					h.Wait(t, "coin "+c.Outpoint, func() error { return node.HasOutputOf(txid) })
				}
			}
			if balance := node.Balance(); balance != wallet || wallet*1000 != got.Totals.WalletMsat {
				t.Errorf("the wallet has %d sat, find said %d", balance, wallet)
			}
		})
		t.Run("a bitcoind that is not there is said", func(t *testing.T) {
			run := n.Command("", "find", "--bitcoind", fmt.Sprintf("127.0.0.1:%d", h.FreePort(t)), "--bitcoind-auth", auth,
				"--hsm-secret", lost.SecretPath(), backup.Path)
			if run.Code != 1 || !strings.HasPrefix(run.Stderr, "glrecover: node_unreachable") {
				t.Errorf("%d\n%s", run.Code, run.Text())
			}
		})
	})
}

// addressOf is the address of a wallet key.
func addressOf(t *testing.T, secretPath, kind string, index uint32) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hsm_secret")
	raw, err := os.ReadFile(secretPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o400); err != nil {
		t.Fatal(err)
	}
	secret, err := keychain.Load(path, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Wipe()
	w, err := secret.Wallet("regtest")
	if err != nil {
		t.Fatal(err)
	}
	wpkh, taproot, err := w.Scripts(index)
	if err != nil {
		t.Fatal(err)
	}
	script := wpkh
	if kind == "p2tr" {
		script = taproot
	}
	_, addresses, _, err := txscript.ExtractPkScriptAddrs(script, &chaincfg.RegressionNetParams)
	if err != nil || len(addresses) != 1 {
		t.Fatalf("%v, %v", addresses, err)
	}
	return addresses[0].EncodeAddress()
}

// spend sends one coin of a node's wallet away.
func spend(t *testing.T, node *h.CLN, txid string) {
	t.Helper()
	var address string
	node.Net().Bitcoind.Must("getnewaddress", &address)
	for _, o := range node.Outputs() {
		if o.Txid == txid {
			node.Must("withdraw", h.Params{
				"destination": address, "satoshi": "all", "utxos": []string{fmt.Sprintf("%s:%d", txid, o.Vout)},
			}, nil)
			return
		}
	}
	t.Fatalf("no output of %s", txid)
}
