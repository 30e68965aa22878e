package recovery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/scbconv"
)

// Recover is the method glrecover: it refuses, or it imports what can be
// imported and leaves the rest to the engine. A second call changes nothing and
// says so. Failures happen before any effect.
func (s *Service) Recover(ctx context.Context, p api.RecoverParams, progress api.Progress) (any, error) {
	if p.Destination != "" {
		return nil, failure.New(failure.InvalidParameter,
			"Leave it out: what comes back goes to this node's own wallet, from where it can be sent on",
			"destination: this version cannot pay to another address")
	}
	if p.Feerate != "" {
		return nil, failure.New(failure.InvalidParameter,
			"Leave it out", "feerate: this version pays no fee of its own")
	}
	b, err := load(p.Backup)
	if err != nil {
		return nil, err
	}
	if !p.Decommissioned && !p.DryRun {
		return nil, failure.New(failure.NotDecommissioned, doNotDecommissioned, "%s", foundNotDecommissioned).
			With(map[string]any{"node_id": b.NodeID, "channels": len(b.Channels)})
	}
	if !p.DryRun {
		select {
		case s.busy <- struct{}{}:
			defer func() { <-s.busy }()
		default:
			return nil, failure.New(failure.Busy, "Try again in a minute; glrecover-status shows how far it is", "glrecover is importing channels already")
		}
	}
	defer s.holdKeys()()
	sit, err := s.look(ctx, b.NodeID)
	if err != nil {
		return nil, err
	}
	if err := gates(b.Backup, sit, p.Override); err != nil {
		return nil, s.explain(ctx, b.NodeID, err)
	}
	proofs := s.proveSecret(b.Backup)
	items, rest, err := s.plan(ctx, b, sit, p, progress)
	if err != nil {
		return nil, err
	}
	a := &Answer{
		DryRun: p.DryRun, Decommissioned: p.Decommissioned, NodeID: b.NodeID, Network: sit.info.Network,
		Backup: factsOf(b, s.Now()), Warnings: append(problemWarnings(b.Backup), proofs.warnings...),
	}
	if !b.CreatedAt.IsZero() && b.written(s.Now()).IsZero() {
		a.Warnings = append(a.Warnings, "the backup's date is still to come: its age is unknown")
	}
	if b.Network == "" {
		a.Warnings = append(a.Warnings, "the backup does not say which network it is of; nothing could be compared")
	}
	for id := range p.Addresses {
		if !slices.ContainsFunc(items, func(it *item) bool { return it.ch.Peer == id }) {
			a.Warnings = append(a.Warnings, fmt.Sprintf("addresses: the backup has no channel with %s; its address is not used", id))
		}
	}
	for _, it := range items {
		it.answer.Warnings = append(it.answer.Warnings, proofs.channels[it.ch.Key]...)
	}
	if p.DryRun {
		for _, it := range items {
			if it.pending() {
				it.settle(WouldImport, "")
			}
		}
		a.finish(items, rest)
		a.NextSteps = dryRunSteps(p.Decommissioned)
		return a, nil
	}

	if !s.following() && !slices.ContainsFunc(items, (*item).worth) {
		a.finish(items, rest)
		a.NextSteps = []string{"Nothing of this backup can be imported, and nothing was changed: the channels' reasons say why. Keep the words and the backup file."}
		return a, nil
	}
	s.accept(ctx, p.Override)
	extra, warnings := s.readNumbers(ctx, items, p, progress)
	a.Extra, a.Warnings = extra, append(a.Warnings, warnings...)
	if err := s.record(ctx, b, items, rest); err != nil {
		return nil, failure.New(failure.Internal, "Nothing was imported; look at lightningd's log, then try again",
			"the record of the recovery could not be written: %v", err).Wrap(err)
	}
	importErr := s.importItems(ctx, items, progress)
	s.afterImport(ctx, items)
	s.nudge()
	if importErr != nil {
		return nil, failure.New(failure.Internal, "Call glrecover again with the same backup: what is there stays as it is",
			"lightningd stopped answering during the import: %v", importErr).Wrap(importErr)
	}
	a.finish(items, rest)
	for i := range a.Channels {
		a.Channels[i].State = s.stateOf(channel.Key{Peer: a.Channels[i].PeerID, DBID: a.Channels[i].DBID})
	}
	a.NextSteps = nextSteps(a)
	if !s.facts.AtStartup {
		a.NextSteps = append([]string{configureStep}, a.NextSteps...)
	}
	return a, nil
}

