package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// TestACoinThatAnotherInstanceSweptIsLostAndOneThatTheWalletSpentIsNot: a second
// node with the same secret (no plugin) takes to_remote of one channel and sends
// it away; the wallet itself spends that of another. lightningd lists both
// outputs as spent.
func TestACoinThatAnotherInstanceSweptIsLostAndOneThatTheWalletSpentIsNot(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		one, two := n.CLN("one", h.CLNConfig{}), n.CLN("two", h.CLNConfig{})
		node := n.CLN("node", src.Config())
		swept := n.Open(node, one, h.OpenOptions{Sat: 1_000_000})
		n.Use(node, one, swept, 1_000_000)
		spent := n.Open(node, two, h.OpenOptions{Sat: 800_000})
		n.Use(node, two, spent, 800_000)
		backup := src.Lose(node)

		me := heir(node)
		answer := me.Recover(backup)
		id := map[h.Outpoint]string{swept: answer.Of(swept).ChannelID, spent: answer.Of(spent).ChannelID}
		closing := map[h.Outpoint]string{swept: n.WaitSpent(swept), spent: n.WaitSpent(spent)}
		waitStub(t, me, swept)
		waitStub(t, me, spent)

		// The other instance has the same stubs, by the command line's own output.
		other := node.Heir("other", h.CLNConfig{Options: []string{"offline"}})
		other.Start()
		if _, err := other.RecoverChannel(h.Convert(t, backup)); err != nil {
			t.Fatal(err)
		}
		// to_remote with anchors can be spent in the second block after the close.
		n.Mine(2, me, other)
		for _, f := range []h.Outpoint{swept, spent} {
			h.Wait(t, "the coin in both wallets", func() error {
				return errors.Join(me.HasOutputOf(closing[f]), other.HasOutputOf(closing[f]))
			})
			wantCredited(t, me, id[f])
		}
		theft := other.SendAll(n.Bitcoind.NewAddress(), outputsOf(other, closing[swept])...)
		mine := me.SendAll(n.Bitcoind.NewAddress(), outputsOf(me, closing[spent])...)
		n.Mine(1, me)

		h.Wait(t, "the status to say who took it", func() error {
			c := me.Status().Of(id[swept])
			if c.State != "lost_to" || c.Recovered != 0 || !strings.Contains(c.Reason, theft) {
				return fmt.Errorf("%s, %d msat recovered: %s", c.State, c.Recovered, c.Reason)
			}
			return nil
		})
		h.Wait(t, "the status to say that the wallet has spent it", func() error {
			c := me.Status().Of(id[spent])
			if c.State != "credited" || c.Recovered == 0 || !strings.Contains(c.Reason, "which has spent") {
				return fmt.Errorf("%s, %d msat recovered (own withdrawal %s): %s", c.State, c.Recovered, mine, c.Reason)
			}
			return nil
		})
		s := me.Status()
		if len(s.Alarms) != 1 || !strings.Contains(s.Alarms[0], theft) {
			t.Errorf("alarms %q", s.Alarms)
		}
		if got := s.Totals.Recovered; got != s.Of(id[spent]).Recovered {
			t.Errorf("%d msat recovered in all", got)
		}
		n.Mine(100, me)
		h.Wait(t, "the end of the other channel", func() error { return stateIs(me, id[spent], "resolved") })
		s = me.Status()
		if c := s.Of(id[swept]); c.State != "lost_to" || c.Recovered != 0 {
			t.Errorf("a hundred blocks later: %s: %s", c.State, c.Reason)
		}
		for _, note := range s.Notes {
			if strings.Contains(note, "Everything is done") {
				t.Errorf("note %q", note)
			}
		}
	})
}

// outputsOf are the wallet's outputs of one transaction.
func outputsOf(node *h.CLN, txid string) []string {
	var out []string
	for _, o := range node.Outputs() {
		if o.Txid == txid {
			out = append(out, fmt.Sprintf("%s:%d", o.Txid, o.Vout))
		}
	}
	return out
}
