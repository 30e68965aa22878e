package chain

import (
	"context"
	"errors"
	"fmt"
	"slices"

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

// Outputs are the outpoints of a transaction's outputs.
func Outputs(tx *wire.MsgTx) []wire.OutPoint {
	id := tx.TxHash()
	ops := make([]wire.OutPoint, len(tx.TxOut))
	for i := range ops {
		ops[i] = wire.OutPoint{Hash: id, Index: uint32(i)}
	}
	return ops
}

// SearchRequest says what to look for in the blocks, and where.
type SearchRequest struct {
	// From and To are heights, both included; To 0 means up to the tip.
	From, To uint32
	// OutPoints are those whose spends are looked for.
	OutPoints []wire.OutPoint
	// Scripts are those to which outputs are looked for.
	Scripts [][]byte
	// OutPointScripts are those of all OutPoints. With them, or without OutPoints, a
	// Sifter spares the search the blocks that hold nothing.
	OutPointScripts [][]byte
	// Generations is how far spends are followed: 0 the outpoints only, 1 the
	// outputs of what spends them too, and so on.
	Generations int
	// Progress, if not nil, is called after each block.
	Progress func(height, to uint32)
}

// Found is a confirmed output to a script that was looked for.
type Found struct {
	TxOut
	OutPoint wire.OutPoint
	Tx       *wire.MsgTx
	Height   uint32
	Block    chainhash.Hash
}

// SearchResult is what a search has found so far; it holds where there is an
// error too.
type SearchResult struct {
	// Spends and Found are in the order of the blocks.
	Spends []Spend
	Found  []Found
	// Next is the first block that was not looked at, Tip the last that was to be;
	// Missing counts those that are pruned from From on: what they hold is unknown.
	Next, Tip, Missing uint32
}

// Search looks through blocks once, from the lowest on, for spends of outpoints
// and for outputs to scripts.
// Blocks are held against their merkle roots; what a reorganisation takes out
// meanwhile is taken out of the result, and what replaces it is looked at. The
// error is the first that a request met.
//
// For outpoints that are followed for long there is the Watcher.
func Search(ctx context.Context, src Source, r SearchRequest) (SearchResult, error) {
	s := searcher{watch: make(map[wire.OutPoint]int, len(r.OutPoints)), scripts: map[string]bool{}, hashes: map[uint32]chainhash.Hash{}}
	for _, op := range r.OutPoints {
		s.watch[op] = r.Generations
	}
	for _, script := range r.Scripts {
		s.scripts[string(script)] = true
	}
	err := s.run(ctx, src, r)
	return s.SearchResult, err
}

// run looks through the blocks.
func (s *searcher) run(ctx context.Context, src Source, r SearchRequest) error {
	s.Next = max(r.From, 1)
	tip, _, err := src.Best(ctx)
	if err != nil {
		return fmt.Errorf("block search: %w", err)
	}
	if s.Tip = tip; r.To > 0 {
		s.Tip = min(r.To, tip)
	}
	if floor, known, _ := src.Floor(ctx); known {
		s.skipTo(floor)
	}
	if sifter, ok := src.(Sifter); ok && (len(r.OutPoints) == 0 || len(r.OutPointScripts) > 0) {
		s.sifter, s.sieve = sifter, slices.Concat(r.Scripts, r.OutPointScripts)
	}
	for s.Next <= s.Tip {
		empty, err := s.empty(ctx)
		if err != nil {
			return fmt.Errorf("block search at height %d: %w", s.Next, err)
		}
		if empty {
			if r.Progress != nil {
				r.Progress(s.Next, s.Tip)
			}
			s.Next++
			continue
		}
		b, err := src.Block(ctx, s.Next)
		if errors.Is(err, ErrPruned) && len(s.hashes) == 0 {
			s.skipTo(s.Next + 1) // pruned since the floor was asked for
			continue
		}
		if errors.Is(err, ErrNoBlock) {
			if tip, _, tipErr := src.Best(ctx); tipErr == nil && tip < s.Next {
				s.Tip, s.Next = tip, tip // the chain became shorter
				s.takeBack()
				continue
			}
		}
		if err == nil && s.reorganised(b) {
			s.Next--
			s.takeBack()
			continue
		}
		if err == nil {
			err = s.look(b)
		}
		if err != nil {
			return fmt.Errorf("block search at height %d: %w", s.Next, err)
		}
		if r.Progress != nil {
			r.Progress(s.Next, s.Tip)
		}
		s.Next++
	}
	return nil
}

// searcher is one Search under way.
type searcher struct {
	SearchResult
	watch   map[wire.OutPoint]int // generations still to follow
	scripts map[string]bool
	// hashes are those of the blocks that were looked at.
	hashes map[uint32]chainhash.Hash

	// sifter is nil where blocks are read; sieve is what it is asked with, named
	// what it said of the blocks up to siftedTo.
	sifter   Sifter
	sieve    [][]byte
	named    []uint32
	siftedTo uint32
}

// empty reports whether the next block is known to hold nothing.
func (s *searcher) empty(ctx context.Context) (bool, error) {
	if s.sifter == nil {
		return false, nil
	}
	if s.Next > s.siftedTo {
		to := min(s.Tip, s.Next+siftAtOnce-1)
		named, err := s.sifter.Sift(ctx, s.Next, to, s.sieve)
		if errors.Is(err, ErrUnsupported) {
			s.sifter = nil
			return false, nil
		}
		if err != nil {
			return false, err
		}
		s.named, s.siftedTo = named, to
	}
	return !slices.Contains(s.named, s.Next), nil
}

// skipTo leaves out pruned blocks.
func (s *searcher) skipTo(floor uint32) {
	if floor = min(floor, s.Tip+1); floor > s.Next {
		s.Missing += floor - s.Next
		s.Next = floor
	}
}

// reorganised reports whether the block below is not the one that was looked at.
func (s *searcher) reorganised(b *Block) bool {
	below, looked := s.hashes[b.Height-1]
	return looked && below != b.Header().PrevBlock
}

// takeBack undoes the blocks from Next on.
func (s *searcher) takeBack() {
	delete(s.hashes, s.Next)
	s.siftedTo = min(s.siftedTo, s.Next-1)
	s.Spends = slices.DeleteFunc(s.Spends, func(x Spend) bool { return x.Height >= s.Next })
	s.Found = slices.DeleteFunc(s.Found, func(x Found) bool { return x.Height >= s.Next })
}

// look searches one block, again as long as it finds what else to follow.
func (s *searcher) look(b *Block) error {
	f := blockFilter{
		spends:  func(op wire.OutPoint) bool { _, ok := s.watch[op]; return ok },
		creates: func(chainhash.Hash) bool { return false },
	}
	if len(s.scripts) > 0 {
		f.pays = func(script []byte) bool { return s.scripts[string(script)] }
	}
	found := map[wire.OutPoint]bool{}
	for more := true; more; f.pays = nil {
		more = false
		hits, err := b.filter(f)
		if err != nil {
			return err
		}
		if f.pays != nil {
			s.note(b, hits)
		}
		for _, hit := range hits {
			for i, in := range hit.tx.TxIn {
				op := in.PreviousOutPoint
				generations, watched := s.watch[op]
				if !watched || found[op] {
					continue
				}
				found[op] = true
				s.Spends = append(s.Spends, Spend{OutPoint: op, Tx: hit.tx, TxID: hit.id, Input: uint32(i), Height: b.Height, Block: b.Hash})
				if generations == 0 {
					continue
				}
				more = true
				for _, out := range Outputs(hit.tx) {
					s.watch[out] = max(s.watch[out], generations-1)
				}
				for _, out := range hit.tx.TxOut {
					s.sieve = append(s.sieve, out.PkScript)
				}
				s.siftedTo = b.Height // the blocks above are sifted for these too
			}
		}
	}
	s.hashes[b.Height] = b.Hash
	return nil
}

// note keeps the outputs to scripts that are looked for.
func (s *searcher) note(b *Block, hits []blockTx) {
	for _, hit := range hits {
		for vout, out := range hit.tx.TxOut {
			if s.scripts[string(out.PkScript)] {
				s.Found = append(s.Found, Found{
					TxOut:    TxOut{ValueSat: uint64(out.Value), Script: out.PkScript},
					OutPoint: wire.OutPoint{Hash: hit.id, Index: uint32(vout)}, Tx: hit.tx, Height: b.Height, Block: b.Hash,
				})
			}
		}
	}
}

// SpendOf returns the spend of an outpoint, or nil.
func (r *SearchResult) SpendOf(op wire.OutPoint) *Spend {
	for i := range r.Spends {
		if r.Spends[i].OutPoint == op {
			return &r.Spends[i]
		}
	}
	return nil
}