// following reports whether a recovery is on record.
func (s *Service) following() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run != nil
}

// worth reports whether a channel is one to be followed.
func (it *item) worth() bool {
	switch it.answer.Result {
	case RefusedEntry, BadEntry, NeverOpened, NoAddress, ClosedBefore:
		return false
	}
	return true
}

// accept carries out the operator's overrides on channels that are followed
// already.
func (s *Service) accept(ctx context.Context, override []string) {
	alive := slices.Contains(override, string(failure.HostedNodeAlive))
	stale := slices.Contains(override, string(failure.PeerStale))
	s.mu.Lock()
	if s.run != nil && alive {
		s.run.Alive = ""
	}
	for _, t := range s.tracks {
		if t.State == HostedAlive && alive {
			// The numbers that were read before belong to a node that is dead
			// now.
			t.Numbers, t.Later = nil, nil
		}
		if t.State == PeerStale && stale {
			t.StaleAllowed = true
		}
	}
	s.mu.Unlock()
	for _, k := range s.followed() {
		if st := s.stateOf(k); (st == HostedAlive && alive) || (st == PeerStale && stale) {
			s.setState(ctx, k, Imported, "")
		}
	}
}

// finish lists the channels in the order of the backup and counts them.
func (a *Answer) finish(items []*item, rest []ChannelAnswer) {
	a.Channels = make([]ChannelAnswer, 0, len(items)+len(rest))
	for _, it := range items {
		a.Channels = append(a.Channels, it.answer)
	}
	a.Channels = append(a.Channels, rest...)
	a.Totals = totalsOf(a.Channels)
	if a.Warnings == nil {
		a.Warnings = []string{}
	}
}

func dryRunSteps(decommissioned bool) []string {
	steps := []string{"Nothing was changed, and no peer was contacted. Read what would happen to each channel."}
	if !decommissioned {
		steps = append(steps, "The real run needs decommissioned=true: your statement that the hosted node is dead for good and that your signer will never connect to it again.")
	}
	return steps
}

// configureStep comes before a restart that would end the recovery.
const configureStep = "Write plugin=/path/to/glrecover into lightningd's configuration before anything else: this glrecover was started by command, " +
	"and after a restart without it nobody asks the peers to close, and nobody refuses openings."

func nextSteps(a *Answer) []string {
	steps := []string{
		"Restart lightningd once, and open no channel on this node: an opening before the restart stops lightningd, " +
			"and one with a peer of the backup reuses keys. glrecover refuses both.",
		"Keep lightningd running. The peers are asked to close by glrecover itself; follow it with lightning-cli glrecover-status.",
		"listfunds shows each recovered channel with 0: that is only the stub. What came back is under outputs.",
	}
	if a.Totals.Waiting > 0 {
		steps = append(steps, "Some channels wait for confirmations or for your decision; glrecover-status says which.")
	}
	if len(a.Extra) > 0 {
		steps = append(steps, fmt.Sprintf("%d channels are only in a copy that a peer kept of the lost node's own backup (extra_channels). "+
			"Import each with lightning-cli recoverchannel '[\"SCB\"]'; glrecover cannot follow them.", len(a.Extra)))
	}
	steps = append(steps, onChainStep(a))
	return append(steps, "When all is resolved, move the coins to a new seed, never use this node id for a Lightning node again, and keep the backup file.")
}

