package find

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
)

// UTXOSet looks through all unspent outputs in one pass.
type UTXOSet interface {
	ScanTxOutSet(ctx context.Context, want []chain.Descriptor, progress func(percent float64)) (*chain.SetScan, error)
}

// Node is what Run asks of bitcoind; *chain.Bitcoind is one.
type Node interface {
	UTXOSet
	Block(ctx context.Context, height uint32) (*chain.Block, error)
	TxOut(ctx context.Context, op wire.OutPoint, mempool bool) (*chain.UTXO, error)
	Spenders(ctx context.Context, ops []wire.OutPoint) (map[wire.OutPoint]chainhash.Hash, error)
	Transaction(ctx context.Context, txid chainhash.Hash, block *chainhash.Hash) (*chain.Transaction, error)
}

// Coin is an output that is the node's.
type Coin struct {
	Kind     Kind
	OutPoint wire.OutPoint
	ValueSat uint64
	Script   []byte
	// Height is that of its block; 0 while it waits in the mempool.
	Height uint32
	// Channel is nil for a Wallet coin.
	Channel *channel.Channel
	// Commitment is the number of our commitment, for ToLocal, which can be
	// spent from SpendableFrom on (a height, 0 while unconfirmed).
	Commitment    uint64
	SpendableFrom uint32
	// Wallet (NodeWallet or MnemonicWallet), AddressType (p2wpkh, p2tr) and
	// Index name the key of a Wallet coin.
	Wallet, AddressType string
	Index               uint32
	// SpentBy is the transaction in the mempool that spends it; nil if none.
	SpentBy *chainhash.Hash
}

// Rescan is the lightningd setting rescan=-HEIGHT under which lightningd reads
// the coin's block. 0 where no rescan brings it: our own delayed outputs and the
// 2-of-2 are not for its wallet, and what is unconfirmed needs none.
func (c *Coin) Rescan() uint32 {
	if c.Height == 0 || c.Kind == ToLocal || c.Kind == Multisig {
		return 0
	}
	return rescanHeight(c.Height)
}

// Funding is what became of a channel's funding output.
type Funding struct {
	Channel *channel.Channel
	State   chain.FundingState
	// Height is that of the block with the funding, where it is unspent.
	Height uint32
	// Close is the transaction that spends it, for chain.FundingSpent, and
	// CloseHeight its block's; 0 while it waits in the mempool.
	Close       *chainhash.Hash
	CloseHeight uint32
	// Problem is chain.FundingMismatch, or empty.
	Problem string
}

// Report is what was found, at one block.
type Report struct {
	Height    uint32
	BestBlock chainhash.Hash
	Fundings  []Funding
	// Coins are in ascending order of height; those in the mempool come last.
	Coins []Coin
	// MempoolSeen is false where bitcoind cannot be asked who spends an output
	// in the mempool (before 24.0).
	MempoolSeen bool
	// Indexes is the highest wallet index that was looked for.
	Indexes uint32
}

// maxPasses bounds how often the wallet's gap is widened.
const maxPasses = 10

// Run looks for the targets in the UTXO set and in the mempool, and says what
// became of each channel's funding output. progress, if not nil, gets a pass's
// percentage.
func Run(ctx context.Context, node Node, t *Targets, progress func(percent float64)) (*Report, error) {
	r, unspent, err := search(ctx, node, t, progress)
	if err != nil {
		return nil, err
	}
	if err := r.mempool(ctx, node, t, unspent); err != nil {
		return nil, err
	}
	if err := r.confirmedCloses(ctx, node); err != nil {
		return nil, err
	}
	r.sort()
	return r, nil
}

// Unspent looks for the targets in the UTXO set alone; the report says nothing of
// the mempool and of funding outputs.
func Unspent(ctx context.Context, set UTXOSet, t *Targets, progress func(percent float64)) (*Report, error) {
	r, _, err := search(ctx, set, t, progress)
	if err != nil {
		return nil, err
	}
	r.sort()
	return r, nil
}

