package core

import (
	"bytes"
	"cmp"
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

var (
	seedFlag   = flag.Uint64("core.seed", 0, "seed of TestRandomEvents; 0 takes a new one")
	eventsFlag = flag.Uint64("core.events", 10_000, "how many events TestRandomEvents takes, 500 in a sequence")
)

// TestRandomEvents runs 10,000 events, or as many as it is told, against the
// invariants that sim checks at each effect: nothing before its record, nothing
// twice, nothing published without leave, no fee for a confirmed close. Along the way no coin may be
// miscounted, no state may be entered in a way that the table does not have, and
// in the end, when all goes well again, each channel must come to rest.
func TestRandomEvents(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for round := range *eventsFlag / 500 {
		ok := t.Run("", func(t *testing.T) {
			r := &randomWorld{sim: newSim(t, state.Config{Stubs: round%4 != 3, Sweeps: round%2 == 1})}
			r.rng = rand.New(rand.NewPCG(seed, round))
			if round%8 > 4 {
				r.given = "bcrt1qmine"
			}
			r.run(500)
		})
		if !ok {
			t.Fatalf("run again with -core.seed=%d", seed)
		}
	}
}

type randomWorld struct {
	*sim
	channels []*channel.Channel
	closes   map[channel.Key]*wire.MsgTx
	// made counts the closes: two of them never have one txid.
	made uint32
}

func (r *randomWorld) run(events int) {
	r.closes = map[channel.Key]*wire.MsgTx{}
	for p := range 10 {
		for d := range 1 + p%3 {
			r.channels = append(r.channels, simChannel(p+1, 10*p+d+1))
		}
	}
	for range events {
		r.event()
		r.check()
		if r.t.Failed() {
			return
		}
	}
	r.peace()
}

func (r *randomWorld) one() *channel.Channel { return r.channels[r.rng.IntN(len(r.channels))] }

// event lets one thing happen.
func (r *randomWorld) event() {
	r.now = r.now.Add(time.Duration(r.rng.IntN(5000)) * time.Millisecond)
	switch n := r.rng.IntN(100); {
	case n < 55 && len(r.open) > 0:
		i := r.rng.IntN(len(r.open))
		if r.rng.IntN(4) == 0 {
			r.goesWrong(i)
		} else {
			r.answer(i)
		}
	case n < 60:
		r.step(model.NoEvent{})
	case n < 68:
		r.mine(1+r.rng.IntN(3), r.rng.IntN(3) > 0)
	case n < 70:
		r.mine(1+r.rng.IntN(120), r.rng.IntN(3) > 0)
	case n < 72:
		r.reorg(uint32(1 + r.rng.IntN(6)))
	case n < 80:
		r.closing(r.one())
	case n < 84:
		r.credit()
	case n < 86:
		r.spendFromWallet()
	case n < 88:
		r.takeOutput()
	case n < 89:
		r.drop()
	case n < 91:
		r.planSome()
	case n < 93:
		r.step(model.RetrySaid{Keys: r.Keys(), GoOn: r.rng.IntN(8) == 0})
	case n < 94:
		r.failSaves = !r.failSaves
	case n < 95:
		if r.rng.IntN(2) == 0 {
			r.boot()
		} else {
			r.something()
		}
	case n < 96:
		r.secret = []string{"", "permission denied"}[r.rng.IntN(2)]
	case n < 97:
		r.step(model.PeerSeen{Peer: r.one().Peer})
	case n < 98:
		var keys []channel.Key
		for _, k := range r.Keys() {
			if r.Finished(r.Channels[k]) {
				keys = append(keys, k)
			}
		}
		r.step(model.ForgetSaid{Keys: keys})
	default:
		r.see()
	}
}

// something that concerns sweeps: the user gives a preimage or asks for them, fees
// rise and fall, onchaind dies.
func (r *randomWorld) something() {
	switch r.rng.IntN(4) {
	case 0:
		r.preimages++
		r.step(model.PreimagesKnown{Count: r.preimages})
	case 1:
		r.step(model.SweepSaid{Keys: r.Keys()})
	case 2:
		r.feeSat = []uint64{0, 0, 5_500, 46_000}[r.rng.IntN(4)]
	case 3:
		r.died[r.one().Key] = true
	}
}

// goesWrong ends an effect in some other way.
func (r *randomWorld) goesWrong(i int) {
	f := r.end(i)
	switch f := f.(type) {
	case model.Watch:
		r.step(model.EffectFailed{Effect: f, Reason: "went wrong"})
	case model.ReadReestablish:
		e := model.ReestablishRead{Peer: f.Peer, Result: string(peer.Unreachable), Reestablish: map[channel.Key]*judge.Reestablish{}}
		verdicts := []*judge.Reestablish{
			nil,
			{NextCommitment: 1, NextRevocation: 0, Verdict: peer.NotRefuted},
			{NextCommitment: 1, NextRevocation: 1, Verdict: peer.PeerStale, Reason: "behind"},
		}
		for _, c := range f.Channels {
			e.Asked = append(e.Asked, c.Key)
			if n := verdicts[r.rng.IntN(3)]; n != nil {
				e.Reestablish[c.Key] = n
			}
		}
		r.step(e)
	case model.AskClose:
		e := model.SessionEnded{Key: f.Channel.Key, Address: "192.0.2.1:9735"}
		results := []string{
			string(peer.Unreachable), string(peer.Evicted), string(peer.WrongKey), string(peer.NoReestablish), string(peer.Refused),
			string(peer.Silent), string(peer.Garbage), model.NoSecret, model.NoAddressKnown, string(peer.Withheld), string(peer.ClosedSaid),
		}
		e.Result = results[r.rng.IntN(len(results))]
		if e.Result == string(peer.Withheld) {
			e.Withheld = []model.Withheld{model.WithheldStale, model.WithheldMoved, model.WithheldStopped, model.WithheldAlive}[r.rng.IntN(4)]
			e.Reason = string(e.Withheld)
		}
		r.step(e)
	case model.Import:
		if r.rng.IntN(2) == 0 {
			r.step(model.EffectFailed{Effect: f, Reason: "lightningd went away"})
			return
		}
		e := model.ImportDone{}
		for _, it := range f.Items {
			outcome := []model.ImportOutcome{model.DBIDTaken, model.RefusedEntry, model.ImportFailed, model.HadStub}[r.rng.IntN(4)]
			if outcome == model.HadStub {
				r.gotStub(it.Channel.Key)
			}
			e.Results = append(e.Results, model.ImportResult{Key: it.Channel.Key, Result: outcome, Reason: string(outcome)})
		}
		r.step(e)
	case model.BuildChild:
		r.step(model.ChildBuilt{Key: f.Channel.Key, Parent: f.Parent.TxHash(), Trouble: "needs_fee_input", NeedsSat: 5, Address: "bcrt1"})
	case model.BuildSweep:
		r.step(model.SweepBuilt{Key: f.Channel.Key, OutPoints: f.OutPoints, Trouble: wrongSweeps[r.rng.IntN(len(wrongSweeps))]})
	case model.Broadcast:
		r.step(model.BroadcastDone{Key: f.Key, What: f.What, Txid: f.Txs[len(f.Txs)-1].TxHash().String(), Refused: "mempool full"})
	default:
		r.step(model.EffectFailed{Effect: f, Reason: "went wrong"})
	}
}

var wrongSweeps = []claims.SweepTrouble{
	{Text: "uneconomic_at 100 sat/vB"}, {Text: "needs_fee_input", NeedsSat: 5, Address: "bcrt1"}, {Text: "fee_sufficient", Enough: true},
}

func (r *randomWorld) closing(c *channel.Channel) {
	kinds := []judge.Kind{
		judge.Theirs, judge.Theirs, judge.Theirs, judge.Theirs, judge.Theirs, judge.Mutual, judge.Ours, judge.Revoked, judge.Splice, judge.Unknown,
	}
	tx := r.closes[c.Key]
	if tx == nil || r.rng.IntN(5) == 0 {
		r.made++
		tx = r.simClose(c, kinds[r.rng.IntN(len(kinds))], r.rng.IntN(3) == 0, r.made)
		r.closes[c.Key] = tx
	}
	r.spend(tx)
	if r.rng.IntN(3) > 0 {
		r.see()
	}
}

func (r *randomWorld) spendFromWallet() {
	for _, op := range sorted(r.wallet) {
		o := r.wallet[op]
		if o.Status == "spent" || r.rng.IntN(3) > 0 {
			continue
		}
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: op})
		o.Status = "spent"
		r.wallet[op] = o
		r.gone[op] = claims.Spend{Txid: tx.TxHash().String(), Ours: r.rng.IntN(4) > 0}
		r.spends[op] = &simSpend{tx: tx, height: r.tip, firstSeen: r.tip}
	}
}

