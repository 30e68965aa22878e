package bolt3

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
)

const (
	// The upper eight bits of a commitment's locktime and sequence (BOLT 3,
	// "Commitment Transaction"); the lower 24 of each carry the number.
	lockTimeMark = 0x20 << 24
	sequenceMark = 0x80 << 24
	low24        = 1<<24 - 1

	// MaxCommitNumber is the highest number that fits the 48 bits.
	MaxCommitNumber = 1<<48 - 1
)

// ErrNotCommitment says that a transaction does not have the form of a
// commitment: one input, and the marks in locktime and sequence.
var ErrNotCommitment = errors.New("not a commitment transaction")

// Obscurer is the 48-bit value that hides the commitment numbers of a channel:
// the last six bytes of SHA256(opener's payment basepoint || accepter's).
func Obscurer(opener, accepter channel.PubKey) uint64 {
	sum := sha256.Sum256(append(append(make([]byte, 0, 2*channel.PubKeySize), opener[:]...), accepter[:]...))
	return binary.BigEndian.Uint64(sum[24:]) & MaxCommitNumber
}

// ChannelObscurer is Obscurer with the basepoints in the channel's order.
func ChannelObscurer(ch *channel.Channel, ours channel.Basepoints) uint64 {
	if ch.Opener == channel.Local {
		return Obscurer(ours.Payment, ch.Remote.Payment)
	}
	return Obscurer(ch.Remote.Payment, ours.Payment)
}

// HideNumber returns the locktime and the input's sequence of commitment n.
func HideNumber(n, obscurer uint64) (lockTime, sequence uint32) {
	hidden := (n ^ obscurer) & MaxCommitNumber
	return lockTimeMark | uint32(hidden&low24), sequenceMark | uint32(hidden>>24)
}

// CommitNumber recovers the number of a commitment transaction. A mutual close
// or a splice gives ErrNotCommitment; a foreign transaction that happens to
// have the marks gives a meaningless number, so compare what follows from it.
func CommitNumber(tx *wire.MsgTx, obscurer uint64) (uint64, error) {
	if len(tx.TxIn) != 1 || tx.LockTime&^low24 != lockTimeMark || tx.TxIn[0].Sequence&^low24 != sequenceMark {
		return 0, ErrNotCommitment
	}
	hidden := uint64(tx.TxIn[0].Sequence&low24)<<24 | uint64(tx.LockTime&low24)
	return hidden ^ obscurer, nil
}