// search takes as many passes as the wallets' gaps ask for. unspent are all
// outputs of the last one.
func search(ctx context.Context, set UTXOSet, t *Targets, progress func(percent float64)) (*Report, map[wire.OutPoint]chain.SetOutput, error) {
	var scan *chain.SetScan
	for pass := 0; ; pass++ {
		var err error
		if scan, err = scanAll(ctx, set, t.descriptors(), progress); err != nil {
			return nil, nil, err
		}
		if !t.widen(scan) || pass == maxPasses {
			break
		}
	}
	r := &Report{Height: scan.Height, BestBlock: scan.BestBlock}
	for _, w := range t.wallets {
		r.Indexes = max(r.Indexes, w.last)
	}
	unspent := map[wire.OutPoint]chain.SetOutput{}
	fundings := map[wire.OutPoint]bool{}
	for _, ch := range t.channels {
		fundings[ch.Funding] = true
	}
	for _, o := range scan.Outputs {
		unspent[o.OutPoint] = o
		if who, ok := t.scripts[string(o.Script)]; ok && !fundings[o.OutPoint] {
			r.Coins = append(r.Coins, coin(who, o.OutPoint, o.TxOut, o.Height))
		}
	}
	return r, unspent, nil
}

func (r *Report) sort() {
	slices.SortStableFunc(r.Coins, func(a, b Coin) int {
		return cmp.Or(cmp.Compare(a.Height-1, b.Height-1), cmp.Compare(a.OutPoint.String(), b.OutPoint.String()))
	})
}

// atOnce is how many descriptors one scan takes: bitcoind refuses a request of
// more than 32 MiB.
const atOnce = 100_000

// scanAll looks for any number of descriptors; the outputs of several scans are
// put together.
func scanAll(ctx context.Context, set UTXOSet, want []chain.Descriptor, progress func(float64)) (*chain.SetScan, error) {
	var all *chain.SetScan
	for part := range slices.Chunk(want, atOnce) {
		scan, err := set.ScanTxOutSet(ctx, part, progress)
		if err != nil {
			return nil, err
		}
		if all != nil {
			scan.Outputs = append(all.Outputs, scan.Outputs...)
		}
		all = scan
	}
	return all, nil
}

// widen extends the wallets whose last used key is too near to the end of what
// was looked for.
func (t *Targets) widen(scan *chain.SetScan) (more bool) {
	for i := range t.wallets {
		w := &t.wallets[i]
		var used uint32
		for _, o := range scan.Outputs {
			if who := t.scripts[string(o.Script)]; who.kind == Wallet && who.wallet == w.name {
				used = max(used, who.index)
			}
		}
		if used+Gap > w.last {
			more = true
			t.extend(w, used+FirstIndexes)
		}
	}
	return more
}

func coin(who owner, op wire.OutPoint, out chain.TxOut, height uint32) Coin {
	c := Coin{
		Kind: who.kind, OutPoint: op, ValueSat: out.ValueSat, Script: out.Script, Height: height,
		Channel: who.channel, Commitment: who.commitment,
		Wallet: who.wallet, AddressType: who.addressType, Index: who.index,
	}
	if c.Kind == ToLocal && height > 0 {
		c.SpendableFrom = height + uint32(who.channel.CounterpartyDelay)
	}
	return c
}

// mempool asks what spends the outputs that were found, takes in what such
// transactions pay to us, and says what is known of each funding output.
func (r *Report) mempool(ctx context.Context, node Node, t *Targets, unspent map[wire.OutPoint]chain.SetOutput) error {
	var ops []wire.OutPoint
	for _, ch := range t.channels {
		ops = append(ops, ch.Funding)
	}
	for _, c := range r.Coins {
		ops = append(ops, c.OutPoint)
	}
	spenders, err := node.Spenders(ctx, ops)
	r.MempoolSeen = err == nil
	if err != nil && !errors.Is(err, chain.ErrUnsupported) {
		return err
	}
	for i := range r.Coins {
		if by, ok := spenders[r.Coins[i].OutPoint]; ok {
			r.Coins[i].SpentBy = &by
		}
	}
	taken := map[chainhash.Hash]bool{}
	for _, ch := range t.channels {
		f := Funding{Channel: ch, State: chain.FundingUnknown}
		set, there := unspent[ch.Funding]
		if there {
			f.State, f.Height = chain.FundingUnspent, set.Height
			if set.ValueSat != ch.CapacitySat {
				f.Problem = chain.FundingMismatch
			}
		} else if out, err := node.TxOut(ctx, ch.Funding, true); err != nil {
			return err
		} else if out != nil {
			f.State = chain.FundingUnspent
			if out.Confirmations == 0 {
				f.State = chain.FundingUnconfirmed
			} else {
				// There, and not under the script that our keys make.
				f.Problem = chain.FundingMismatch
			}
		}
		if by, ok := spenders[ch.Funding]; ok {
			tx, err := node.Transaction(ctx, by, nil)
			if err != nil {
				return err
			}
			if tx != nil && spends(tx.Tx, ch.Funding) {
				f.State, f.Close = chain.FundingSpent, &by
				if !taken[by] {
					taken[by] = true
					r.waiting(t, tx.Tx, by)
				}
			}
		}
		r.Fundings = append(r.Fundings, f)
	}
	return nil
}

