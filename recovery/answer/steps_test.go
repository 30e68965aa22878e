package answer

import (
	"strings"
	"testing"

	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/proof"
)

// A rescan does not show the old coins to a node that runs on words, so nobody
// is sent into one.
func TestTheNextStepForOnChainCoinsDependsOnTheFormOfTheSecret(t *testing.T) {
	for _, c := range []struct {
		warnings   []string
		want, lack string
	}{
		{[]string{}, "show after one restart of lightningd with rescan=-HEIGHT", "fresh directory"},
		{[]string{"another", proof.WalletWarning}, "with the 32-byte file that glrecover hsm-secret writes and with rescan=-HEIGHT", "one restart of lightningd with rescan"},
	} {
		steps := strings.Join(nextSteps(&Answer{Warnings: c.warnings}), "\n")
		if !strings.Contains(steps, c.want) || strings.Contains(steps, c.lack) {
			t.Errorf("with the warnings %q:\n%s", c.warnings, steps)
		}
	}
}

// TestTheNextStepForCoinsThatWereFound names one exact restart, what must come
// before it, and what it cannot bring.
func TestTheNextStepForCoinsThatWereFound(t *testing.T) {
	some := []find.OldCoin{{OutPoint: "a:0"}}
	for _, c := range []struct {
		what   string
		wallet *find.OldWallet
		rescan *find.Rescan
		want   []string
		lack   string
	}{
		{"one rescan", &find.OldWallet{Looked: true, Coins: some}, &find.Rescan{Height: 799, Brings: []string{"a:0"}}, []string{"rescan=-799", "does not list yet (1;"}, "newaddr"},
		{"late keys", &find.OldWallet{Looked: true, Coins: some, NewAddresses: 120}, &find.Rescan{Height: 799, Brings: []string{"a:0"}}, []string{"newaddr all 120 times", "rescan=-799"}, "HEIGHT"},
		{"pruned", &find.OldWallet{Looked: true, Coins: some}, &find.Rescan{Brings: []string{}, Pruned: []string{"a:0"}, Needs: 5}, []string{"not pruned", "rescan=-5"}, "rescan=-0"},
		{"some pruned", &find.OldWallet{Looked: true, Coins: some}, &find.Rescan{Height: 9, Brings: []string{"b:0"}, Pruned: []string{"a:0"}, Needs: 5}, []string{"rescan=-9", "not pruned", "rescan=-5"}, "HEIGHT"},
		{"a close, and the wallet was not looked for", &find.OldWallet{Reason: "no bitcoind"}, &find.Rescan{Height: 7, Brings: []string{"a:0"}}, []string{"rescan=-7"}, "HEIGHT"},
		{"no coin", &find.OldWallet{Looked: true}, nil, []string{"No coin is left"}, "rescan"},
		{"all listed", &find.OldWallet{Looked: true, Coins: some}, nil, []string{"lists all 1 coins"}, "rescan"},
		{"words", &find.OldWallet{Looked: true, Coins: some, Cure: "Start another"}, nil, []string{"Start another."}, "HEIGHT"},
	} {
		steps := strings.Join(nextSteps(&Answer{OldWallet: c.wallet, Rescan: c.rescan}), "\n")
		for _, want := range c.want {
			if !strings.Contains(steps, want) {
				t.Errorf("%s: %q is missing in\n%s", c.what, want, steps)
			}
		}
		if strings.Contains(steps, c.lack) {
			t.Errorf("%s: %q is in\n%s", c.what, c.lack, steps)
		}
	}
}
