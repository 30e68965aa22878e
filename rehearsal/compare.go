package rehearsal

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// running finds the running node's side of a channel.
type running struct {
	byID     map[channel.ID]*lightningd.PeerChannel
	byOut    map[wire.OutPoint]*lightningd.PeerChannel
	scb      map[channel.ID]*scbconv.Entry
	stubs    map[channel.ID]bool
	funded   []*lightningd.PeerChannel
	compared map[*lightningd.PeerChannel]bool
}

const doStop = "Stop the node now and ask for help: running with an old state, it can lose everything in the channel"

// node looks at the running node as a whole.
func (r *rehearsal) node() {
	if err := r.in.NodeError; err != nil {
		r.add(Problem, NodeUnreachable, "Give the path of lightningd's RPC socket, and make sure that lightningd runs", "the running node did not answer: %s", err)
	}
	n := r.in.Node
	if n == nil {
		return
	}
	view := &NodeView{NodeID: n.ID, Network: n.Network, Height: n.Height}
	r.report.Node = view
	b := r.in.Backup
	switch {
	case n.ID != b.NodeID:
		r.add(Problem, AnotherNode, "", "the running node is %s, but the backup belongs to another node: nothing was compared", n.ID)
		return
	case b.Network != "" && n.Network != b.Network:
		r.add(Problem, AnotherNetwork, "", "the running node is on another network than the backup: nothing was compared")
		return
	}
	side := &running{
		byID: make(map[channel.ID]*lightningd.PeerChannel), byOut: make(map[wire.OutPoint]*lightningd.PeerChannel),
		scb: make(map[channel.ID]*scbconv.Entry), stubs: make(map[channel.ID]bool), compared: make(map[*lightningd.PeerChannel]bool),
	}
	for i := range n.Channels {
		c := &n.Channels[i]
		out, ok := funded(c)
		switch {
		case !ok:
			continue
		case c.ShortChannelID == stubID:
			side.stubs[channel.ID(*c.ID)] = true
			continue
		}
		side.funded = append(side.funded, c)
		side.byID[channel.ID(*c.ID)], side.byOut[out] = c, c
	}
	for _, e := range n.SCBs {
		side.scb[e.ChannelID] = e
	}
	view.Channels = len(side.funded)
	if n := len(side.stubs); n > 0 {
		r.add(Note, NodeRecovers, "", "%s of the running node already under recovery; nothing was compared with that", plural(n, "channel is", "channels are"))
	}
	r.running = side
}

// compare sets one channel of the backup with the running node's and reports
// whether the node has closed and forgotten it.
func (r *rehearsal) compare(ch *channel.Channel, out *Channel) (closed bool) {
	side := r.running
	if side == nil || side.stubs[ch.ID()] {
		return false
	}
	c := side.byOut[ch.Funding]
	if c == nil {
		if c = side.byID[ch.ID()]; c != nil {
			side.compared[c] = true
			r.about(ch.Key, Problem, FundingChanged, doSnapshot,
				"the running node has this channel with another funding output: it was spliced, and the backup points to a spent one")
			return false
		}
		if slices.Contains(r.in.Node.Closed, ch.ID()) {
			out.Closed = true
			r.about(ch.Key, Note, ClosedByNode, "", "the running node has closed this channel and forgotten it: there is nothing to recover")
			return true
		}
		r.about(ch.Key, Note, UnknownToNode, "", "the running node does not know this channel")
		return false
	}
	side.compared[c] = true
	cmp := &Comparison{State: c.State, BackupRevoked: ch.State.NextCounterpartyRevokeNum, ToUsMsat: uint64(c.ToUs)}
	out.Node = cmp
	cmp.UnknownHTLCs, cmp.UnknownHTLCsMsat = unknownHTLCs(ch, c)
	if c.LostState {
		r.about(ch.Key, Problem, NodeLostState, doStop, "the peer has proved to the running node that it lost its state of this channel")
	}
	r.relate(ch, c, cmp)
	return false
}

