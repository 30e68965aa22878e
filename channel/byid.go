package channel

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// V1Funding is the funding output of a channel of which the id and the output's index
// are known: the inverse of V1ID.
func V1Funding(id ID, index uint32) wire.OutPoint {
	op := wire.OutPoint{Hash: chainhash.Hash(id), Index: index}
	op.Hash[30] ^= byte(index >> 8)
	op.Hash[31] ^= byte(index)
	return op
}

// unknownDBID marks the dbids of UnknownDBID: lightningd has none so large.
const unknownDBID = 1 << 63

// UnknownDBID stands for the dbid of a channel of which only the id is known. It is
// made from the id, so that two channels of a peer have different ones.
func UnknownDBID(id ID) uint64 { return unknownDBID | binary.BigEndian.Uint64(id[:8])>>1 }

// DBIDKnown reports whether the key's dbid is one from which keys are made.
func (k Key) DBIDKnown() bool { return k.DBID > 0 && k.DBID <= MaxDBID }
