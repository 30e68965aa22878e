package plan

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/locate"
)

// searchTime bounds it: minutes on the main chain.
const searchTime = 15 * time.Minute

// search looks through all unspent outputs, in one pass, for what can be ours:
// the lost node's wallet, and to_remote of the channels whose funding output
// is nowhere.
func (p *Plan) search(ctx context.Context, in *Inputs, a *locate.Addresses) {
	standIns := p.standIns(in)
	switch {
	case in.Set == nil:
		p.searchBlocks(ctx, in, a, standIns)
		p.Wallet.Reason = "bitcoind's unspent outputs cannot be searched (scantxoutset), so glrecover did not look for the lost node's on-chain coins"
		if in.Alone {
			p.Wallet.Reason = "only bitcoind can search its unspent outputs (scantxoutset), so glrecover did not look for the lost node's on-chain coins"
		}
		return
	case in.Keys == nil:
		p.Wallet.Reason = "without the hsm_secret glrecover cannot look for the lost node's on-chain coins"
		return
	}
	keys, sees, err := in.Keys.Wallet()
	if err != nil {
		p.Wallet.Reason = err.Error()
		return
	}
	in.say("searching all unspent outputs for the lost node's coins")
	targets := find.WalletTargets(keys)
	waiting := map[*channel.Channel]*Channel{}
	for script, c := range p.toRemoteScripts(in) {
		targets.AddToRemote(c.Channel, []byte(script))
		waiting[c.Channel] = c
	}
	for ch, script := range standIns {
		targets.AddToRemote(ch, script)
	}
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	report, err := find.Unspent(ctx, in.Set, targets, func(percent float64) { in.say("unspent outputs: %.0f %% searched", percent) })
	switch {
	case errors.Is(err, chain.ErrScanBusy):
		p.Wallet.Reason = "bitcoind is busy with somebody else's scantxoutset: call again when it is done"
		return
	case err != nil:
		p.Wallet.Reason = fmt.Sprintf("the unspent outputs could not be searched: %v", err)
		return
	}
	p.Wallet = report.OldWallet(sees, p.listing())
	for i := range report.Coins {
		coin := &report.Coins[i]
		if coin.Kind != find.ToRemote {
			continue
		}
		if c := waiting[coin.Channel]; c != nil {
			c.toRemoteCoin(ctx, in, coin)
		} else {
			p.foundByScript(ctx, in, a, coin)
		}
	}
}

// listing are the outpoints that listfunds has.
func (p *Plan) listing() map[string]bool {
	out := map[string]bool{}
	if p.Node != nil {
		for i := range p.Node.Wallet {
			out[p.Node.Wallet[i].OutPoint.String()] = true
		}
	}
	return out
}

// toRemoteScripts are the scripts to which the peers' commitments pay us, of the
// channels whose funding output is nowhere and whose spend is not in hand.
func (p *Plan) toRemoteScripts(in *Inputs) map[string]*Channel {
	out := map[string]*Channel{}
	for _, c := range p.All() {
		if c.Channel == nil || !c.Channel.DBIDKnown() || c.Evidence == nil || c.Evidence.State != chain.FundingUnknown {
			continue
		}
		ours, err := in.Keys.Basepoints(c.Channel.Key)
		if err != nil {
			continue
		}
		if script := judge.ToRemote(c.Channel.Type, ours.Payment); script != nil {
			out[string(script)] = c
		}
	}
	return out
}

// toRemoteCoin finds the close of a to_remote output that is there: it is in the
// block of its height. Where that is pruned, the output itself is what is known.
func (c *Channel) toRemoteCoin(ctx context.Context, in *Inputs, coin *find.Coin) {
	if c.Evidence.State != chain.FundingUnknown {
		return
	}
	res, err := chain.Search(ctx, in.Chain, chain.SearchRequest{From: coin.Height, To: coin.Height, OutPoints: []wire.OutPoint{c.Channel.Funding}})
	if spend := res.SpendOf(c.Channel.Funding); err == nil && spend != nil {
		c.spent(ctx, in, spend)
	}
	if c.Evidence.State == chain.FundingUnknown {
		c.Outputs = append(c.Outputs, Coin{
			OutPoint: coin.OutPoint.String(), AmountMsat: channel.Msat(coin.ValueSat), What: "to_remote", Height: coin.Height, By: judge.BySweep,
		})
	}
}

// coinCloses finds the closes that paid to the lost node's wallet: each is in the
// block of its coin, however old that is.
func (p *Plan) coinCloses(ctx context.Context, in *Inputs) {
	gone := map[wire.OutPoint]*Channel{}
	for _, c := range p.All() {
		if c.Channel != nil && c.Evidence != nil && c.Evidence.State == chain.FundingUnknown {
			gone[c.Channel.Funding] = c
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookBackTime)
	defer cancel()
	looked := map[uint32]bool{}
	for _, coin := range p.Wallet.Coins {
		if len(gone) == 0 || looked[coin.Height] {
			continue
		}
		looked[coin.Height] = true
		// A block that cannot be had says nothing.
		res, _ := chain.Search(ctx, in.Chain, chain.SearchRequest{From: coin.Height, To: coin.Height, OutPoints: slices.Collect(maps.Keys(gone))})
		for i := range res.Spends {
			spend := &res.Spends[i]
			gone[spend.OutPoint].spent(ctx, in, spend)
			delete(gone, spend.OutPoint)
		}
	}
}

// rescan finds the one restart that brings what lightningd's wallet can have
// and does not list.
func (p *Plan) rescan(pruned uint32) *find.Rescan {
	var outputs []find.Output
	swept := map[string]bool{}
	for _, c := range p.All() {
		for _, o := range c.Outputs {
			swept[o.OutPoint] = o.By == judge.BySweep
			if o.By == judge.ByRescan {
				outputs = append(outputs, find.Output{OutPoint: o.OutPoint, Height: o.Height})
			}
		}
	}
	for _, c := range p.Wallet.Coins {
		if c.Visible && !c.Listed && !swept[c.OutPoint] {
			outputs = append(outputs, find.Output{OutPoint: c.OutPoint, Height: c.Height})
		}
	}
	return find.OneRescan(outputs, pruned)
}
