package core

import (
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/spend"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/sweep"
)

const (
	simDelay    = 6
	simDeadline = 50
)

func (w *sim) gotStub(k channel.Key) {
	w.stubs[k] = true
	if _, had := w.stubAt[k]; !had {
		w.stubAt[k] = w.tip
	}
}

// variant is how the HTLC of a close is claimed: at once, by an HTLC transaction with
// coins of the wallet, or with a preimage that somebody has to give.
func variant(tx *wire.MsgTx) byte { return tx.TxHash()[0] % 3 }

// classified answers Classify: what the close is, and what it takes to claim its
// outputs and those of our HTLC transactions.
func (w *sim) classified(f model.Classify) {
	w.t.Helper()
	e := model.Classified{
		Key: f.Channel.Key, Verdict: w.verdicts[f.Tx.TxHash()],
		Basis: model.Basis{Txid: f.Tx.TxHash(), Height: f.Height, WithKeys: w.secret == "", Spends: claims.NameOf(f.Spends), Preimages: w.preimages},
	}
	if e.WithKeys && e.Verdict != nil && w.cfg.Sweeps {
		e.Found = w.found(f, e.Verdict)
	}
	w.step(e)
}

func (w *sim) found(f model.Classify, v *judge.Verdict) []claims.Found {
	out := []claims.Found{}
	for _, o := range v.Owed {
		x := claims.Found{Owed: o, Path: onchain.PathPayment}
		if f.Height > 0 {
			x.From = f.Height + 1
		}
		if o.What == judge.PaymentReceived {
			x.Path, x.Alone = onchain.PathSuccess, true
			switch {
			case v.Kind == judge.Revoked:
				x.Path = onchain.PathPenalty
			case variant(f.Tx) == 1:
				x.Second, x.Needs = true, sweep.NeedFeeInput
			case variant(f.Tx) == 2 && w.preimages == 0:
				x.Needs = sweep.NeedPreimage
			}
			if f.Height > 0 {
				x.Deadline = f.Height + simDeadline
			}
		}
		out = append(out, x)
	}
	for _, s := range f.Spends {
		if x := w.sweeps[s.Tx.TxHash().String()]; x != nil && x.Second {
			out = append(out, claims.Found{
				Owed: judge.Owed{OutPoint: wire.OutPoint{Hash: s.Tx.TxHash()}, Sat: 50_000, What: string(onchain.HTLCTransaction), From: s.Height + simDelay},
				Path: onchain.PathDelayed,
			})
		}
	}
	return out
}

// maySweep: an output is claimed by one transaction at a time, when it may be, and
// never one that is lightningd's.
func (w *sim) maySweep(f model.BuildSweep) {
	w.t.Helper()
	c := w.Channels[f.Channel.Key]
	for _, o := range w.open {
		if b, is := o.(model.BuildSweep); is && b.Channel.Key == f.Channel.Key {
			w.t.Errorf("two sweeps of channel %s are made at once", f.Channel.Key)
		} else if is && b.Destination == "" && f.Destination == "" {
			w.t.Error("two addresses are made for one recovery")
		}
	}
	if f.Destination != w.run.Destination {
		w.t.Errorf("a sweep to %q, on record is %q", f.Destination, w.run.Destination)
	}
	told := w.told[c.Channel.Funding]
	if told.Place != chain.InBlock || told.TxID != f.Close.TxHash() {
		w.t.Errorf("a sweep of a close whose place is %v", told.Place)
	}
	for _, op := range f.OutPoints {
		if x := w.told[op]; x.Place == chain.InBlock {
			w.t.Errorf("a sweep of %s, which %s has spent in a block", op, x.TxID)
		}
		if _, listed := w.Wallet[op]; listed {
			w.t.Errorf("a sweep of %s, which the wallet lists", op)
		}
		w.notLightningds(c, f, op)
		for _, x := range c.Sweeps {
			if f.Replaces == nil && slices.Contains(x.OutPoints, op.String()) && spend.ConflictAt(c, &x) == 0 {
				w.t.Errorf("a second sweep of %s besides %s", op, x.Txid)
			}
		}
	}
}

