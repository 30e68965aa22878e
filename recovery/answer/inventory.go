package answer

import (
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/plan"
)

// Inventory is what glrecover-inspect says: what a backup holds, without any
// effect and without contact to a peer.
type Inventory struct {
	NodeID   channel.PubKey `json:"node_id"`
	ThisNode bool           `json:"this_node"`
	Network  string         `json:"network,omitempty"`
	Backup   backup.Facts   `json:"backup"`
	Channels []Channel      `json:"channels"`
	Totals   Totals         `json:"totals"`
	Warnings []string       `json:"warnings"`
}

// InventoryOf shows the channels of a plan that was made without a node. What would be
// done with each is for the dry run to say, which asks the node too.
func InventoryOf(p *plan.Plan, network string, thisNode bool) *Inventory {
	inv := &Inventory{
		NodeID: p.NodeID, ThisNode: thisNode, Network: network,
		Backup: p.Backup, Channels: make([]Channel, 0, len(p.Channels)), Warnings: p.Warnings,
	}
	for _, c := range p.Channels {
		a := channelOf(c)
		a.Cure, a.Warnings = "", nil
		if c.Channel != nil {
			a.Result, a.Reason = "", ""
		}
		inv.Channels = append(inv.Channels, a)
	}
	inv.Totals = totalsOf(inv.Channels)
	return inv
}
