package core

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// sim is a world around a State: a chain, a lightningd with its wallet, peers,
// and a store, all of them as simple as the core can see them. It carries effects
// out, checks what must never happen, and can be told to fail.
type sim struct {
	t   *testing.T
	rng *rand.Rand
	*state.State
	cfg state.Config

	now   time.Time
	store map[channel.Key]model.Record
	run   *model.Run
	// failSaves makes the store refuse.
	failSaves bool

	// open are effects that were begun and have not ended.
	open []model.Effect
	// lookBacks are the heights down to which the Watcher is to look.
	lookBacks []uint32
	// sent is what was broadcast.
	sent []model.Broadcast
	// lines are what was told, alarms the loud ones.
	alarms  []string
	replies []model.Reply
	// moves are the changes of state that were seen.
	moves map[[2]model.ChannelState]int

	tip      uint32
	fork     byte
	spends   map[wire.OutPoint]*simSpend
	verdicts map[chainhash.Hash]*judge.Verdict
	created  map[wire.OutPoint]uint32
	watches  map[wire.OutPoint]bool
	told     map[wire.OutPoint]chain.Sighting
	stubs    map[channel.Key]bool
	wallet   map[wire.OutPoint]api.WalletOutput
	gone     map[wire.OutPoint]claims.Spend
	secret   string
	calls    uint64
	// nearby are the sessions under way.
	sessions map[channel.PubKey]int
	asked    map[channel.Key]int
	children map[string]bool

	// stubAt is the height at which lightningd got a stub, died are those whose
	// onchaind has died.
	stubAt map[channel.Key]uint32
	died   map[channel.Key]bool
	// preimages counts those that the user gave. given is the user's destination.
	preimages int
	given     string
	// sweeps are the transactions that were made, by txid; addresses counts those of
	// the wallet that were made for them.
	sweeps    map[string]*simSweep
	addresses int
	released  map[wire.OutPoint]bool
	// feeSat is what the next sweep pays; 0 is 100.
	feeSat uint64

	// befalls, if set, says what befalls each effect; deaf: no event is heard.
	befalls func(model.Effect) fault
	deaf    bool
	// reorgNext: a reorganisation comes when the step's effects are done.
	reorgNext bool
	// whose is the channel that closes of channels that go by their id are of.
	whose *channel.Channel
	// noFunding is a funding output that is nowhere.
	noFunding wire.OutPoint
	// booted counts the starts.
	booted int
}

// simSweep is a sweep that was made.
type simSweep struct {
	model.Sweep
	tx          *wire.MsgTx
	destination string
	most        uint64
}

// simSpend is a transaction that spends a watched outpoint.
type simSpend struct {
	tx        *wire.MsgTx
	height    uint32 // 0: in the mempool
	dropped   bool   // in neither
	firstSeen uint32
}

var simEpoch = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

func newSim(t *testing.T, cfg state.Config) *sim {
	w := &sim{
		t: t, rng: rand.New(rand.NewPCG(1, 2)), cfg: cfg, now: simEpoch, store: map[channel.Key]model.Record{},
		moves: map[[2]model.ChannelState]int{}, tip: 1000, spends: map[wire.OutPoint]*simSpend{},
		verdicts: map[chainhash.Hash]*judge.Verdict{}, created: map[wire.OutPoint]uint32{},
		watches: map[wire.OutPoint]bool{}, told: map[wire.OutPoint]chain.Sighting{},
		stubs: map[channel.Key]bool{}, wallet: map[wire.OutPoint]api.WalletOutput{}, gone: map[wire.OutPoint]claims.Spend{},
		sessions: map[channel.PubKey]int{}, asked: map[channel.Key]int{}, children: map[string]bool{},
		stubAt: map[channel.Key]uint32{}, died: map[channel.Key]bool{}, sweeps: map[string]*simSweep{}, released: map[wire.OutPoint]bool{},
	}
	w.boot()
	return w
}

