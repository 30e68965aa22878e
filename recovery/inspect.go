package recovery

import (
	"context"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/locate"
	"github.com/glrecover/glrecover/recovery/plan"
	"github.com/glrecover/glrecover/scbconv"
)

// Inspect reads a backup and shows its channels with the address that would be
// used and what the chain says of their funding.
func (s *Service) Inspect(ctx context.Context, from api.Backup) (any, error) {
	b, err := backup.Load(from)
	if err != nil {
		return nil, err
	}
	info, err := s.Node.Info(ctx)
	if err != nil {
		return nil, err
	}
	in := plan.Inputs{Backup: b, Now: s.Now(), Gossip: map[channel.PubKey][]scbconv.Address{}}
	for _, c := range b.Channels {
		if _, seen := in.Gossip[c.Peer]; !seen {
			in.Gossip[c.Peer] = s.announced(ctx, c.Peer)
		}
	}
	if b.Network == info.Network {
		in.Chain = s.view.Source(ctx)
	}
	p, err := plan.Make(ctx, in)
	if err != nil {
		return nil, err
	}
	return answer.InventoryOf(p, b.Network, b.NodeID == info.ID), nil
}

// announced are the addresses of a peer that the node's gossip knows.
func (s *Service) announced(ctx context.Context, id channel.PubKey) []scbconv.Address {
	return locate.Announced(ctx, s.Node, id)
}
