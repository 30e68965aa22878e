package core

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/sessions"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/stubs"
)

// TestThePackageCommentShowsTheTable: each row, and no other.
func TestThePackageCommentShowsTheTable(t *testing.T) {
	raw, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(raw), "//\n//\t")
	if want := tableText(Table); "//\t"+shown != want+"package core\n" {
		t.Errorf("doc.go does not have the table:\n%s", want)
	}
}

// tableText has the rows by event, for a comment: states that it leads to the same ones
// share a line.
func tableText(rows []Row) string {
	var events []string
	to := map[string]map[model.ChannelState][]string{}
	from := map[string][]model.ChannelState{}
	for _, r := range rows {
		if to[r.On] == nil {
			to[r.On] = map[model.ChannelState][]string{}
			events = append(events, r.On)
		}
		if to[r.On][r.From] == nil {
			from[r.On] = append(from[r.On], r.From)
		}
		to[r.On][r.From] = append(to[r.On][r.From], string(r.To))
	}
	var out strings.Builder
	for _, on := range events {
		lines := map[string]string{}
		var ends []string
		for _, f := range from[on] {
			end := strings.Join(to[on][f], ", ")
			if lines[end] == "" {
				ends = append(ends, end)
				lines[end] = on + ": " + string(f)
			} else {
				lines[end] += ", " + string(f)
			}
		}
		for _, end := range ends {
			at := 0
			for i, word := range strings.Fields(lines[end] + " -> " + end) {
				switch {
				case i == 0:
					out.WriteString("//\t")
				case at+len(word) >= 84:
					out.WriteString("\n//\t    ")
					at = 4
				default:
					out.WriteString(" ")
					at++
				}
				out.WriteString(word)
				at += len(word)
			}
			out.WriteString("\n")
		}
	}
	return out.String()
}

// TestNothingIsADeadEnd: each state but the last has a way out, and a way in.
func TestNothingIsADeadEnd(t *testing.T) {
	out, in := map[model.ChannelState]bool{}, map[model.ChannelState]bool{}
	for _, r := range Table {
		out[r.From], in[r.To] = true, true
	}
	for _, s := range model.States {
		if !in[s] || (!out[s] && s != model.Resolved) {
			t.Errorf("%s: a way in %v, a way out %v", s, in[s], out[s])
		}
	}
}

// TestTheTableIsWalked: each row happens, from a record in that state, by the
// event that it names.
func TestTheTableIsWalked(t *testing.T) {
	for _, row := range Table {
		t.Run(fmt.Sprintf("%s/%s/%s", row.From, row.On, row.To), func(t *testing.T) {
			on := walks[row.On]
			if on == nil {
				t.Fatal("nobody walks this row")
			}
			cfg := state.Config{Stubs: !strings.HasSuffix(row.On, "without a lightningd"), Sweeps: strings.HasPrefix(row.On, "all of it claimed")}
			w := &walk{sim: newSim(t, cfg), c: simChannel(1, 1), row: row}
			w.other = simChannel(2, 2)
			if row.From != begun {
				w.prepare()
				w.boot()
				w.quiet()
				w.want(w.c, row.From)
			}
			on(w)
			if got := w.stateOf(w.c); got != row.To {
				t.Errorf("%s; open: %v", got, w.openNames())
			}
		})
	}
}

// walk is a sim with one channel in the state of a row.
type walk struct {
	*sim
	c, other *channel.Channel
	row      Row
	tx       *wire.MsgTx
}

// quiet answers what looks at the world and changes nothing in it.
func (w *walk) quiet() {
	w.t.Helper()
	for n := 0; n < 200; n++ {
		found := false
		for i, f := range w.open {
			switch f.(type) {
			case model.Watch, model.ListNode, model.TrySecret, model.Classify:
				w.answer(i)
				found = true
			}
			if found {
				break
			}
		}
		if !found {
			return
		}
	}
	w.t.Fatal("no rest")
}