// boot starts the program, with nothing but its record.
func (w *sim) boot() {
	var records []model.Record
	for _, r := range w.store {
		records = append(records, r)
	}
	slices.SortFunc(records, func(a, b model.Record) int { return state.CompareKeys(a.Channel.Key, b.Channel.Key) })
	w.booted++
	w.State = state.New(w.cfg, w.run.Clone(), records)
	w.open, w.watches, w.told = nil, map[wire.OutPoint]bool{}, map[wire.OutPoint]chain.Sighting{}
	w.sessions = map[channel.PubKey]int{}
	w.failSaves = false
	w.step(model.Started{})
	w.see()
}

// simChannel is a channel with its n-th peer.
func simChannel(peerN, dbid int) *channel.Channel {
	c := &channel.Channel{Key: channel.Key{DBID: uint64(dbid)}, CapacitySat: 1_000_000, Type: channel.AnchorsZeroFeeHTLC, HolderDelay: 6}
	c.Peer[0], c.Peer[1] = 2, byte(peerN)
	binary.BigEndian.PutUint32(c.Funding.Hash[:], uint32(1000*peerN+dbid))
	c.State.NextHolderCommitNum, c.State.NextCounterpartyCommitNum = 5, 5
	return c
}

// step gives the state one event and carries out what it answers.
func (w *sim) step(e model.Event) {
	w.t.Helper()
	w.apply(model.Tick{Now: w.now})
	w.apply(e)
}

func (w *sim) apply(e model.Event) {
	w.t.Helper()
	if w.deaf {
		return
	}
	before := map[channel.Key]model.ChannelState{}
	for k, c := range w.Channels {
		before[k] = c.State
	}
	effects := Step(w.State, e)
	for k, c := range w.Channels {
		from, had := before[k]
		if !had {
			from = begun
		}
		if from != c.State {
			w.moves[[2]model.ChannelState{from, c.State}]++
		}
	}
	for i, f := range effects {
		if save, ok := f.(model.Save); ok && w.failSaves {
			w.apply(model.SaveFailed{Save: save, Dropped: effects[i+1:], Reason: "the database is full"})
			return
		}
		if w.befalls != nil {
			if x := w.befalls(f); x != "" {
				if w.strike(x, f, effects[i+1:]) {
					return
				}
				continue
			}
		}
		run := w.booted
		if w.do(f); w.booted != run {
			return // what was to follow went with the program
		}
	}
	if w.reorgNext {
		w.reorgNext = false
		w.reorg(2)
	}
}

// do carries out one effect, or begins it.
func (w *sim) do(f model.Effect) {
	w.t.Helper()
	if model.Visible(f) {
		w.mustBeSaved(f)
	}
	switch f := f.(type) {
	case model.Save:
		if f.Run != nil {
			w.run = f.Run.Clone()
		}
		if f.DropRun {
			w.run = nil
		}
		for _, r := range f.Channels {
			w.store[r.Channel.Key] = r
		}
		for _, k := range f.Deleted {
			delete(w.store, k)
		}
		if f.Cursor != nil {
			w.mustBeWatched()
		}
	case model.Watch:
		for _, x := range f.Watches {
			w.watches[x.OutPoint] = true
		}
		w.open = append(w.open, f)
	case model.Forget:
		for _, op := range f.OutPoints {
			delete(w.watches, op)
			delete(w.told, op)
		}
	case model.Alarm:
		w.alarms = append(w.alarms, f.Text)
	case model.Reply:
		w.replies = append(w.replies, f)
	case model.ReadReestablish:
		w.session(f.Peer)
		w.open = append(w.open, f)
	case model.AskClose:
		w.session(f.Channel.Peer)
		if w.run == nil || w.run.Alive != "" {
			w.t.Errorf("peer asked to close although %+v", w.run)
		}
		w.open = append(w.open, f)
	case model.Import:
		for _, o := range w.open {
			if _, twice := o.(model.Import); twice {
				w.t.Error("two imports at once")
			}
		}
		for _, it := range f.Items {
			for _, c := range w.Channels {
				if c.Channel.Peer == it.Channel.Peer && !c.Held.IsZero() && !c.HoldOver && !c.State.Closed() && c.State.Asks() && c.State != model.Forgotten && w.now.Before(c.HeldUntil()) {
					w.t.Errorf("channel %s gets a stub before our own session has closed %s", it.Channel.Key, c.Channel.Key)
				}
			}
		}
		w.open = append(w.open, f)
	case model.BuildChild:
		w.mustBeUnconfirmed(f.Channel.Funding, f.Parent)
		if c := w.Channels[f.Channel.Key]; f.MaxFeeSat > c.Paid()*uint64(w.run.MaxFeePercent)/100 {
			w.t.Errorf("up to %d sat of fee for %d", f.MaxFeeSat, c.Paid())
		} else if w.store[f.Channel.Key].Fee.Announced == 0 || w.store[f.Channel.Key].Fee.Announced >= w.Tip.Height {
			w.t.Error("a fee that was not announced at an earlier block")
		}
		w.open = append(w.open, f)
	case model.Broadcast:
		w.mayBeSent(f)
		w.sent = append(w.sent, f)
		w.open = append(w.open, f)
	case model.BuildSweep:
		w.maySweep(f)
		w.open = append(w.open, f)
	case model.Release:
		for _, c := range w.Channels {
			for _, x := range c.Sweeps {
				for _, op := range f.Coins {
					if slices.Contains(x.Coins, op.String()) && w.Channels[f.Key] == c {
						w.t.Errorf("coins of the sweep %s are given free, and it is not given up", x.Txid)
					}
				}
			}
		}
		for _, op := range f.Coins {
			w.released[op] = true
		}
	case model.LookBackFrom:
		w.lookBacks = append(w.lookBacks, f.Height)
	case model.LookBackSince, model.Progress, model.Tell:
	default:
		w.open = append(w.open, f)
	}
}

