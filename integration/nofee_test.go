package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	h "github.com/glrecover/glrecover/integration/harness"
)

// TestACloseThatWasThereBeforeTheFirstCallIsPaidForSixBlocksAfterItAndNotBefore:
// the peer closed long ago and no block has taken it. How long nobody knows; the
// count begins with the call, and what may be paid is said before it is paid. A
// second heir of the same kind says that nothing may be paid, and nothing is.
func TestACloseThatWasThereBeforeTheFirstCallIsPaidForSixBlocksAfterItAndNotBefore(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		peer := n.CLN("peer", h.CLNConfig{})
		paying, sparing := &inheritance{lost: n.CLN("lost", src.Config())}, &inheritance{lost: n.CLN("lost-too", src.Config())}
		both := []*inheritance{paying, sparing}
		for _, i := range both {
			i.lane = &h.Lane{From: i.lost, To: peer, Sat: 1_000_000}
		}
		n.OpenLanes(paying.lane, sparing.lane)
		var backups []h.Backup
		for _, i := range both {
			n.UseLane(i.lane)
			backups = append(backups, src.Lose(i.lost))
		}
		n.Mine(40, peer)
		for _, i := range both {
			i.me = i.lost.Heir("heir-of-"+i.lost.Name, h.CLNConfig{Plugin: true, Options: []string{fmt.Sprintf("force-feerates=%d", dearPerKW)}})
			i.me.Start()
			i.coin = heirsCoin
			i.me.FundWallet(heirsCoin)
		}
		for _, i := range both {
			i.closing = n.Bitcoind.MempoolTx(peer.ForceClose(i.lane.Funding))
		}
		peer.Kill()
		blocks := func(k int) {
			t.Helper()
			n.Bitcoind.MineEmpty(k)
			paying.me.WaitSynced()
			sparing.me.WaitSynced()
		}
		blocks(3 * stuckBlocks)

		for j, i := range both {
			p := h.Params{"backup": backups[j].Path, "decommissioned": true}
			if i == sparing {
				p["max_fee_percent"] = 0
			}
			answer, err := i.me.Glrecover(p)
			if err != nil {
				t.Fatal(err)
			}
			i.id = answer.Of(i.lane.Funding).ChannelID
			if steps := strings.Join(answer.NextSteps, "\n"); !strings.Contains(steps, "max_fee_percent") {
				t.Errorf("%s: next steps %q", i.me.Name, steps)
			}
		}
		paying.waitStatus(t, "blocks", "waits for its first confirmation", "up to ", "max_fee_percent 10")
		sparing.waitStatus(t, "blocks", "waits for its first confirmation")
		none := func() error { return onlyThese(n, paying.closing.Txid, sparing.closing.Txid) }
		h.Holds(t, 3*time.Second, "no child at the call", none)
		blocks(stuckBlocks - 1)
		h.Holds(t, 2*time.Second, "no child before its time", none)
		blocks(1)
		child := paying.waitChild(t, n, "")
		if cost, most := paying.added(child), paying.tenth(); cost > most {
			t.Errorf("%d sat were paid, at most %d may be", cost, most)
		}
		sparing.waitStatus(t, "blocks", "max_fee_percent is 0")
		h.Holds(t, 2*time.Second, "no child of the heir that pays nothing", func() error {
			return onlyThese(n, paying.closing.Txid, sparing.closing.Txid, child.Txid)
		})
		n.Mine(1, paying.me, sparing.me)
		for _, i := range both {
			h.Wait(t, "the coin in the wallet", func() error { return i.me.HasOutputOf(i.closing.Txid) })
			h.Wait(t, "the channel to be credited", func() error { return stateIs(i.me, i.id, "credited") })
		}
	})
}

// tenth is a tenth, in sat, of to_remote, the largest output of the close: the
// lost node has two thirds of the channel.
func (i *inheritance) tenth() uint64 {
	var most uint64
	for _, o := range i.closing.Vout {
		most = max(most, o.Value.Sat())
	}
	return most / 10
}
