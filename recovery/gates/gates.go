package gates

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/vlsstate"
)

// The texts of the refusal that matters most: the wrong use of this tool loses
// everything.
const (
	OnlyForDisasters = "this is only for disasters, never for moving to another node. " +
		"Two nodes with one key lose money: if the hosted node runs again, or your signer connects to it " +
		"again, after this recovery, every channel can be lost to its peer. " +
		"What it does: it asks every peer to close its channel; payments that are under way can be lost; " +
		"the node id is finished as a Lightning node"
	doNotDecommissioned = "If the hosted node is gone for good and your signer will never connect to it again, " +
		"say so with decommissioned=true; to see first what would happen, use dry_run=true"
)

// NotDecommissioned refuses the real run without the user's statement. It tells
// what it would be about.
func NotDecommissioned(b *backup.Loaded) error {
	return failure.New(failure.NotDecommissioned, doNotDecommissioned, "%s", OnlyForDisasters).
		With(map[string]any{"node_id": b.NodeID, "channels": len(b.Channels)})
}

// Inputs are what the gates need besides backup and node.
type Inputs struct {
	// Override names the failures that the user accepts.
	Override []string
	// Alive is the standing alarm about the hosted node, "" for none.
	Alive string
	Now   time.Time
}

// Pass looks at the node and refuses a recovery as a whole, before anything
// happens.
func Pass(ctx context.Context, n Node, b *vlsstate.Backup, in Inputs) (*Situation, error) {
	s, err := Look(ctx, n, b.NodeID)
	if err != nil {
		return nil, err
	}
	return s, refuse(b, s, in)
}

// refuse says what speaks against it. The order is from what the user can see at
// once to what needs the network.
func refuse(b *vlsstate.Backup, s *Situation, in Inputs) error {
	for _, name := range in.Override {
		if !slices.Contains(overridable, failure.Name(name)) {
			return failure.New(failure.InvalidParameter,
				"These can be overridden: "+joinNames(overridable), "override: nothing of the name %q can be overridden", clip(name))
		}
	}
	if b.Network != "" && b.Network != s.Info.Network {
		return failure.New(failure.WrongNetwork,
			"Use the backup of a node on this network, or start lightningd on the backup's network",
			"the backup is of a node on %s, this node is on %s", b.Network, s.Info.Network)
	}
	if damaged := proof.DamagedNodeID(b, s.Info.ID); damaged != nil {
		return damaged
	}
	if b.NodeID != s.Info.ID {
		return failure.New(failure.WrongNode,
			"Start lightningd with the hsm_secret of the lost node; "+
				"glrecover hsm-secret makes it from the twelve words and checks it against the backup",
			"the backup is of node %s, this node is %s", b.NodeID, s.Info.ID).
			With(map[string]any{"backup_node_id": b.NodeID, "node_id": s.Info.ID})
	}
	if b.KeyDerivationStyle != 0 && b.KeyDerivationStyle != vlsstate.NativeKeyDerivation {
		return failure.New(failure.UnsupportedKeyDerivation,
			"These channels' keys are not lightningd's; keep the file, and recover with the signer that made it",
			"the backup has key derivation style %d, lightningd's keys have style %d",
			b.KeyDerivationStyle, vlsstate.NativeKeyDerivation)
	}
	if s.Info.Syncing != "" {
		return failure.New(failure.NodeSyncing, "Wait until getinfo shows no warning, then try again",
			"the node is still syncing (%s)", s.Info.Syncing)
	}
	if err := dbidConflicts(b, s); err != nil {
		return err
	}
	if err := foreignChannels(b, s); err != nil {
		return err
	}
	if !slices.Contains(in.Override, string(failure.HostedNodeAlive)) {
		return hostedAlive(b, s, in)
	}
	return nil
}

// overridable are the failures that an operator can accept by name.
var overridable = []failure.Name{failure.HostedNodeAlive, failure.PeerStale}

func joinNames(names []failure.Name) string {
	var out []string
	for _, n := range names {
		out = append(out, string(n))
	}
	return strings.Join(out, ", ")
}

