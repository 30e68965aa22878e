package chain

import (
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// Tip is the newest block that a Watcher has looked at.
type Tip struct {
	Height uint32
	Hash   chainhash.Hash
	// Time is that of the block's header.
	Time time.Time
}

// Watch asks for one outpoint to be followed until Forget.
type Watch struct {
	OutPoint wire.OutPoint
	// PkScript is the outpoint's scriptPubKey; nil where unknown.
	PkScript []byte
	// From is the lowest height at which the outpoint can have been created or
	// spent: the look-back goes down to it. 0 is unknown: then it goes down to
	// the bound of LookBackSince and LookBackFrom.
	From uint32
	// Last is what an earlier run knew of the outpoint, from the record; nil for
	// one that is new. It is believed only where the chain says so again (or can
	// no longer say: see Sighting.Place), it keeps FirstSeen, and, where it is given
	// before Run, it keeps the look-back from starting anew.
	Last *Sighting
}

// Place is where the spend of an outpoint is.
type Place uint8

// Places of a spend, or of the transaction that created an outpoint.
const (
	// Unknown: nobody can say. Never to be read as spent, nor as unspent.
	Unknown Place = iota
	// Unspent: the output is there, and neither a block spends it nor, where
	// Update.MempoolSeen, a transaction in the mempool.
	Unspent
	// InMempool: the transaction waits in bitcoind's mempool.
	InMempool
	// InBlock: the transaction is in a block of the best chain.
	InBlock
)

// String is the stable name that records and answers hold.
func (p Place) String() string {
	switch p {
	case Unspent:
		return "unspent"
	case InMempool:
		return "mempool"
	case InBlock:
		return "block"
	}
	return "unknown"
}

// Sighting is what is known of a watched outpoint now.
type Sighting struct {
	OutPoint wire.OutPoint
	// Place is where its spend is. A spend of the record whose block can no
	// longer be asked for (pruned, or too deep for lightningd's backend) stays
	// InBlock.
	Place Place
	// Tx is the transaction that spends the outpoint, for InMempool and InBlock;
	// after it has left both, with Place Unknown or Unspent, the last one seen.
	// Its inputs and outputs are verified; witnesses are the backend's word.
	Tx   *wire.MsgTx
	TxID chainhash.Hash
	// Input is the index of the input that spends OutPoint.
	Input uint32
	// Height and Block are set for InBlock.
	Height uint32
	Block  chainhash.Hash
	// FirstSeen is the height of the tip when this spend was first seen, or of
	// its block where that was first. It is kept when the transaction goes from
	// the mempool into a block and when a reorganisation takes it back; another
	// transaction has its own.
	FirstSeen uint32

	// Created is where the transaction is that creates the outpoint: Unknown,
	// InMempool or InBlock.
	Created Place
	// CreatedAt is the height of its block, for InBlock.
	CreatedAt uint32
	// Output is the outpoint's value and script where they were seen; nil else.
	Output *TxOut

	// Searched says that every block in which the outpoint can have been spent,
	// down to Watch.From (or to the bound of the look-back), has been looked at:
	// unless Place is InBlock, no block up to the tip holds a spend.
	Searched bool

	// LookBack names the look-back that the outpoint takes part in. Keep it in
	// the record for Watch.Last, as 0 from Forget on: blocks go by without the
	// outpoint. It means nothing else.
	LookBack uint32
}

// LookBack is how far the look at old blocks is.
type LookBack struct {
	// From and To are the lowest and the highest height of what is looked at,
	// Next is the height that comes next. All are 0 if nothing was to be looked
	// at.
	From, Next, To uint32
	// Left counts the blocks that are still to be looked at.
	Left uint32
	// Done: nothing more can be looked at now, and Missing says what was not.
	Done bool
	// Missing counts blocks that were to be looked at and cannot be: pruned, or
	// too deep for lightningd's backend.
	Missing uint32
	// MissingTo is the highest height among them; 0 if none.
	MissingTo uint32
	// Reason says in a sentence why it waits or why blocks are missing; "" if
	// it goes on, or is done.
	Reason string
}

// Update is what a Watcher tells.
type Update struct {
	Tip Tip
	// Changed holds what changed since the last update, and each new outpoint
	// once.
	Changed  []Sighting
	LookBack LookBack
	// Trouble says what cannot be asked and since when; "" if all is well.
	Trouble string
	// Behind counts blocks above Tip that are known to exist and could not be
	// read yet.
	Behind uint32
	// MempoolSeen says that the mempool was asked for this update; without it
	// Unspent is said of blocks only.
	MempoolSeen bool
	// Cursor is to be saved together with Changed, never before it.
	Cursor Cursor
}

// Cursor is how far a Watcher has come, for the record. It is small, and has
// the outpoints in it only by the number of their look-back.
type Cursor struct {
	Height uint32         `json:"height"`
	Hash   chainhash.Hash `json:"hash"`
	// Next is the number of the next look-back.
	Next uint32 `json:"next,omitempty"`
	// LookBacks are those that are not finished.
	LookBacks []CursorLookBack `json:"look_backs,omitempty"`
}

// CursorLookBack is one look-back of a Cursor.
type CursorLookBack struct {
	ID uint32 `json:"id"`
	// From is the lowest height that it covers or is to cover.
	From uint32 `json:"from"`
	// Base is the height of the tip when it began, where the lowest height of
	// its outpoints is not known; 0 else.
	Base uint32 `json:"base,omitempty"`
	// Left are the heights not looked at, first and last included, in ascending
	// order.
	Left [][2]uint32 `json:"left,omitempty"`
}
