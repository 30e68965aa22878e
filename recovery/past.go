package recovery

import (
	"context"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
)

// Bounds of the look into the past that a plan takes. The engine looks further,
// with patience.
const (
	pastTime   = 20 * time.Second
	pastBlocks = 500
)

// keptBlocks are the newest blocks, which bitcoind never prunes
// (MIN_BLOCKS_TO_KEEP in its src/validation.h).
const keptBlocks = 288

// lookFrom is the height from which on the blocks since t are looked at. Where
// bitcoind itself cannot be asked nobody says what is pruned, and bcli waits up
// to a minute for a pruned block, and lightningd with it: then only the blocks
// are looked at that are surely there.
func lookFrom(ctx context.Context, view *chain.View, t time.Time, tip uint32) (uint32, error) {
	floor, known := view.PruneHeight(ctx)
	if !known {
		return max(tip, keptBlocks) - keptBlocks + 1, nil
	}
	from, err := view.HeightBefore(ctx, t)
	return max(from, floor, 1), err
}

// evidence asks for each channel's funding output, once, and looks through the
// past for the spends of those that are not there any more.
func (s *Service) evidence(ctx context.Context, view *chain.View, b *loaded, keys Keys, progress api.Progress) map[*channel.Channel]chain.FundingEvidence {
	found := make(map[*channel.Channel]chain.FundingEvidence, len(b.Channels))
	var gone []wire.OutPoint
	for _, c := range b.Channels {
		e := view.Funding(ctx, fundingQuery(c, keys))
		found[c] = e
		if e.State == chain.FundingUnknown {
			gone = append(gone, c.Funding)
		}
	}
	if len(gone) == 0 {
		return found
	}
	past := s.pastSpends(ctx, view, b.written(s.Now()), gone, progress)
	for _, c := range b.Channels {
		if spend := past[c.Funding]; spend != nil {
			q := fundingQuery(c, keys)
			q.Spend = spend
			found[c] = view.Funding(ctx, q)
		}
	}
	return found
}

// pastSpends looks for the spends of funding outputs that are not there any
// more, in the blocks since the backup was written. What it does not find may be
// further back: nothing follows from that.
func (s *Service) pastSpends(ctx context.Context, view *chain.View, created time.Time, gone []wire.OutPoint, progress api.Progress) map[wire.OutPoint]*chain.Spend {
	found := map[wire.OutPoint]*chain.Spend{}
	if created.IsZero() {
		return found
	}
	ctx, cancel := context.WithTimeout(ctx, pastTime)
	defer cancel()
	tip, err := view.Tip(ctx)
	if err != nil {
		return found
	}
	from, err := lookFrom(ctx, view, created, tip)
	if err != nil {
		return found
	}
	if tip > pastBlocks {
		from = max(from, tip-pastBlocks)
	}
	progress.Message(fmt.Sprintf("looking for %d closed channels in the blocks %d to %d", len(gone), from, tip))
	res, err := view.Scan(ctx, chain.ScanRequest{From: from, To: tip, OutPoints: gone})
	if err != nil {
		s.log.WithError(err).Info("the look into the past ended early")
	}
	for i := range res.Spends {
		found[res.Spends[i].OutPoint] = &res.Spends[i]
	}
	return found
}
