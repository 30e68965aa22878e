package plan

import (
	"context"
	"fmt"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
)

// Bounds of the look through the blocks that a plan takes. The engine looks
// further, with patience.
const (
	lookBackTime   = 20 * time.Second
	lookBackBlocks = 500
)

// LookBackFrom is the height from which on spends are looked for: the blocks
// since the backup was written, as far as they are there; why says what of them is
// left out, "" for nothing. at is lightningd's height, for where the chain itself
// does not answer. Where nobody says what is pruned, bcli waits up to a minute for
// a pruned block, and lightningd with it: then only the blocks are looked at that
// are surely there. Whatever fails, the range is bounded and not empty.
func LookBackFrom(ctx context.Context, c chain.Source, written time.Time, at uint32) (from uint32, why string) {
	tip, _, err := c.Best(ctx)
	if err != nil {
		return chain.LowestKept(at), fmt.Sprintf("the height of the chain is unknown: %v", err)
	}
	if written.IsZero() {
		return chain.LowestKept(tip), "the date of the backup is unknown"
	}
	floor, known, reason := c.Floor(ctx)
	if !known {
		return chain.LowestKept(tip), fmt.Sprintf("it is unknown which blocks are available (%s), so only the last %d are scanned", reason, chain.KeptBlocks)
	}
	from, err = c.HeightBefore(ctx, written)
	if err != nil {
		return max(chain.LowestKept(tip), floor), fmt.Sprintf("the block height at which the backup was written is unknown, so only the last %d blocks are scanned: %v", chain.KeptBlocks, err)
	}
	if floor > 0 && from <= floor {
		return floor, fmt.Sprintf("the blocks below %d are pruned", floor)
	}
	return max(from, 1), ""
}

// FundingQuery asks for the funding output of a channel; with our own funding
// key also for its script.
func FundingQuery(c *channel.Channel, keys Keys) chain.FundingQuery {
	q := chain.FundingQuery{OutPoint: c.Funding, CapacitySat: c.CapacitySat}
	if keys != nil {
		if script, err := keys.FundingScript(c); err == nil {
			q.Script = script
		}
	}
	return q
}

// seek asks the chain, where there is one, for each channel's funding output, once,
// and looks back through the blocks for the spends of those that are not there any
// more.
func (p *Plan) seek(ctx context.Context, in *Inputs, channels []*Channel) {
	if in.Chain == nil {
		return
	}
	var missing []*Channel
	for _, c := range channels {
		if c.Channel == nil {
			continue
		}
		e := chain.Evidence(ctx, in.Chain, FundingQuery(c.Channel, in.Keys))
		c.Evidence = &e
		if e.State == chain.FundingUnknown {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		p.lookBack(ctx, in, missing)
	}
}

// spent notes a spend that was found, if it is still in the chain.
func (c *Channel) spent(ctx context.Context, in *Inputs, spend *chain.Spend) {
	q := FundingQuery(c.Channel, in.Keys)
	q.Spend = spend
	e := chain.Evidence(ctx, in.Chain, q)
	c.Evidence = &e
}

// lookBack looks for the spends of funding outputs that are not there any more, in the
// blocks since the backup was written. What it does not find may be further back:
// nothing follows from that.
func (p *Plan) lookBack(ctx context.Context, in *Inputs, missing []*Channel) {
	if p.Written.IsZero() {
		return
	}
	limited, cancel := context.WithTimeout(ctx, lookBackTime)
	defer cancel()
	tip, _, err := in.Chain.Best(limited)
	if err != nil {
		return
	}
	from, _ := LookBackFrom(limited, in.Chain, p.Written, tip)
	if tip > lookBackBlocks {
		from = max(from, tip-lookBackBlocks)
	}
	req := chain.SearchRequest{From: from, To: tip}
	for _, c := range missing {
		req.OutPoints = append(req.OutPoints, c.Channel.Funding)
		if script := FundingQuery(c.Channel, in.Keys).Script; script != nil {
			req.OutPointScripts = append(req.OutPointScripts, script)
		}
	}
	if len(req.OutPointScripts) < len(req.OutPoints) {
		req.OutPointScripts = nil // where one is unknown, the blocks are read
	}
	in.say("looking for %d closed channels in the blocks %d to %d", len(missing), from, tip)
	// What was found before an error counts.
	res, _ := chain.Search(limited, in.Chain, req)
	for _, c := range missing {
		if spend := res.SpendOf(c.Channel.Funding); spend != nil {
			c.spent(ctx, in, spend)
		}
	}
}
