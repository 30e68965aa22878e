package recovery

import (
	"context"
	"fmt"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
)

// batchSize is how many SCBs one recoverchannel call gets. lightningd takes
// thousands; a small batch keeps what one bad call can spoil small, and lets
// progress be told.
const batchSize = 20

// importItems calls recoverchannel for the pending items, batch by batch, and
// compares what lightningd made with what was sent. The state of each item's
// channel is recorded before the call: a crash in the middle leaves a record
// that the next start compares with lightningd's.
func (s *Service) importItems(ctx context.Context, items []*item, progress api.Progress) error {
	var todo []*item
	for _, it := range items {
		if it.pending() {
			todo = append(todo, it)
		}
	}
	for at := 0; at < len(todo); at += batchSize {
		batch := todo[at:min(at+batchSize, len(todo))]
		if err := s.importBatch(ctx, batch); err != nil {
			return err
		}
		progress.Step(uint32(at+len(batch)), uint32(len(todo)))
		progress.Message(fmt.Sprintf("%d of %d channels imported", at+len(batch), len(todo)))
	}
	return nil
}

// importBatch imports some items; an item that lightningd refuses is settled,
// and an error means that lightningd cannot be asked any more.
func (s *Service) importBatch(ctx context.Context, batch []*item) error {
	scbs := make([][]byte, 0, len(batch))
	var sent []*item
	for _, it := range batch {
		raw, err := it.entry.Encode()
		if err != nil {
			it.settle(RefusedEntry, "%v", err)
			continue
		}
		scbs, sent = append(scbs, raw), append(sent, it)
	}
	if len(sent) == 0 {
		return nil
	}
	stubs, err := s.node.RecoverChannel(ctx, scbs)
	if err != nil && len(sent) > 1 && ctx.Err() == nil {
		// One of them may be to blame: each by itself.
		for _, it := range sent {
			if err := s.importBatch(ctx, []*item{it}); err != nil {
				return err
			}
		}
		return nil
	}
	made := map[channel.ID]bool{}
	for _, id := range stubs {
		made[id] = true
	}
	channels, listErr := s.node.PeerChannels(ctx)
	if listErr != nil {
		return fmt.Errorf("after recoverchannel: %w", listErr)
	}
	listed := map[channel.ID]bool{}
	for _, c := range channels {
		listed[c.ID] = c.Stub
	}
	for _, it := range sent {
		switch id := it.ch.ID(); {
		case listed[id] && (made[id] || err != nil):
			it.settle(DidImport, "")
		case listed[id]:
			it.settle(AlreadyImported, "lightningd has this channel already; nothing was changed")
		case err != nil:
			it.settle(ImportFailed, "recoverchannel: %v", err)
		case made[id]:
			it.settle(ImportFailed, "lightningd said that it made the stub and does not list it")
		default:
			it.settle(DBIDTaken, "lightningd skipped it: a channel that this node had before (closed since, so not listed) has dbid %d; "+
				"use a fresh lightning directory with nothing but the hsm_secret in it", it.ch.DBID)
		}
	}
	return nil
}