func (r *randomWorld) takeOutput() {
	for _, c := range r.channels {
		sp := r.spends[c.Funding]
		if sp == nil || sp.height == 0 || r.rng.IntN(3) > 0 {
			continue
		}
		op := wire.OutPoint{Hash: sp.tx.TxHash(), Index: 1}
		if r.spends[op] == nil {
			tx := wire.NewMsgTx(2)
			tx.AddTxIn(&wire.TxIn{PreviousOutPoint: op})
			r.spends[op] = &simSpend{tx: tx, firstSeen: r.tip}
		}
	}
}

// drop makes the mempool forget.
func (r *randomWorld) drop() {
	for _, op := range sorted(r.spends) {
		sp := r.spends[op]
		if sp.height == 0 && r.rng.IntN(2) == 0 {
			sp.dropped = true
		}
	}
	r.see()
}

func (r *randomWorld) planSome() {
	if r.Call != nil {
		return // and lightningd gets no stub that a plan would have told of
	}
	decisions := []decision.Decision{
		decision.Import, decision.Import, decision.Import, decision.AskFirst, decision.AwaitFunding, decision.FollowClosed, decision.HasStub, decision.Forgotten,
		decision.NothingOurs, decision.Refused,
	}
	p := model.Planned{OverrideAlive: r.rng.IntN(2) == 0, OverrideStale: r.rng.IntN(2) == 0}
	for _, c := range r.channels {
		if r.rng.IntN(2) == 0 {
			continue
		}
		d := decisions[r.rng.IntN(len(decisions))]
		if d == decision.HasStub {
			r.gotStub(c.Key)
		}
		if r.rng.IntN(3) > 0 {
			r.created[c.Funding] = r.tip + uint32(r.rng.IntN(3)) - 1
		}
		p.Channels = append(p.Channels, planned(c, d))
	}
	r.plan(p)
}

