package recovery

import (
	"context"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/scbconv"
)

// Inventory is what glrecover-inspect says: what a backup holds, without any
// effect and without contact to a peer.
type Inventory struct {
	NodeID   channel.PubKey  `json:"node_id"`
	ThisNode bool            `json:"this_node"`
	Network  string          `json:"network,omitempty"`
	Backup   BackupFacts     `json:"backup"`
	Channels []ChannelAnswer `json:"channels"`
	Totals   Totals          `json:"totals"`
	Warnings []string        `json:"warnings"`
}

// Inspect reads a backup and shows its channels with the address that would be
// used and what the chain says of their funding.
func (s *Service) Inspect(ctx context.Context, from api.Backup) (any, error) {
	b, err := load(from)
	if err != nil {
		return nil, err
	}
	info, err := s.node.Info(ctx)
	if err != nil {
		return nil, err
	}
	inv := &Inventory{
		NodeID: b.NodeID, ThisNode: b.NodeID == info.ID, Network: b.Network,
		Backup: factsOf(b, s.Now()), Channels: []ChannelAnswer{}, Warnings: problemWarnings(b.Backup),
	}
	view := s.view(ctx)
	for _, c := range b.Channels {
		a := describe(c)
		choice := scbconv.Choose(s.candidates(ctx, b.Backup, nil, c.Peer))
		a.Address, a.AddressSource = choice.Address.String(), string(choice.Source)
		if b.Network == info.Network {
			a.Evidence = evidenceAnswer(view.Funding(ctx, fundingQuery(c, nil)))
		}
		inv.Channels = append(inv.Channels, a)
	}
	inv.Channels = append(inv.Channels, others(b.Backup)...)
	inv.Totals = totalsOf(inv.Channels)
	if inv.Warnings == nil {
		inv.Warnings = []string{}
	}
	return inv, nil
}
