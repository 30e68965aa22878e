package plan

import (
	"context"
	"maps"
	"slices"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/locate"
	"github.com/glrecover/glrecover/scbconv"
)

// standIns are the channels that this node could have had with its peers, by the
// script to which a peer's commitment pays us: a close that nobody speaks of any
// more is found by them.
func (p *Plan) standIns(in *Inputs) map[*channel.Channel][]byte {
	out := map[*channel.Channel][]byte{}
	if !in.Words || in.Keys == nil {
		return out
	}
	peers := map[channel.PubKey]bool{}
	for i := range in.Heard {
		peers[in.Heard[i].Peer] = true
	}
	known := map[channel.Key]bool{}
	for _, c := range p.All() {
		peers[c.PeerID] = true
		if c.Channel != nil {
			known[c.Channel.Key] = true
		}
	}
	for id := range peers {
		for dbid := uint64(1); dbid <= judge.SearchedDBIDs; dbid++ {
			k := channel.Key{Peer: id, DBID: dbid}
			if known[k] {
				continue
			}
			ours, err := in.Keys.Basepoints(k)
			if err != nil {
				continue
			}
			for _, t := range judge.ToRemoteTypes {
				if script := judge.ToRemote(t, ours.Payment); script != nil {
					out[&channel.Channel{Key: k, Type: t, ByID: true}] = script
				}
			}
		}
	}
	return out
}

// foundByScript adds the channel of an output that a peer's commitment pays us: the
// commitment is in the output's block, and its one input is the funding output.
func (p *Plan) foundByScript(ctx context.Context, in *Inputs, a *locate.Addresses, coin *find.Coin) {
	res, err := chain.Search(ctx, in.Chain, chain.SearchRequest{From: coin.Height, To: coin.Height, Scripts: [][]byte{coin.Script}})
	i := slices.IndexFunc(res.Found, func(f chain.Found) bool { return f.OutPoint == coin.OutPoint })
	if err != nil || i < 0 {
		p.warn("%d sat at %s pay to a key of a channel with peer %s (dbid %d), and the block at height %d that has them cannot be read", coin.ValueSat,
			coin.OutPoint, coin.Channel.Peer, coin.Channel.DBID, coin.Height)
		return
	}
	p.foundClose(ctx, in, a, coin.Channel, &res.Found[i])
}

// foundClose adds the channel of a close that pays to a script of a stand-in.
func (p *Plan) foundClose(ctx context.Context, in *Inputs, a *locate.Addresses, standIn *channel.Channel, f *chain.Found) {
	if len(f.Tx.TxIn) != 1 || p.keyTaken(standIn.Key) {
		return
	}
	ch := *standIn
	ch.Funding = f.Tx.TxIn[0].PreviousOutPoint
	for _, out := range f.Tx.TxOut {
		ch.CapacitySat += uint64(out.Value)
	}
	x := &Channel{Channel: &ch, Copy: &backup.Copy{Source: backup.FromChain, Peer: ch.Peer}}
	p.describe(ctx, a, x, scbconv.Choice{})
	x.spent(ctx, in, &chain.Spend{OutPoint: ch.Funding, Tx: f.Tx, TxID: f.Tx.TxHash(), Height: f.Height, Block: f.Block})
	p.Extra = append(p.Extra, x)
}

// goneScripts are those toRemoteScripts of whose channels no filter knows the funding
// script: a stored copy does not have the peer's funding key.
func (p *Plan) goneScripts(in *Inputs) map[string]*Channel {
	if _, sifts := in.Chain.(chain.Sifter); !sifts || in.Keys == nil {
		return nil
	}
	out := p.toRemoteScripts(in)
	maps.DeleteFunc(out, func(_ string, c *Channel) bool { return FundingQuery(c.Channel, in.Keys).Script != nil })
	return out
}

// searchBlocks looks for the stand-ins' outputs in the blocks since a time, where the
// unspent outputs cannot be asked for, and for those of channels that are gone.
func (p *Plan) searchBlocks(ctx context.Context, in *Inputs, a *locate.Addresses, standIns map[*channel.Channel][]byte) {
	gone := p.goneScripts(in)
	if len(standIns)+len(gone) == 0 {
		return
	}
	if p.Written.IsZero() {
		p.warn("you gave no date since which the node existed (since=DATE), so glrecover did not look for closes that no peer mentions any more")
		return
	}
	tip, _, err := in.Chain.Best(ctx)
	if err != nil {
		return
	}
	from, _ := LookBackFrom(ctx, in.Chain, p.Written, tip)
	by, req := map[string]*channel.Channel{}, chain.SearchRequest{From: from, To: tip}
	for ch, script := range standIns {
		by[string(script)] = ch
		req.Scripts = append(req.Scripts, script)
	}
	for script := range gone {
		req.Scripts = append(req.Scripts, []byte(script))
	}
	in.say("searching blocks %d to %d for closes that no peer mentions any more", from, tip)
	req.Progress = func(height, to uint32) {
		if height%500 == 0 {
			in.say("block %d of %d", height, to)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	res, err := chain.Search(ctx, in.Chain, req)
	for i := range res.Found {
		f := &res.Found[i]
		if c := gone[string(f.Script)]; c == nil {
			p.foundClose(ctx, in, a, by[string(f.Script)], f)
		} else if len(f.Tx.TxIn) == 1 && f.Tx.TxIn[0].PreviousOutPoint == c.Channel.Funding {
			c.spent(ctx, in, &chain.Spend{OutPoint: c.Channel.Funding, Tx: f.Tx, TxID: f.Tx.TxHash(), Height: f.Height, Block: f.Block})
		}
	}
	if err != nil {
		p.warn("the search of the blocks from %d on for old closes ended at block %d: %v", from, res.Next, err)
	}
}