// look lets lightningd be looked at again.
func (w *walk) look() {
	w.t.Helper()
	w.now = w.now.Add(IdlePace)
	w.step(model.NoEvent{})
	w.quiet()
}

// prepare writes a record in the row's first state, with what leads back to its
// last where that matters.
func (w *walk) prepare() {
	w.run = &model.Run{Imported: simEpoch, MaxFeePercent: 10, BackupCreated: simEpoch.AddDate(0, -1, 0)}
	r := model.Record{Channel: *w.c, State: w.row.From, Since: simEpoch, Address: "192.0.2.1:9735", WatchFrom: 900, First: goodReestablish()}
	w.created[w.c.Funding] = 990
	back := w.row.To
	if !isOneOf(back, model.ImportDeferred, model.AskFirst, model.Imported, model.CloseRequested) {
		back = w.row.From
	}
	switch back {
	case model.CloseRequested:
		r.Asked = simEpoch
	case model.AskFirst:
		r.Held = simEpoch
	case model.Imported, model.NeedsOperator, model.NeedsAddress, model.NeedsSecret, model.PeerStale, model.HostedAlive, model.Forgotten:
		r.ImportedAt = 950
	}
	if r.ImportedAt > 0 || (back == model.CloseRequested && !isOneOf(w.row.From, model.AskFirst)) {
		r.ImportedAt = 950
		w.stubs[w.c.Key] = true
	}
	if w.row.From == model.AskFirst {
		r.Held, r.ImportedAt = simEpoch, 0
		delete(w.stubs, w.c.Key)
	}
	switch w.row.From {
	case model.NeedsSecret:
		w.secret = "permission denied"
	case model.HostedAlive:
		w.run.Alive = "it moved"
		if w.row.To == model.FundingUnconfirmed {
			w.created[w.c.Funding] = w.tip
			delete(w.stubs, w.c.Key)
			r.First, r.ImportedAt = nil, 0
		}
	case model.FundingUnconfirmed:
		w.created[w.c.Funding] = w.tip
		r.First = nil
	case model.ImportDeferred:
		r.First, r.ImportedAt = nil, 0
		delete(w.stubs, w.c.Key)
	case model.Forgotten:
		r.Ignored = sessions.MissingAfter
	case model.PeerStale:
		r.StaleSeen = true
		if isOneOf(w.row.To, model.ImportDeferred, model.FundingUnconfirmed) {
			delete(w.stubs, w.c.Key)
			r.ImportedAt = 0
		}
		if w.row.To == model.FundingUnconfirmed {
			w.created[w.c.Funding] = w.tip
		}
	case model.NeedsOperator, model.Cheated, model.CloseSeen, model.OutputsWaiting, model.Credited, model.LostTo:
		w.closed()
	}
	switch {
	case w.row.To == model.PeerStale && w.row.From.Closed():
		r.StaleSeen, r.Stale = true, "behind"
	case w.row.To == model.HostedAlive && w.row.From.Closed():
		w.run.Alive = "it moved"
	}
	if w.row.To == model.LeftOut && w.row.From.Closed() {
		r.ImportTries = stubs.MaxTries
	}
	w.store[w.c.Key] = r
}

func isOneOf(s model.ChannelState, list ...model.ChannelState) bool {
	for _, x := range list {
		if s == x {
			return true
		}
	}
	return false
}

// closed makes the close that the row's first state follows from.
func (w *walk) closed() {
	kind := judge.Theirs
	switch w.row.From {
	case model.Cheated:
		kind = judge.Revoked
	case model.NeedsOperator:
		return
	}
	w.tx = w.simClose(w.c, kind, w.cfg.Sweeps, 7)
	w.spend(w.tx)
	if w.row.From == model.CloseSeen {
		return
	}
	w.tip++
	w.spends[w.c.Funding].height = w.tip
	switch w.row.From {
	case model.Credited:
		w.listed("confirmed", claims.Spend{})
	case model.LostTo:
		w.listed(claims.StatusSpent, claims.Spend{Txid: "ab"})
	}
}

