package sweeping

import (
	"fmt"
	"maps"
	"sync"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/sweep"
)

// Known is what claims need and the record must not hold: the peers' revealed
// secrets and signatures, which only the backup has, and preimages. It lives in
// memory; after a start the backup is read again from where it was.
type Known struct {
	mu sync.Mutex
	// backups are the channels of the backups that were read, by their SHA256.
	backups   map[string]map[channel.Key]*channel.Channel
	preimages sweep.Preimages
}

// NewKnown takes the preimages of our own sweeps on record: after a restart they are
// still needed for dearer ones.
func NewKnown(records []model.Record) *Known {
	k := &Known{backups: map[string]map[channel.Key]*channel.Channel{}, preimages: sweep.NewPreimages()}
	for i := range records {
		for _, w := range records[i].Sweeps {
			if tx, err := chain.DecodeTx(w.Raw); err == nil {
				k.learn([]sweep.Spend{{Tx: tx}})
			}
		}
	}
	return k
}

// Take keeps a backup that is at hand.
func (k *Known) Take(b *backup.Loaded) {
	k.mu.Lock()
	defer k.mu.Unlock()
	channels := map[channel.Key]*channel.Channel{}
	for _, c := range b.Channels {
		channels[c.Key] = c
	}
	k.backups[b.SHA256] = channels
	for _, p := range b.Preimages {
		k.preimages.Add(p)
	}
}

// withSecrets is a channel of the record with what only the backup has of it. lacks
// is why the backup cannot be read.
func (k *Known) withSecrets(run *model.Run, c *channel.Channel) (out *channel.Channel, lacks string) {
	if run == nil {
		return c, ""
	}
	lacks = k.read(run)
	k.mu.Lock()
	defer k.mu.Unlock()
	// A backup that the user gave before, or after, may have the channel where the one
	// on record has not.
	found := []*channel.Channel{k.backups[run.BackupSHA256][c.Key]}
	for _, b := range k.backups {
		found = append(found, b[c.Key])
	}
	return claims.WithSecrets(c, found...), lacks
}

// read reads the backup of the recovery, unless it is at hand.
func (k *Known) read(run *model.Run) (lacks string) {
	k.mu.Lock()
	have := k.backups[run.BackupSHA256] != nil
	k.mu.Unlock()
	switch {
	case have, run.BackupSHA256 == "": // the latter is a recovery from the words alone
		return ""
	case run.BackupPath == "":
		return "the backup was given as JSON and is not kept: call glrecover again with the same backup, best as a file"
	}
	b, err := backup.Load(api.Backup{Path: run.BackupPath})
	switch {
	case err != nil:
		return fmt.Sprintf("the backup is needed again and cannot be read; put it back to %s: %v", run.BackupPath, err)
	case b.SHA256 != run.BackupSHA256:
		return fmt.Sprintf("the file %s is not the backup any more with which the recovery began (SHA256 %s): call glrecover again with the newest backup", run.BackupPath, run.BackupSHA256)
	}
	k.Take(b)
	return ""
}

// learn takes the preimages that transactions show: another channel may wait for
// one of them.
func (k *Known) learn(spends []sweep.Spend) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range spends {
		k.preimages.Add(onchain.Preimages(s.Tx)...)
	}
}

// Give takes a preimage of the user's, and says how many are known now.
func (k *Known) Give(p [32]byte) (count int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.preimages.Add(p)
	return len(k.preimages)
}

// Preimages are those that are known.
func (k *Known) Preimages() sweep.Preimages {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.preimages)
}
