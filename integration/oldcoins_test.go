package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// foundCoins is what glrecover's answer says of the lost node's wallet.
type foundCoins struct {
	Wallet struct {
		Looked bool `json:"looked"`
		Coins  []struct {
			OutPoint string `json:"outpoint"`
			Height   int    `json:"height"`
			Index    uint32 `json:"index"`
			Listed   bool   `json:"listed"`
		} `json:"coins"`
		NewAddresses uint32 `json:"newaddr_calls"`
	} `json:"old_wallet"`
	Rescan struct {
		Height int      `json:"height"`
		Brings []string `json:"brings"`
		Pruned []string `json:"pruned"`
		Needs  int      `json:"pruned_needs_height"`
	} `json:"rescan"`
}

// TestOldCoinsComeBackWithTheOneRestartThatIsNamed: coins on early and late keys
// of the lost node's wallet, one of them from a channel that was closed, all
// mined 300 blocks before the import. glrecover names the newaddr calls and one
// rescan height; with them, and with nothing else, every coin is in the wallet.
func TestOldCoinsComeBackWithTheOneRestartThatIsNamed(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		peer := n.CLN("peer", h.CLNConfig{})
		node := n.CLN("node", src.Config())
		closed := n.Open(node, peer, h.OpenOptions{Sat: 500_000})
		n.Use(node, peer, closed, 500_000)
		var addresses []string
		for range 171 {
			addresses = append(addresses, node.NewAddress())
		}
		before := n.Bitcoind.Height()
		var sent []string
		for i, at := range []int{0, 49, 51, 170} {
			sent = append(sent, n.Bitcoind.Send(addresses[at], uint64(1_000_000+i)))
			n.Bitcoind.Mine(1)
		}
		node.MutualClose(closed) // glrecover claims it itself
		n.Mine(1, node, peer)
		n.Bitcoind.MineEmpty(300)
		peer.WaitSynced()
		node.WaitSynced()
		backup := src.Lose(node)

		me := heir(node)
		answer := me.Recover(backup)
		var found foundCoins
		if err := json.Unmarshal(answer.Raw, &found); err != nil {
			t.Fatal(err)
		}
		w := &found.Wallet
		if !w.Looked {
			t.Fatalf("the lost node's wallet was not looked for:\n%s", answer.Raw)
		}
		highest := uint32(0)
		for _, txid := range sent {
			at := slices.IndexFunc(found.Rescan.Brings, func(o string) bool { return strings.HasPrefix(o, txid) })
			if at < 0 {
				t.Errorf("the rescan does not bring the coin of %s:\n%s", txid, answer.Raw)
			}
		}
		for _, c := range w.Coins {
			highest = max(highest, c.Index)
			if c.Height <= found.Rescan.Height && !c.Listed {
				t.Errorf("coin %s is in block %d, and the rescan begins above %d", c.OutPoint, c.Height, found.Rescan.Height)
			}
		}
		if found.Rescan.Height >= before+1 || w.NewAddresses == 0 || w.NewAddresses >= highest {
			t.Errorf("rescan from %d with %d newaddr calls; the first coin came after block %d, the highest key is %d", found.Rescan.Height, w.NewAddresses, before, highest)
		}
		steps := strings.Join(answer.NextSteps, "\n")
		for _, want := range []string{fmt.Sprintf("rescan=-%d for that one restart", found.Rescan.Height), fmt.Sprintf("newaddr all %d times", w.NewAddresses)} {
			if !strings.Contains(steps, want) {
				t.Errorf("the next steps do not say %q:\n%s", want, steps)
			}
		}
		h.Say("%s: %d coins up to key %d, %d newaddr calls, rescan=-%d", t.Name(), len(w.Coins), highest, w.NewAddresses, found.Rescan.Height)

		for range w.NewAddresses {
			me.Must("newaddr", h.Params{"addresstype": "all"}, nil)
		}
		me.Restart(fmt.Sprintf("--rescan=-%d", found.Rescan.Height))
		for _, outpoint := range found.Rescan.Brings {
			h.Wait(t, "the old coin "+outpoint, func() error {
				for _, o := range me.Outputs() {
					if fmt.Sprintf("%s:%d", o.Txid, o.Vout) == outpoint {
						return nil
					}
				}
				return fmt.Errorf("listfunds does not have %s", outpoint)
			})
		}
	})
}