// listed puts the close's coin into the wallet's list.
func (w *walk) listed(status string, by claims.Spend) {
	op := wire.OutPoint{Hash: w.tx.TxHash()}
	w.wallet[op] = api.WalletOutput{OutPoint: op, Sat: 600_000, Status: status, Height: w.tip}
	if status == claims.StatusSpent {
		w.gone[op] = by
	} else {
		delete(w.gone, op)
	}
}

// planWith carries out a plan with this decision.
func planWith(d decision.Decision) func(*walk) {
	return func(w *walk) {
		if d == decision.HasStub {
			w.stubs[w.c.Key] = true
		}
		p := planned(w.c, d)
		w.plan(model.Planned{Channels: []model.PlannedChannel{p}})
		w.quiet()
	}
}

// session ends the request to close, or one that the row makes up.
func session(e model.SessionEnded) func(*walk) {
	return func(w *walk) {
		e := e
		e.Key, e.Address = w.c.Key, "192.0.2.1:9735"
		w.step(e)
	}
}

// closes makes a close appear, in a block or in the mempool.
func closes(kind judge.Kind, confs int) func(*walk) {
	return func(w *walk) {
		w.tx = w.simClose(w.c, kind, false, 9)
		if sp := w.spends[w.c.Funding]; sp != nil {
			sp.height = 0
		}
		delete(w.spends, w.c.Funding)
		w.spend(w.tx)
		if confs > 0 {
			w.tip++
			w.spends[w.c.Funding].height = w.tip
			w.tip += uint32(confs - 1)
		}
		w.see()
		w.quiet()
	}
}

// then does one after the other.
func then(fs ...func(*walk)) func(*walk) {
	return func(w *walk) {
		for _, f := range fs {
			f(w)
		}
	}
}

// taken is a revoked commitment of which the wallet has to_remote, and somebody the
// rest.
func taken(status string, by claims.Spend, blocks uint32) func(*walk) {
	return func(w *walk) {
		w.listed(status, by)
		tx := wire.NewMsgTx(2)
		op := wire.OutPoint{Hash: w.tx.TxHash(), Index: 1}
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: op})
		w.spends[op] = &simSpend{tx: tx, height: w.tip, firstSeen: w.tip}
		w.tip += blocks
		w.look()
		w.see()
		w.quiet()
	}
}

func credited(status string, by claims.Spend) func(*walk) {
	return func(w *walk) {
		if w.tx == nil {
			w.tx = w.simClose(w.c, judge.Theirs, false, 9)
		}
		w.listed(status, by)
	}
}

// confirm puts the close of the row's first state into a block.
func (w *walk) confirm() {
	if sp := w.spends[w.c.Funding]; sp.height == 0 {
		w.tip++
		sp.height = w.tip
	}
	w.see()
	w.quiet()
}

func replanned(p model.Planned) func(*walk) {
	return func(w *walk) {
		p := p
		c := planned(w.c, decision.Import)
		if p.Channels == nil {
			p.Channels = []model.PlannedChannel{c}
		}
		w.plan(p)
		w.quiet()
	}
}

var behind = &judge.Reestablish{NextCommitment: 1, NextRevocation: 1, Verdict: peer.PeerStale, Reason: "behind"}

func read(n *judge.Reestablish) func(*walk) {
	return func(w *walk) {
		w.quiet()
		for i, f := range w.open {
			if _, reading := f.(model.ReadReestablish); reading {
				w.end(i)
				break
			}
		}
		w.step(model.ReestablishRead{Peer: w.c.Peer, Asked: []channel.Key{w.c.Key}, Result: string(peer.Read), Reestablish: map[channel.Key]*judge.Reestablish{w.c.Key: n}})
	}
}

