package recovery

import (
	"context"
	"fmt"
	"slices"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/gates"
	"github.com/glrecover/glrecover/recovery/hearing"
	"github.com/glrecover/glrecover/recovery/keyring"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/plan"
	"github.com/glrecover/glrecover/recovery/record"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/vlsstate"
)

// Recover is the method glrecover: it refuses, or it imports what can be
// imported and leaves the rest to the loop. A second call changes nothing and
// says so. Failures happen before any effect.
func (s *Service) Recover(ctx context.Context, p api.RecoverParams, progress api.Progress) (any, error) {
	if err := s.refuseParams(p); err != nil {
		return nil, err
	}
	b, err := s.load(p)
	if err != nil {
		return nil, err
	}
	if len(p.Peers) > 0 && !p.Decommissioned {
		return nil, gates.NotDecommissioned(b) // peers are met under the lost node's name, also in a dry run
	}
	if p.DryRun {
		made, _, release, err := s.makePlan(ctx, b, p, progress)
		defer release()
		if err != nil {
			return nil, err
		}
		return answer.DryRun(made, s.call(p)), nil
	}
	if !p.Decommissioned {
		return nil, gates.NotDecommissioned(b)
	}
	// From here on no channel may be opened: one that appears between the gates and
	// the import would clash with it.
	n := s.calls.begin(progress)
	defer s.calls.end(n)
	s.send(model.CallBegun{Call: n.id})
	r, err := n.wait(ctx)
	if err != nil {
		s.send(model.CallEnded{Call: n.id})
		return nil, err
	}
	if r.Refused {
		return nil, failure.New(failure.Busy, "Try again in a minute; glrecover-status shows how far it is", "glrecover is importing channels already")
	}
	a, err := s.realRun(ctx, n, b, p, progress)
	s.send(model.CallEnded{Call: n.id})
	return a, err
}

// words is what stands for the backup where there is none: the node's name.
func (s *Service) words() *backup.Loaded {
	return &backup.Loaded{Backup: &vlsstate.Backup{NodeID: s.id, Network: s.facts.Network}}
}

// load reads the backup of a call, or says that there is none.
func (s *Service) load(p api.RecoverParams) (*backup.Loaded, error) {
	switch {
	case !p.Backup.None():
		return backup.Load(p.Backup)
	case len(p.Peers) == 0:
		return nil, failure.New(failure.InvalidParameter, "Give the signer backup; or, if there is none, the peers of the lost node",
			"there is neither a backup nor a peer")
	}
	return s.words(), nil
}

// hears reports whether peers are heard before the plan: they are where the user
// names some, and where there is no lightningd, whose import would wait for it.
func (s *Service) hears(p api.RecoverParams) bool {
	return p.Decommissioned && (len(p.Peers) > 0 || !s.Stubs)
}

// hearing hears peers before a plan.
func (s *Service) hearing(keys keyring.Keys, peers closing.Peers) *hearing.Hearing {
	return &hearing.Hearing{Node: s.Node, Store: s.Store, Peers: peers, Keys: keys, Now: s.Now, ReadTime: s.readTime(), Log: s.log}
}

// Hearable reports whether one of these peers can be heard now. It says nothing on
// any channel; what is heard is for the next Recover.
func (s *Service) Hearable(ctx context.Context, list []backup.Unheard) bool {
	keys, peers, release, err := s.keyring.Use()
	defer release()
	return err == nil && s.hearing(keys, peers).Any(ctx, list)
}

// refuseParams refuses a destination or feerate that is none, and another
// destination than the one to which coins go already.
func (s *Service) refuseParams(p api.RecoverParams) error {
	if _, _, err := claims.ParseFeerate(p.Feerate); err != nil {
		return failure.New(failure.InvalidParameter, "Leave it out for the node's own estimate, or write feerate=normal", "feerate: %v", err)
	}
	if p.Destination == "" {
		return nil
	}
	if err := sweep.CheckAddress(p.Destination, claims.Network(s.facts.Network)); err != nil {
		return failure.New(failure.InvalidParameter, "Leave it out, and what comes back goes to this node's own wallet",
			"destination: %v (%s)", err, s.facts.Network)
	}
	if st := s.seen.Load(); st != nil && st.Run != nil && st.Run.Destination != "" && st.Run.Destination != p.Destination {
		return failure.New(failure.InvalidParameter, "Leave it out: one recovery pays to one address. Send the coins on when they are there",
			"destination: this recovery pays to %s already", st.Run.Destination)
	}
	return nil
}

