package claims

import (
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/judge"
)

// Standing is where an output is.
type Standing string

// The standings.
const (
	// Waiting: neither ours yet nor gone.
	Waiting Standing = "waiting"
	// InWallet: the wallet lists it unspent.
	InWallet Standing = "in_wallet"
	// Spent: it came to the wallet, which has spent it.
	Spent Standing = "spent_by_wallet"
	// Swept: our own sweep has taken it to the user's destination, SweptConfs
	// deep.
	Swept Standing = "swept"
	// Moved: an HTLC transaction has spent it, whose output is listed instead.
	Moved Standing = "moved_on"
	// Taken: somebody else has spent it, TakenConfs deep.
	Taken Standing = "taken_by_others"
	// Lost: it came to the wallet, and somebody else has spent it there.
	Lost Standing = "lost_to"
)

// Depths in blocks.
const (
	// TakenConfs is how many confirmations make a spend by somebody else count,
	// SweptConfs one by us.
	TakenConfs = 6
	SweptConfs = 6
	// PatienceBlocks is how long lightningd's wallet may take to list an output
	// that is its own.
	PatienceBlocks = 144
)

// StatusSpent is listfunds' word for an output that a block has spent, whoever
// did.
const StatusSpent = "spent"

// Spend is who spent an output of the wallet, as the wallet knows it.
type Spend struct {
	// Txid spent it, in display order.
	Txid string
	// Ours says that the wallet sent that transaction itself, or that all of it
	// came back to it.
	Ours bool
}

// Facts are what is known of a confirmed close.
type Facts struct {
	Channel *channel.Channel
	Verdict *judge.Verdict
	Tx      *wire.MsgTx
	// Height is that of its block, Tip the newest one's.
	Height, Tip uint32
	// Stubs says that there is a lightningd, StubAtClose that it had a live stub
	// when the close confirmed, Rescanning that it is behind the chain.
	Stubs, StubAtClose, Rescanning bool
	// Died says that onchaind for the channel has died, Caught that lightningd has
	// processed the block of the close.
	Died, Caught bool
	// Sweeps says that outputs can be claimed by a transaction of ours, Ours
	// which transactions are such: nil for those of others.
	Sweeps bool
	Ours   func(txid string) *OurSweep
	// Found are the outputs with what it takes to claim them; nil where only the
	// verdict is known.
	Found []Found
	// Wallet is what the wallet lists, WalletSpends who spent what it lists as
	// spent.
	Wallet       map[wire.OutPoint]api.WalletOutput
	WalletSpends map[wire.OutPoint]Spend
	// Reserved says whether the wallet had set an output aside for a transaction
	// of its own.
	Reserved func(wire.OutPoint) bool
	// Spends are the sightings of the close's outputs.
	Spends map[wire.OutPoint]chain.Sighting
}

// OurSweep is a transaction of ours that claims outputs.
type OurSweep struct {
	// FeeSat is what it pays of the TotalSat that it claims. Both are 0 for an HTLC
	// transaction, which keeps the amount of its output.
	FeeSat, TotalSat uint64
	// Second says that it is an HTLC transaction.
	Second bool
	// Elsewhere says that it pays to an address that is not of this wallet.
	Elsewhere bool
}

// Output is one output of a close with who claims it and its place.
type Output struct {
	Found
	Claimant judge.Claimant
	Standing Standing
	// Got is what came of it, in sat, and Coin the output that has it now; they
	// count where Standing is InWallet, Spent or Swept.
	Got  uint64
	Coin wire.OutPoint
	// By is what spent it, in display order, at SpentAt; "" while nothing has.
	By      string
	SpentAt uint32
	// Unnamed says that nothing in hand can name the output; it may be a payment
	// that was under way.
	Unnamed bool
}

