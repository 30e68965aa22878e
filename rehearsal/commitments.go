package rehearsal

import (
	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/vlsstate"
)

// Commitments are the txids, in display order, of our commitments in a backup.
type Commitments map[channel.Key][]string

// OurCommitments rebuilds our commitments in the backup of the secret's node.
// lightningd shows the txid of the one that it would publish, so they tell
// whether a backup is current. A channel whose commitment cannot be rebuilt is
// left out: its proof says why.
func OurCommitments(b *vlsstate.Backup, secret *keychain.Secret) (Commitments, error) {
	out := make(Commitments)
	for _, ch := range b.Channels {
		keys, err := secret.ChannelKeys(ch.Peer, ch.DBID)
		if err != nil {
			return nil, err
		}
		s := &ch.State
		if s.HolderCommit != nil && s.NextHolderCommitNum > 0 {
			out.add(ch, keys, s.HolderCommit, s.NextHolderCommitNum-1)
		}
		if s.NextHolderCommit != nil {
			out.add(ch, keys, s.NextHolderCommit, s.NextHolderCommitNum)
		}
		keys.Wipe()
	}
	return out, nil
}

func (m Commitments) add(ch *channel.Channel, keys *keychain.ChannelKeys, c *channel.Commitment, n uint64) {
	point, err := keys.PerCommitmentPoint(n)
	if err != nil {
		return
	}
	tx, err := bolt3.BuildCommitment(ch, keys.Basepoints(), c, n, point)
	if err != nil {
		return
	}
	m[ch.Key] = append(m[ch.Key], tx.Tx.TxHash().String())
}
