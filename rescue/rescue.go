package rescue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/chainview"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/keyring"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/sweep"
)

// Options are one call of a rescue.
type Options struct {
	// Keys are the lost node's, for the whole call; who calls wipes them.
	Keys    keyring.Keys
	Network string
	// Params are as in the plugin; Destination is required, and without a backup
	// Peers, unless the journal has a rescue that goes on.
	Params api.RecoverParams
	// Ledger is the chain where it is not bitcoind's; else Backend and Node are,
	// Node nil where it can say no more than Backend.
	Ledger  Ledger
	Backend chain.Backend
	Node    chain.Node
	// Proxy is a SOCKS5 proxy "host:port" for the peers, "" for none; ProxyOnly
	// forbids every other connection to them.
	Proxy     string
	ProxyOnly bool
	Journal   *Journal
	Log       logrus.FieldLogger
	// Tell gets the events, one at a time.
	Tell func(Event)

	// For tests; nil and zero are right.
	NewPeers   func(api.Node, peer.NodeKey) (closing.Peers, error)
	Now        func() time.Time
	WatchEvery time.Duration
}

// Ledger is a chain without a node of one's own: a light client, or a server.
type Ledger interface {
	chainview.Chain
	// EstimateFees has no estimates where the chain knows none.
	EstimateFees(ctx context.Context) (chain.Fees, error)
}

// Fees are the chain's estimates.
func (o *Options) Fees(ctx context.Context) (chain.Fees, error) {
	if o.Ledger != nil {
		return o.Ledger.EstimateFees(ctx)
	}
	return o.Backend.EstimateFees(ctx)
}

// Event is something that a caller may show. One of the fields after At is set.
type Event struct {
	// Event is plan, message, channel, chain or end.
	Event string    `json:"event"`
	At    time.Time `json:"at"`
	// Plan is what would be done, before anything of it is.
	Plan *answer.Answer `json:"plan,omitempty"`
	Text string         `json:"text,omitempty"`
	// Channel is news of one channel.
	Channel *Line  `json:"channel,omitempty"`
	Chain   *Chain `json:"chain,omitempty"`
	End     *End   `json:"end,omitempty"`
}

// Chain is how far the chain was looked at.
type Chain struct {
	Height uint32 `json:"height"`
	// Left of Total old blocks are still to be looked at.
	Left    uint32 `json:"blocks_left"`
	Total   uint32 `json:"blocks_total"`
	Trouble string `json:"trouble,omitempty"`
}

// End is what came of it. Amounts are in sat.
type End struct {
	// Done says that nothing is left to wait for; Stopped, without it, that the
	// caller ended it.
	Done     bool   `json:"done"`
	Channels []Line `json:"channels"`
	// PaidSat is at the destination, after FeeSat for the sweeps.
	PaidSat     uint64 `json:"paid_sat"`
	FeeSat      uint64 `json:"fee_sat"`
	Destination string `json:"destination"`
	// Unheard are peers that could never be heard: channels of theirs that nobody else
	// names are not among Channels.
	Unheard []backup.Unheard `json:"unheard_peers,omitempty"`
	// NeedsYou says that some channel waits for a decision, or that a peer was not
	// heard.
	NeedsYou bool `json:"needs_you"`
}

// pace is how often the state is looked at for news, hearAgain how often a peer is
// tried that could not be heard before the plan; it is once more before the end.
const (
	pace      = 200 * time.Millisecond
	hearAgain = 10 * time.Minute
)

// Run recovers until everything is done, or ctx ends; the journal lets the next call
// go on. The failures are those of the plugin's glrecover, and the journal's.
func Run(ctx context.Context, o Options) (*End, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &run{Options: o, lines: map[lineKey]Line{}}
	if perKW, _, err := claims.ParseFeerate(o.Params.Feerate); err == nil && perKW > 0 {
		// Not for the record: the next call may name another.
		r.perKW, r.Params.Feerate = perKW, ""
	}
	return r.run(ctx)
}

// CheckAddress says why coins cannot be sent to an address of a network.
func CheckAddress(address, network string) error {
	if err := sweep.CheckAddress(address, claims.Network(network)); err != nil {
		return failure.New(failure.InvalidParameter, "Give an address of the network "+network, "--to: %v", err).Wrap(err)
	}
	return nil
}

// lineKey names a line: two peers may say that a channel is theirs.
type lineKey struct {
	channel channel.ID
	peer    channel.PubKey
}

type run struct {
	Options
	service *recovery.Service
	lines   map[lineKey]Line
	chain   Chain
	// perKW is the user's feerate, in sat per 1000 weight; 0 for the estimate.
	perKW uint32
	// unheard are the peers that could not be heard yet, heardAt is when they were
	// tried last.
	unheard []backup.Unheard
	heardAt time.Time
	// lastTry says that they were tried once more before the end.
	lastTry bool
}