// walks are the events of the table.
var walks = map[string]func(*walk){
	"plan: import":                                    planWith(decision.Import),
	"plan: import, without a lightningd":              planWith(decision.Import),
	"plan: import, and its peer was asked before":     planWith(decision.Import),
	"plan: ask_first":                                 planWith(decision.AskFirst),
	"plan: funding_unconfirmed":                       then(func(w *walk) { w.created[w.c.Funding] = w.tip }, planWith(decision.AwaitFunding)),
	"plan: funding_unconfirmed, without a lightningd": then(func(w *walk) { w.created[w.c.Funding] = w.tip }, planWith(decision.AwaitFunding)),
	"plan: follow_closed":                             then(closes(judge.Theirs, 1), planWith(decision.FollowClosed)),
	"plan: already_imported":                          planWith(decision.HasStub),
	"plan: already_resolved":                          planWith(decision.Forgotten),
	"plan: left out":                                  planWith(decision.NothingOurs),
	"3 confirmations":                                 func(w *walk) { w.tip += decision.MinFundingConfs; w.see() },
	"lightningd makes the stub":                       func(w *walk) { w.stubs[w.c.Key] = true; w.look() },
	"lightningd does not take it": func(w *walk) {
		w.step(model.ImportDone{Results: []model.ImportResult{{Key: w.c.Key, Result: model.ImportFailed, Reason: "refused"}}})
	},
	"numbers 1/0":                 read(&judge.Reestablish{NextCommitment: 1, Verdict: peer.NotRefuted}),
	"asked":                       session(model.SessionEnded{Result: string(peer.Asked)}),
	"no address works":            session(model.SessionEnded{Result: model.NoAddressKnown}),
	"secret unreadable":           func(w *walk) { w.step(model.SecretTried{Trouble: "permission denied"}) },
	"secret readable":             func(w *walk) { w.secret = ""; w.step(model.SecretTried{}) },
	"numbers moved, proven":       session(model.SessionEnded{Result: string(peer.Withheld), Withheld: model.WithheldAlive, Reason: "it moved"}),
	"numbers moved, unproven":     session(model.SessionEnded{Result: string(peer.Withheld), Withheld: model.WithheldMoved, Reason: "it says so"}),
	"peer reached":                session(model.SessionEnded{Result: string(peer.Evicted)}),
	"the peer speaks of it again": session(model.SessionEnded{Result: string(peer.Evicted), Reestablish: goodReestablish()}),
	"override":                    replanned(model.Planned{OverrideAlive: true}),
	"override, and its funding is young": func(w *walk) {
		w.plan(model.Planned{OverrideAlive: true, Channels: []model.PlannedChannel{planned(w.c, decision.AwaitFunding)}})
		w.quiet()
	},
	"retry":                                        func(w *walk) { w.step(model.RetrySaid{Keys: w.Keys()}) },
	"close in the mempool":                         closes(judge.Theirs, 0),
	"close in a block":                             closes(judge.Theirs, 1),
	"a commitment that is revoked":                 closes(judge.Revoked, 1),
	"a splice":                                     closes(judge.Splice, 1),
	"another close":                                closes(judge.Theirs, 0),
	"another close, in a block":                    closes(judge.Theirs, 1),
	"reorganisation":                               func(w *walk) { w.reorg(1); w.quiet() },
	"in a block, not in the wallet":                func(w *walk) { clear(w.wallet); w.confirm(); w.look() },
	"close in a block, and 100 more":               then(credited("confirmed", claims.Spend{}), closes(judge.Theirs, model.FinalConfs), (*walk).look),
	"another close, all in the wallet or taken":    then(credited("confirmed", claims.Spend{}), func(w *walk) { w.tx = w.simClose(w.c, judge.Theirs, false, 9); w.listed("confirmed", claims.Spend{}) }, closes(judge.Theirs, 1), (*walk).look),
	"close in a block, all in the wallet or taken": then(credited("confirmed", claims.Spend{}), closes(judge.Theirs, 1), (*walk).look),
	"close in a block, spent from the wallet by somebody else":               then(credited(claims.StatusSpent, claims.Spend{Txid: "ab"}), closes(judge.Theirs, 1), (*walk).look),
	"all in the wallet or taken":                                             func(w *walk) { w.listed("confirmed", claims.Spend{}); w.confirm(); w.look() },
	"somebody else spent it from the wallet":                                 func(w *walk) { w.listed(claims.StatusSpent, claims.Spend{Txid: "ab"}); w.confirm(); w.look() },
	"spent from the wallet, nobody can tell by whom":                         func(w *walk) { w.listed(claims.StatusSpent, claims.Spend{}); w.confirm(); w.look() },
	"all of it claimed or taken":                                             taken("confirmed", claims.Spend{}, claims.TakenConfs),
	"all of it claimed or taken, and 100 blocks":                             taken("confirmed", claims.Spend{}, model.FinalConfs),
	"all of it claimed or taken, and spent from the wallet by somebody else": taken(claims.StatusSpent, claims.Spend{Txid: "ab"}, claims.TakenConfs),
	"100 blocks": func(w *walk) {
		w.listed("confirmed", claims.Spend{})
		w.confirm()
		w.tip += model.FinalConfs
		w.look()
		w.see()
		w.quiet()
	},
	"all in the wallet or taken, and 100 blocks": func(w *walk) {
		w.listed("confirmed", claims.Spend{})
		w.tip += model.FinalConfs
		w.look()
		w.see()
		w.quiet()
	},
	"neither in the mempool nor in a block": func(w *walk) {
		sp := w.spends[w.c.Funding]
		sp.height, sp.dropped = 0, true
		w.see()
		w.quiet()
	},
	"the peer does not speak of it": func(w *walk) {
		for range sessions.MissingAfter {
			session(model.SessionEnded{Result: string(peer.NoReestablish)})(w)
		}
	},
	"its peer is to be asked, without the secret": func(w *walk) {
		w.secret = "permission denied"
		w.step(model.SecretTried{Trouble: w.secret})
		switch w.row.From {
		case begun, model.LeftOut, model.FundingUnconfirmed:
			planWith(decision.HasStub)(w)
		case model.ImportDeferred:
			w.stubs[w.c.Key] = true
			w.look()
		case model.PeerStale, model.HostedAlive:
			replanned(model.Planned{OverrideAlive: true, OverrideStale: true})(w)
		case model.NeedsOperator:
			w.step(model.RetrySaid{Keys: w.Keys()})
		default:
			w.stubs[w.c.Key] = true
			w.look()
			sp := w.spends[w.c.Funding]
			sp.height, sp.dropped = 0, true
			w.see()
			w.quiet()
		}
	},
	"peer is behind": func(w *walk) {
		if w.row.From == model.ImportDeferred {
			read(behind)(w)
			return
		}
		session(model.SessionEnded{Result: string(peer.Withheld), Withheld: model.WithheldStale, Reason: "behind"})(w)
	},
	"override, or numbers are right again": replanned(model.Planned{OverrideStale: true}),
	"another channel proves the hosted node alive": func(w *walk) {
		w.begin(model.Planned{Channels: []model.PlannedChannel{planned(w.other, decision.HasStub)}})
		w.step(model.SessionEnded{Key: w.other.Key, Result: string(peer.Withheld), Withheld: model.WithheldAlive, Reason: "it moved"})
	},
	"another channel proves the hosted node alive while it is planned": func(w *walk) {
		w.begin(model.Planned{Channels: []model.PlannedChannel{planned(w.other, decision.HasStub)}})
		w.step(model.CallBegun{Call: 99})
		w.step(model.SessionEnded{Key: w.other.Key, Result: string(peer.Withheld), Withheld: model.WithheldAlive, Reason: "it moved"})
		w.step(model.Planned{Call: 99, Run: *w.Run, OverrideStale: true, Channels: []model.PlannedChannel{planned(w.c, decision.Import)}})
	},
}
