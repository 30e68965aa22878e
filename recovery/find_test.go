package recovery

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/testdata"
)

// searched is a bitcoind whose UTXO set holds these outputs.
type searched struct {
	*chaintest.Node
	outputs []chain.SetOutput
}

func (s *searched) ScanTxOutSet(context.Context, []chain.Descriptor, func(float64)) (*chain.SetScan, error) {
	return &chain.SetScan{Height: 110, Outputs: s.outputs}, nil
}

// TestFindReportsWhatTheCommandLineDoes, with the plugin's keys and lightningd's
// bitcoind.
func TestFindReportsWhatTheCommandLineDoes(t *testing.T) {
	s := newStory(t, "used-both-ways")
	secret, err := keychain.Load(testdata.Corpus("used-both-ways", "hsm_secret.hex"), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Wipe()
	wallet, err := secret.Wallet("regtest")
	if err != nil {
		t.Fatal(err)
	}
	_, taproot, err := wallet.Scripts(170)
	if err != nil {
		t.Fatal(err)
	}
	coin := chain.SetOutput{TxOut: chain.TxOut{ValueSat: 7000, Script: taproot}, OutPoint: wire.OutPoint{Index: 1}, Height: 90}
	node := &searched{s.chain.Node(), []chain.SetOutput{coin}}
	s.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return node }
	s.start()
	backup := api.Backup{Path: testdata.Corpus("used-both-ways", "backup.json")}
	got, err := s.Find(t.Context(), backup, find.States, silent{})
	if err != nil {
		t.Fatal(err)
	}
	a := got.(*find.Answer)
	if len(a.Channels) == 0 || len(a.Coins) != 1 || a.Coins[0].Outpoint != coin.OutPoint.String() || *a.Coins[0].Index != 170 ||
		a.Coins[0].AddressType != "p2tr" || *a.Rescan != 89 || a.NewaddrCalls != 120 || a.Totals.WalletMsat != 7_000_000 {
		t.Errorf("%+v", a)
	}

	for what, x := range map[string]struct {
		bitcoind chain.Node
		backup   string
		want     failure.Name
	}{
		"no bitcoind":         {nil, "used-both-ways", failure.NodeUnreachable},
		"another node's":      {node, "htlc-in-flight", failure.WrongNode},
		"not the scan's node": {s.chain.Node(), "used-both-ways", failure.NodeUnreachable},
	} {
		s.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return x.bitcoind }
		s.start()
		_, err := s.Find(t.Context(), api.Backup{Path: testdata.Corpus(x.backup, "backup.json")}, find.States, silent{})
		if failure.NameOf(err) != x.want {
			t.Errorf("%s: %v, want %s", what, err, x.want)
		}
	}
}
