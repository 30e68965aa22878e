package claims_test

import (
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/sweep"
)

// close50 is a commitment of the peer's with our to_remote and a payment to us.
func close50() (*wire.MsgTx, *judge.Verdict) {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{})
	tx.AddTxOut(wire.NewTxOut(600_000, []byte{0x51}))
	tx.AddTxOut(wire.NewTxOut(50_000, []byte{0x52}))
	op := func(i uint32) wire.OutPoint { return wire.OutPoint{Hash: tx.TxHash(), Index: i} }
	return tx, &judge.Verdict{Kind: judge.Theirs, Owed: []judge.Owed{
		{OutPoint: op(0), Sat: 600_000, What: "to_remote", Wallet: true},
		{OutPoint: op(1), Sat: 50_000, What: judge.PaymentReceived},
	}}
}

func facts() claims.Facts {
	tx, v := close50()
	return claims.Facts{
		Channel: &channel.Channel{}, Verdict: v, Tx: tx, Height: 100, Tip: 110, Stubs: true, StubAtClose: true, Caught: true,
		Wallet: map[wire.OutPoint]api.WalletOutput{}, WalletSpends: map[wire.OutPoint]claims.Spend{}, Spends: map[wire.OutPoint]chain.Sighting{},
	}
}

// TestWhoOwnsAnOutput is money rule 6.
func TestWhoOwnsAnOutput(t *testing.T) {
	for name, c := range map[string]struct {
		change          func(*claims.Facts)
		toRemote, other judge.Claimant
	}{
		"a live stub":                   {nil, judge.ByLightningd, judge.ByNobody},
		"a live stub, and sweeps":       {func(f *claims.Facts) { f.Sweeps = true }, judge.ByLightningd, judge.BySweep},
		"no stub then":                  {func(f *claims.Facts) { f.StubAtClose = false }, judge.ByRescan, judge.ByNobody},
		"no stub then, and sweeps":      {func(f *claims.Facts) { f.StubAtClose, f.Sweeps = false, true }, judge.BySweep, judge.BySweep},
		"144 blocks in vain":            {func(f *claims.Facts) { f.Tip, f.Sweeps = 244, true }, judge.BySweep, judge.BySweep},
		"143 blocks in vain":            {func(f *claims.Facts) { f.Tip, f.Sweeps = 243, true }, judge.ByLightningd, judge.BySweep},
		"144 blocks, but a rescan":      {func(f *claims.Facts) { f.Tip, f.Sweeps, f.Rescanning = 244, true, true }, judge.ByLightningd, judge.BySweep},
		"onchaind died":                 {func(f *claims.Facts) { f.Died, f.Sweeps = true, true }, judge.BySweep, judge.BySweep},
		"onchaind died, no sweeps":      {func(f *claims.Facts) { f.Died = true }, judge.ByRescan, judge.ByNobody},
		"a mutual close without a stub": {func(f *claims.Facts) { f.Verdict.Kind, f.StubAtClose, f.Sweeps = judge.Mutual, false, true }, judge.BySweep, judge.BySweep},
		"a mutual close that lightningd has not seen yet": {func(f *claims.Facts) {
			f.Verdict.Kind, f.StubAtClose, f.Sweeps, f.Caught = judge.Mutual, false, true, false
		}, judge.ByLightningd, judge.BySweep},
		"a mutual close, and a rescan": {func(f *claims.Facts) {
			f.Verdict.Kind, f.StubAtClose, f.Sweeps, f.Rescanning = judge.Mutual, false, true, true
		}, judge.ByLightningd, judge.BySweep},
		"a payment without its preimage": {func(f *claims.Facts) {
			f.Sweeps = true
			f.Found = []claims.Found{{Owed: f.Verdict.Owed[0]}, {Owed: f.Verdict.Owed[1], Needs: sweep.NeedPreimage}}
		}, judge.ByLightningd, judge.ByNobody},
		"no lightningd, no sweeps":    {func(f *claims.Facts) { f.Stubs = false }, judge.ByNobody, judge.ByNobody},
		"an address of the lost node": {func(f *claims.Facts) { f.Verdict.Owed[0].Elsewhere = true }, judge.ByElsewhere, judge.ByNobody},
	} {
		f := facts()
		if c.change != nil {
			c.change(&f)
		}
		got := claims.Settle(f)
		if len(got) != 2 || got[0].Claimant != c.toRemote || got[1].Claimant != c.other || got[0].Standing != claims.Waiting {
			t.Errorf("%s: %s and %s, want %s and %s", name, got[0].Claimant, got[1].Claimant, c.toRemote, c.other)
		}
	}
}

