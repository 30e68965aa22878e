package recovery

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
)

// facts are one look at the world.
type facts struct {
	tip uint32
	// stubs and closed are lightningd's channels.
	stubs  map[channel.ID]PeerChannel
	closed map[channel.ID]bool
	wallet map[wire.OutPoint]WalletOutput
	// spends are the known spends of funding outputs, unconfirmed ones too.
	spends map[wire.OutPoint]*chain.Spend
	// mempool says that the mempool was looked at: bitcoind itself answered.
	mempool bool
	keys    Keys
	// secretErr is why keys is nil.
	secretErr error
	view      *chain.View
}

// scanStep bounds how many blocks of the past one step looks at, so that the
// engine stays responsive. New blocks come one at a time.
const scanStep = 50

// survey looks at lightningd, its wallet and the chain, and brings the closes on
// record up to date.
func (s *Service) survey(ctx context.Context) (*facts, error) {
	f := &facts{
		stubs: map[channel.ID]PeerChannel{}, closed: map[channel.ID]bool{},
		wallet: map[wire.OutPoint]WalletOutput{}, spends: map[wire.OutPoint]*chain.Spend{},
		view: s.view(ctx),
	}
	f.keys, _, f.secretErr = s.openKeys()
	var err error
	if f.tip, err = f.view.Tip(ctx); err != nil {
		return nil, err
	}
	channels, err := s.node.PeerChannels(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range channels {
		f.stubs[c.ID] = c
	}
	closed, err := s.node.ClosedChannels(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range closed {
		f.closed[id] = true
	}
	outputs, err := s.node.Wallet(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range outputs {
		f.wallet[o.OutPoint] = o
	}
	if err := s.followChain(ctx, f); err != nil {
		return nil, err
	}
	return f, nil
}

// creditedOf are the outputs of a closing transaction that the wallet lists.
func (f *facts) creditedOf(tx *wire.MsgTx) []WalletOutput {
	var out []WalletOutput
	for _, op := range chain.Outputs(tx) {
		if w, ok := f.wallet[op]; ok {
			out = append(out, w)
		}
	}
	return out
}

// scanStart decides from which block on the chain is looked at: for outputs that
// were there when lightningd stood at its present height, from there; for others
// from when the backup was written. 0 where that cannot be told.
func (s *Service) scanStart(ctx context.Context, created time.Time, items []*item) (uint32, error) {
	if len(items) == 0 {
		return 0, nil
	}
	view := s.view(ctx)
	tip, err := view.Tip(ctx)
	if err != nil {
		return 0, err
	}
	from := tip
	for _, it := range items {
		// The evidence is older than the tip: blocks came while the plan was made.
		if it.at > 0 {
			from = min(from, it.at)
		}
	}
	// A dump of vlsd's storage has no date.
	if created.IsZero() {
		return from, nil
	}
	for _, it := range items {
		if it.evidence.State == chain.FundingUnknown {
			at, err := lookFrom(ctx, view, created, tip)
			return min(from, at), err
		}
	}
	return from, nil
}

// lookFrom makes the engine look at the blocks from a height on, also at those
// that it has looked at already: it did not look for the new channels. An
// earlier start is kept; 0 changes nothing.
func (r *run) lookFrom(from uint32) {
	if from == 0 {
		return
	}
	r.scan++
	if r.ScanFrom == 0 || from < r.ScanFrom {
		r.ScanFrom = from
	}
	if r.ScannedTo >= from {
		r.ScannedTo, r.ScannedHash = from-1, ""
	}
}

// followChain looks at new blocks and at the mempool for spends of the funding
// outputs, and checks again the spends that are known: a block that left the
// chain and a transaction that left the mempool are forgotten as seen, not as
// known, so that they are sent again.
func (s *Service) followChain(ctx context.Context, f *facts) error {
	s.mu.Lock()
	r := s.run
	if r == nil {
		s.mu.Unlock()
		return nil
	}
	now := *r
	closes := map[wire.OutPoint]closing{}
	var ops, outs []wire.OutPoint
	s.tip = f.tip
	for _, t := range s.tracks {
		if t.State.Done() {
			continue
		}
		ops = append(ops, t.Channel.Funding)
		outs = append(outs, t.unclaimed()...)
		if t.Close != nil {
			closes[t.Channel.Funding] = *t.Close
		}
	}
	s.mu.Unlock()

	if err := s.checkCloses(ctx, f, closes); err != nil {
		return err
	}
	s.scanPatiently(ctx, f, now, append(outs, ops...))
	// Where bitcoind itself does not answer, the mempool stays unseen and all
	// else goes on.
	spends, err := f.view.MempoolSpends(ctx, ops)
	f.mempool = err == nil
	for i := range spends {
		if f.spends[spends[i].OutPoint] == nil {
			f.spends[spends[i].OutPoint] = &spends[i]
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.noteCloses(ctx, f, closes)
	return nil
}

// scanPause is how long blocks that cannot be read are left alone: a pruned one
// keeps bcli busy for up to a minute.
const scanPause = 2 * time.Minute

// scanPatiently looks at the blocks. What it cannot read keeps no peer from
// being asked.
func (s *Service) scanPatiently(ctx context.Context, f *facts, now run, ops []wire.OutPoint) {
	if s.Now().Before(s.scanAgain) {
		return
	}
	if err := s.scanBlocks(ctx, f, now, ops); err != nil && ctx.Err() == nil {
		s.scanAgain = s.Now().Add(scanPause)
		s.log.WithError(err).Warn("a block cannot be read; until it can, closes may be seen late")
	}
}

// checkCloses fills in the recorded closes whose block is still in the chain.
func (s *Service) checkCloses(ctx context.Context, f *facts, closes map[wire.OutPoint]closing) error {
	for op, c := range closes {
		if c.Height == 0 {
			continue
		}
		hash, err := chainhash.NewHashFromStr(c.Block)
		if err != nil {
			continue
		}
		ok, err := s.stillThere(ctx, f, *hash, c.Height)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		tx, err := chain.DecodeTx(c.Raw)
		if err != nil {
			continue
		}
		f.spends[op] = spendBy(op, tx, c.Height, *hash)
	}
	return nil
}

// stillThere reports whether a block is in the chain. It is asked once for each
// tip, and for a deep block no more, unless a reorganisation is noticed: without
// bitcoind itself the answer costs a whole block.
func (s *Service) stillThere(ctx context.Context, f *facts, block chainhash.Hash, height uint32) (bool, error) {
	if at, asked := s.there[block]; asked && (at == f.tip || at >= height+deepBlocks) {
		return true, nil
	}
	ok, err := f.view.Confirmed(ctx, block, height)
	if ok && err == nil {
		s.there[block] = f.tip
	}
	return ok && err == nil, err
}

// unclaimed are the outputs of the close that lightningd's wallet does not take:
// somebody else may.
func (t *tracked) unclaimed() (ops []wire.OutPoint) {
	if t.verdict == nil {
		return nil
	}
	for _, o := range t.verdict.Owed {
		if !o.Wallet {
			ops = append(ops, o.OutPoint)
		}
	}
	return ops
}

// spendBy is the spend of an outpoint by a transaction in hand; nil where it
// does not spend it.
func spendBy(op wire.OutPoint, tx *wire.MsgTx, height uint32, block chainhash.Hash) *chain.Spend {
	for i, in := range tx.TxIn {
		if in.PreviousOutPoint == op {
			return &chain.Spend{OutPoint: op, Tx: tx, TxID: tx.TxHash(), Input: uint32(i), Height: height, Block: block}
		}
	}
	return nil
}

// scanBlocks looks at the blocks that have not been looked at.
func (s *Service) scanBlocks(ctx context.Context, f *facts, now run, ops []wire.OutPoint) error {
	if now.ScanFrom == 0 {
		return nil
	}
	req := chain.ScanRequest{From: now.ScanFrom, OutPoints: ops, Generations: 1}
	if now.ScannedTo >= now.ScanFrom {
		req.From = now.ScannedTo + 1
		if hash, err := chainhash.NewHashFromStr(now.ScannedHash); err == nil {
			req.Prev = *hash
		}
	}
	if req.From > f.tip {
		return s.noteReorg(ctx, f, now, req)
	}
	req.To = min(f.tip, req.From+scanStep-1)
	res, err := f.view.Scan(ctx, req)
	for i := range res.Spends {
		f.spends[res.Spends[i].OutPoint] = &res.Spends[i]
	}
	var reorg *chain.ReorgError
	switch {
	case errors.As(err, &reorg):
		return s.rewind(ctx, now)
	case err != nil && res.Next <= req.From:
		return err
	}
	if res.Next > req.From {
		was := now
		now.ScannedTo, now.ScannedHash = res.Next-1, res.Last.String()
		s.keepScan(ctx, was, now)
	}
	if res.Next <= f.tip {
		s.nudge() // more of the past is left
	}
	return nil
}

// noteReorg rewinds where the block that was scanned last left the chain and no
// longer one has come yet.
func (s *Service) noteReorg(ctx context.Context, f *facts, now run, req chain.ScanRequest) error {
	if req.Prev == (chainhash.Hash{}) {
		return nil
	}
	ok, err := f.view.Confirmed(ctx, req.Prev, now.ScannedTo)
	if err != nil || ok {
		return err
	}
	return s.rewind(ctx, now)
}

// rewind goes back as far as a reorganisation may reach.
func (s *Service) rewind(ctx context.Context, was run) error {
	now, back := was, uint32(finalConfs)
	if now.ScannedTo > back+now.ScanFrom {
		now.ScanFrom, now.ScannedTo, now.ScannedHash = now.ScannedTo-back, 0, ""
	} else {
		now.ScannedTo, now.ScannedHash = 0, ""
	}
	s.log.Warn("the chain was reorganised; looking at the last blocks again")
	clear(s.there)
	s.mu.Lock()
	for _, t := range s.tracks {
		// What was seen in the blocks that are looked at again is seen again.
		t.Taken = slices.DeleteFunc(slices.Clone(t.Taken), func(x taken) bool { return x.Height >= now.ScanFrom })
	}
	s.mu.Unlock()
	s.keepScan(ctx, was, now)
	s.nudge()
	return nil
}

// keepScan records how far the scan is, unless a new import has set it anew
// meanwhile.
func (s *Service) keepScan(ctx context.Context, was, now run) {
	s.mu.Lock()
	if s.run == nil || s.run.scan != was.scan {
		s.mu.Unlock()
		return
	}
	s.run.ScanFrom, s.run.ScannedTo, s.run.ScannedHash = now.ScanFrom, now.ScannedTo, now.ScannedHash
	s.mu.Unlock()
	if err := s.saveRun(ctx); err != nil && ctx.Err() == nil {
		s.log.WithError(err).Warn("the record of the recovery could not be written")
	}
}

// closingOf records a spend.
func closingOf(spend *chain.Spend, seenAt uint32) *closing {
	raw, err := chain.EncodeTx(spend.Tx)
	if err != nil {
		raw = ""
	}
	c := &closing{Txid: spend.Tx.TxHash().String(), Raw: raw, Height: spend.Height, SeenAt: seenAt}
	if spend.Height > 0 {
		c.Block = spend.Block.String()
	}
	return c
}

// noteCloses brings the tracks' closes in line with the spends that were found.
// An unconfirmed close that is not found any more is sent again, once a block,
// and kept: it may come back. Another transaction that spends the same output
// replaces it.
func (s *Service) noteCloses(ctx context.Context, f *facts, known map[wire.OutPoint]closing) {
	for _, k := range s.followed() {
		s.mu.Lock()
		t := s.tracks[k]
		if t == nil {
			s.mu.Unlock()
			continue
		}
		op := t.Channel.Funding
		spend := f.spends[op]
		before := t.Close
		switch {
		case spend != nil:
			seen := f.tip
			if before != nil && before.Txid == spend.TxID.String() {
				seen = before.SeenAt
			}
			t.Close = closingOf(spend, seen)
			switch {
			case before == nil:
			case before.Txid == t.Close.Txid:
				t.Close.Kind = before.Kind
			default:
				// What paid for the other close pays for nothing now.
				t.Bump, t.BumpTrouble, t.Taken = nil, "", nil
			}
		case before != nil && before.Height > 0:
			// Its block left the chain: unconfirmed again.
			c := *before
			c.Height, c.Block, c.SeenAt = 0, "", f.tip
			t.Close = &c
		}
		if t.Close != nil && t.Close.Height == 0 && spend == nil && !f.mempool {
			// Nobody can look into the mempool; what is in hand is what is known.
			if tx, err := chain.DecodeTx(t.Close.Raw); err == nil {
				f.spends[op] = spendBy(op, tx, 0, chainhash.Hash{})
			}
		}
		resend := t.Close != nil && t.Close.Height == 0 && t.Close.resendable() && t.resent < f.tip
		if resend {
			t.resent = f.tip
		}
		changed := (before == nil) != (t.Close == nil) ||
			(before != nil && t.Close != nil && *before != *t.Close)
		kept := t.track
		s.mu.Unlock()
		if changed {
			s.keep(ctx, k)
		}
		if resend {
			s.resend(ctx, f, &kept)
		}
	}
}

// resendable reports whether the close is one to send again. Our own commitment
// is never published by this program (money rule 1), and one that its owner has
// revoked helps nobody but the other side, which sends it itself.
func (c *closing) resendable() bool { return c.Kind == kindTheirs || c.Kind == kindMutual }

// resend publishes a close that is not confirmed: what goes out once is not
// sent again by lightningd, and the peer may be gone.
func (s *Service) resend(ctx context.Context, f *facts, t *track) {
	tx, err := chain.DecodeTx(t.Close.Raw)
	if err != nil {
		return
	}
	if child := t.child(); child != nil {
		err = f.view.SendPackage(ctx, tx, child)
		s.noteSent(ctx, t.Channel.Key, err)
	} else {
		err = f.view.Send(ctx, tx, false)
	}
	switch {
	case err == nil:
		if f.spends[t.Channel.Funding] == nil {
			f.spends[t.Channel.Funding] = spendBy(t.Channel.Funding, tx, 0, chainhash.Hash{})
		}
	case ctx.Err() == nil:
		s.log.WithError(err).Infof("channel %s: the close %s was not taken again", t.Channel.ID(), t.Close.Txid)
	}
}