// Settle lists the outputs of a confirmed close that are ours or may be, those of
// HTLC transactions after it, and every other one that the wallet lists.
func Settle(f Facts) []Output {
	var out []Output
	known := map[wire.OutPoint]bool{}
	if f.Verdict != nil {
		if f.Found == nil {
			f.Found = found(f.Verdict)
		}
		for _, o := range f.Found {
			known[o.OutPoint] = true
			out = append(out, f.settle(Output{Found: o, Claimant: f.claimant(o)}))
		}
		for _, o := range f.underWay() {
			if !known[o.OutPoint] {
				known[o.OutPoint] = true
				out = append(out, f.settle(Output{Found: Found{Owed: o}, Claimant: judge.ByNobody, Unnamed: true}))
			}
		}
	}
	for _, op := range chain.Outputs(f.Tx) {
		w, listed := f.Wallet[op]
		if !listed || known[op] {
			continue
		}
		o := judge.Owed{OutPoint: op, Sat: w.Sat, What: string(onchain.Closing), Wallet: true}
		out = append(out, f.settle(Output{Found: Found{Owed: o}, Claimant: judge.ByLightningd}))
	}
	return out
}

// underWay is UnderWay without what the wallet lists: that is no payment, and one
// that is left then says nothing.
func (f *Facts) underWay() []judge.Owed {
	open := slices.DeleteFunc(UnderWay(f.Channel, f.Verdict), func(o judge.Owed) bool { _, listed := f.Wallet[o.OutPoint]; return listed })
	if offered, received, _, _ := f.Channel.PendingHTLCs(); len(open) < 2 && offered+received == 0 && !paymentsOnly(f.Verdict) {
		return nil
	}
	return open
}

// settle finds where an output is.
func (f *Facts) settle(o Output) Output {
	o.Standing, o.Got, o.Coin = Waiting, o.Sat, o.OutPoint
	s, seen := f.Spends[o.OutPoint]
	seen = seen && s.Place == chain.InBlock
	var ours *OurSweep
	if seen && f.Ours != nil {
		ours = f.Ours(s.TxID.String())
	}
	if _, listed := f.Wallet[o.OutPoint]; listed && ours == nil {
		o.Claimant = judge.ByLightningd
		o.Standing, o.By = f.listed(o.OutPoint)
		return o
	}
	if !seen {
		return o
	}
	o.By, o.SpentAt = s.TxID.String(), s.Height
	depth := uint32(0)
	if f.Tip >= s.Height {
		depth = f.Tip - s.Height + 1
	}
	coin, theWallets := f.walletOutput(s.Tx)
	switch {
	case f.hasOutputOf(s.TxID):
		// An HTLC transaction: ours, or the peer's on a commitment that it has revoked.
		o.Standing = Moved
	case ours != nil:
		o.Claimant = judge.BySweep
		f.swept(&o, ours, s.Tx, depth)
	case theWallets:
		// lightningd has claimed it by a transaction of its own.
		o.Claimant, o.Coin = judge.ByLightningd, coin
		o.Standing, _ = f.listed(coin)
		o.Got = min(o.Sat, f.Wallet[coin].Sat)
	case depth >= TakenConfs:
		o.Standing = Taken
	}
	return o
}

// listed is where an output of the wallet is, and what spent it, in display
// order.
func (f *Facts) listed(op wire.OutPoint) (Standing, string) {
	if f.Wallet[op].Status != StatusSpent {
		return InWallet, ""
	}
	s := f.WalletSpends[op]
	if s.Ours || (f.Reserved != nil && f.Reserved(op)) {
		return Spent, s.Txid
	}
	return Lost, s.Txid
}

// walletOutput is the first output of a transaction that the wallet lists.
func (f *Facts) walletOutput(tx *wire.MsgTx) (op wire.OutPoint, listed bool) {
	if tx == nil {
		return op, false
	}
	for _, op := range chain.Outputs(tx) {
		if _, listed := f.Wallet[op]; listed {
			return op, true
		}
	}
	return op, false
}