func (r *run) run(ctx context.Context) (*End, error) {
	if err := CheckAddress(r.Params.Destination, r.Network); err != nil {
		return nil, err
	}
	if !r.Params.DryRun {
		err := r.Journal.settle(ctx, settings{NodeID: r.Keys.NodeID(), Network: r.Network, Destination: r.Params.Destination})
		if err != nil {
			return nil, err
		}
	}
	if r.Params.Feerate == "" && !r.Params.DryRun {
		// Before anybody is asked to close: a sweep without a fee helps nobody.
		if _, err := r.feerate(ctx, claims.NormalFeerate); err != nil {
			return nil, err
		}
	}
	facts := api.Node{Network: r.Network, AtStartup: true, Proxy: r.Proxy, AlwaysUseProxy: r.ProxyOnly}
	r.service = recovery.New(r.deps())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := r.service.Start(ctx, facts); err != nil {
		return nil, err
	}
	// The journal is somebody else's when this returns.
	defer func() { stop(); <-r.service.Ended() }()
	r.retry(ctx)
	switch on, err := r.goesOn(ctx); {
	case err != nil:
		return nil, err
	case on:
		r.say("continuing the rescue in the journal %s", r.Journal.Dir())
	default:
		a, err := r.recover(ctx)
		if err != nil {
			return nil, err
		}
		if r.Params.DryRun {
			r.showPlan(a)
			return &End{Done: true, Destination: r.Params.Destination}, nil
		}
	}
	return r.follow(ctx)
}

// NumbersMoved is the override for peers whose numbers moved without a proof.
const NumbersMoved = "numbers_moved"

// retry asks the peers of channels again that wait for a person: who calls again wants
// that. The override is for those alone that wait now.
func (r *run) retry(ctx context.Context) {
	moved := slices.Contains(r.Params.Override, NumbersMoved)
	r.Params.Override = slices.DeleteFunc(slices.Clone(r.Params.Override), func(name string) bool { return name == NumbersMoved })
	st := r.service.State()
	if r.Params.DryRun || st.Run == nil {
		return
	}
	var which []string
	for _, k := range st.Keys() {
		switch c := st.Channels[k]; {
		case moved && numbersMoved(c):
			which = append(which, c.Channel.ID().String())
		case c.State == model.NeedsOperator || c.State == model.Forgotten:
			which = append(which, "") // all, but of none are moved numbers accepted
		}
	}
	slices.Sort(which)
	for _, id := range slices.Compact(which) {
		if _, err := r.service.Retry(ctx, id, nil); err != nil {
			r.Log.WithError(err).Warn("a channel could not be tried again")
		}
	}
	for range 50 { // until it is seen, so that nobody takes the channels for left to a person
		if ctx.Err() != nil || !slices.ContainsFunc(st.Keys(), func(k channel.Key) bool {
			c := r.service.State().Channels[k]
			return c != nil && c.State == model.NeedsOperator && (c.Close == nil || c.Close.Height == 0)
		}) {
			return
		}
		time.Sleep(pace / 10)
	}
}

// recover makes a plan and begins with it. That a peer could not be heard is on
// record before: the next call hears it.
func (r *run) recover(ctx context.Context) (*answer.Answer, error) {
	if !r.Params.DryRun {
		// It may be killed in the middle of what follows.
		named := r.unheard
		for id, at := range r.Params.Peers {
			named = append(named, backup.Unheard{Peer: id, Address: at})
		}
		if err := r.Journal.keepUnheard(ctx, named); err != nil {
			return nil, err
		}
	}
	said, err := r.service.Recover(ctx, r.Params, progress{r})
	// Whoever overrides an alarm knows of the one that there is, and of no later one.
	r.Params.Override = nil
	if f := new(failure.Error); errors.As(err, &f) {
		f.Do = onCommandLine(f.Do)
	}
	if err != nil {
		return nil, err
	}
	a, ok := said.(*answer.Answer)
	if !ok {
		return nil, fmt.Errorf("the recovery answers with a %T", said)
	}
	r.heardAt = r.Now()
	switch r.unheard = a.Unheard; {
	case r.Params.DryRun:
	case len(r.unheard) > 0:
		err = r.Journal.keepUnheard(ctx, r.unheard)
	default:
		err = r.Journal.heardAll(ctx)
	}
	return a, err
}

// hearMissing plans anew as soon as a peer is there that could not be heard.
func (r *run) hearMissing(ctx context.Context) error {
	if len(r.unheard) == 0 || r.Now().Sub(r.heardAt) < hearAgain {
		return nil
	}
	if st := r.service.State(); st.Run != nil && st.Run.Alive != "" {
		return nil // a session would disturb the hosted node
	}
	r.heardAt = r.Now()
	if !r.service.Hearable(ctx, r.unheard) {
		return nil
	}
	_, err := r.recover(ctx)
	return err
}

