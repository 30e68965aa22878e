package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// Block is a block with its place in the chain, not parsed yet. Its header
// hashes to Hash; nothing else of Raw is checked.
type Block struct {
	Height uint32
	Hash   chainhash.Hash
	// Raw is the block as it goes over the wire (BIP 144).
	Raw []byte
}

// headerBytes is the length of a block's header.
const headerBytes = 80

// ErrBadBlock says that a block is not what its header commits to, or not a
// block.
var ErrBadBlock = errors.New("not the block that its header names")

// NewBlock checks a raw block's header against its name.
func NewBlock(height uint32, name chainhash.Hash, raw []byte) (*Block, error) {
	switch {
	case len(raw) <= headerBytes:
		return nil, fmt.Errorf("block %d: %w: cut off", height, ErrBadBlock)
	case len(raw) > maxBlockBytes:
		return nil, fmt.Errorf("block %d: more than %d bytes", height, maxBlockBytes)
	case chainhash.DoubleHashH(raw[:headerBytes]) != name:
		return nil, fmt.Errorf("block %d: header does not hash to the block's name", height)
	}
	return &Block{Height: height, Hash: name, Raw: raw}, nil
}

// Header is the block's header.
func (b *Block) Header() wire.BlockHeader {
	var h wire.BlockHeader
	// 80 bytes cannot fail: every value of every field is allowed.
	_ = h.Deserialize(bytes.NewReader(b.Raw[:headerBytes]))
	return h
}

// Decode parses the whole block.
func (b *Block) Decode() (*wire.MsgBlock, error) {
	msg := new(wire.MsgBlock)
	r := bytes.NewReader(b.Raw)
	if err := msg.Deserialize(r); err != nil {
		return nil, fmt.Errorf("block %d: %w: %w", b.Height, ErrBadBlock, err)
	}
	if r.Len() != 0 {
		return nil, fmt.Errorf("block %d: %w: trailing bytes", b.Height, ErrBadBlock)
	}
	return msg, nil
}

// blockFilter says which transactions of a block are to be parsed.
type blockFilter struct {
	// spends reports whether the spend of this outpoint is looked for.
	spends func(wire.OutPoint) bool
	// creates reports whether the transaction of this id is looked for.
	creates func(chainhash.Hash) bool
	// pays reports whether outputs to this scriptPubKey are looked for; nil for none.
	pays func(script []byte) bool
}

// blockTx is a transaction that passed a blockFilter.
type blockTx struct {
	tx *wire.MsgTx
	id chainhash.Hash
}

// filter returns the transactions that pass f, in the order of the block. It
// reads every byte once, parses only what passes, and checks that the
// transactions are those that the header's merkle root commits to: one that is
// made up, changed or left out is ErrBadBlock. (The root does not cover
// witnesses.)
func (b *Block) filter(f blockFilter) ([]blockTx, error) {
	w := walker{raw: b.Raw, pos: headerBytes, double: doubleSHA{sum: sha256.New()}}
	count := w.varint()
	// 60 bytes is the least that a transaction has; the cap is for make alone.
	if count == 0 || count > uint64(len(b.Raw)/60) {
		return nil, fmt.Errorf("block %d: %w: %d transactions", b.Height, ErrBadBlock, count)
	}
	ids := make([]chainhash.Hash, 0, count)
	var hits []blockTx
	for range count {
		start := w.pos
		id, hit := w.tx(f)
		if w.bad {
			return nil, fmt.Errorf("block %d: %w: transaction %d", b.Height, ErrBadBlock, len(ids))
		}
		ids = append(ids, id)
		if !hit && !f.creates(id) {
			continue
		}
		tx := new(wire.MsgTx)
		if err := tx.Deserialize(bytes.NewReader(b.Raw[start:w.pos])); err != nil || tx.TxHash() != id {
			return nil, fmt.Errorf("block %d: %w: transaction %d", b.Height, ErrBadBlock, len(ids)-1)
		}
		hits = append(hits, blockTx{tx: tx, id: id})
	}
	if w.pos != len(b.Raw) {
		return nil, fmt.Errorf("block %d: %w: trailing bytes", b.Height, ErrBadBlock)
	}
	if root := w.double.merkleRoot(ids); !bytes.Equal(root[:], b.Raw[4+32:4+64]) {
		return nil, fmt.Errorf("block %d: %w: transactions of another merkle root", b.Height, ErrBadBlock)
	}
	return hits, nil
}