// relate compares the numbers, and where the secret is known the commitment.
func (r *rehearsal) relate(ch *channel.Channel, c *lightningd.PeerChannel, cmp *Comparison) {
	ours := r.in.Commitments[ch.Key]
	current := slices.Contains(ours, c.ScratchTxid)
	other := len(ours) > 0 && c.ScratchTxid != "" && commits(c.State) && !current
	n, known := revoked(r.running.scb[channel.ID(*c.ID)])
	if known {
		cmp.NodeRevoked = &n
	}
	switch {
	case known && n < cmp.BackupRevoked:
		cmp.Relation = AheadOfNode
		r.about(ch.Key, Problem, NodeBehind, doStop,
			"the running node knows of %d revoked states of the peer, the backup of %d: the node runs on an old state", n, cmp.BackupRevoked)
	case known && n > cmp.BackupRevoked:
		cmp.Relation = BackupBehind
		level, do := r.promised(n - cmp.BackupRevoked)
		r.about(ch.Key, level, Behind, do,
			"the peer has revoked %s since the backup was written: if it cheats with one of these, it cannot be punished%s",
			plural64(n-cmp.BackupRevoked, "state", "states"), r.htlcsToo(cmp))
	case current:
		cmp.Relation = Current
	case known && other:
		cmp.Relation = Moving
		r.about(ch.Key, Note, InMotion, "Run the check again when no payment is under way",
			"the running node's commitment is not the one in the backup, but no state was revoked since: a payment is under way now, or was when the backup was written")
	case known:
		cmp.Relation = SameNumbers
	case other:
		cmp.Relation = BackupBehind
		level, do := r.promised(1)
		r.about(ch.Key, level, Behind, do, "the running node's commitment is not the one in the backup")
	default:
		cmp.Relation = Unknown
		r.about(ch.Key, Note, NumbersUnknown, "", "the running node does not report the commitment numbers of this channel")
	}
	if cmp.UnknownHTLCs > 0 && cmp.Relation != BackupBehind {
		r.about(ch.Key, Loss, HTLCsUnknown, doSnapshot, "%s, %s, pending in the running node and not in the backup",
			plural(cmp.UnknownHTLCs, "payment is", "payments are"), sat(cmp.UnknownHTLCsMsat/1000))
	}
}

func (r *rehearsal) htlcsToo(cmp *Comparison) string {
	if cmp.UnknownHTLCs == 0 {
		return ""
	}
	return "; " + plural(cmp.UnknownHTLCs, "payment that is pending now is", "payments that are pending now are") + " not in it"
}

// promised says how bad it is to be so many states behind: no problem where the
// strategy is to be no better.
func (r *rehearsal) promised(behind uint64) (Level, string) {
	b := r.in.Backup
	if b.Source == vlsstate.FromBackup {
		switch {
		case b.Strategy.Kind == vlsstate.NewChannelsOnly:
			return Loss, "Have the signer write periodic backups"
		case b.Strategy.Kind == vlsstate.Periodic && behind <= uint64(b.Strategy.Updates):
			return Loss, ""
		}
	}
	return Problem, doSnapshot
}

// lacking reports what the running node has and the backup has not.
func (r *rehearsal) lacking() {
	if r.running == nil {
		return
	}
	for _, c := range r.running.funded {
		if r.running.compared[c] {
			continue
		}
		var dbid uint64
		if e := r.running.scb[channel.ID(*c.ID)]; e != nil {
			dbid = e.DBID
		}
		r.about(channel.Key{Peer: c.Peer, DBID: dbid}, Problem, NotInBackup, doSnapshot,
			"a channel of the running node is not in the backup and would be lost with your share of %s (state %s)", sat(c.ToUs.Sat()), c.State)
	}
}

// pendingHTLC is what node and backup both know of a payment.
type pendingHTLC struct {
	out    bool
	hash   string
	expiry uint32
	sat    uint64
}

// unknownHTLCs counts the payments that lightningd has pending, with an output
// on our commitment, and that no commitment in the backup has.
func unknownHTLCs(ch *channel.Channel, c *lightningd.PeerChannel) (n int, msat uint64) {
	known := make(map[pendingHTLC]int)
	for _, commit := range []*channel.Commitment{
		ch.State.HolderCommit, ch.State.NextHolderCommit, ch.State.CounterpartyCommit, ch.State.PrevCounterpartyCommit,
	} {
		if commit == nil {
			continue
		}
		here := make(map[pendingHTLC]int)
		for _, side := range []struct {
			list []channel.HTLC
			out  bool
		}{
			{commit.Offered, commit.Broadcaster == channel.Local},
			{commit.Received, commit.Broadcaster != channel.Local},
		} {
			for _, h := range side.list {
				here[pendingHTLC{side.out, hex.EncodeToString(h.PaymentHash[:]), h.CLTVExpiry, h.ValueSat}]++
			}
		}
		for h, count := range here {
			known[h] = max(known[h], count)
		}
	}
	for i := range c.HTLCs {
		h := &c.HTLCs[i]
		if h.LocalTrimmed || strings.Contains(h.State, "REMOVE") {
			continue
		}
		key := pendingHTLC{h.Direction == "out", hex.EncodeToString(h.PaymentHash), h.Expiry, h.Amount.Sat()}
		if known[key] > 0 {
			known[key]--
			continue
		}
		n++
		msat += uint64(h.Amount)
	}
	return n, msat
}
