// Package importing gives channels to lightningd (recoverchannel), compares what it
// made with what was sent, and returns that as an event for the core.
package importing

import (
	"context"
	"fmt"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/scbconv"
)

// Node is the lightningd that gets the channels.
type Node interface {
	// PeerChannels is listpeerchannels.
	PeerChannels(ctx context.Context) ([]api.PeerChannel, error)
	// RecoverChannel makes stubs and returns the channel ids of those made.
	RecoverChannel(ctx context.Context, scbs [][]byte) ([]channel.ID, error)
}

// limit is what an import may take; lightningd takes a batch in well under a second.
const limit = 5 * time.Minute

// Import imports channels.
func Import(ctx context.Context, n Node, f model.Import) model.Event {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	results, err := importBatch(ctx, n, f.Items)
	if err == nil {
		err = ctx.Err() // what it did of the rest, nobody knows: lightningd's list tells
	}
	if err != nil {
		return model.EffectFailed{Effect: f, Reason: err.Error()}
	}
	return model.ImportDone{Results: results}
}

// importBatch imports some channels. An error means that lightningd cannot be
// asked any more.
func importBatch(ctx context.Context, n Node, items []model.ImportItem) (results []model.ImportResult, err error) {
	result := func(k channel.Key, what model.ImportOutcome, format string, args ...any) {
		results = append(results, model.ImportResult{Key: k, Result: what, Reason: fmt.Sprintf(format, args...)})
	}
	var scbs [][]byte
	var sent []model.ImportItem
	for _, it := range items {
		raw, err := encode(it)
		if err != nil {
			result(it.Channel.Key, model.RefusedEntry, "%v", err)
			continue
		}
		scbs, sent = append(scbs, raw), append(sent, it)
	}
	if len(sent) == 0 {
		return results, nil
	}
	stubs, importErr := n.RecoverChannel(ctx, scbs)
	if importErr != nil && len(sent) > 1 && ctx.Err() == nil {
		// One of them may be to blame: each by itself.
		for _, it := range sent {
			one, err := importBatch(ctx, n, []model.ImportItem{it})
			if err != nil {
				return nil, err
			}
			results = append(results, one...)
		}
		return results, nil
	}
	made := map[channel.ID]bool{}
	for _, id := range stubs {
		made[id] = true
	}
	channels, err := n.PeerChannels(ctx)
	if err != nil {
		return nil, fmt.Errorf("after recoverchannel: %w", err)
	}
	listed := map[channel.ID]bool{}
	for _, c := range channels {
		listed[c.ID] = c.Stub
	}
	for _, it := range sent {
		k := it.Channel.Key
		switch id := it.Channel.ID(); {
		case listed[id] && (made[id] || importErr != nil):
			result(k, model.DidImport, "")
		case listed[id]:
			result(k, model.HadStub, "lightningd has this channel already; nothing was changed")
		case importErr != nil:
			result(k, model.ImportFailed, "recoverchannel: %v", importErr)
		case made[id]:
			result(k, model.ImportFailed, "lightningd reported that it made the stub, but does not list it")
		default:
			result(k, model.DBIDTaken, "lightningd skipped it: a channel that this node had before (closed since, so not listed) has dbid %d; "+
				"use a fresh lightning directory with nothing but the hsm_secret in it", it.Channel.DBID)
		}
	}
	return results, nil
}

// encode makes the entry for recoverchannel.
func encode(it model.ImportItem) ([]byte, error) {
	at, err := scbconv.ParseAddress(it.Address)
	if err != nil {
		at = scbconv.Placeholder
	}
	entry, err := scbconv.From(it.Channel, at)
	if err != nil {
		return nil, err
	}
	return entry.Encode()
}