// check is what must hold after each event.
func (r *randomWorld) check() {
	for _, f := range r.open {
		if i, ok := f.(model.Import); ok {
			r.importIsKnown(i)
		}
	}
	for k, c := range r.Channels {
		if c.State == model.Resolved && c.Spend != nil && c.Spend.Place.String() != "block" && !r.watches[c.Channel.Funding] {
			continue // it is done: nobody looks any more
		}
		r.coins(k, c)
	}
	known := map[[2]model.ChannelState]bool{}
	for _, row := range Table {
		known[[2]model.ChannelState{row.From, row.To}] = true
	}
	for m := range r.moves {
		if !known[m] {
			r.t.Errorf("%s -> %s is not in the table", m[0], m[1])
		}
	}
}

// importIsKnown: while lightningd makes stubs the guard is up, and their channels
// are not forgotten.
func (r *randomWorld) importIsKnown(i model.Import) {
	if r.Run == nil || r.Run.Imported.IsZero() || r.Run.Restarted {
		r.t.Errorf("an import is under way and the guard is down: %+v", r.Run)
	}
	for _, it := range i.Items {
		if c := r.Channels[it.Channel.Key]; c == nil && r.closes[it.Channel.Key] == nil {
			r.t.Errorf("channel %s is being imported and forgotten", it.Channel.Key)
		}
	}
}

