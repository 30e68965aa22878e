package chain

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// Spend is a transaction that spends a watched outpoint. Block is the zero hash
// and Height 0 while it waits in the mempool.
type Spend struct {
	OutPoint wire.OutPoint
	Tx       *wire.MsgTx
	TxID     chainhash.Hash
	// Input is the index of the input that spends OutPoint.
	Input  uint32
	Height uint32
	Block  chainhash.Hash
}

// Spends reports whether the transaction in hand spends op.
func (s *Spend) Spends(op wire.OutPoint) bool {
	return s.Tx != nil && s.OutPoint == op && int(s.Input) < len(s.Tx.TxIn) &&
		s.Tx.TxIn[s.Input].PreviousOutPoint == op
}

// Found is a confirmed output that a scan met: one that pays to a watched
// script, or a watched outpoint's own creation.
type Found struct {
	TxOut
	OutPoint wire.OutPoint
	Tx       *wire.MsgTx
	Height   uint32
	Block    chainhash.Hash
}

// ScanRequest says what to look for in the blocks, and where.
type ScanRequest struct {
	// From and To are heights, both included; To 0 means up to the tip, also
	// one that comes while scanning.
	From, To uint32
	// Prev is the hash of the block at From-1 where an earlier scan ended
	// there; the zero hash otherwise.
	Prev chainhash.Hash
	// OutPoints whose spends, and whose creation, are looked for.
	OutPoints []wire.OutPoint
	// Scripts whose outputs are looked for.
	Scripts [][]byte
	// Generations is how far spends are followed: 0 the outpoints only, 1 the
	// outputs of what spends them too, and so on.
	Generations int
	// Progress, if not nil, is called after each block.
	Progress func(ScanProgress)
}

// ScanProgress is how far a scan is.
type ScanProgress struct {
	From, To, Height uint32
	// Spends and Found count what was found so far.
	Spends, Found int
}

// ScanResult is what a scan found up to where it came. It is valid beside an
// error too: go on with From: Next, Prev: Last.
type ScanResult struct {
	Spends []Spend
	Found  []Found
	// Next is the height that was not scanned yet, Last the hash of the block
	// before it (zero if no block was scanned).
	Next uint32
	Last chainhash.Hash
	// Missing counts the blocks from the request's From on that could not be
	// looked at because they are pruned; what they hold stays unknown.
	Missing uint32
}

// SpendOf returns the spend of an outpoint, or nil.
func (r *ScanResult) SpendOf(op wire.OutPoint) *Spend {
	for i := range r.Spends {
		if r.Spends[i].OutPoint == op {
			return &r.Spends[i]
		}
	}
	return nil
}

// ReorgError says that the block before a scan's first is no longer the one
// that an earlier scan ended with: results at or above Height-1 may be void.
// Scan again from further down.
type ReorgError struct{ Height uint32 }

// Error names the height.
func (e *ReorgError) Error() string {
	return fmt.Sprintf("the chain was reorganised below height %d", e.Height)
}

// Scan looks through the blocks from From to To, in order, one request at a
// time, for spends of outpoints and outputs to scripts. It never asks for a
// block below the prune height where that is known, and counts those in
// Missing. Blocks that a reorganisation takes out while it scans are taken out
// of the result and their replacements scanned.
//
// The error is the first that a block request met (the result says where to go
// on), or a *ReorgError.
func (v *View) Scan(ctx context.Context, req ScanRequest) (ScanResult, error) {
	s := scanner{view: v, req: req, next: req.From}
	s.watch = make(map[wire.OutPoint]int, len(req.OutPoints))
	s.created = make(map[wire.OutPoint]bool, len(req.OutPoints))
	s.scripts = make(map[string]bool, len(req.Scripts))
	for _, op := range req.OutPoints {
		s.watch[op] = req.Generations
		s.created[op] = true
	}
	for _, script := range req.Scripts {
		s.scripts[string(script)] = true
	}
	err := s.run(ctx)
	s.result.Next = s.next
	s.result.Last = s.last()
	return s.result, err
}

// scanner is one Scan under way.
type scanner struct {
	view *View
	req  ScanRequest
	next uint32
	// hashes are those of the blocks scanned, the last at height next-1.
	hashes []chainhash.Hash
	result ScanResult

	watch   map[wire.OutPoint]int // generations still to follow
	created map[wire.OutPoint]bool
	scripts map[string]bool
}

// last is the hash of the block below next, as far as known.
func (s *scanner) last() chainhash.Hash {
	if n := len(s.hashes); n > 0 {
		return s.hashes[n-1]
	}
	if s.result.Missing > 0 {
		return chainhash.Hash{}
	}
	return s.req.Prev
}

func (s *scanner) run(ctx context.Context) error {
	if floor, known := s.view.PruneHeight(ctx); known && floor > s.next {
		s.skipTo(floor)
	}
	tip, err := s.view.Tip(ctx)
	if err != nil {
		return fmt.Errorf("block scan: %w", err)
	}
	for {
		to := s.req.To
		if to == 0 || to > tip {
			to = tip
		}
		if s.next > to {
			if s.req.To != 0 && s.next > s.req.To {
				return nil
			}
			// The chain may have grown, or changed, meanwhile.
			if tip, err = s.view.Tip(ctx); err != nil {
				return fmt.Errorf("block scan: %w", err)
			}
			for s.next > tip+1 && len(s.hashes) > 0 {
				s.takeBack() // the chain became shorter
			}
			if s.next > tip {
				return nil
			}
			continue
		}
		err := s.step(ctx, to)
		if errors.Is(err, ErrNoBlock) {
			// The chain became shorter since the tip was read.
			if tip, err = s.view.Tip(ctx); err == nil && s.next <= tip {
				err = fmt.Errorf("height %d: %w, though the tip is %d", s.next, ErrNoBlock, tip)
			}
		}
		if err != nil {
			return fmt.Errorf("block scan: %w", err)
		}
	}
}