// TestWhereAnOutputIs: ours only if the wallet lists it, or has spent it itself.
func TestWhereAnOutputIs(t *testing.T) {
	sweep := wire.NewMsgTx(2)
	sweep.LockTime = 7
	for name, c := range map[string]struct {
		change func(*claims.Facts, wire.OutPoint)
		want   claims.Standing
	}{
		"nowhere": {func(*claims.Facts, wire.OutPoint) {}, claims.Waiting},
		"listed": {func(f *claims.Facts, op wire.OutPoint) {
			f.Wallet[op] = api.WalletOutput{Sat: 600_000, Status: "confirmed"}
		}, claims.InWallet},
		"spent by us": {func(f *claims.Facts, op wire.OutPoint) { spent(f, op, claims.Spend{Txid: "aa", Ours: true}) }, claims.Spent},
		"set aside": {func(f *claims.Facts, op wire.OutPoint) {
			spent(f, op, claims.Spend{})
			f.Reserved = func(wire.OutPoint) bool { return true }
		}, claims.Spent},
		"spent by somebody else":               {func(f *claims.Facts, op wire.OutPoint) { spent(f, op, claims.Spend{Txid: "aa"}) }, claims.Lost},
		"nobody knows by whom":                 {func(f *claims.Facts, op wire.OutPoint) { spent(f, op, claims.Spend{}) }, claims.Lost},
		"taken before the wallet had it":       {func(f *claims.Facts, op wire.OutPoint) { seen(f, op, sweep, 105) }, claims.Taken},
		"taken, and not deep":                  {func(f *claims.Facts, op wire.OutPoint) { seen(f, op, sweep, 106) }, claims.Waiting},
		"taken by our own sweep":               {func(f *claims.Facts, op wire.OutPoint) { seen(f, op, sweep, 105); ours(f, sweep) }, claims.Swept},
		"taken by our own sweep, and not deep": {func(f *claims.Facts, op wire.OutPoint) { seen(f, op, sweep, 106); ours(f, sweep) }, claims.Waiting},
		"in a mempool":                         {func(f *claims.Facts, op wire.OutPoint) { seen(f, op, sweep, 0) }, claims.Waiting},
	} {
		f := facts()
		op := f.Verdict.Owed[0].OutPoint
		c.change(&f, op)
		if got := claims.Settle(f); got[0].Standing != c.want {
			t.Errorf("%s: %s, want %s", name, got[0].Standing, c.want)
		}
	}
}

// TestWhatASweepBrings: a sweep to the wallet counts when the wallet lists it, less
// its share of the fee; one to the user's destination when it is deep; an HTLC
// transaction brings nothing by itself.
func TestWhatASweepBrings(t *testing.T) {
	sweeping := wire.NewMsgTx(2)
	sweeping.AddTxOut(wire.NewTxOut(643_500, []byte{0x51}))
	coin := wire.OutPoint{Hash: sweeping.TxHash()}
	by := func(elsewhere, second bool) func(string) *claims.OurSweep {
		return func(string) *claims.OurSweep {
			return &claims.OurSweep{FeeSat: 6_500, TotalSat: 650_000, Elsewhere: elsewhere, Second: second}
		}
	}
	list := func(f *claims.Facts, status string) {
		f.Wallet[coin] = api.WalletOutput{OutPoint: coin, Sat: 643_500, Status: status}
	}
	for name, c := range map[string]struct {
		change func(*claims.Facts)
		want   claims.Standing
		got    uint64
	}{
		"not listed, however deep":         {func(f *claims.Facts) { f.Ours = by(false, false) }, claims.Waiting, 594_000},
		"listed":                           {func(f *claims.Facts) { f.Ours = by(false, false); list(f, "confirmed") }, claims.InWallet, 594_000},
		"to the user's address":            {func(f *claims.Facts) { f.Ours = by(true, false) }, claims.Swept, 594_000},
		"an HTLC transaction":              {func(f *claims.Facts) { f.Ours = by(true, true) }, claims.Waiting, 600_000},
		"by a transaction of lightningd's": {func(f *claims.Facts) { list(f, "confirmed") }, claims.InWallet, 600_000},
		"an HTLC transaction whose output is listed": {func(f *claims.Facts) {
			f.Ours = by(true, true)
			f.Found = []claims.Found{{Owed: f.Verdict.Owed[0]}, {Owed: judge.Owed{OutPoint: coin, Sat: 600_000}}}
		}, claims.Moved, 600_000},
		"spent by somebody else from the wallet": {func(f *claims.Facts) {
			f.Ours = by(false, false)
			list(f, claims.StatusSpent)
			f.WalletSpends[coin] = claims.Spend{Txid: "ab"}
		}, claims.Lost, 594_000},
	} {
		f := facts()
		seen(&f, f.Verdict.Owed[0].OutPoint, sweeping, 105)
		c.change(&f)
		if got := claims.Settle(f)[0]; got.Standing != c.want || got.Got != c.got {
			t.Errorf("%s: %s with %d sat, want %s with %d", name, got.Standing, got.Got, c.want, c.got)
		}
	}
}