// hasOutputOf reports whether an output of the transaction is among those that are
// listed.
func (f *Facts) hasOutputOf(txid chainhash.Hash) bool {
	return slices.ContainsFunc(f.Found, func(x Found) bool { return x.OutPoint.Hash == txid })
}

// swept is where an output is that our own sweep has spent in a block: a sweep that
// pays to the wallet counts when the wallet lists its output, another one when it
// is deep.
func (f *Facts) swept(o *Output, by *OurSweep, tx *wire.MsgTx, depth uint32) {
	if by.Second {
		return // its output is about to be listed
	}
	if by.TotalSat > 0 {
		o.Got -= min(o.Got, by.FeeSat*o.Sat/by.TotalSat)
	}
	o.Coin = wire.OutPoint{Hash: tx.TxHash()}
	switch _, listed := f.Wallet[o.Coin]; {
	case listed:
		var spentBy string
		if o.Standing, spentBy = f.listed(o.Coin); spentBy != "" {
			o.By = spentBy
		}
	case by.Elsewhere && depth >= SweptConfs:
		o.Standing = Swept
	}
}

// claimant is money rule 6.
func (f *Facts) claimant(o Found) judge.Claimant {
	switch {
	case o.Elsewhere:
		return judge.ByElsewhere
	case !o.Wallet && f.Sweeps && o.Ready():
		return judge.BySweep
	case !o.Wallet:
		return judge.ByNobody
	}
	overdue := f.Tip >= f.Height+PatienceBlocks && !f.Rescanning
	if f.Stubs && f.StubAtClose && !overdue && !f.Died {
		return judge.ByLightningd
	}
	if f.Sweeps {
		// A mutual close pays to the wallet's own script: if lightningd has seen its
		// block, or is about to, the wallet has it without a stub.
		if f.Verdict.Kind == judge.Mutual && f.Stubs && (!f.Caught || f.Rescanning) {
			return judge.ByLightningd
		}
		return judge.BySweep
	}
	// A mutual close pays to the wallet's own script, which is no key of the
	// channel: only the wallet can spend that.
	if f.Stubs {
		return judge.ByRescan
	}
	return judge.ByNobody
}

// UnderWay lists the outputs of a commitment that nothing can name, where one of
// them can be a payment that was under way: the peer's own to_local is one of
// them, so a single one says nothing unless the backup has payments pending. On a
// commitment that the peer revoked before the backup was written to_local is named,
// and each of the others is a payment: what the peer's HTLC transaction makes of it
// can be taken.
func UnderWay(c *channel.Channel, v *judge.Verdict) []judge.Owed {
	if v.Close == nil || (v.Kind != judge.Theirs && v.Kind != judge.Ours && !paymentsOnly(v)) {
		return nil
	}
	unnamed := v.Close.Unnamed()
	offered, received, _, _ := c.PendingHTLCs()
	if len(unnamed) < 2 && offered+received == 0 && !paymentsOnly(v) {
		return nil
	}
	var out []judge.Owed
	for _, o := range unnamed {
		if v.Kind == judge.NoSecret && c.Type.HasAnchors() && o.ValueSat == bolt3.AnchorSat {
			continue // without our keys nobody can tell the anchors by their scripts
		}
		out = append(out, judge.Owed{OutPoint: o.OutPoint, Sat: o.ValueSat, What: string(onchain.Unnamed)})
	}
	return out
}

// paymentsOnly reports whether an output that nothing can name can only be a payment.
func paymentsOnly(v *judge.Verdict) bool {
	return v.Kind == judge.Revoked && v.Close != nil && v.Close.HasSecret
}

// Sum adds up what came of the outputs of these standings, or is in them, in sat.
func Sum(outputs []Output, standings ...Standing) (sat uint64) {
	for i := range outputs {
		if slices.Contains(standings, outputs[i].Standing) {
			sat += outputs[i].Got
		}
	}
	return sat
}
