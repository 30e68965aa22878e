package sweeping

import (
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/wire"
	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/sweep"
)

// Bounds of the making of one transaction: the wallet is asked a few times.
const (
	sweepTime = time.Minute
	childTime = 30 * time.Second
)

// Keys are what claims need of the node's secret.
type Keys interface {
	judge.Keys
	sweep.Keys
	// Funding signs with our key of the funding output. It is used on our
	// anchor, never on the funding output itself.
	Funding(k channel.Key) (sweep.Signer, error)
}

// Maker makes the transactions that claim what closes pay.
type Maker struct {
	*Known
	// Sweeps is nil where nothing is claimed, Children where nothing can be paid.
	Sweeps   *claims.SweepBuilder
	Children *claims.ChildBuilder
	Network  *chaincfg.Params
	Log      logrus.FieldLogger
}

// Classify says what a close is, and what it takes to claim its outputs; keys is nil
// where the secret cannot be read. run has the backup, whose secrets may be needed.
func (m *Maker) Classify(f model.Classify, run *model.Run, keys Keys) model.Classified {
	e := model.Classified{Key: f.Channel.Key, Basis: model.Basis{Txid: f.Tx.TxHash(), Height: f.Height, Spends: claims.NameOf(f.Spends)}}
	if keys == nil {
		e.Preimages = len(m.Preimages())
		e.Verdict = judge.Close(f.Channel, f.Tx, f.Height, nil).WithReestablish(f.Reestablish)
		return e
	}
	e.WithKeys = true
	ch := f.Channel
	if ch.ByID {
		if e.Identified = judge.Identify(ch, f.Tx, keys); e.Identified != nil {
			ch = e.Identified
		}
	}
	c, lacks := m.withSecrets(run, ch)
	m.learn(f.Spends)
	preimages := m.Preimages()
	e.Preimages = len(preimages)
	e.Verdict = judge.Close(c, f.Tx, f.Height, keys, preimages.Hashes()...).WithReestablish(f.Reestablish)
	if m.Sweeps == nil || e.Verdict.Close == nil {
		return e
	}
	var err error
	e.Found, err = claims.Find(caseOf(c, keys, preimages, e.Verdict, f.Height, f.Spends), e.Verdict)
	if err != nil {
		m.Log.WithError(err).Warnf("channel %s: the outputs of its close cannot be claimed", f.Channel.ID())
		return e
	}
	if lacks != "" && needsBackup(e.Verdict) {
		e.Lacks = lacks
	}
	return e
}

// needsBackup reports whether outputs of the close can be claimed only with what the
// backup alone holds: the peer's revealed secrets, or its signatures.
func needsBackup(v *judge.Verdict) bool {
	switch v.Kind {
	case judge.Revoked:
		return !v.ByReestablish
	case judge.Ours:
		for i := range v.Close.Outputs {
			if v.Close.Outputs[i].HTLC != nil {
				return true
			}
		}
	case judge.Mutual, judge.OursOld, judge.Theirs, judge.Splice, judge.Unknown, judge.NoSecret:
	}
	return false
}

// Sweep makes a sweep that is not sent; noKeys is why there are no keys.
func (m *Maker) Sweep(ctx context.Context, f model.BuildSweep, run *model.Run, keys Keys, noKeys error) model.SweepBuilt {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	e := model.SweepBuilt{Key: f.Channel.Key, OutPoints: f.OutPoints}
	if f.Replaces != nil {
		e.Replaces = f.Replaces.TxHash().String()
	}
	made, err := (*claims.SweepTx)(nil), noKeys
	if err == nil {
		made, err = m.Make(ctx, f, run, keys)
	}
	if err != nil {
		e.Trouble = claims.SweepTroubleOf(err)
		e.Change = e.Trouble.Address
		return e
	}
	if e.Sweep, err = model.NewSweep(made); err != nil {
		e.Trouble = claims.SweepTroubleOf(err)
		return e
	}
	e.Destination, e.Change = made.Destination, made.Change
	for i := range made.Uneconomic {
		if e.Left == nil {
			e.Left = map[wire.OutPoint]claims.SweepTrouble{}
		}
		e.Left[made.Uneconomic[i].Claim.Output.OutPoint] = claims.SweepTroubleOf(made.Uneconomic[i].Err)
	}
	return e
}

