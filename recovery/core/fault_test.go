package core

import (
	"fmt"
	"math/rand/v2"
	"reflect"
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

// fault is what befalls one effect.
type fault string

const (
	killBefore fault = "killed before it"
	killAfter  fault = "killed after it, before its answer"
	noSpace    fault = "ENOSPC"
	ioError    fault = "EIO, and it was done all the same"
	rpcError   fault = "an RPC error"
	rpcTimeout fault = "an RPC timeout, and it was done all the same"
	null       fault = "null"
	reorged    fault = "a reorganisation before its answer"
	clockOn    fault = "the clock jumps two days ahead"
	// Within a run the loop's clock is monotonic, so that it cannot go back.
	clockBack fault = "killed, and the clock is two days back when it starts"
)

// faultsOf are those that can befall an effect; nil for those that are done by a
// word to a goroutine of ours.
func faultsOf(f model.Effect) []fault {
	switch f.(type) {
	case model.Save:
		return []fault{killBefore, killAfter, noSpace, ioError, clockOn, clockBack}
	case model.ListNode, model.TrySecret, model.ReadReestablish, model.AskClose, model.Import, model.Classify, model.BuildChild, model.BuildSweep, model.Release, model.Broadcast:
		return []fault{killBefore, killAfter, rpcError, rpcTimeout, null, reorged, clockOn, clockBack}
	case model.Watch, model.Forget, model.LookBackSince, model.LookBackFrom, model.Reply, model.Progress:
		return []fault{killBefore, killAfter}
	}
	return nil
}

// strike lets the fault befall the effect, and reports whether the effects after
// it are not done.
func (w *sim) strike(x fault, f model.Effect, rest []model.Effect) (over bool) {
	unheard := func() { // it is done, and nobody hears of it
		w.do(f)
		if n := len(w.open); n > 0 && reflect.DeepEqual(w.open[n-1], f) {
			w.deaf = true
			w.answer(n - 1)
			w.deaf = false
		}
	}
	failed := func(reason string) {
		w.apply(model.EffectFailed{Effect: f, Reason: reason})
	}
	switch x {
	case killAfter:
		unheard()
		fallthrough
	case killBefore:
		w.boot()
		return true
	case ioError:
		w.do(f)
		fallthrough
	case noSpace:
		w.apply(model.SaveFailed{Save: f.(model.Save), Dropped: rest, Reason: string(x)})
		return true
	case rpcTimeout:
		unheard()
		failed(string(x))
	case rpcError:
		failed(string(x))
	case null:
		w.nothing(f)
	case reorged:
		w.do(f)
		w.reorgNext = true // the step's other effects are done before any event
	case clockOn:
		w.now = w.now.Add(48 * time.Hour)
		w.do(f)
	case clockBack:
		w.now = w.now.Add(-48 * time.Hour)
		w.boot()
		return true
	}
	return false
}

// nothing answers an effect with as little as there can be.
func (w *sim) nothing(f model.Effect) {
	switch f := f.(type) {
	case model.ListNode:
		w.apply(model.NodeListed{Height: w.tip})
	case model.ReadReestablish:
		e := model.ReestablishRead{Peer: f.Peer, Result: string(peer.Silent), Reestablish: map[channel.Key]*judge.Reestablish{}}
		for _, c := range f.Channels {
			e.Asked = append(e.Asked, c.Key)
		}
		w.apply(e)
	case model.AskClose:
		w.apply(model.SessionEnded{Key: f.Channel.Key, Result: string(peer.Silent)})
	case model.BuildChild:
		w.apply(model.ChildBuilt{Key: f.Channel.Key, Parent: f.Parent.TxHash(), Trouble: "null"})
	case model.BuildSweep:
		w.apply(model.SweepBuilt{Key: f.Channel.Key, OutPoints: f.OutPoints, Trouble: claims.SweepTrouble{Text: "null"}})
	case model.Broadcast:
		w.apply(model.BroadcastDone{Key: f.Key, What: f.What, Txid: f.Txs[len(f.Txs)-1].TxHash().String(), Refused: "null"})
	default:
		w.apply(model.EffectFailed{Effect: f, Reason: "null"})
	}
}

// told is one recovery from the plan to the end: four channels with three peers;
// one close stays unconfirmed until it is paid for, one has a payment for a sweep
// of ours, one is mutual.
func told(t *testing.T, befalls func(n int, f model.Effect) fault) (effects []model.Effect) {
	r := &randomWorld{sim: newSim(t, state.Config{Stubs: true, Sweeps: true}), closes: map[channel.Key]*wire.MsgTx{}}
	r.rng = rand.New(rand.NewPCG(1, 1))
	r.befalls = func(f model.Effect) fault {
		effects = append(effects, f)
		return befalls(len(effects)-1, f)
	}
	p := model.Planned{}
	for i, d := range []decision.Decision{decision.Import, decision.Import, decision.Import, decision.AwaitFunding} {
		c := simChannel([]int{1, 1, 2, 3}[i], i+1)
		r.created[c.Funding] = r.tip
		r.channels = append(r.channels, c)
		p.Channels = append(p.Channels, planned(c, d))
	}
	pass := func(n int, take bool) {
		for range n {
			r.mine(1, take)
			r.settle()
			r.now = r.now.Add(IdlePace)
			r.step(model.NoEvent{})
			r.settle()
			r.credit()
			r.check()
		}
	}
	closes := func(i int, kind judge.Kind, htlc bool) {
		c := r.channels[i]
		tx := r.simClose(c, kind, htlc, uint32(i))
		r.closes[c.Key] = tx
		r.spend(tx)
	}
	r.plan(p)
	r.settle()
	pass(2, true)
	closes(0, judge.Theirs, false)
	pass(model.StuckBlocks+2, false)
	closes(1, judge.Theirs, true)
	closes(2, judge.Mutual, false)
	closes(3, judge.Theirs, false)
	pass(4, true)
	r.mine(model.FinalConfs, true)
	pass(2, true)
	r.befalls = nil
	r.peace()
	r.check()
	if len(r.Run.Alarms) > 0 || r.Run.Alive != "" {
		t.Errorf("alarms %v %s", r.Run.Alarms, r.Run.Alive)
	}
	return effects
}

// A fault at any effect of a recovery changes nothing of how it ends: each channel
// comes to rest where it does without, and nothing that must never happen happens
// on the way (sim checks that at each effect).
func TestAFaultAtAnyEffect(t *testing.T) {
	kinds := map[string]bool{}
	faults := 0
	for n, f := range told(t, func(int, model.Effect) fault { return "" }) {
		kind := fmt.Sprintf("%T", f)
		if b, ok := f.(model.Broadcast); ok {
			kind += string(b.What)
		}
		kinds[kind] = true
		for _, x := range faultsOf(f) {
			faults++
			t.Run(fmt.Sprintf("%d %s %s", n, kind, x), func(t *testing.T) {
				told(t, func(at int, _ model.Effect) fault {
					if at == n {
						return x
					}
					return ""
				})
			})
		}
	}
	for _, f := range []model.Effect{
		model.Save{},
		model.Watch{},
		model.Forget{},
		model.LookBackSince{},
		model.ListNode{},
		model.TrySecret{},
		model.ReadReestablish{},
		model.AskClose{},
		model.Import{},
		model.Classify{},
		model.BuildChild{},
		model.BuildSweep{},
		model.Reply{},
	} {
		if !kinds[fmt.Sprintf("%T", f)] {
			t.Errorf("the story has no %T", f)
		}
	}
	for _, what := range []model.Sending{model.SendClose, model.SendChild, model.SendSweep} {
		if !kinds["model.Broadcast"+string(what)] {
			t.Errorf("the story broadcasts no %s", what)
		}
	}
	t.Logf("MEASURED: %d faults, each ends well", faults)
}
