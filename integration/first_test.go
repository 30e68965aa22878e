package integration

import (
	"errors"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// pushed is what a peer gave the lost node with the channel that it opened, in
// sat.
const pushed = 300_000

// TestAChannelThatIsAtItsFirstCommitmentsComesBack: the peer publishes its
// commitment number 0 or 1, and both sides have coins in it. A peer that sold
// incoming liquidity opened the channel and nobody used it; or the very first
// payment is under way. onchaind must not take such a number for one that it
// knows.
func TestAChannelThatIsAtItsFirstCommitmentsComesBack(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		h.Need(t, h.LND)
		src = src.AtBirth()
		node := n.CLN("node", src.Config())
		seller := n.CLN("seller", h.CLNConfig{})
		holder := n.CLN("holder", h.CLNConfig{Hold: true})
		lnd := n.LND("lnd")
		channels := []struct {
			name   string
			opener h.Node
			htlc   uint64
			f      h.Outpoint
		}{
			{name: "CLN, pushed and never used", opener: seller},
			{name: "lnd, pushed and never used", opener: lnd},
			{name: "CLN, the first payment pending", opener: holder, htlc: 40_000},
		}
		addresses := map[string]string{}
		for i := range channels {
			c := &channels[i]
			c.f = n.Open(c.opener, node, h.OpenOptions{Sat: 1_000_000, PushSat: pushed})
			addresses[c.opener.NodeID()] = c.opener.Address()
			if c.htlc > 0 {
				holder.HoldHTLCs()
				n.OfferOver(&h.Lane{From: holder, To: node, Sat: 1_000_000, Funding: c.f}, node, c.htlc*1000)
				waitPending(t, node, c.f, 1)
				waitPending(t, holder, c.f, 1)
			}
		}
		backup := src.Lose(node)

		me := heir(node)
		answer, err := me.Glrecover(h.Params{"backup": backup.Path, "decommissioned": true, "addresses": addresses})
		if err != nil {
			t.Fatal(err)
		}
		closing := map[h.Outpoint]string{}
		for _, c := range channels {
			closing[c.f] = n.WaitSpent(c.f)
		}
		for _, c := range channels {
			waitStub(t, me, c.f)
		}
		n.Mine(1, me)
		for _, c := range channels {
			h.Wait(t, c.name+": the coin in the wallet", func() error { return me.HasOutputOf(closing[c.f]) })
			if got := me.Received(closing[c.f]); got != pushed-c.htlc {
				t.Errorf("%s: %d sat came back of %d", c.name, got, pushed-c.htlc)
			}
			wantCredited(t, me, answer.Of(c.f).ChannelID)
		}
	})
}

// waitStub waits until lightningd has the stub of a channel: before the block
// with the close, or lightningd does not see the coin.
func waitStub(t *testing.T, node *h.CLN, funding h.Outpoint) {
	t.Helper()
	h.Wait(t, "lightningd to have the stub of "+funding.String(), func() error {
		if node.Channel(funding) == nil {
			return errors.New("no such channel")
		}
		return nil
	})
}