// clip keeps what a user typed short enough to be shown to him.
func clip(s string) string {
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return s
}

// dbidConflicts finds open channels of this node whose dbid a channel of the
// backup has: recoverchannel would skip it without a word.
func dbidConflicts(b *vlsstate.Backup, s *Situation) error {
	type clash struct {
		DBID     uint64         `json:"dbid"`
		Backup   channel.ID     `json:"backup_channel_id"`
		Peer     channel.PubKey `json:"backup_peer_id"`
		Node     channel.ID     `json:"node_channel_id"`
		NodePeer channel.PubKey `json:"node_peer_id"`
	}
	var clashes []clash
	for _, c := range b.Channels {
		for _, e := range s.Entries {
			if e.DBID == c.DBID && e.ID != c.ID() {
				clashes = append(clashes, clash{c.DBID, c.ID(), c.Peer, e.ID, e.Peer})
			}
		}
	}
	if len(clashes) == 0 {
		return nil
	}
	first := clashes[0]
	return failure.New(failure.DBIDConflict,
		"Use a fresh node: an empty lightning directory with nothing but the hsm_secret in it",
		"channel %s of the backup has dbid %d, and so has channel %s of this node; a channel's keys come from its dbid, so it cannot be moved (%d such)",
		first.Backup, first.DBID, first.Node, len(clashes)).With(map[string]any{"conflicts": clashes})
}

// foreignChannels finds channels of this node with a peer of the backup that
// are no stubs: somebody uses this node, or the hosted one was moved here.
func foreignChannels(b *vlsstate.Backup, s *Situation) error {
	for _, nc := range s.Channels {
		if nc.Stub {
			continue
		}
		for _, c := range b.Channels {
			if c.Peer == nc.Peer {
				return failure.New(failure.ForeignChannel,
					"Use a fresh node for the recovery: an error that closes one channel with a peer can close the other",
					"this node has a channel of its own (%s, %s) with peer %s of the backup", nc.ID, nc.State, nc.Peer)
			}
		}
	}
	return nil
}

// hostedAlive looks for gossip of this node id that is younger than the backup
// and cannot be ours: a node without public channels of its own announces
// nothing.
func hostedAlive(b *vlsstate.Backup, s *Situation, in Inputs) error {
	if in.Alive != "" {
		return failure.New(failure.HostedNodeAlive,
			"Make sure that it is dead for good, then call again with override=hosted_node_alive",
			"the hosted node seems to be alive: %s", in.Alive)
	}
	for _, c := range s.Channels {
		if !c.Stub && !c.Private {
			return nil
		}
	}
	newest := s.Update
	if s.Gossip != nil && s.Gossip.LastTimestamp.After(newest) {
		newest = s.Gossip.LastTimestamp
	}
	// A date that is still to come says nothing: then any gossip is a sign of life.
	future := b.CreatedAt.After(in.Now.Add(backup.ClockMargin))
	if b.CreatedAt.IsZero() || newest.IsZero() || (!future && !newest.After(b.CreatedAt)) {
		return nil
	}
	if future {
		return failure.New(failure.HostedNodeAlive,
			"Make sure that the hosted node is dead for good, then call again with override=hosted_node_alive",
			"the backup claims to be from %s, which is in the future, and gossip has news of this node id from %s: it is unknown which is newer",
			b.CreatedAt.UTC().Format(time.RFC3339), newest.UTC().Format(time.RFC3339))
	}
	return failure.New(failure.HostedNodeAlive,
		"Make sure that it is dead for good. If it ran on after the backup was written and is dead now, "+
			"this is expected: call again with override=hosted_node_alive",
		"gossip has news of this node id from %s, after the backup was written (%s): the hosted node may be running",
		newest.UTC().Format(time.RFC3339), b.CreatedAt.UTC().Format(time.RFC3339)).
		With(map[string]any{"newest_gossip": newest.Unix(), "created_at": b.CreatedAt.Unix()})
}