func spent(f *claims.Facts, op wire.OutPoint, by claims.Spend) {
	f.Wallet[op] = api.WalletOutput{Sat: 600_000, Status: claims.StatusSpent}
	f.WalletSpends[op] = by
}

func seen(f *claims.Facts, op wire.OutPoint, tx *wire.MsgTx, height uint32) {
	s := chain.Sighting{OutPoint: op, Place: chain.InMempool, Tx: tx, TxID: tx.TxHash(), Height: height}
	if height > 0 {
		s.Place = chain.InBlock
	}
	f.Spends[op] = s
}

func ours(f *claims.Facts, tx *wire.MsgTx) {
	f.Ours = func(txid string) *claims.OurSweep {
		if txid != tx.TxHash().String() {
			return nil
		}
		return &claims.OurSweep{FeeSat: 6_500, TotalSat: 650_000, Elsewhere: true}
	}
}

// TestAnOutputThatOnlyTheWalletKnowsCounts: without the secret nobody else can
// name it.
func TestAnOutputThatOnlyTheWalletKnowsCounts(t *testing.T) {
	f := facts()
	f.Verdict = &judge.Verdict{Kind: judge.NoSecret}
	op := wire.OutPoint{Hash: f.Tx.TxHash()}
	f.Wallet[op] = api.WalletOutput{OutPoint: op, Sat: 600_000, Status: "confirmed"}
	if got := claims.Settle(f); len(got) != 1 || claims.Sum(got, claims.InWallet) != 600_000 {
		t.Errorf("%+v", got)
	}
}

// TestOutputsThatNobodyCanNameKeepACloseOpen where payments were under way: the
// peer's own to_local is one of them, so a single one says nothing.
func TestOutputsThatNobodyCanNameKeepACloseOpen(t *testing.T) {
	unnamed := func(n int) *judge.Verdict {
		c := &onchain.Close{}
		for i := range n {
			c.Outputs = append(c.Outputs, onchain.Output{OutPoint: wire.OutPoint{Index: uint32(i)}, ValueSat: 1000, Role: onchain.Unnamed})
		}
		return &judge.Verdict{Kind: judge.Theirs, Close: c}
	}
	pending := &channel.Channel{}
	pending.State.HolderCommit = &channel.Commitment{Offered: []channel.HTLC{{ValueSat: 5}}}
	for name, c := range map[string]struct {
		ch   *channel.Channel
		v    *judge.Verdict
		want int
	}{
		"none":                        {pending, unnamed(0), 0},
		"one":                         {&channel.Channel{}, unnamed(1), 0},
		"one, with payments pending":  {pending, unnamed(1), 1},
		"two":                         {&channel.Channel{}, unnamed(2), 2},
		"two in a mutual close":       {pending, &judge.Verdict{Kind: judge.Mutual, Close: unnamed(2).Close}, 0},
		"nobody could say what it is": {pending, &judge.Verdict{Kind: judge.Unknown}, 0},
	} {
		if got := claims.UnderWay(c.ch, c.v); len(got) != c.want {
			t.Errorf("%s: %d outputs, want %d", name, len(got), c.want)
		}
	}
}