// mustBeWatched: the cursor that was saved is true of each output that the record calls
// looked at.
func (w *sim) mustBeWatched() {
	w.t.Helper()
	for k, r := range w.store {
		for _, x := range r.Seen {
			if x.LookBack > 0 && !w.watches[x.Sighting().OutPoint] {
				w.t.Errorf("channel %s (%s): blocks went by without output %s, which the record calls looked at", k, r.State, x.OutPoint)
			}
		}
	}
}

// mustBeSaved: what the world sees is on record before.
func (w *sim) mustBeSaved(f model.Effect) {
	w.t.Helper()
	check := func(k channel.Key) {
		w.t.Helper()
		if !reflect.DeepEqual(w.store[k], w.Channels[k].Record) {
			w.t.Errorf("%T before the record was written:\n%+v\n%+v", f, w.store[k], w.Channels[k].Record)
		}
	}
	switch f := f.(type) {
	case model.ReadReestablish:
		for _, c := range f.Channels {
			check(c.Key)
		}
	case model.AskClose:
		check(f.Channel.Key)
	case model.Import:
		for _, it := range f.Items {
			check(it.Channel.Key)
		}
		if w.run == nil || w.run.Imported.IsZero() || w.run.Restarted {
			w.t.Errorf("an import before the guard was on record: %+v", w.run)
		}
	case model.BuildChild:
		check(f.Channel.Key)
	case model.BuildSweep:
		check(f.Channel.Key)
	case model.Broadcast:
		check(f.Key)
	}
}

// session counts the sessions: one for a peer, eight in all.
func (w *sim) session(p channel.PubKey) {
	w.t.Helper()
	w.sessions[p]++
	if w.sessions[p] > 1 {
		w.t.Errorf("two sessions with one peer")
	}
	if len(w.sessions) > model.MaxSessions {
		w.t.Errorf("%d sessions at once", len(w.sessions))
	}
}

// mustBeUnconfirmed: no fee for a close that the Watcher has said to be in a
// block.
func (w *sim) mustBeUnconfirmed(op wire.OutPoint, tx *wire.MsgTx) {
	w.t.Helper()
	told := w.told[op]
	if told.Place == chain.InBlock || told.Tx == nil || told.TxID != tx.TxHash() {
		w.t.Errorf("a fee for a close whose place is %v", told.Place)
	}
	if told.FirstSeen+model.StuckBlocks > w.Tip.Height {
		w.t.Errorf("a fee at %d for a close that was seen first at %d", w.Tip.Height, told.FirstSeen)
	}
}

