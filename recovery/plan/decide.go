package plan

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

func (p *Plan) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

func (c *Channel) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...))
}

func (c *Channel) decide(d decision.Decision, cure, format string, args ...any) {
	c.Decision, c.Cure, c.Reason = d, cure, fmt.Sprintf(format, args...)
}

func (c *Channel) refuse(err error) {
	c.Err = err
	c.decide(decision.Refused, "", "%v", err)
}

// conclude settles one channel.
func (p *Plan) conclude(ctx context.Context, in *Inputs, c *Channel) {
	ch := c.Channel
	if ch == nil {
		return
	}
	if ch.State.Closed {
		c.warn("the signer believes that this channel was closed; the chain decides")
	}
	e := c.Evidence
	if e == nil {
		e = &chain.FundingEvidence{State: chain.FundingUnknown, Confirmations: chain.ConfirmationsUnknown}
	}
	if e.Problem != "" {
		c.warn("%s: the output on the chain is not the one in the backup: %s", e.Problem, e.Reason)
	}
	// For every channel, so that whoever imports it later has it. Of one that is known
	// by its id alone nobody can make one.
	var err error
	if !ch.ByID {
		c.SCB, err = scbconv.From(ch, c.Address.Address)
	}
	if p.Node != nil {
		switch {
		case p.Node.Closed[ch.ID()]:
			c.decide(decision.Forgotten, "", "lightningd has closed this channel and forgotten it; see listclosedchannels")
			return
		case p.Node.Has(ch.ID()):
			c.decide(decision.HasStub, "", "lightningd has this channel already; nothing was changed")
			return
		}
	}
	switch {
	case c.closed() && c.Close != nil && c.Close.NothingOurs():
		c.decide(decision.NothingOurs, "", "closed at height %d (%s), and none of the outputs is ours", e.Spend.Height, c.Close.Kind)
		return
	case c.closed():
		p.followClosed(in, c)
		return
	case len(c.Outputs) > 0:
		c.decide(decision.FollowClosed, "", "closed: an output that is ours is on the chain, at height %d; the closing transaction itself cannot be read", c.Outputs[0].Height)
		return
	}
	young := p.Written
	if c.Copy != nil && c.Copy.Written.After(young) {
		young = c.Copy.Written // it was opened after the backup was written
	}
	if ready, why, cure := decision.FundingReady(e, young, p.Made); !ready {
		if in.Alone && cure != "" {
			cure = fmt.Sprintf("Wait: the peer is asked to close at %s, or as soon as the chain shows that the opening is %d blocks deep",
				young.Add(decision.Youngest).UTC().Format(time.RFC3339), decision.MinFundingConfs)
		}
		if e.Confirmations == chain.ConfirmationsUnknown && in.Chain != nil {
			if _, known, silent := in.Chain.Floor(ctx); !known {
				why += ": " + silent
			}
		}
		c.decide(decision.AwaitFunding, cure, "%s", why)
		return
	}
	if e.State == chain.FundingUnknown && ch.State.Closed && in.Chain != nil && !in.Alone {
		c.warn("it is unknown whether the funding output is still unspent: if the channel was closed before, lightningd lists the imported channel " +
			"as CHANNELD_NORMAL for ever, which means nothing; a restart of lightningd with rescan finds what was paid to this wallet")
	}
	if c.Address.Source == scbconv.FromPlaceholder {
		if in.SkipIncomplete {
			c.decide(decision.NoAddress, "", "no address of the peer is known, and skip_incomplete was asked for")
			return
		}
		if in.Node != nil {
			c.warn("no address of the peer is known: %s", in.addressHelp(c.PeerID))
		}
	}
	if c.Address.Source == scbconv.FromInbound && in.Node != nil {
		c.warn("of the peer's addresses only the host is known that it called from, which may not be where it listens: %s", in.addressHelp(c.PeerID))
	}
	if err != nil {
		c.refuse(err)
		return
	}
	if c.Decision = decision.Import; ch.ByID {
		c.decide(decision.Import, "", "nothing but its id is known: our own session asks the peer to close, and what the close pays is taken by a sweep")
	}
}

// addressHelp says what helps where no address of a peer is known.
func (in *Inputs) addressHelp(id channel.PubKey) string {
	if in.Alone {
		return "find it in an explorer, and name it with --peer " + id.String() + "@HOST:PORT"
	}
	return scbconv.NoAddressHelp
}

// closed reports whether the close is in a block.
func (c *Channel) closed() bool {
	return c.Evidence != nil && c.Evidence.State == chain.FundingSpent && c.Evidence.Spend.Height > 0
}

// refuseTogether refuses the entries that cannot be given to lightningd
// together. A stored copy never takes the place of what the backup has.
func refuseTogether(channels, extra []*Channel) {
	var entries []*scbconv.Entry
	var of []*Channel
	for _, c := range channels {
		if c.SCB != nil && (c.Decision == decision.Import || c.Decision == decision.AskFirst || c.Decision == decision.AwaitFunding) {
			entries, of = append(entries, c.SCB), append(of, c)
		}
	}
	for i, err := range scbconv.Batch(entries) {
		if err != nil {
			of[i].refuse(err)
		}
	}
	for _, c := range extra {
		if c.SCB == nil || c.Decision == decision.Refused {
			continue
		}
		all := append(entries[:len(entries):len(entries)], c.SCB)
		if err := scbconv.Batch(all)[len(entries)]; err != nil {
			c.refuse(err)
			continue
		}
		entries = all
	}
}

// others are the channel entries of the backup that hold no channel: openings
// that came to nothing, and the ones that cannot be read.
func others(b *vlsstate.Backup) []*Channel {
	var out []*Channel
	for _, o := range b.Openings {
		out = append(out, &Channel{
			Description: backup.Description{PeerID: o.Peer, DBID: o.DBID}, Decision: decision.NeverOpened,
			Reason: "this opening came to nothing; there is nothing to recover",
		})
	}
	for _, problem := range b.Problems {
		if !losesChannel(problem) {
			continue
		}
		c := &Channel{Decision: decision.BadEntry, Reason: problem.Error()}
		if problem.Channel != nil {
			c.PeerID, c.DBID = problem.Channel.Peer, problem.Channel.DBID
		}
		out = append(out, c)
	}
	return out
}

// losesChannel: it has its own line among the channels.
func losesChannel(p *vlsstate.EntryError) bool {
	return p.Kind == vlsstate.KindChannel && p.Effect == vlsstate.EntryLost
}

// problems tells what costs something but no channel, equal things in one line.
func (p *Plan) problems(b *vlsstate.Backup) {
	costing := slices.DeleteFunc(slices.Clone(b.Problems), losesChannel)
	p.Warnings = append(p.Warnings, vlsstate.Lines(costing)...)
}