// record writes what is known of each channel before anything has an effect.
// Channels that are followed already keep their record. After an error nothing
// of this call is left for the engine to import.
func (s *Service) record(ctx context.Context, b *loaded, items []*item, rest []ChannelAnswer) error {
	pending := slices.ContainsFunc(items, (*item).pending)
	from, err := s.scanStart(ctx, b.written(s.Now()), s.unfollowed(items))
	if err != nil {
		s.log.WithError(err).Warn("the height to look back to is unknown; only new blocks are looked at")
	}
	// In one go: the engine writes to the same record.
	s.mu.Lock()
	before := s.run
	next := &run{}
	if before != nil {
		*next = *before
	}
	next.Version, next.NodeID, next.Network = recordVersion, b.NodeID, s.facts.Network
	next.BackupSHA256, next.BackupPath, next.BackupCreated = b.sha256, b.path, b.CreatedAt
	next.Unread = nil
	for _, a := range rest {
		if a.Result == BadEntry {
			next.Unread = append(next.Unread, a.Reason)
			if a.PeerID != (channel.PubKey{}) && !slices.Contains(next.UnreadPeers, a.PeerID) {
				next.UnreadPeers = append(slices.Clone(next.UnreadPeers), a.PeerID)
			}
		}
	}
	if pending {
		next.Imported, next.Mark, next.Restarted = s.Now(), s.Mark, false
	}
	next.lookFrom(from)
	s.run = next
	fresh := map[channel.Key]bool{}
	for _, it := range items {
		fresh[it.ch.Key] = s.tracks[it.ch.Key] == nil
	}
	s.mu.Unlock()

	err = s.saveRun(ctx)
	for _, it := range items {
		if err == nil {
			err = s.recordItem(ctx, it)
		}
	}
	if err == nil {
		return nil
	}
	for _, it := range items {
		if fresh[it.ch.Key] {
			s.drop(ctx, it.ch.Key)
		}
	}
	s.undoRun(ctx, before)
	return err
}

// undoRun takes back that something was imported.
func (s *Service) undoRun(ctx context.Context, before *run) {
	s.mu.Lock()
	if before != nil {
		s.run.Imported, s.run.Mark, s.run.Restarted = before.Imported, before.Mark, before.Restarted
	} else {
		s.run = nil
	}
	s.mu.Unlock()
	var err error
	if before != nil {
		err = s.saveRun(ctx)
	} else {
		err = s.node.DeleteRecord(ctx, recordRun)
	}
	if err != nil && ctx.Err() == nil {
		s.log.WithError(err).Warn("the record of the recovery could not be taken back")
	}
}

// unfollowed are the items that nobody has looked for in the blocks.
func (s *Service) unfollowed(items []*item) []*item {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*item
	for _, it := range items {
		if t := s.tracks[it.ch.Key]; t == nil || t.State == LeftOut || s.run == nil || s.run.ScanFrom == 0 {
			out = append(out, it)
		}
	}
	return out
}

// drop takes a track out of memory and, as far as possible, out of the record.
func (s *Service) drop(ctx context.Context, k channel.Key) {
	s.mu.Lock()
	t := s.tracks[k]
	delete(s.tracks, k)
	s.mu.Unlock()
	if t == nil {
		return
	}
	if err := s.node.DeleteRecord(ctx, t.key()); err != nil && ctx.Err() == nil {
		s.log.WithError(err).Warnf("the record of channel %s could not be deleted", k)
	}
}

// recordItem begins or refreshes the track of one channel.
func (s *Service) recordItem(ctx context.Context, it *item) error {
	s.mu.Lock()
	t := s.tracks[it.ch.Key]
	s.mu.Unlock()
	isNew := t == nil
	if isNew {
		t = &tracked{track: track{Channel: stripped(it.ch), State: Imported, Since: s.Now()}}
		switch it.answer.Result {
		case NotYetConfirmed:
			t.State = FundingUnconfirmed
		case StalePeer:
			t.State, t.Reason = PeerStale, it.answer.Reason
		case AlreadyResolved:
			// lightningd also forgets closes of which it could claim nothing.
			t.State, t.Reason = NeedsOperator, "lightningd has closed this channel and forgotten it; the close is looked for in the blocks since the backup"
		case "", AlreadyImported:
		case DidImport, WouldImport, ClosedBefore, DBIDTaken, RefusedEntry, BadEntry, NeverOpened, NoAddress, ImportFailed:
			t.State, t.Reason = LeftOut, it.answer.Reason
		}
	}
	s.mu.Lock()
	t.NothingOurs = it.answer.Result == ClosedBefore
	if newer(it.ch, &t.Channel) {
		t.Channel = stripped(it.ch)
		t.verdict, t.judged = nil, judged{}
	}
	if addr := it.choice.Address.String(); addr != t.Address && (it.choice.Source != scbconv.FromPlaceholder || t.Address == "") {
		t.Address, t.Source = addr, string(it.choice.Source)
		t.next, t.tries = time.Time{}, 0
	}
	t.StaleAllowed = t.StaleAllowed || it.staleAllowed
	// Numbers that are read while lightningd does not have the channel are from
	// a peer that does not know that we lost our state.
	if it.numbers != nil && (t.Numbers == nil || it.pending() || it.answer.Result == StalePeer) {
		t.Numbers = it.numbers
	}
	// An answer that fails to come later on takes nothing back.
	unknown := it.evidence.State == chain.FundingUnknown && t.Close == nil
	t.Gone = unknown && (t.Gone || isNew)
	if spend := it.evidence.Spend; spend != nil && t.Close == nil {
		t.Close = closingOf(spend, 0)
	}
	s.tracks[it.ch.Key] = t
	s.mu.Unlock()
	return s.saveTrack(ctx, it.ch.Key)
}