// mayBeSent: nothing is published but the peer's unrevoked commitment, a mutual
// close, and what we made and recorded.
func (w *sim) mayBeSent(f model.Broadcast) {
	w.t.Helper()
	c := w.Channels[f.Key]
	for i, tx := range f.Txs {
		kind := judge.Unknown
		if v := w.verdicts[tx.TxHash()]; v != nil {
			kind = v.Kind
		}
		switch {
		case f.What == model.SendSweep:
			w.mayClaim(c, tx)
		case i == 1:
			if c.Fee.Child == nil || c.Fee.Child.Txid != tx.TxHash().String() {
				w.t.Error("a child that is not on record is sent")
			}
			w.mustBeUnconfirmed(c.Channel.Funding, f.Txs[0])
		case kind != judge.Theirs && kind != judge.Mutual:
			w.t.Errorf("a transaction is published that is %s", kind)
		}
	}
}

// end removes an effect from the open ones.
func (w *sim) end(i int) model.Effect {
	f := w.open[i]
	w.open = slices.Delete(w.open, i, i+1)
	switch f := f.(type) {
	case model.ReadReestablish:
		delete(w.sessions, f.Peer)
	case model.AskClose:
		delete(w.sessions, f.Channel.Peer)
	}
	return f
}

// see tells the state what the chain has now.
func (w *sim) see() {
	w.t.Helper()
	if w.deaf {
		return
	}
	u := chain.Update{Tip: chain.Tip{Height: w.tip, Hash: chainhash.Hash{w.fork, byte(w.tip), byte(w.tip >> 8)}}, MempoolSeen: true}
	for _, op := range sorted(w.watches) {
		now := w.sighting(op)
		if was, ok := w.told[op]; !ok || !reflect.DeepEqual(was, now) {
			w.told[op] = now
			u.Changed = append(u.Changed, now)
		}
	}
	u.Cursor = chain.Cursor{Height: w.tip, Hash: u.Tip.Hash}
	w.step(model.ChainSeen{Update: u})
}

func (w *sim) sighting(op wire.OutPoint) chain.Sighting {
	x := chain.Sighting{OutPoint: op, Place: chain.Unspent, Searched: true, LookBack: 1}
	if at, ok := w.created[op]; ok {
		x.Created, x.CreatedAt = chain.InBlock, at
		if at > w.tip {
			x.Created, x.CreatedAt = chain.InMempool, 0
		}
	}
	sp := w.spends[op]
	if sp == nil {
		if op == w.noFunding {
			x.Place = chain.Unknown
		}
		return x
	}
	x.Tx, x.TxID, x.FirstSeen = sp.tx, sp.tx.TxHash(), sp.firstSeen
	switch {
	case sp.dropped:
	case sp.height > 0:
		x.Place, x.Height, x.Block = chain.InBlock, sp.height, chainhash.Hash{w.fork, byte(sp.height), byte(sp.height >> 8), 1}
	default:
		x.Place = chain.InMempool
	}
	return x
}

// simClose makes a closing transaction: to_remote is worth 600,000 sat, and an
// HTLC that is ours 50,000. A salt belongs to one kind of close.
func (w *sim) simClose(c *channel.Channel, kind judge.Kind, htlc bool, salt uint32) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: c.Funding})
	tx.AddTxOut(wire.NewTxOut(600_000, []byte{0x51}))
	tx.AddTxOut(wire.NewTxOut(50_000, []byte{0x52}))
	tx.LockTime = salt
	v := &judge.Verdict{Kind: kind, Close: &onchain.Close{HasSecret: kind == judge.Revoked}}
	txid := tx.TxHash()
	if kind == judge.Theirs || kind == judge.Mutual || kind == judge.Revoked {
		v.Owed = append(v.Owed, judge.Owed{OutPoint: wire.OutPoint{Hash: txid}, Sat: 600_000, What: "to_remote", Wallet: true})
	}
	if htlc {
		v.Owed = append(v.Owed, judge.Owed{OutPoint: wire.OutPoint{Hash: txid, Index: 1}, Sat: 50_000, What: judge.PaymentReceived})
	}
	w.verdicts[txid] = v
	return tx
}

