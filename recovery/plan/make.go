package plan

import (
	"context"
	"fmt"
	"slices"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/gates"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/locate"
)

// Make looks at every channel of the backup and decides. With a node it first
// asks whether the backup may be imported into it at all; the failures are those
// of Gates, of what the node answered, and invalid_parameter.
func Make(ctx context.Context, in Inputs) (*Plan, error) {
	p := &Plan{
		Made: in.Now, NodeID: in.Backup.NodeID, Backup: in.Backup.Facts(in.Now), Written: in.Backup.Written(in.Now),
		Warnings: []string{},
	}
	a, err := locate.New(in.Locate())
	if err != nil {
		return nil, err
	}
	if in.Node != nil {
		if p.Node, err = gates.Pass(ctx, in.Node, in.Backup.Backup, in.Gates()); err != nil {
			return nil, err
		}
		p.Warnings = append(p.Warnings, p.Node.Warnings...)
	}
	p.problems(in.Backup.Backup)
	for _, ch := range in.Backup.Channels {
		c := &Channel{Description: backup.Describe(ch), Channel: ch, Address: a.Of(ctx, ch.Peer)}
		if c.Address.BackupError != nil {
			c.warn("the backup's address of the peer cannot be read: %v", c.Address.BackupError)
		}
		p.Channels = append(p.Channels, c)
	}
	if in.Words {
		p.Written = in.Since
		p.warn(WordsLimits)
	} else {
		p.prove(&in)
		p.remarks(&in)
	}
	p.seek(ctx, &in, p.Channels)
	p.readCopies(ctx, &in, a, p.copies(ctx, &in))
	p.spoken(ctx, &in, a)
	p.seek(ctx, &in, p.Extra)
	if in.Chain != nil && in.Node != nil {
		p.search(ctx, &in, a)
		p.coinCloses(ctx, &in)
	}
	all := p.All()
	for i, c := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p.judge(&in, c)
		p.conclude(ctx, &in, c)
		in.step(i+1, len(all))
	}
	p.hearPeers(&in)
	p.Channels = append(p.Channels, others(in.Backup.Backup)...)
	p.remarkLookBack(ctx, &in)
	p.finish(ctx, &in)
	return p, nil
}

// copies are the copies that are at hand.
func (p *Plan) copies(ctx context.Context, in *Inputs) []backup.Copy {
	copies := slices.Clone(in.Copies)
	if in.Node != nil {
		c, err := DatastoreCopy(ctx, in.Node)
		switch {
		case err != nil:
			p.warn("lightningd's datastore could not be read: %v", err)
		case c != nil:
			copies = append(copies, *c)
		}
	}
	return copies
}

// judge says what the known spend of a channel's funding output is for us.
func (p *Plan) judge(in *Inputs, c *Channel) {
	if c.Channel != nil && c.Evidence != nil && c.Evidence.State == chain.FundingSpent {
		if c.Channel.ByID {
			if full := judge.Identify(c.Channel, c.Evidence.Spend.Tx, in.Keys); full != nil && (full.Key == c.Channel.Key || !p.keyTaken(full.Key)) {
				c.Channel, c.DBID, c.ChannelType = full, full.DBID, full.Type.String()
			}
		}
		c.Close = judge.Close(c.Channel, c.Evidence.Spend.Tx, c.Evidence.Spend.Height, in.Keys)
	}
}

// finish draws what follows from all channels together.
func (p *Plan) finish(ctx context.Context, in *Inputs) {
	all, listing := p.All(), p.listing()
	refuseTogether(p.Channels, p.Extra)
	for _, c := range all {
		if !in.Extra {
			c.offer()
		}
		listed(c.Outputs, listing)
	}
	pruned := uint32(0)
	if in.Chain != nil {
		pruned, _, _ = in.Chain.Floor(ctx)
	}
	p.Rescan = p.rescan(pruned)
}

// prove adds what is wrong by the node's secret. Without it everything that can work
// without it goes on.
func (p *Plan) prove(in *Inputs) {
	if in.Keys == nil {
		if in.KeysError != nil {
			p.warn("%v The channels are imported all the same, but no peer can be asked to close, "+
				"and a CLN peer does not close a used channel by itself", in.KeysError)
		}
		return
	}
	warnings, wrong := gates.Prove(in.Keys, in.Backup.Backup)
	p.Warnings = append(p.Warnings, warnings...)
	for _, c := range p.Channels {
		if c.Channel != nil {
			c.Warnings = append(c.Warnings, wrong[c.Channel.Key]...)
		}
	}
}

// remarks are about the backup as a whole.
func (p *Plan) remarks(in *Inputs) {
	b := in.Backup
	if !b.CreatedAt.IsZero() && p.Written.IsZero() {
		p.warn("the backup's date is in the future: its age is unknown")
	}
	if b.Network == "" {
		p.warn("the backup does not say which network it is of; nothing could be compared")
	}
	for id := range in.Addresses {
		if !slices.ContainsFunc(p.Channels, func(c *Channel) bool { return c.PeerID == id }) {
			p.warn("addresses: the backup has no channel with %s; its address is not used", id)
		}
	}
}

// remarkLookBack says where not all blocks since the backup are looked at.
func (p *Plan) remarkLookBack(ctx context.Context, in *Inputs) {
	if in.Chain == nil || p.Node == nil {
		return
	}
	unknown := 0
	for _, c := range p.All() {
		if c.Evidence != nil && c.Evidence.State == chain.FundingUnknown {
			unknown++
		}
	}
	if unknown == 0 {
		return
	}
	from, why := LookBackFrom(ctx, in.Chain, p.Written, p.Node.Info.Height)
	switch {
	case why == "":
	case in.Words && p.Written.IsZero():
		p.warn("%d channels have no funding output on the chain as far as glrecover can tell; it searches for what spent them from block %d on, because you gave no date since which the node existed (since=DATE)", unknown, from)
	default:
		p.warn("%d funding outputs are gone; glrecover searches for what spent them from block %d on: %s", unknown, from, why)
	}
}

func (in *Inputs) say(format string, args ...any) {
	if in.Progress != nil {
		in.Progress.Message(fmt.Sprintf(format, args...))
	}
}

func (in *Inputs) step(done, total int) {
	if in.Progress != nil {
		in.Progress.Step(uint32(done), uint32(total))
	}
}
