package plan

import (
	"context"
	"slices"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/gates"
	"github.com/glrecover/glrecover/recovery/locate"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// DatastoreCopy is what lightningd keeps of a peer's copy; nil if nothing.
func DatastoreCopy(ctx context.Context, n Node) (*backup.Copy, error) {
	records, err := n.Records(ctx, backup.LatestSCB)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if slices.Equal(r.Key, backup.LatestSCB) {
			return &backup.Copy{Source: backup.FromDatastore, Blob: []byte(r.Value)}, nil
		}
	}
	return nil, nil
}

// AddCopies names the channels that only these copies have, and settles them.
// Each channel is taken from the copy that was written last. What cannot be read
// is a warning. The error is invalid_parameter of the user's addresses.
func (p *Plan) AddCopies(ctx context.Context, in Inputs, copies ...backup.Copy) error {
	a, err := locate.New(in.Locate())
	if err != nil {
		return err
	}
	fresh := p.readCopies(ctx, &in, a, copies)
	p.seek(ctx, &in, fresh)
	for _, x := range fresh {
		p.judge(&in, x)
		p.conclude(ctx, &in, x)
	}
	p.finish(ctx, &in)
	return nil
}

// Copied is the plan for channels that only these copies have, where no backup is
// at hand: known are the channels that are followed already, written says when
// their backup was. The failures are what the node answered.
func Copied(ctx context.Context, in Inputs, written time.Time, known []*channel.Channel, copies ...backup.Copy) (*Plan, error) {
	in.Backup = &backup.Loaded{Backup: &vlsstate.Backup{}}
	p := &Plan{Made: in.Now, Written: written}
	if in.Node != nil {
		var err error
		if p.Node, err = gates.Look(ctx, in.Node, p.NodeID); err != nil {
			return nil, err
		}
	}
	for _, c := range known {
		p.Channels = append(p.Channels, &Channel{Description: backup.Describe(c), Channel: c})
	}
	return p, p.AddCopies(ctx, in, copies...)
}

// opener is nil where keys are.
func opener(keys Keys) backup.Opener {
	if keys == nil {
		return nil
	}
	return keys
}

// readCopies adds the channels that only copies have, and returns these.
func (p *Plan) readCopies(ctx context.Context, in *Inputs, a *locate.Addresses, copies []backup.Copy) []*Channel {
	var fresh []*Channel
	for _, c := range copies {
		f, err := c.Open(opener(in.Keys))
		if err != nil {
			p.warn("%s of the lost node's own backup (%d bytes): %v", &c, len(c.Blob), err)
			continue
		}
		c.Written = f.Written
		for _, e := range f.Entries {
			if x := p.copied(ctx, a, e, c); x != nil {
				fresh = slices.DeleteFunc(fresh, func(old *Channel) bool { return old.ChannelID == x.ChannelID })
				fresh = append(fresh, x)
			}
		}
	}
	return fresh
}

// copied adds one entry of a copy; nil if it is known better.
func (p *Plan) copied(ctx context.Context, a *locate.Addresses, e *scbconv.Entry, from backup.Copy) *Channel {
	id := e.ChannelID.String()
	if slices.ContainsFunc(p.Channels, func(c *Channel) bool { return c.ChannelID == id }) {
		return nil
	}
	x := &Channel{Copy: &from}
	known := slices.IndexFunc(p.Extra, func(c *Channel) bool { return c.ChannelID == id })
	switch {
	case known < 0:
		p.Extra = append(p.Extra, x)
	case !p.Extra[known].Copy.Written.Before(from.Written):
		return nil
	default:
		p.Extra[known] = x
	}
	ch, err := e.Channel()
	if err != nil {
		x.Description = backup.Description{
			PeerID: e.NodeID, DBID: e.DBID, ChannelID: id, FundingTxid: e.Funding.Hash.String(),
			FundingOutnum: e.Funding.Index, CapacityMsat: channel.Msat(e.FundingSat), ShareFrom: channel.ShareUnknown,
		}
		x.Err = err
		x.decide(decision.Refused, "", "%s has it, and it cannot be used: %v", &from, err)
		return x
	}
	x.Channel = ch
	p.describe(ctx, a, x, scbconv.Choice{Address: e.Address, Source: locate.FromCopy})
	return x
}

// offer leaves an extra channel alone until the user asks for it.
func (c *Channel) offer() {
	if c.Copy != nil && (c.Decision == decision.Import || c.Decision == decision.AwaitFunding || c.Decision == decision.AskFirst) {
		c.decide(decision.NotAsked, "Call glrecover again with extra=true: it is then imported, its peer asked to close, and followed like the rest",
			"the backup does not have it: it was opened later; it is known from %s", c.Copy)
	}
}