// coins: what is called recovered is in the wallet or was spent by it, and comes
// from a close that is in a block.
func (r *randomWorld) coins(k channel.Key, c *state.Channel) {
	var settled uint64
	for _, o := range c.Settled {
		switch o.Standing {
		case claims.InWallet, claims.Spent:
			if _, listed := r.Wallet[o.Coin]; !listed {
				r.t.Errorf("channel %s: %s is %s and the wallet does not list it", k, o.Coin, o.Standing)
			}
			if o.Standing == claims.Spent && !r.WalletSpends[o.Coin].Ours {
				r.t.Errorf("channel %s: %s is called spent by the wallet", k, o.Coin)
			}
			settled += o.Got
		case claims.Swept:
			if r.given == "" && r.cfg.Stubs {
				r.t.Errorf("channel %s: %s is called recovered, and the wallet does not list it", k, o.OutPoint)
			}
			settled += o.Got
		case claims.Waiting, claims.Taken, claims.Lost, claims.Moved:
		}
	}
	if c.Settled != nil && c.RecoveredMsat != 1000*settled {
		r.t.Errorf("channel %s: %d msat recovered, %d sat are there", k, c.RecoveredMsat, settled)
	}
	if c.RecoveredMsat > 0 && (c.Close == nil || c.Close.Height == 0) {
		r.t.Errorf("channel %s: %d msat recovered from a close that is in no block", k, c.RecoveredMsat)
	}
	if c.State == model.Resolved && c.Settled != nil {
		for _, o := range c.Settled {
			if o.Standing == claims.Waiting || o.Standing == claims.Lost {
				r.t.Errorf("channel %s is resolved, and %s is %s", k, o.OutPoint, o.Standing)
			}
		}
	}
}

// peace lets everything go well: the peers close, blocks come, the wallet lists.
// Then nothing may be left that only waits.
func (r *randomWorld) peace() {
	r.failSaves, r.secret, r.feeSat = false, "", 0
	r.preimages++
	r.step(model.PreimagesKnown{Count: r.preimages})
	for i := range 40 {
		r.now = r.now.Add(5 * time.Minute)
		r.step(model.NoEvent{})
		r.settle()
		if r.Call == nil && i%5 == 0 {
			p := model.Planned{OverrideAlive: true, OverrideStale: true}
			for _, c := range r.channels {
				p.Channels = append(p.Channels, planned(c, decision.Import))
			}
			r.plan(p)
			r.settle()
			r.step(model.RetrySaid{Keys: r.Keys()})
			r.settle()
		}
		for _, c := range r.channels {
			x := r.Channels[c.Key]
			sp := r.spends[c.Funding]
			if x == nil || (sp != nil && !sp.dropped) {
				continue
			}
			tx := r.closes[c.Key]
			if tx == nil {
				tx = r.simClose(c, judge.Theirs, false, 0)
				r.closes[c.Key] = tx
			}
			r.spend(tx)
		}
		r.mine(1, true)
		r.settle()
		r.credit()
		r.mine(10, true)
		r.settle()
	}
	for _, c := range r.channels {
		x := r.Channels[c.Key]
		if x == nil {
			continue // forgotten by the operator
		}
		switch v := r.verdicts[r.spends[c.Funding].tx.TxHash()]; {
		case x.State == model.Resolved, x.State == model.LostTo:
		case v.Kind == judge.Revoked && x.State == model.Cheated && !r.cfg.Sweeps, v.Kind == judge.Splice && x.State == model.NeedsOperator, v.Kind == judge.Unknown && x.State == model.OutputsWaiting:
		case x.State == model.OutputsWaiting && !r.cfg.Sweeps: // an HTLC of ours that nobody here can claim
		case x.State == model.LeftOut && !r.stubs[c.Key]:
		default:
			r.t.Errorf("channel %s rests in %s (%s); its close is %s at %d; open %v; settled %+v; sweeps %+v; outs %+v",
				c.Key, x.State, x.Reason, v.Kind, r.spends[c.Funding].height, r.openNames(), x.Settled, x.Sweeps, x.Outs)
		}
	}
}

func sorted[V any](m map[wire.OutPoint]V) []wire.OutPoint {
	return slices.SortedFunc(maps.Keys(m), func(a, b wire.OutPoint) int {
		return cmp.Or(bytes.Compare(a.Hash[:], b.Hash[:]), cmp.Compare(a.Index, b.Index))
	})
}
