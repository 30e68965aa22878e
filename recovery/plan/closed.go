package plan

import (
	"bytes"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
)

// followClosed settles a channel whose close is in a block and may owe us
// something: it is not imported, since a stub that never sees the close means
// nothing and takes a dbid.
func (p *Plan) followClosed(in *Inputs, c *Channel) {
	height := c.Evidence.Spend.Height
	kind := judge.Unknown
	if c.Close != nil {
		kind = c.Close.Kind
		c.Outputs = c.coins(height, in)
	}
	c.decide(decision.FollowClosed, "", "closed at height %d by %s (%s), before this import: it is not imported, and its outputs are followed",
		height, c.Evidence.Spend.TxID, kind)
	switch kind {
	case judge.Revoked:
		c.warn("the peer published a commitment that it had revoked: %d sat can be claimed until block %d", c.Close.Claim, height+c.Close.Delay)
	case judge.OursOld:
		c.warn("our own revoked commitment is on the chain: the peer can take everything in it")
	case judge.Splice:
		c.warn("the funding output was spent into a new channel output (a splice): somebody went on using this channel after the backup")
	case judge.NoSecret:
		c.Cure = "Let glrecover read the hsm_secret: then it can tell which outputs are ours"
	case judge.Mutual, judge.Ours, judge.Theirs, judge.Unknown:
	}
}

// coins are our outputs of a close in a block at height, and what brings each.
func (c *Channel) coins(height uint32, in *Inputs) []Coin {
	out := make([]Coin, 0, len(c.Close.Owed))
	for _, o := range c.Close.Owed {
		coin := Coin{OutPoint: o.OutPoint.String(), AmountMsat: channel.Msat(o.Sat), What: o.What, Height: height, From: o.From, By: judge.BySweep}
		switch {
		case o.Elsewhere:
			coin.By = judge.ByElsewhere
		case !in.Sweeps && o.Wallet && onWallet(c.Channel, c.Close.Close, o, in.Keys):
			coin.By = judge.ByRescan
		}
		out = append(out, coin)
	}
	return out
}

// onWallet reports whether the output pays to a script of lightningd's own
// wallet, which a rescan finds. to_remote is lightningd's too, but only through
// onchaind, and onchaind needs a stub that was there when the close confirmed.
func onWallet(c *channel.Channel, found *onchain.Close, o judge.Owed, keys Keys) bool {
	for i := range found.Outputs {
		out := &found.Outputs[i]
		if out.OutPoint != o.OutPoint {
			continue
		}
		if keys != nil {
			return keys.InWallet(out.PkScript)
		}
		return len(c.HolderShutdownScript) > 0 && bytes.Equal(out.PkScript, c.HolderShutdownScript)
	}
	return false
}

// listed notes what of the coins the wallet lists.
func listed(coins []Coin, listing map[string]bool) {
	for i := range coins {
		if listing[coins[i].OutPoint] {
			coins[i].By = judge.Listed
		}
	}
}