// deps are the recovery's surroundings without lightningd.
func (r *run) deps() recovery.Deps {
	newPeers := r.NewPeers
	if newPeers == nil {
		newPeers = func(facts api.Node, key peer.NodeKey) (closing.Peers, error) {
			return peer.New(peer.Config{Key: key, Proxy: facts.Proxy, AlwaysUseProxy: facts.AlwaysUseProxy, Log: r.Log})
		}
	}
	deps := recovery.Deps{
		Node:  home{id: r.Keys.NodeID(), network: r.Network, ledger: r.Ledger, chain: r.Backend},
		Store: r.Journal, Log: r.Log, Now: r.Now, WatchEvery: r.WatchEvery,
		OpenKeys: func(api.Node, channel.PubKey) (keyring.Keys, error) { return lasting{r.Keys}, nil },
		NewPeers: newPeers, ShowPlan: r.showPlan,
		Sweeps: &claims.SweepBuilder{
			Address: func(context.Context) (string, error) { return r.Params.Destination, nil },
			Feerate: r.feerate,
		},
	}
	if r.Ledger != nil {
		deps.Chain = r.Ledger
	} else {
		deps.Backend = r.Backend
		deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return r.Node }
	}
	return deps
}

// lasting are keys that stay until the caller wipes them: nobody types twelve words
// twice.
type lasting struct{ keyring.Keys }

// Wipe leaves them to the caller.
func (lasting) Wipe() {}

// Blocks within which a sweep shall confirm.
const (
	normalBlocks = 6
	urgentBlocks = 2
)

// feerate is the user's, or the backend's estimate, in sat per 1000 weight.
func (r *run) feerate(ctx context.Context, name string) (uint32, error) {
	if r.perKW > 0 {
		return r.perKW, nil
	}
	blocks := uint32(normalBlocks)
	if name == claims.UrgentFeerate {
		blocks = urgentBlocks
	}
	fees, err := r.Fees(ctx)
	if err != nil {
		return 0, failure.New(failure.NodeUnreachable, "Give the fee rate yourself with --feerate", "there is no fee estimate: %v", err).Wrap(err)
	}
	perKVB := uint64(0)
	for _, e := range fees.Estimates {
		if perKVB = e.PerKVB; e.Blocks >= blocks {
			break
		}
	}
	if perKVB == 0 {
		return 0, failure.New(failure.InvalidParameter, "Give it yourself with --feerate, in sat per virtual byte", "there is no fee estimate yet")
	}
	return uint32((max(perKVB, fees.FloorPerKVB) + 3) / 4), nil
}

// goesOn reports whether the journal has this rescue already, so that nothing has to
// be planned anew: the same backup, no peer that is not known or was not heard, no
// other date, nothing overridden.
func (r *run) goesOn(ctx context.Context) (bool, error) {
	st := r.service.State()
	if missing, err := r.stillMissing(ctx, st.Run); err != nil || missing {
		return false, err
	}
	switch {
	case r.Params.DryRun || len(r.Params.Override) > 0:
		return false, nil
	case st.Run == nil:
		return false, nil
	case slices.ContainsFunc(st.Keys(), func(k channel.Key) bool { return st.Channels[k].State == model.PeerStale }):
		return false, nil // it may have its state back
	case r.Params.Backup.None() && !r.Params.Since.IsZero() && !r.Params.Since.Equal(st.Run.BackupCreated):
		return false, nil // older closes are to be looked for
	case !r.Params.Backup.None():
		b, err := backup.Load(r.Params.Backup)
		if err != nil {
			return false, err
		}
		if b.SHA256 != st.Run.BackupSHA256 {
			return false, nil
		}
	}
	for id, at := range r.Params.Peers {
		known := false
		for k, c := range st.Channels {
			known = known || (k.Peer == id && (at == "" || at == c.Address || c.State.Closed() || c.State.Done()))
		}
		if !known {
			return false, nil
		}
	}
	return true, nil
}

// stillMissing takes over from the calls before what this one does not say again: the
// date, and the peers that were to be heard and were not.
func (r *run) stillMissing(ctx context.Context, was *model.Run) (bool, error) {
	if was == nil || r.Params.DryRun {
		return false, nil
	}
	if p := &r.Params; p.Backup.None() && was.BackupSHA256 == "" && p.Since.IsZero() {
		p.Since = was.BackupCreated
	}
	missing, some, err := r.Journal.unheard(ctx)
	if err != nil || !some {
		return false, err
	}
	peers := maps.Clone(r.Params.Peers)
	if peers == nil {
		peers = map[channel.PubKey]string{}
	}
	for _, u := range missing {
		if _, named := peers[u.Peer]; !named {
			peers[u.Peer] = u.Address
		}
	}
	r.Params.Peers = peers
	return true, nil
}