// makePlan looks at everything and decides, without any effect; release the keys of the
// inputs after.
func (s *Service) makePlan(ctx context.Context, b *backup.Loaded, p api.RecoverParams, progress api.Progress) (made *plan.Plan, in plan.Inputs, release func(), err error) {
	if in, release, err = s.inputs(ctx, b, p, progress); err != nil {
		return nil, in, release, err
	}
	if made, err = plan.Make(ctx, in); err != nil {
		err = s.explain(ctx, b.NodeID, err)
	}
	return made, in, release, err
}

// inputs are what a plan for this node is made of; release the keys after. Peers are
// heard for it where that is wanted.
func (s *Service) inputs(ctx context.Context, b *backup.Loaded, p api.RecoverParams, progress api.Progress) (in plan.Inputs, release func(), err error) {
	in = plan.Inputs{
		Backup: b, Node: s.Node, Chain: s.view.Source(ctx), Now: s.Now(),
		Addresses: p.Addresses, SkipIncomplete: p.SkipIncomplete, Override: p.Override, Progress: progress, Sweeps: s.Sweeps != nil, Alone: !s.Stubs,
		Extra: p.Extra || len(p.Peers) > 0 || !s.Stubs, Words: b != nil && b.SHA256 == "", Since: p.Since,
	}
	if st := s.seen.Load(); st.Run != nil {
		in.Alive = st.Run.Alive
	}
	keys, peers, release, err := s.keyring.Use()
	switch {
	case err == nil:
		in.Keys = keys
	case s.hears(p):
		return in, release, err
	default:
		in.KeysError = err
	}
	in.Set, _ = s.view.Node(ctx).(find.UTXOSet)
	var copiesErr error
	if in.Copies, copiesErr = record.Copies(ctx, s.Store); copiesErr != nil {
		s.log.WithError(copiesErr).Warn("the copies that peers returned cannot be read")
	}
	if s.hears(p) {
		// Before any peer is met under the lost node's name.
		if _, err := gates.Pass(ctx, in.Node, b.Backup, in.Gates()); err != nil {
			return in, release, s.explain(ctx, b.NodeID, err)
		}
		if in.Words {
			progress.Message(plan.WordsLimits)
		}
		err = s.hearing(keys, peers).All(ctx, &in, p.Peers)
		return in, release, err
	}
	return in, release, nil
}

