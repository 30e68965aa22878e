package claims

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/sweep"
)

// Found is an output of a close, or of an HTLC transaction after it, that is ours
// or can become ours, with what it takes to claim it.
type Found struct {
	// Owed.From is the lowest height of a block that can hold the claim.
	judge.Owed
	Path onchain.Path
	// Needs is what a claim lacks; sweep.NeedFeeInput lacks nothing but a coin of
	// the wallet.
	Needs sweep.Need
	// Hash is the payment hash of an HTLC, nil for the others.
	Hash *[32]byte
	// Deadline is the first height of a block in which somebody else can take the
	// output, 0 if nobody can.
	Deadline uint32
	// Alone says that the claim needs a transaction of its own.
	Alone bool
	// Second says that the claim is an HTLC transaction: its output is a claim of its
	// own.
	Second bool
}

// Ready reports whether nothing is missing but time.
func (f *Found) Ready() bool { return f.Needs == sweep.NeedNothing || f.Needs == sweep.NeedFeeInput }

// found are the outputs without what it takes to claim them.
func found(v *judge.Verdict) []Found {
	out := make([]Found, 0, len(v.Owed))
	for _, o := range v.Owed {
		out = append(out, Found{Owed: o})
	}
	return out
}

// Find lists the outputs of a close, and of the HTLC transactions in blocks that
// spend them, that are ours or can become ours, the spent ones too. v is the
// verdict on the close that c describes. The error is about a key that is none.
func Find(c sweep.Case, v *judge.Verdict) ([]Found, error) {
	if c.Close == nil {
		return found(v), nil
	}
	all := found(v)
	at := map[wire.OutPoint]int{}
	for i := range all {
		at[all[i].OutPoint] = i
	}
	add := func(o *onchain.Output, height uint32) {
		i, known := at[o.OutPoint]
		if !known {
			i = len(all)
			at[o.OutPoint] = i
			f := Found{Owed: judge.Owed{OutPoint: o.OutPoint, Sat: o.ValueSat, What: judge.NameOf(o)}}
			if o.Role == onchain.HTLCTransaction {
				f.What = string(o.Role)
			}
			if height > 0 {
				f.From, _ = o.SpendableFrom(height)
			}
			all = append(all, f)
		}
		f := &all[i]
		f.Path, f.Second = o.Path, o.SecondStage
		if o.HTLC != nil && o.Role != onchain.HTLCTransaction {
			hash := o.HTLC.PaymentHash
			f.Hash = &hash
		}
	}
	for _, o := range c.Close.Mine() {
		add(o, c.Height)
	}
	for _, s := range c.Spends {
		step, err := onchain.Follow(c.Channel, c.Keys, c.Close, s.Tx)
		if err != nil {
			continue // it spends the output of an HTLC transaction
		}
		for i := range step.Outputs {
			if step.Outputs[i].Path != onchain.PathNone {
				add(&step.Outputs[i], s.Height)
			}
		}
	}
	claims, err := sweep.Claims(c)
	if err != nil {
		return nil, err
	}
	for i := range claims {
		claim := &claims[i]
		if claim.Needs == sweep.NeedName {
			continue // Settle lists what nobody can name
		}
		add(&claim.Output, c.Height)
		f := &all[at[claim.Output.OutPoint]]
		f.Needs, f.Deadline, f.Alone = claim.Needs, claim.Deadline, claim.Alone()
	}
	return all, nil
}

// SpendsIn are the transactions in blocks among what was seen of a close's
// outputs, each once, in the order of their heights and txids.
func SpendsIn(seen map[wire.OutPoint]chain.Sighting) []sweep.Spend {
	var out []sweep.Spend
	known := map[string]bool{}
	for _, x := range seen {
		if id := x.TxID.String(); x.Place == chain.InBlock && x.Tx != nil && !known[id] {
			known[id] = true
			out = append(out, sweep.Spend{Tx: x.Tx, Height: x.Height})
		}
	}
	slices.SortFunc(out, func(a, b sweep.Spend) int {
		x, y := a.Tx.TxHash(), b.Tx.TxHash()
		return cmp.Or(cmp.Compare(a.Height, b.Height), bytes.Compare(x[:], y[:]))
	})
	return out
}

// NameOf names a set of spends, so that two can be compared.
func NameOf(spends []sweep.Spend) string {
	var b []byte
	for _, s := range spends {
		b = strconv.AppendUint(append(b, s.Tx.TxHash().String()...), uint64(s.Height), 10)
	}
	return string(b)
}

// WithSecrets is a channel of the record with what only backups hold of it: the
// counterparty's revealed secrets, from the one that has most, and its signatures,
// from one with the same commitment of ours. Backups may be nil.
func WithSecrets(c *channel.Channel, backups ...*channel.Channel) *channel.Channel {
	out := *c
	revoked := uint64(0)
	for _, b := range backups {
		if b == nil || b.Funding != c.Funding {
			continue
		}
		if out.State.Secrets == nil || b.State.NextCounterpartyRevokeNum > revoked {
			out.State.Secrets, revoked = b.State.Secrets, b.State.NextCounterpartyRevokeNum
		}
		if out.State.HolderSigs == nil && b.State.NextHolderCommitNum == c.State.NextHolderCommitNum {
			out.State.HolderSigs, out.State.NextHolderSigs = b.State.HolderSigs, b.State.NextHolderSigs
		}
	}
	return &out
}