// spend puts a transaction into the mempool, unless a block has one that it
// conflicts with.
func (w *sim) spend(tx *wire.MsgTx) {
	first := w.tip
	for _, in := range tx.TxIn {
		sp := w.spends[in.PreviousOutPoint]
		if sp != nil && sp.height > 0 {
			return
		}
		if sp != nil && sp.tx.TxHash() == tx.TxHash() {
			first = sp.firstSeen
		}
	}
	sp := &simSpend{tx: tx, firstSeen: first}
	for _, in := range tx.TxIn {
		w.spends[in.PreviousOutPoint] = sp
	}
}

// mine adds blocks; the first takes the mempool if take is set.
func (w *sim) mine(n int, take bool) {
	w.t.Helper()
	for range n {
		w.tip++
		for _, sp := range w.spends {
			if take && sp.height == 0 && !sp.dropped {
				sp.height = w.tip
			}
		}
	}
	w.see()
}

// reorg takes blocks out, and as many come again with nothing in them.
func (w *sim) reorg(depth uint32) {
	w.t.Helper()
	w.fork++
	from := w.tip - depth
	for _, sp := range w.spends {
		if sp.height <= from {
			continue
		}
		sp.height = 0
		for vout := range sp.tx.TxOut {
			op := wire.OutPoint{Hash: sp.tx.TxHash(), Index: uint32(vout)}
			delete(w.wallet, op)
			if x := w.spends[op]; x != nil {
				for _, in := range x.tx.TxIn {
					delete(w.spends, in.PreviousOutPoint)
				}
			}
		}
	}
	w.see()
}

// credit lists the outputs that lightningd's wallet takes of confirmed closes.
func (w *sim) credit() {
	for _, x := range w.sweeps {
		if sp := w.spends[x.Claimed()[0]]; x.destination == w.given || x.Second || sp == nil || sp.height == 0 || sp.tx.TxHash() != x.tx.TxHash() {
			continue
		}
		op := wire.OutPoint{Hash: x.tx.TxHash()}
		if _, there := w.wallet[op]; !there {
			w.wallet[op] = api.WalletOutput{OutPoint: op, Sat: x.TotalSat - x.FeeSat, Status: "confirmed", Height: w.tip}
		}
	}
	for _, c := range w.Channels {
		sp := w.spends[c.Channel.Funding]
		if sp == nil || sp.height == 0 || w.verdicts[sp.tx.TxHash()] == nil {
			continue
		}
		for _, o := range w.verdicts[sp.tx.TxHash()].Owed {
			if x := w.spends[o.OutPoint]; o.Wallet && (x == nil || x.height == 0) {
				if _, there := w.wallet[o.OutPoint]; !there {
					w.wallet[o.OutPoint] = api.WalletOutput{OutPoint: o.OutPoint, Sat: o.Sat, Status: "confirmed", Height: sp.height}
				}
			}
		}
	}
}