// skipTo leaves out pruned blocks.
func (s *scanner) skipTo(floor uint32) {
	if s.req.To != 0 && floor > s.req.To+1 {
		floor = s.req.To + 1
	}
	s.result.Missing += floor - s.next
	s.next = floor
}

// step scans the block at next, or takes back the one before it.
func (s *scanner) step(ctx context.Context, to uint32) error {
	b, err := s.view.Block(ctx, s.next)
	switch {
	case errors.Is(err, ErrPruned) && len(s.hashes) == 0:
		// Pruned since the prune height was read.
		floor, known := s.view.PruneHeight(ctx)
		if !known || floor <= s.next {
			floor = s.next + 1
		}
		s.skipTo(floor)
		return nil
	case err != nil:
		return fmt.Errorf("height %d: %w", s.next, err)
	}
	if want := s.last(); want != (chainhash.Hash{}) && b.Msg.Header.PrevBlock != want {
		if len(s.hashes) == 0 {
			return &ReorgError{Height: s.next}
		}
		s.takeBack()
		return nil
	}
	for _, tx := range b.Msg.Transactions {
		s.look(tx, b)
	}
	s.hashes = append(s.hashes, b.Hash)
	s.next++
	if s.req.Progress != nil {
		s.req.Progress(ScanProgress{
			From: s.req.From, To: to, Height: b.Height,
			Spends: len(s.result.Spends), Found: len(s.result.Found),
		})
	}
	return nil
}

// takeBack undoes the last block.
func (s *scanner) takeBack() {
	s.next--
	s.hashes = s.hashes[:len(s.hashes)-1]
	for n := len(s.result.Spends); n > 0 && s.result.Spends[n-1].Height >= s.next; n-- {
		s.result.Spends = s.result.Spends[:n-1]
	}
	for n := len(s.result.Found); n > 0 && s.result.Found[n-1].Height >= s.next; n-- {
		s.result.Found = s.result.Found[:n-1]
	}
	// Outpoints that were followed into the undone block stay watched: their
	// transactions may come back, and if not nothing spends them.
}

// look searches one transaction.
func (s *scanner) look(tx *wire.MsgTx, b *Block) {
	var txid chainhash.Hash
	id := func() chainhash.Hash {
		if txid == (chainhash.Hash{}) {
			txid = tx.TxHash()
		}
		return txid
	}
	for i, in := range tx.TxIn {
		generations, ok := s.watch[in.PreviousOutPoint]
		if !ok {
			continue
		}
		s.result.Spends = append(s.result.Spends, Spend{
			OutPoint: in.PreviousOutPoint, Tx: tx, TxID: id(), Input: uint32(i),
			Height: b.Height, Block: b.Hash,
		})
		if generations == 0 {
			continue
		}
		for vout := range tx.TxOut {
			op := wire.OutPoint{Hash: id(), Index: uint32(vout)}
			if _, known := s.watch[op]; !known {
				s.watch[op] = generations - 1
			}
		}
	}
	if len(s.created) == 0 && len(s.scripts) == 0 {
		return
	}
	for vout, out := range tx.TxOut {
		hit := s.scripts[string(out.PkScript)]
		if !hit && len(s.created) > 0 {
			hit = s.created[wire.OutPoint{Hash: id(), Index: uint32(vout)}]
		}
		if hit {
			s.result.Found = append(s.result.Found, Found{
				TxOut:    TxOut{ValueSat: uint64(out.Value), Script: out.PkScript},
				OutPoint: wire.OutPoint{Hash: id(), Index: uint32(vout)},
				Tx:       tx, Height: b.Height, Block: b.Hash,
			})
		}
	}
}

// Follow looks for the spends of a confirmed transaction's outputs, from the
// block that holds it (height) to the tip; generations as in ScanRequest.
func (v *View) Follow(ctx context.Context, tx *wire.MsgTx, height uint32, generations int, progress func(ScanProgress)) (ScanResult, error) {
	return v.Scan(ctx, ScanRequest{
		From: height, OutPoints: Outputs(tx), Generations: generations, Progress: progress,
	})
}

// Outputs are the outpoints of a transaction's outputs.
func Outputs(tx *wire.MsgTx) []wire.OutPoint {
	id := tx.TxHash()
	ops := make([]wire.OutPoint, len(tx.TxOut))
	for i := range ops {
		ops[i] = wire.OutPoint{Hash: id, Index: uint32(i)}
	}
	return ops
}

// MempoolSpends finds the mempool transactions that spend the outpoints. It
// needs bitcoind: the error matches ErrUnsupported without it, and on releases
// before 24. A transaction that leaves the mempool between two questions is
// left out.
func (v *View) MempoolSpends(ctx context.Context, ops []wire.OutPoint) ([]Spend, error) {
	if v.node == nil {
		return nil, fmt.Errorf("the mempool: %w", ErrUnsupported)
	}
	by, err := v.node.Spenders(ctx, ops)
	if err != nil {
		return nil, err
	}
	var spends []Spend
	for _, op := range ops {
		txid, ok := by[op]
		if !ok {
			continue
		}
		t, err := v.node.Transaction(ctx, txid, nil)
		if err != nil {
			return nil, err
		}
		if t == nil || t.Block != (chainhash.Hash{}) {
			continue
		}
		for i, in := range t.Tx.TxIn {
			if in.PreviousOutPoint == op {
				spends = append(spends, Spend{OutPoint: op, Tx: t.Tx, TxID: txid, Input: uint32(i)})
			}
		}
	}
	return spends, nil
}
