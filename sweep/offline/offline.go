// Package offline finds the closes of a backup's channels, in transactions that
// the user has or in the blocks of a bitcoind, and the coins of the node's own wallet
// in its UTXO set, and builds what sweeps them: for users whose node cannot run.
//
// It asks bitcoind for blocks and unspent outputs, and nothing else. It never sends a transaction,
// never imports a channel, talks to no peer, and keeps no record: the blocks
// are its memory.
package offline

import (
	"context"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/sweep/seedkeys"
)

// Backup is what is known before the chain is asked.
type Backup struct {
	Channels []*channel.Channel
	Keys     *seedkeys.Keys
	// Preimages are the user's and the backup's.
	Preimages sweep.Preimages
}

// Close is the close of one channel.
type Close struct {
	Channel *channel.Channel
	Found   *onchain.Close
	// Height is that of its block, 0 where the user did not say.
	Height uint32
	Claims []sweep.Claim
}

// Search is what a look through blocks found.
type Search struct {
	Closes []Close
	// Open are channels whose funding output is unspent. Of NotFound nothing is
	// known: closed in a block that was not looked at, or only in the mempool,
	// or never funded.
	Open, NotFound []*channel.Channel
	// From and Tip are the first and the last block that were looked at, Missing
	// how many in between are pruned.
	From, Tip, Missing uint32
}

// Transactions judges closes in hand. Transactions that spend outputs of these
// closes count too; height, 0 if unknown, is that of the block that holds the
// close. unused are the transactions that have to do with no channel of the
// backup.
func (b *Backup) Transactions(txs []*wire.MsgTx, height uint32) (closes []Close, unused []chainhash.Hash, err error) {
	var spends []chain.Spend
	for _, tx := range txs {
		for i, in := range tx.TxIn {
			spends = append(spends, chain.Spend{
				OutPoint: in.PreviousOutPoint, Tx: tx, TxID: tx.TxHash(), Input: uint32(i), Height: height,
			})
		}
	}
	for _, ch := range b.Channels {
		var by []chainhash.Hash
		for _, s := range spends {
			if s.OutPoint == ch.Funding && !slices.Contains(by, s.TxID) {
				by = append(by, s.TxID)
			}
		}
		if len(by) > 1 {
			return nil, nil, fmt.Errorf("%s and %s both close channel %s: give only the one that is in a block", by[0], by[1], ch.Key)
		}
	}
	closes, used, err := b.judge(spends)
	for _, tx := range txs {
		if id := tx.TxHash(); !used[id] {
			unused = append(unused, id)
		}
	}
	return closes, unused, err
}

// generations are how far spends are followed: the close, what spends it, and
// what spends an HTLC transaction.
const generations = 2

// Blocks looks through the blocks from a height on. Errors are those of chain.Search.
func (b *Backup) Blocks(ctx context.Context, src chain.Source, from uint32, progress func(height, to uint32)) (*Search, error) {
	s := &Search{From: from}
	var fundings []wire.OutPoint
	for _, ch := range b.Channels {
		fundings = append(fundings, ch.Funding)
	}
	found, err := chain.Search(ctx, src, chain.SearchRequest{From: from, OutPoints: fundings, Generations: generations, Progress: progress})
	if err != nil {
		return nil, err
	}
	s.Tip, s.Missing = found.Tip, found.Missing
	if s.Closes, _, err = b.judge(found.Spends); err != nil {
		return nil, err
	}
	for _, ch := range b.Channels {
		if slices.ContainsFunc(s.Closes, func(c Close) bool { return c.Channel == ch }) {
			continue
		}
		switch chain.Evidence(ctx, src, chain.FundingQuery{OutPoint: ch.Funding, CapacitySat: ch.CapacitySat}).State {
		case chain.FundingUnspent, chain.FundingUnconfirmed:
			s.Open = append(s.Open, ch)
		case chain.FundingSpent, chain.FundingUnknown:
			s.NotFound = append(s.NotFound, ch)
		}
	}
	return s, nil
}

// judge puts spends together to closes. Every preimage that one of them shows
// serves all channels: a payment may have come through two.
func (b *Backup) judge(spends []chain.Spend) ([]Close, map[chainhash.Hash]bool, error) {
	used := map[chainhash.Hash]bool{}
	preimages := sweep.NewPreimages()
	for _, p := range b.Preimages {
		preimages.Add(p)
	}
	for i := range spends {
		preimages.Add(onchain.Preimages(spends[i].Tx)...)
	}
	var closes []Close
	for _, ch := range b.Channels {
		at := slices.IndexFunc(spends, func(s chain.Spend) bool { return s.OutPoint == ch.Funding })
		if at < 0 {
			continue
		}
		closing := spends[at]
		keys, err := b.Keys.Public(ch.Key)
		if err != nil {
			return nil, nil, err
		}
		keys.Hashes = preimages.Hashes()
		found, err := onchain.Classify(ch, keys, closing.Tx)
		if err != nil {
			return nil, nil, fmt.Errorf("channel %s: %w", ch.Key, err)
		}
		used[closing.TxID] = true
		claims, err := sweep.Claims(sweep.Case{
			Channel: ch, Keys: keys, Close: found, Height: closing.Height,
			Spends: after(closing, spends, used), Preimages: preimages,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("channel %s: %w", ch.Key, err)
		}
		closes = append(closes, Close{Channel: ch, Found: found, Height: closing.Height, Claims: claims})
	}
	return closes, used, nil
}

// after are the transactions that spend outputs of a close, and those that
// spend theirs.
func after(closing chain.Spend, spends []chain.Spend, used map[chainhash.Hash]bool) []sweep.Spend {
	var out []sweep.Spend
	of := map[chainhash.Hash]bool{closing.TxID: true}
	for range generations {
		next := map[chainhash.Hash]bool{}
		for _, s := range spends {
			if of[s.OutPoint.Hash] && !next[s.TxID] {
				next[s.TxID], used[s.TxID] = true, true
				out = append(out, sweep.Spend{Tx: s.Tx, Height: s.Height})
			}
		}
		of = next
	}
	return out
}

// Built is one transaction, or why there is none.
type Built struct {
	Claims []sweep.Claim
	Tx     *sweep.Tx
	Err    error
}

// Build makes the transactions of all closes that order's height allows, and
// all that can be made where it is 0. order's Claims are ignored.
func (b *Backup) Build(ctx context.Context, closes []Close, order sweep.Order) []Built {
	var claims []sweep.Claim
	for _, c := range closes {
		claims = append(claims, c.Claims...)
	}
	batches := sweep.Batches(claims, order.Height)
	if order.Height == 0 {
		batches = nil
		for _, c := range claims {
			if c.Ready() {
				batches = append(batches, []sweep.Claim{c})
			}
		}
	}
	var built []Built
	for _, batch := range batches {
		built = append(built, build(ctx, b.Keys, order, batch))
	}
	return built
}

func build(ctx context.Context, keys *seedkeys.Keys, order sweep.Order, claims []sweep.Claim) Built {
	order.Claims = claims
	tx, err := sweep.Build(ctx, keys, order)
	return Built{Claims: claims, Tx: tx, Err: err}
}