// notLightningds: to_remote is lightningd's if a stub was there when the close
// confirmed, unless onchaind has died or 144 blocks have gone by.
func (w *sim) notLightningds(c *state.Channel, f model.BuildSweep, op wire.OutPoint) {
	w.t.Helper()
	v := w.verdicts[f.Close.TxHash()]
	i := slices.IndexFunc(v.Owed, func(o judge.Owed) bool { return o.OutPoint == op })
	if i < 0 || !v.Owed[i].Wallet {
		return
	}
	at, had := w.stubAt[c.Channel.Key]
	if w.cfg.Stubs && had && f.Height > at && c.StubDied == "" && f.Tip < f.Height+claims.PatienceBlocks {
		w.t.Errorf("a sweep of %s at %d, which is lightningd's: it got the stub at %d (on record %d, tried %d), and the close confirmed at %d",
			op, f.Tip, at, c.ImportedAt, c.ImportTriedAt, f.Height)
	}
}

// mayClaim: a sweep goes out when it is on record, at a price that it may cost, to the
// one address.
func (w *sim) mayClaim(c *state.Channel, tx *wire.MsgTx) {
	w.t.Helper()
	x := w.sweeps[tx.TxHash().String()]
	i := slices.IndexFunc(w.store[c.Channel.Key].Sweeps, func(s model.Sweep) bool { return s.Txid == tx.TxHash().String() })
	switch {
	case x == nil || i < 0:
		w.t.Errorf("a sweep that is not on record is sent: %s", tx.TxHash())
	case x.FeeSat > x.most:
		w.t.Errorf("a sweep for %d sat of fee is sent, which may cost %d", x.FeeSat, x.most)
	case !x.Second && x.destination != w.run.Destination:
		w.t.Errorf("a sweep pays to %q, on record is %q", x.destination, w.run.Destination)
	}
	for _, op := range model.OutPointsOf(x.Coins) {
		if w.released[op] {
			w.t.Errorf("a sweep is sent whose coin %s was given free", op)
		}
	}
}

// sweepMade answers BuildSweep.
func (w *sim) sweepMade(f model.BuildSweep) {
	w.t.Helper()
	c := w.Channels[f.Channel.Key]
	if c == nil { // forgotten meanwhile
		w.step(model.SweepBuilt{Key: f.Channel.Key, OutPoints: f.OutPoints, Trouble: claims.SweepTrouble{Text: "gone"}})
		return
	}
	x := &simSweep{tx: wire.NewMsgTx(2), destination: f.Destination}
	e := model.SweepBuilt{Key: f.Channel.Key, OutPoints: f.OutPoints}
	if f.Replaces != nil {
		e.Replaces = f.Replaces.TxHash().String()
	}
	for _, op := range f.OutPoints {
		x.tx.AddTxIn(&wire.TxIn{PreviousOutPoint: op})
		x.OutPoints = append(x.OutPoints, op.String())
		for _, o := range c.Settled {
			if o.OutPoint != op {
				continue
			}
			x.TotalSat += o.Sat
			x.most += o.Sat * spend.FeePercent(&o, w.Tip.Height) / 100
			x.Second = x.Second || o.Second
			if o.Deadline > 0 {
				x.Deadline = o.Deadline
			}
		}
	}
	if x.FeeSat = w.feeSat; x.FeeSat == 0 {
		x.FeeSat = 100 + uint64(f.PaidPerKW)/10
	}
	x.PerKW = max(250, f.PaidPerKW+f.PaidPerKW/4)
	if x.Second {
		coin := wire.OutPoint{Hash: f.OutPoints[0].Hash, Index: 900}
		if f.Replaces == nil {
			coin.Index += uint32(len(w.sweeps))
		} else {
			coin = f.Replaces.TxIn[1].PreviousOutPoint
		}
		x.tx.AddTxIn(&wire.TxIn{PreviousOutPoint: coin})
		x.Coins = []string{coin.String()}
	} else if x.destination == "" {
		w.addresses++
		x.destination = fmt.Sprintf("bcrt1q%d", w.addresses)
		e.Destination = x.destination
	}
	x.tx.AddTxOut(wire.NewTxOut(int64(max(x.TotalSat, x.FeeSat)-x.FeeSat), []byte{0x51}))
	x.tx.LockTime = x.PerKW
	x.Raw, _ = chain.EncodeTx(x.tx)
	x.Txid = x.tx.TxHash().String()
	w.sweeps[x.Txid] = x
	e.Sweep = x.Sweep
	w.step(e)
}
