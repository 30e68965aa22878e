package recovery

import (
	"context"
	"fmt"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// item is one channel of the backup with what is to be done with it.
type item struct {
	ch     *channel.Channel
	choice scbconv.Choice
	entry  *scbconv.Entry
	answer ChannelAnswer
	// evidence of the funding output at the time of the plan.
	evidence chain.FundingEvidence
	// at is a height at which the evidence was still to come; 0 if unknown.
	at uint32
	// verdict is what a spend in hand is for us.
	verdict *verdict
	numbers *numbers
	// staleAllowed is the operator's override for a peer that lost state.
	staleAllowed bool
}

func (it *item) settle(r Result, format string, args ...any) {
	it.answer.Result = r
	it.answer.Reason = fmt.Sprintf(format, args...)
}

func (it *item) warn(format string, args ...any) {
	it.answer.Warnings = append(it.answer.Warnings, fmt.Sprintf(format, args...))
}

// pending reports whether nothing has been decided against the import.
func (it *item) pending() bool { return it.answer.Result == "" }

// parseAddresses reads the user's addresses.
func parseAddresses(given map[channel.PubKey]string) (map[channel.PubKey]scbconv.Address, error) {
	out := make(map[channel.PubKey]scbconv.Address, len(given))
	for id, text := range given {
		a, err := scbconv.ParseAddress(text)
		if err != nil {
			return nil, failure.New(failure.InvalidParameter,
				"Write it as host:port, [IPv6]:port or name.onion:port", "addresses: peer %s: %v", id, err).Wrap(err)
		}
		out[id] = a
	}
	return out, nil
}

// candidates are all addresses that are known of a peer.
func (s *Service) candidates(ctx context.Context, b *vlsstate.Backup, given map[channel.PubKey]scbconv.Address, id channel.PubKey) scbconv.Candidates {
	c := scbconv.Candidates{Parameter: given[id]}
	if p, ok := b.Peers[id]; ok {
		c.Backup, c.BackupInbound = p.Addr, p.Direction == vlsstate.In
	}
	c.Gossip = s.gossipAddresses(ctx, id)
	return c
}

// gossipAddresses are what the node's gossip knows of a peer, Tor last.
func (s *Service) gossipAddresses(ctx context.Context, id channel.PubKey) []scbconv.Address {
	g, err := s.node.GossipNode(ctx, id)
	if err != nil || g == nil {
		return nil
	}
	var direct, onion []scbconv.Address
	for _, text := range g.Addresses {
		switch a, err := scbconv.ParseAddress(text); {
		case err != nil:
		case a.Kind() == scbconv.TorV3:
			onion = append(onion, a)
		default:
			direct = append(direct, a)
		}
	}
	return append(direct, onion...)
}

// plan looks at every channel of the backup and decides. It has no effect on
// anything.
func (s *Service) plan(ctx context.Context, b *loaded, sit *situation, p api.RecoverParams, progress api.Progress) ([]*item, []ChannelAnswer, error) {
	given, err := parseAddresses(p.Addresses)
	if err != nil {
		return nil, nil, err
	}
	view := s.view(ctx)
	keys := s.keysOrNil()
	addresses := map[channel.PubKey]scbconv.Choice{}
	sit.created = b.written(s.Now())
	evidence := s.evidence(ctx, view, b, keys, progress)
	items := make([]*item, 0, len(b.Channels))
	for i, c := range b.Channels {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		it := &item{ch: c, answer: describe(c), at: sit.info.Height}
		choice, seen := addresses[c.Peer]
		if !seen {
			choice = scbconv.Choose(s.candidates(ctx, b.Backup, given, c.Peer))
			addresses[c.Peer] = choice
		}
		it.choice = choice
		it.answer.Address, it.answer.AddressSource = choice.Address.String(), string(choice.Source)
		if choice.BackupError != nil {
			it.warn("the backup's address of the peer cannot be read: %v", choice.BackupError)
		}
		it.evidence = evidence[c]
		it.answer.Evidence = evidenceAnswer(it.evidence)
		if e := it.evidence; e.State == chain.FundingSpent {
			it.verdict = judge(c, e.Spend.Tx, e.Spend.Height, keys)
		}
		decide(it, sit, p)
		items = append(items, it)
		progress.Step(uint32(i+1), uint32(len(b.Channels)))
	}
	settleBatch(items)
	return items, others(b.Backup), nil
}

// fundingQuery asks for the funding output of a channel; with our own funding
// key also for its script.
func fundingQuery(c *channel.Channel, keys Keys) chain.FundingQuery {
	q := chain.FundingQuery{OutPoint: c.Funding, CapacitySat: c.CapacitySat}
	if keys != nil {
		if script, err := keys.FundingScript(c); err == nil {
			q.Script = script
		}
	}
	return q
}

func evidenceAnswer(e chain.FundingEvidence) *EvidenceAnswer {
	a := &EvidenceAnswer{State: string(e.State), Reason: e.Reason}
	if e.Confirmations > 0 {
		a.Confirmations = uint32(e.Confirmations)
	}
	if e.Spend != nil {
		a.SpendTxid = e.Spend.Tx.TxHash().String()
		a.SpendHeight = e.Spend.Height
	}
	return a
}

// youngest is how old a backup must be for its fundings to count as confirmed
// where nobody tells: a peer that is told to fail an unconfirmed channel may
// forget it.
const youngest = 24 * time.Hour

// tooYoung reports whether a funding in a backup of that date may still be
// unconfirmed. A backup without a date is taken for old.
func tooYoung(created, now time.Time) bool {
	return !created.IsZero() && now.Sub(created) < youngest
}

// decide settles one channel, or leaves it pending for the import.
func decide(it *item, sit *situation, p api.RecoverParams) {
	c := it.ch
	if c.State.Closed {
		it.warn("the signer believes that this channel was closed; the chain decides")
	}
	if it.evidence.Problem != "" {
		it.warn("%s: the output on the chain is not the one in the backup: %s", it.evidence.Problem, it.evidence.Reason)
	}
	switch {
	case sit.closed[c.ID()]:
		it.settle(AlreadyResolved, "lightningd has closed this channel and forgotten it; see listclosedchannels")
		return
	case sit.has(c.ID()):
		it.settle(AlreadyImported, "lightningd has this channel already; nothing was changed")
		return
	}
	switch e := it.evidence; {
	case e.State == chain.FundingSpent && e.Spend.Height > 0 && it.verdict.nothingOurs():
		it.settle(ClosedBefore, "closed at height %d (%s), and none of the outputs is ours", e.Spend.Height, it.verdict.Kind)
		return
	case e.State == chain.FundingSpent && e.Spend.Height > 0:
		it.warn("the funding output was spent at height %d, before this import: lightningd does not look back by itself; "+
			"restart it once with rescan=-%d", e.Spend.Height, e.Spend.Height-1)
	case e.State == chain.FundingUnspent && e.Confirmations == chain.ConfirmationsUnknown && tooYoung(sit.created, sit.now):
		it.settle(NotYetConfirmed, "the bitcoin backend does not tell whether the funding transaction is confirmed, and the backup is less than %v old; "+
			"it is imported by itself when it is older", youngest)
		return
	case e.State == chain.FundingUnconfirmed, e.State == chain.FundingUnspent && e.Confirmations >= 0 && e.Confirmations < minFundingConfs:
		it.settle(NotYetConfirmed, "the funding transaction has %d confirmations; with fewer than %d the peer may forget the channel when it is asked to close",
			max(e.Confirmations, 0), minFundingConfs)
		return
	case e.State == chain.FundingUnknown && c.State.Closed:
		it.warn("nobody could say whether the funding output is still there: if the channel was closed before, the stub that is " +
			"imported stays CHANNELD_NORMAL for ever and means nothing; a restart of lightningd with rescan finds what was paid to us")
	}
	if it.choice.Source == scbconv.FromPlaceholder {
		if p.SkipIncomplete {
			it.settle(NoAddress, "no address of the peer is known, and skip_incomplete was asked for")
			return
		}
		it.warn("no address of the peer is known: give one with the parameter addresses, or wait until gossip has it or the peer connects")
	}
	entry, err := scbconv.From(c, it.choice.Address)
	if err != nil {
		it.settle(RefusedEntry, "%v", err)
		return
	}
	it.entry = entry
}

// settleBatch refuses the entries that cannot be given to lightningd together.
func settleBatch(items []*item) {
	var entries []*scbconv.Entry
	var of []*item
	for _, it := range items {
		if it.entry != nil && it.pending() {
			entries, of = append(entries, it.entry), append(of, it)
		}
	}
	for i, err := range scbconv.Batch(entries) {
		if err != nil {
			of[i].settle(RefusedEntry, "%v", err)
		}
	}
}

// others are the channel entries of the backup that hold no channel: the ones
// that cannot be read, and openings that came to nothing.
func others(b *vlsstate.Backup) []ChannelAnswer {
	var out []ChannelAnswer
	for _, o := range b.Openings {
		out = append(out, ChannelAnswer{
			PeerID: o.Peer, DBID: o.DBID, Result: NeverOpened,
			Reason: "this opening came to nothing; there is nothing to recover",
		})
	}
	for _, problem := range b.Problems {
		if problem.Kind != vlsstate.KindChannel || problem.Effect != vlsstate.EntryLost {
			continue
		}
		a := ChannelAnswer{Result: BadEntry, Reason: problem.Error()}
		if problem.Channel != nil {
			a.PeerID, a.DBID = problem.Channel.Peer, problem.Channel.DBID
		}
		out = append(out, a)
	}
	return out
}

// problemWarnings are the problems that cost something but no channel.
func problemWarnings(b *vlsstate.Backup) []string {
	var out []string
	for _, p := range b.Problems {
		if p.Kind == vlsstate.KindChannel && p.Effect == vlsstate.EntryLost {
			continue // it has its own line among the channels
		}
		out = append(out, p.Error())
	}
	return out
}

// look collects what the node says of itself.
func (s *Service) look(ctx context.Context, id channel.PubKey) (*situation, error) {
	sit := &situation{closed: map[channel.ID]bool{}, alive: s.alarmed(), now: s.Now()}
	var err error
	if sit.info, err = s.node.Info(ctx); err != nil {
		return nil, err
	}
	if sit.channels, err = s.node.PeerChannels(ctx); err != nil {
		return nil, err
	}
	closed, err := s.node.ClosedChannels(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range closed {
		sit.closed[id] = true
	}
	raw, err := s.node.StaticBackup(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range raw {
		e, err := scbconv.Decode(r)
		if err != nil {
			// A channel of a newer kind: its dbid is unknown, so the comparison
			// after the import has to find a clash.
			s.log.WithError(err).Warn("lightningd's own backup of a channel cannot be read")
			continue
		}
		sit.entries = append(sit.entries, loadedEntry{e.DBID, e.NodeID, e.ChannelID})
	}
	if sit.gossip, err = s.node.GossipNode(ctx, id); err != nil {
		return nil, err
	}
	if sit.update, err = s.node.GossipUpdate(ctx, id); err != nil {
		return nil, err
	}
	return sit, nil
}