// newer reports whether a state of the same channel is a later one: somebody has
// found a better backup.
func newer(c, than *channel.Channel) bool {
	if c.Funding != than.Funding {
		return false
	}
	a, b := &c.State, &than.State
	return a.NextHolderCommitNum >= b.NextHolderCommitNum &&
		a.NextCounterpartyCommitNum >= b.NextCounterpartyCommitNum &&
		a.NextCounterpartyRevokeNum >= b.NextCounterpartyRevokeNum &&
		(a.NextHolderCommitNum > b.NextHolderCommitNum ||
			a.NextCounterpartyCommitNum > b.NextCounterpartyCommitNum ||
			a.NextCounterpartyRevokeNum > b.NextCounterpartyRevokeNum)
}

// afterImport corrects the tracks of the channels that lightningd did not take.
func (s *Service) afterImport(ctx context.Context, items []*item) {
	for _, it := range items {
		switch it.answer.Result {
		case DBIDTaken, ImportFailed, RefusedEntry:
			s.setState(ctx, it.ch.Key, LeftOut, it.answer.Reason)
		case DidImport, AlreadyImported:
			switch s.stateOf(it.ch.Key) {
			case LeftOut, PeerStale, FundingUnconfirmed:
				s.setState(ctx, it.ch.Key, Imported, "")
			}
		case "", WouldImport, AlreadyResolved, ClosedBefore, NotYetConfirmed, BadEntry, NeverOpened, NoAddress, StalePeer:
		}
	}
}

// setState changes and records a channel's state.
func (s *Service) setState(ctx context.Context, k channel.Key, to State, reason string) {
	s.setStateIf(ctx, k, to, reason, func(State) bool { return true })
}

// setAsking is setState for what was found out by asking a peer: if the chain or
// an alarm has moved the channel meanwhile, that stands.
func (s *Service) setAsking(ctx context.Context, k channel.Key, to State, reason string) {
	s.setStateIf(ctx, k, to, reason, State.Asks)
}

func (s *Service) setStateIf(ctx context.Context, k channel.Key, to State, reason string, from func(State) bool) {
	s.mu.Lock()
	t := s.tracks[k]
	if t == nil || (t.State == to && t.Reason == reason) || !from(t.State) {
		s.mu.Unlock()
		return
	}
	was := t.State
	if was != to {
		t.Since = s.Now()
	}
	t.State, t.Reason = to, reason
	id := t.Channel.ID()
	s.mu.Unlock()
	if was != to {
		s.log.Infof("channel %s: %s -> %s%s", id, was, to, because(reason))
	}
	s.keep(ctx, k)
}

// keep writes a track; a failure is made good with the next change, since the
// chain tells the same story again.
func (s *Service) keep(ctx context.Context, k channel.Key) {
	if err := s.saveTrack(ctx, k); err != nil && ctx.Err() == nil {
		s.log.WithError(err).Warnf("the record of channel %s could not be written", k)
	}
}

// saveTrack writes a track as it is now. One write at a time: an older copy
// never overtakes a newer one.
func (s *Service) saveTrack(ctx context.Context, k channel.Key) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	t := s.tracks[k]
	if t == nil {
		s.mu.Unlock()
		return nil
	}
	kept := t.track
	s.mu.Unlock()
	return save(ctx, s.node, kept.key(), &kept)
}

// saveRun writes the run's record as it is now.
func (s *Service) saveRun(ctx context.Context) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	if s.run == nil {
		s.mu.Unlock()
		return nil
	}
	kept := *s.run
	s.mu.Unlock()
	return save(ctx, s.node, recordRun, &kept)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", reason)
}

// stateOf is the state of a followed channel, "" for others.
func (s *Service) stateOf(k channel.Key) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tracks[k]; t != nil {
		return t.State
	}
	return ""
}