// answer ends an effect well.
func (w *sim) answer(i int) {
	w.t.Helper()
	switch f := w.end(i).(type) {
	case model.Watch:
		w.see()
	case model.ListNode:
		e := model.NodeListed{Height: w.tip, Spends: maps.Clone(w.gone)}
		for _, k := range w.Keys() {
			if w.stubs[k] {
				p := api.PeerChannel{Peer: k.Peer, ID: w.Channels[k].Channel.ID(), Stub: true}
				if w.died[k] {
					p.Died = "Owning subdaemon lightning_onchaind died (62208)"
				}
				e.Channels = append(e.Channels, p)
			}
		}
		for _, o := range w.wallet {
			e.Wallet = append(e.Wallet, o)
		}
		w.step(e)
	case model.TrySecret:
		w.step(model.SecretTried{Trouble: w.secret})
	case model.ReadReestablish:
		e := model.ReestablishRead{Peer: f.Peer, Result: string(peer.Read), Reestablish: map[channel.Key]*judge.Reestablish{}}
		for _, c := range f.Channels {
			e.Asked = append(e.Asked, c.Key)
			e.Reestablish[c.Key] = goodReestablish()
		}
		w.step(e)
	case model.AskClose:
		w.asked[f.Channel.Key]++
		w.step(model.SessionEnded{Key: f.Channel.Key, Result: string(peer.Asked), Reason: "hung up", SentError: true, Address: "192.0.2.1:9735", Reestablish: goodReestablish()})
	case model.Import:
		e := model.ImportDone{}
		for _, it := range f.Items {
			outcome := model.DidImport
			if w.stubs[it.Channel.Key] {
				outcome = model.HadStub
			}
			w.gotStub(it.Channel.Key)
			e.Results = append(e.Results, model.ImportResult{Key: it.Channel.Key, Result: outcome})
		}
		w.step(e)
	case model.Classify:
		if full := w.whose; full != nil && f.Channel.ByID {
			w.shown(f, full)
			break
		}
		w.classified(f)
	case model.BuildChild:
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: f.Parent.TxHash(), Index: 7}})
		tx.LockTime = w.tip
		raw, _ := chain.EncodeTx(tx)
		w.step(model.ChildBuilt{Key: f.Channel.Key, Parent: f.Parent.TxHash(), Child: model.Child{Txid: tx.TxHash().String(), Raw: raw, FeeSat: 500, PerKW: 1000}, Address: "bcrt1"})
	case model.BuildSweep:
		w.sweepMade(f)
	case model.Broadcast:
		for _, tx := range f.Txs {
			if f.What == model.SendSweep || len(tx.TxOut) > 0 {
				w.spend(tx)
			}
		}
		last := f.Txs[len(f.Txs)-1]
		w.step(model.BroadcastDone{Key: f.Key, What: f.What, Txid: last.TxHash().String()})
		w.see()
	}
}

// settle ends all effects until nothing is left to do.
func (w *sim) settle() {
	w.t.Helper()
	for n := 0; len(w.open) > 0; n++ {
		if n > 1000 {
			w.t.Fatalf("no rest: %T", w.open[0])
		}
		w.answer(0)
	}
}

// rest settles, and lets the time pass in which the node is looked at again.
func (w *sim) rest() {
	w.t.Helper()
	w.settle()
	w.now = w.now.Add(IdlePace)
	w.step(model.NoEvent{})
	w.settle()
}

func goodReestablish() *judge.Reestablish {
	return &judge.Reestablish{NextCommitment: 5, NextRevocation: 4, Verdict: peer.NotRefuted}
}

// begin plans channels and carries the plan out as far as it goes by itself.
func (w *sim) begin(p model.Planned) {
	w.t.Helper()
	w.plan(p)
	w.settle()
}

func (w *sim) plan(p model.Planned) {
	w.t.Helper()
	w.calls++
	w.step(model.CallBegun{Call: w.calls})
	p.Call = w.calls
	p.Run.BackupCreated, p.Run.MaxFeePercent = simEpoch.Add(-30*24*time.Hour), 10
	p.Run.Destination, p.Run.Given = w.given, w.given != ""
	w.step(p)
}

func planned(c *channel.Channel, d decision.Decision) model.PlannedChannel {
	return model.PlannedChannel{Channel: c, Decision: d, Address: "192.0.2.1:9735", Source: "backup", WatchFrom: 900}
}

func (w *sim) stateOf(c *channel.Channel) model.ChannelState {
	if x := w.Channels[c.Key]; x != nil {
		return x.State
	}
	return begun
}

func (w *sim) want(c *channel.Channel, want model.ChannelState) {
	w.t.Helper()
	if got := w.stateOf(c); got != want {
		x := w.Channels[c.Key]
		w.t.Fatalf("state %s (%s), want %s; open: %s", got, x.Reason, want, w.openNames())
	}
}

func (w *sim) openNames() (out []string) {
	for _, f := range w.open {
		out = append(out, fmt.Sprintf("%T", f))
	}
	return out
}