// progress is what a plan says while it is made.
type progress struct{ r *run }

// Message is one line.
func (p progress) Message(text string) { p.r.say("%s", text) }

// Step is of no interest: a plan is made fast.
func (progress) Step(uint32, uint32) {}

func (r *run) say(format string, args ...any) {
	r.Tell(Event{Event: "message", At: r.Now(), Text: fmt.Sprintf(format, args...)})
}

func (r *run) showPlan(a *answer.Answer) {
	a.NextSteps = nil // they are for lightningd's user
	for i := range a.Warnings {
		a.Warnings[i] = onCommandLine(a.Warnings[i])
	}
	for i := range a.Channels {
		a.Channels[i].Reason = onCommandLine(a.Channels[i].Reason)
	}
	r.Tell(Event{Event: "plan", At: r.Now(), Plan: a})
}

// follow tells what happens until nothing is left to wait for.
func (r *run) follow(ctx context.Context) (*End, error) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	begun := r.Now()
	for {
		st := r.service.State()
		if st.Run == nil {
			return nil, r.nothing()
		}
		end := r.news(st)
		// Right after a start nothing of the chain is known yet.
		if end.Done && (st.Tip.Height > 0 || !st.Active() || r.Now().Sub(begun) > time.Minute) {
			if len(r.unheard) > 0 && !r.lastTry && ctx.Err() == nil {
				r.lastTry, r.heardAt = true, time.Time{}
				r.hearAgain(ctx)
				continue
			}
			r.Tell(Event{Event: "end", At: r.Now(), End: end})
			return end, nil
		}
		select {
		case <-ctx.Done():
			end.Done = false
			r.Tell(Event{Event: "end", At: r.Now(), End: end})
			if errors.Is(ctx.Err(), context.Canceled) {
				return end, nil
			}
			return end, ctx.Err()
		case <-tick.C:
		}
		r.hearAgain(ctx)
	}
}

// hearAgain is hearMissing, of which a failure is no reason to end.
func (r *run) hearAgain(ctx context.Context) {
	if err := r.hearMissing(ctx); err != nil && ctx.Err() == nil {
		r.say("could not connect to peers again: %v; trying again", err)
	}
}

// nothing says why there is nothing to follow.
func (r *run) nothing() error {
	switch {
	case len(r.unheard) > 0:
		var names []string
		for _, u := range r.unheard {
			names = append(names, fmt.Sprintf("%s at %s: %s", u.Peer, u.Address, u.Result))
		}
		return failure.New(failure.NodeUnreachable, "Nothing was changed. Run the command again later, or give other addresses with --peer",
			"no channel is known, and these peers could not be reached: %s", strings.Join(names, "; "))
	case r.Params.Backup.None():
		return failure.New(failure.InvalidParameter, "Nothing was changed. Are these the words of the lost node? Look for its backup, or give other peers with --peer",
			"the peers answered, and none of them has a channel with node %s that can be rescued", r.Keys.NodeID())
	}
	return failure.New(failure.InvalidParameter, "Nothing was changed: the reason beside each channel says why. Keep the words and the backup",
		"there is nothing that can be rescued")
}

// news tells what has changed since the last look, and how it stands.
func (r *run) news(st *state.State) *End {
	c := Chain{Height: st.Tip.Height, Left: st.LookBack.Left, Trouble: st.Trouble}
	if st.SaveTrouble != "" {
		c.Trouble = "the rescue is paused because the journal cannot be written: " + st.SaveTrouble
	}
	if st.LookBack.To >= st.LookBack.From {
		c.Total = st.LookBack.To - st.LookBack.From + 1
	}
	if c.Height > 0 && c != r.chain {
		r.chain = c
		r.Tell(Event{Event: "chain", At: r.Now(), Chain: &c})
	}
	end := &End{Done: true, Destination: r.Params.Destination, Channels: []Line{}}
	for _, k := range st.Keys() {
		l := lineOf(st, st.Channels[k])
		key := lineKey{l.Channel, l.Peer}
		if was, known := r.lines[key]; !known || !was.same(&l) {
			r.lines[key] = l
			r.Tell(Event{Event: "channel", At: r.Now(), Channel: &l})
		}
		end.Channels = append(end.Channels, l)
		end.PaidSat += l.PaidSat
		end.FeeSat += l.FeeSat
		end.NeedsYou = end.NeedsYou || l.NeedsYou
		end.Done = end.Done && (l.Done || l.NeedsYou)
	}
	if end.Unheard = r.unheard; len(end.Unheard) > 0 {
		end.NeedsYou = true
	}
	return end
}
