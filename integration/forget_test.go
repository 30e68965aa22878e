package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	h "github.com/glrecover/glrecover/integration/harness"
)

// awaiting opens a channel that the peer still awaits our channel_ready of: the
// node is lost while the funding confirms, and then has this many confirmations.
func awaiting(t *testing.T, n *h.Net, src h.Source, node, peer *h.CLN, sat uint64, confirmations int) (funding h.Outpoint, backup h.Backup) {
	t.Helper()
	node.FundWallet(sat + 50_000)
	node.WaitSynced()
	peer.WaitSynced()
	node.Connect(peer)
	var opened struct {
		Txid string `json:"txid"`
		Vout uint32 `json:"outnum"`
	}
	h.Wait(t, "the opening", func() error {
		return node.Call("fundchannel", h.Params{"id": peer.ID, "amount": sat, "announce": false}, &opened)
	})
	funding = h.Outpoint{Txid: opened.Txid, Vout: opened.Vout}
	backup = src.Lose(node)
	n.Mine(confirmations, peer)
	peer.WaitState(funding, "CHANNELD_AWAITING_LOCKIN")
	return funding, backup
}

// TestAPeerThatStillAwaitsChannelReadyIsAskedFirst: its channel_reestablish says
// 1/0, and at lightningd's own connection it would forget the channel. Ours alone
// makes it close; lightningd, started offline, gets the channel when the close is
// in sight, takes offline out at its restart, and has the coin.
func TestAPeerThatStillAwaitsChannelReadyIsAskedFirst(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		src = src.AtBirth()
		peer, node := n.CLN("peer", h.CLNConfig{}), n.CLN("node", src.Config())
		funding, backup := awaiting(t, n, src, node, peer, 700_000, 6)

		me := node.Heir("heir", h.CLNConfig{Plugin: true, Options: []string{"offline"}})
		me.Start()
		answer := me.Recover(backup)
		a := answer.Of(funding)
		if a.Result != "asked_first" || a.Reason == "" {
			t.Errorf("result %s: %s", a.Result, a.Reason)
		}
		if steps := strings.Join(answer.NextSteps, "\n"); !strings.Contains(steps, "offline") {
			t.Errorf("next steps %q", answer.NextSteps)
		}
		closing := n.WaitSpent(funding)
		waitStub(t, me, funding)
		n.Mine(1, me)
		h.Wait(t, "the coin in the wallet", func() error { return me.HasOutputOf(closing) })
		if got := me.Received(closing); got < 690_000 || got > 700_000 {
			t.Errorf("%d sat came back of 700,000", got)
		}
		wantCredited(t, me, a.ChannelID)

		me.Config.Options = nil
		me.Restart()
		h.Wait(t, "the coin after the restart", func() error { return stateIs(me, a.ChannelID, "credited") })
		n.Mine(100, me)
		h.Wait(t, "the end", func() error { return stateIs(me, a.ChannelID, "resolved") })
	})
}

// TestAYoungChannelBesideAUsedOneIsNotForgotten: if lightningd got the used channel at
// once, it would tell the peer that it does not know the young one. Our own session asks
// for the used one, whose close is swept, and for the young one when it is three blocks
// deep.
func TestAYoungChannelBesideAUsedOneIsNotForgotten(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		peer, node := n.CLN("peer", h.CLNConfig{}), n.CLN("node", src.Config())
		used := n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
		n.Use(node, peer, used, 1_000_000)
		young, backup := awaiting(t, n, src, node, peer, 700_000, 1)

		me := heir(node)
		answer := me.Recover(backup)
		if a := answer.Of(young); a.Result != "funding_unconfirmed" {
			t.Errorf("the young channel: result %s: %s", a.Result, a.Reason)
		}
		if steps := strings.Join(answer.NextSteps, "\n"); !strings.Contains(steps, "offline and do not connect to any peer") {
			t.Errorf("next steps %q", answer.NextSteps)
		}
		n.WaitSpent(used)
		if me.Channel(used) != nil {
			t.Error("lightningd has the used channel, and connects to the peer")
		}
		n.Mine(1, me)
		if err := n.StillUnspent(young); err != nil {
			t.Fatalf("asked for at two confirmations: %v", err)
		}
		peer.WaitState(young, "CHANNELD_AWAITING_LOCKIN")
		n.Mine(1, me)
		n.WaitSpent(young)
		n.Mine(1, me)
		for _, funding := range []h.Outpoint{used, young} {
			id := answer.Of(funding).ChannelID
			h.Wait(t, "the coin in the wallet", func() error {
				if err := stateIs(me, id, "credited"); err != nil {
					n.Mine(1, me)
					return err
				}
				return nil
			})
			c := me.Status().Of(id)
			if c.Recovered+10_000_000 < c.Share || c.Recovered > c.Share {
				t.Errorf("%d msat came back of %d", c.Recovered, c.Share)
			}
		}
	})
}

// TestAPeerThatHasForgottenTheChannelIsSaidToHaveWithinMinutes: the user connected
// to the peer before the import, lightningd did not know the channel and said so,
// and the peer forgot it. Nobody can undo that; it is said in capitals.
func TestAPeerThatHasForgottenTheChannelIsSaidToHaveWithinMinutes(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		src = src.AtBirth()
		peer, node := n.CLN("peer", h.CLNConfig{}), n.CLN("node", src.Config())
		funding, backup := awaiting(t, n, src, node, peer, 700_000, 6)

		me := heir(node)
		me.Connect(peer)
		h.Wait(t, "the peer to forget", func() error {
			if c := peer.Channel(funding); c != nil {
				return fmt.Errorf("%s %v", c.State, c.Status)
			}
			return nil
		})
		answer := me.Recover(backup)
		id := answer.Of(funding).ChannelID
		begun := time.Now()
		if err := h.Poll(3*time.Minute, func() error {
			c := me.Status().Of(id)
			if c.State != "peer_forgot_channel" || !strings.Contains(c.Reason, "THE PEER HAS FORGOTTEN THIS CHANNEL") || !strings.Contains(c.Reason, "700000 SAT") {
				return fmt.Errorf("%s: %s", c.State, c.Reason)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		t.Logf("MEASURED: said after %s", time.Since(begun).Round(time.Second))
		if s := me.Status(); len(s.Alarms) != 1 || s.Of(id).Recovered != 0 {
			t.Errorf("alarms %q", s.Alarms)
		}
		if err := n.StillUnspent(funding); err != nil {
			t.Error(err)
		}
	})
}