// waiting takes in what a transaction in the mempool pays to us.
func (r *Report) waiting(t *Targets, tx *wire.MsgTx, id chainhash.Hash) {
	for i, out := range tx.TxOut {
		if who, ok := t.scripts[string(out.PkScript)]; ok {
			op := wire.OutPoint{Hash: id, Index: uint32(i)}
			r.Coins = append(r.Coins, coin(who, op, chain.TxOut{ValueSat: uint64(out.Value), Script: out.PkScript}, 0))
		}
	}
}

// confirmedCloses names the closes whose outputs were found: the block of such
// an output has the transaction that spends the funding output.
func (r *Report) confirmedCloses(ctx context.Context, node Node) error {
	blocks := map[uint32]map[wire.OutPoint]chainhash.Hash{}
	for i := range r.Fundings {
		f := &r.Fundings[i]
		if f.State != chain.FundingUnknown {
			continue
		}
		for _, c := range r.Coins {
			// A mutual close pays to the wallet.
			if c.Height == 0 || c.Channel != f.Channel && c.Kind != Wallet {
				continue
			}
			spent, known := blocks[c.Height]
			if !known {
				block, err := node.Block(ctx, c.Height)
				switch {
				case errors.Is(err, chain.ErrPruned):
					blocks[c.Height] = nil
					continue
				case err != nil:
					return err
				}
				if spent, err = r.spentIn(block); err != nil {
					return err
				}
				blocks[c.Height] = spent
			}
			if by, ok := spent[f.Channel.Funding]; ok {
				f.State, f.Close, f.CloseHeight = chain.FundingSpent, &by, c.Height
				break
			}
		}
	}
	return nil
}

// spentIn is which funding outputs a block spends, by what.
func (r *Report) spentIn(block *chain.Block) (map[wire.OutPoint]chainhash.Hash, error) {
	msg, err := block.Decode()
	if err != nil {
		return nil, err
	}
	wanted := map[wire.OutPoint]bool{}
	for _, f := range r.Fundings {
		wanted[f.Channel.Funding] = true
	}
	spent := map[wire.OutPoint]chainhash.Hash{}
	for _, tx := range msg.Transactions {
		for _, in := range tx.TxIn {
			if wanted[in.PreviousOutPoint] {
				spent[in.PreviousOutPoint] = tx.TxHash()
			}
		}
	}
	return spent, nil
}

func spends(tx *wire.MsgTx, op wire.OutPoint) bool {
	return slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint == op })
}

// Rescan is the one rescan=-HEIGHT that brings every coin that a rescan can
// bring; ok is false where there is none.
func (r *Report) Rescan() (height uint32, ok bool) {
	var outputs []Output
	for i := range r.Coins {
		if c := &r.Coins[i]; c.Rescan() > 0 && c.Wallet != MnemonicWallet {
			outputs = append(outputs, Output{OutPoint: c.OutPoint.String(), Height: c.Height})
		}
	}
	one := OneRescan(outputs, 0)
	if one == nil {
		return 0, false
	}
	return one.Height, true
}

// NewAddressCalls is how often "newaddr all" must be called on a fresh node before
// a rescan sees every coin of its wallet.
func (r *Report) NewAddressCalls() uint32 { return r.OldWallet(true, nil).NewAddresses }

// Totals are sums in sat of what is confirmed or waits, and not spent in the
// mempool, by kind.
func (r *Report) Totals() map[Kind]uint64 {
	sums := map[Kind]uint64{}
	for _, c := range r.Coins {
		if c.SpentBy == nil {
			sums[c.Kind] += c.ValueSat
		}
	}
	return sums
}