// Make makes the transaction of a sweep, also with preimages that are not to be kept.
func (m *Maker) Make(ctx context.Context, f model.BuildSweep, run *model.Run, keys Keys, given ...api.Preimage) (*claims.SweepTx, error) {
	c, _ := m.withSecrets(run, f.Channel)
	preimages := m.Preimages()
	for _, p := range given {
		preimages.Add(p)
	}
	v := judge.Close(c, f.Close, f.Height, keys, preimages.Hashes()...)
	if v.Close == nil {
		return nil, sweep.ErrClaims
	}
	return m.Sweeps.Make(ctx, claims.SweepRequest{
		Case: caseOf(c, keys, preimages, v, f.Height, f.Spends), Keys: keys, OutPoints: f.OutPoints, Height: f.Tip,
		Destination: f.Destination, Change: f.Change, Feerate: f.Feerate, Network: m.Network,
		Avoid:    func(op wire.OutPoint) bool { return f.Avoid[op.Hash.String()] },
		Replaces: f.Replaces, PaidPerKW: f.PaidPerKW,
	})
}

// Release gives coins of the wallet free. A reservation that cannot be released ends
// by itself within a day.
func (m *Maker) Release(ctx context.Context, f model.Release) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	if err := m.Sweeps.Release(ctx, f.Coins); err != nil {
		m.Log.WithError(err).Warnf("coins that were set aside for a sweep of channel %s stay reserved for now", f.Key)
	}
}

// Child makes a child that is not sent; noKeys is why there are no keys.
func (m *Maker) Child(ctx context.Context, f model.BuildChild, keys Keys, noKeys error) model.ChildBuilt {
	ctx, cancel := context.WithTimeout(ctx, childTime)
	defer cancel()
	e := model.ChildBuilt{Key: f.Channel.Key, Parent: f.Parent.TxHash()}
	failed := func(err error) model.ChildBuilt {
		t := claims.TroubleOf(err)
		e.Trouble, e.NeedsSat, e.Address, e.InputsSpent = t.Text, t.NeedsSat, t.Address, t.InputsSpent
		return e
	}
	if noKeys != nil {
		return failed(noKeys)
	}
	signer, err := keys.Funding(f.Channel.Key)
	if err != nil {
		return failed(err)
	}
	if m.Children == nil {
		return failed(errors.New("there is no wallet to pay from"))
	}
	child, err := m.Children.Make(ctx, claims.ChildRequest{
		Channel: f.Channel, Funding: signer, Parent: f.Parent, PaidPerKW: f.PaidPerKW, MaxFeeSat: f.MaxFeeSat,
		Address: f.Address, Network: m.Network, Replaces: f.Replaces,
		Avoid: func(op wire.OutPoint) bool { return f.Avoid[op.Hash.String()] },
	})
	if err != nil {
		return failed(err)
	}
	raw, err := chain.EncodeTx(child.Tx)
	if err != nil {
		return failed(err)
	}
	e.Child = model.Child{Txid: child.Txid.String(), Raw: raw, FeeSat: child.Paid.FeeSat, PerKW: child.Package.FeeratePerKW()}
	e.Address = child.Destination
	return e
}

// caseOf describes a close for the claims.
func caseOf(c *channel.Channel, keys Keys, preimages sweep.Preimages, v *judge.Verdict, height uint32, spends []sweep.Spend) sweep.Case {
	return sweep.Case{
		Channel: c, Keys: judge.Public(c.Key, keys, preimages.Hashes()...), Close: v.Close, Height: height, Spends: spends, Preimages: preimages,
	}
}