// walker steps through serialised transactions without copying. After bad is
// set its answers mean nothing.
type walker struct {
	raw    []byte
	pos    int
	bad    bool
	double doubleSHA
}

// skip moves over n bytes.
func (w *walker) skip(n uint64) {
	if n > uint64(len(w.raw)-w.pos) {
		w.bad = true
		w.pos = len(w.raw)
		return
	}
	w.pos += int(n)
}

// varint reads a CompactSize.
func (w *walker) varint() uint64 {
	at := w.pos
	w.skip(1)
	if w.bad {
		return 0
	}
	first := w.raw[at]
	if first < 0xfd {
		return uint64(first)
	}
	size := uint64(1) << (first - 0xfc) // 2, 4, 8
	w.skip(size)
	if w.bad {
		return 0
	}
	var b [8]byte
	copy(b[:], w.raw[at+1:w.pos])
	return binary.LittleEndian.Uint64(b[:])
}

// tx steps over one transaction, and returns its id and whether one of its
// inputs, or of its outputs, is looked for.
func (w *walker) tx(f blockFilter) (id chainhash.Hash, hit bool) {
	start := w.pos
	w.skip(4) // version
	witness := w.pos+2 <= len(w.raw) && w.raw[w.pos] == 0 && w.raw[w.pos+1] == 1
	if witness {
		w.skip(2)
	}
	body := w.pos
	inputs := w.varint()
	for i := uint64(0); i < inputs && !w.bad; i++ {
		at := w.pos
		w.skip(36)
		if !w.bad && !hit {
			op := wire.OutPoint{Index: binary.LittleEndian.Uint32(w.raw[at+32 : at+36])}
			copy(op.Hash[:], w.raw[at:at+32])
			hit = f.spends(op)
		}
		w.skip(w.varint())
		w.skip(4) // sequence
	}
	outputs := w.varint()
	for i := uint64(0); i < outputs && !w.bad; i++ {
		w.skip(8) // value
		size := w.varint()
		at := w.pos
		w.skip(size)
		if f.pays != nil && !w.bad && !hit {
			hit = f.pays(w.raw[at:w.pos])
		}
	}
	end := w.pos
	if witness {
		for i := uint64(0); i < inputs && !w.bad; i++ {
			items := w.varint()
			for j := uint64(0); j < items && !w.bad; j++ {
				w.skip(w.varint())
			}
		}
	}
	lock := w.pos
	w.skip(4)
	if w.bad {
		return id, false
	}
	// The id leaves out marker, flag and witnesses.
	return w.double.of(w.raw[start:start+4], w.raw[body:end], w.raw[lock:w.pos]), hit
}

// doubleSHA hashes without allocating.
type doubleSHA struct {
	sum   hash.Hash
	first []byte
}

// of is SHA256(SHA256(parts...)).
func (d *doubleSHA) of(parts ...[]byte) chainhash.Hash {
	d.sum.Reset()
	for _, p := range parts {
		_, _ = d.sum.Write(p) // a hash takes everything
	}
	d.first = d.sum.Sum(d.first[:0])
	return sha256.Sum256(d.first)
}

// merkleRoot is the root over ids, which it overwrites.
func (d *doubleSHA) merkleRoot(ids []chainhash.Hash) chainhash.Hash {
	for len(ids) > 1 {
		if len(ids)%2 == 1 {
			ids = append(ids, ids[len(ids)-1])
		}
		for i := range len(ids) / 2 {
			ids[i] = d.of(ids[2*i][:], ids[2*i+1][:])
		}
		ids = ids[:len(ids)/2]
	}
	return ids[0]
}