// realRun carries a plan out.
func (s *Service) realRun(ctx context.Context, n *call, b *backup.Loaded, p api.RecoverParams, progress api.Progress) (*answer.Answer, error) {
	made, in, release, err := s.makePlan(ctx, b, p, progress)
	defer release()
	if err != nil {
		return nil, err
	}
	call := s.call(p)
	call.Heard = in.Heard
	if s.ShowPlan != nil {
		s.ShowPlan(answer.DryRun(made, call))
	}
	if s.seen.Load().Run == nil && !slices.ContainsFunc(made.All(), func(c *plan.Channel) bool { return c.Decision.Follows() }) {
		return answer.Of(made, call), nil
	}
	n.plan, n.in = made, in
	s.calls.mu.Lock()
	s.calls.running = n
	s.calls.mu.Unlock()
	s.maker.Take(b)
	s.send(s.planned(n, b, p))
	r, err := n.wait(ctx)
	if err != nil {
		return nil, err
	}
	if r.Trouble != "" {
		return nil, failure.New(failure.Internal, "Look at lightningd's log, then call glrecover again with the same backup: what is there stays as it is",
			"the recovery could not go on: %s", r.Trouble)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return answer.RealRun(made, call, s.seen.Load()), nil
}

// call is what the answer says of a call.
func (s *Service) call(p api.RecoverParams) answer.Call {
	return answer.Call{RecoverParams: p, MaxFee: s.maxFeePercent(p.MaxFeePercent), Stubs: s.Stubs, AtStartup: s.facts.AtStartup}
}

// maxFeePercent is what holds after a call that said this.
func (s *Service) maxFeePercent(said *uint64) uint64 {
	if said != nil {
		return *said
	}
	if st := s.seen.Load(); st != nil && st.Run != nil {
		return uint64(st.Run.MaxFeePercent)
	}
	return defaultMaxFee
}

// defaultMaxFee is max_fee_percent where the user has said nothing.
const defaultMaxFee = 10

// planned is the plan for the core.
func (s *Service) planned(n *call, b *backup.Loaded, p api.RecoverParams) model.Planned {
	made := n.plan
	e := model.Planned{
		Call: n.id,
		Run: model.Run{
			NodeID: b.NodeID, Network: s.facts.Network, BackupSHA256: b.SHA256, BackupPath: b.Path, BackupCreated: made.Written,
			MaxFeePercent: uint32(min(s.maxFeePercent(p.MaxFeePercent), 100)),
			Destination:   p.Destination, Given: p.Destination != "", Feerate: p.Feerate,
		},
		OverrideAlive: slices.Contains(p.Override, string(failure.HostedNodeAlive)),
		OverrideStale: slices.Contains(p.Override, string(failure.PeerStale)),
	}
	if made.Rescan != nil {
		e.Run.RescanFrom = made.Rescan.Height
	}
	for _, c := range made.Channels {
		if c.Channel == nil {
			if c.Decision == decision.BadEntry {
				e.Run.Unread = append(e.Run.Unread, c.Reason)
				if !c.PeerID.IsZero() && !slices.Contains(e.Run.UnreadPeers, c.PeerID) {
					e.Run.UnreadPeers = append(e.Run.UnreadPeers, c.PeerID)
				}
			}
			continue
		}
		e.Channels = append(e.Channels, s.plannedChannel(made, c, n.in.Keys))
	}
	for _, c := range made.Extra {
		if c.Channel != nil {
			e.Channels = append(e.Channels, s.plannedChannel(made, c, n.in.Keys))
		}
	}
	return e
}

// plannedChannel is one channel of a plan for the core.
func (s *Service) plannedChannel(made *plan.Plan, c *plan.Channel, keys plan.Keys) model.PlannedChannel {
	out := model.PlannedChannel{
		Channel: c.Channel, Decision: c.Decision, Reason: c.Reason, StaleAllowed: c.StaleAllowed,
		Verdict: c.Close, WithKeys: keys != nil, FundingScript: plan.FundingQuery(c.Channel, keys).Script,
		First: c.Peer,
	}
	if c.Decision == decision.NotAsked && c.Cure != "" {
		out.Reason += ". " + c.Cure
	}
	if c.Address.Source != scbconv.FromPlaceholder {
		out.Address, out.Source, out.Guessed = c.Address.Address.String(), string(c.Address.Source), c.Address.Source.Guessed()
	}
	if c.Copy != nil {
		out.Copy = c.Copy.String()
	}
	if e := c.Evidence; e != nil {
		switch e.State {
		case chain.FundingSpent:
			out.Spend = e.Spend
		case chain.FundingUnspent, chain.FundingUnconfirmed:
			out.WatchFrom = made.Node.Info.Height
			out.FundingYoung = c.Decision == decision.AwaitFunding && (e.State == chain.FundingUnconfirmed || e.Confirmations != chain.ConfirmationsUnknown)
		case chain.FundingUnknown:
			out.FundingMissing = true
			if _, blind := s.Chain.(chain.Blind); blind && c.Peer != nil && len(out.FundingScript) == 0 {
				// Nothing speaks for an old close, and to look for it would take all blocks
				// whole: no filter knows the script.
				out.WatchFrom = max(made.Node.Info.Height, peerBehind+1) - peerBehind
			}
		}
	}
	return out
}

// peerBehind is how many blocks a peer may be behind that speaks of a channel which is
// closed.
const peerBehind = 36

// readReestablish hears a peer before the import; what it says also goes into the
// answer of the call under way.
func (s *Service) readReestablish(ctx context.Context, f model.ReadReestablish) model.Event {
	keys, peers, release, err := s.keyring.Use()
	defer release()
	if err != nil {
		e := model.ReestablishRead{Peer: f.Peer, Result: model.NoSecret, Reason: err.Error()}
		for _, c := range f.Channels {
			e.Asked = append(e.Asked, c.Key)
		}
		return e
	}
	heard := s.sessions(keys, peers).Read(ctx, f)
	e := heard.ReestablishRead
	// The time for the session may be over; what it brought must not be lost.
	var copies []backup.Copy
	if blob := heard.Said.PeerStorage; len(blob) > 0 {
		copies = append(copies, backup.Copy{Source: backup.FromPeer, Peer: f.Peer, Blob: blob})
		if err := record.KeepCopy(ctx, s.Store, f.Peer, blob); err != nil {
			s.warn("peer %s returned a backup that it kept for the lost node, and it could not be stored: %v", f.Peer, err)
		}
	}
	if n := s.calls.current(); n != nil {
		e.Extra = s.hear(ctx, n, f.Peer, heard.Said, keys, copies)
	} else if len(copies) > 0 {
		e.Extra = s.copied(ctx, keys, copies)
	}
	return e
}

// copied are the channels that only these copies have, where no call is under way
// to ask for them: they are left out, but in status and guarded.
func (s *Service) copied(ctx context.Context, keys keyring.Keys, copies []backup.Copy) []model.PlannedChannel {
	st := s.seen.Load()
	if st.Run == nil {
		return nil
	}
	in, release, err := s.inputs(ctx, nil, api.RecoverParams{}, nil)
	defer release()
	if err != nil {
		return nil
	}
	var known []*channel.Channel
	for _, k := range st.Keys() {
		known = append(known, &st.Channels[k].Channel)
	}
	made, err := plan.Copied(ctx, in, st.Run.BackupCreated, known, copies...)
	if err != nil {
		s.warn("glrecover reads the copy of the lost node's own backup at the next call: %v", err)
		return nil
	}
	for _, w := range made.Warnings {
		s.log.Warn(w)
	}
	var out []model.PlannedChannel
	for _, c := range made.Extra {
		if c.Channel != nil {
			out = append(out, s.plannedChannel(made, c, keys))
			s.warn("channel %s with peer %s: %s. %s", c.ChannelID, c.PeerID, c.Reason, c.Cure)
		}
	}
	return out
}

// hear takes what a peer said into the plan of a call, and returns the channels
// that only its copy has.
func (s *Service) hear(ctx context.Context, n *call, id channel.PubKey, said *peer.Reading, keys keyring.Keys, copies []backup.Copy) []model.PlannedChannel {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.plan.Hear(id, said, keys, s.Now(), slices.Contains(n.in.Override, string(failure.PeerStale)))
	if said.Result != peer.Read && len(said.Channels) == 0 {
		for _, c := range n.plan.All() {
			if c.Channel != nil && c.PeerID == id {
				c.Warnings = append(c.Warnings, fmt.Sprintf("the peer's numbers could not be read (%s: %s); it is tried again", said.Result, said.Reason))
			}
		}
	}
	before := len(n.plan.Extra)
	if err := n.plan.AddCopies(ctx, n.in, copies...); err != nil {
		n.plan.Warnings = append(n.plan.Warnings, err.Error())
		return nil
	}
	var out []model.PlannedChannel
	for _, c := range n.plan.Extra[before:] {
		if c.Channel != nil {
			out = append(out, s.plannedChannel(n.plan, c, keys))
		}
	}
	return out
}

// warn is for the log and, where a call is under way, for its answer.
func (s *Service) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.log.Warn(text)
	if n := s.calls.current(); n != nil {
		n.mu.Lock()
		n.plan.Warnings = append(n.plan.Warnings, text)
		n.mu.Unlock()
	}
}
