package scbconv

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/glrecover/glrecover/channel"
)

// sentinelIndex is the shachain index of commitment number 2^30, which no
// channel reaches. It is odd, so nothing can be derived from its secret (BOLT 3,
// "Efficient Per-commitment Secret Storage").
const sentinelIndex = channel.MaxShachainIndex - 1<<30

// sentinelTag separates the sentinel's hash from every other use of SHA-256.
const sentinelTag = "glrecover scb sentinel v1"

// sentinel is TLV record 1 of every entry that goes to lightningd: one secret of
// a commitment far beyond all real ones. onchaind then takes no number on the
// chain for one that it knows: not for the current or the next one (without the
// record these are 0 and 1, and it gives up on them at the first output that it
// cannot name), and not for a revoked one. It takes the path for an unknown
// commitment, which finds to_remote (CLN onchaind/onchaind.c, v26.06.6).
//
// The 32 bytes are no key of anybody's. They are a hash of what the channel is,
// not random: the same backup always gives the same bytes, so that two imports,
// two outputs of convert and a golden file can be compared. To know them helps
// nobody: they are neither the peer's secret of that commitment nor one that
// leads to another, no commitment of that number was ever signed, and lightningd
// itself tells them to the peer once the close is on the chain.
func sentinel(c *channel.Channel) *Shachain {
	id := c.ID()
	h := sha256.New()
	h.Write([]byte(sentinelTag))
	h.Write(c.Peer[:])
	h.Write(binary.BigEndian.AppendUint64(nil, c.DBID))
	h.Write(id[:])
	s := channel.Secret{Index: sentinelIndex}
	h.Sum(s.Secret[:0])
	return &Shachain{MinIndex: sentinelIndex, Secrets: []channel.Secret{s}}
}

// Sentinel reports whether the storage is that of an entry of ours: it then
// counts nothing that a peer has revoked.
func (s *Shachain) Sentinel() bool { return s != nil && s.MinIndex == sentinelIndex }
