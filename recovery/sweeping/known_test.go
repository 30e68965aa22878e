package sweeping

import (
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

// TestTheBestOfTheBackupsCounts: the user gave several, and one has secrets or the
// signatures that the others have not.
func TestTheBestOfTheBackupsCounts(t *testing.T) {
	b, err := vlsstate.ReadFile(testdata.Corpus("used-both-ways", "backup.json"))
	if err != nil {
		t.Fatal(err)
	}
	full := b.Channels[0]
	older := *full
	older.State.NextHolderCommitNum -= 2
	older.State.NextCounterpartyRevokeNum -= 2
	older.State.Secrets = nil
	kept := *full
	kept.State.Secrets, kept.State.HolderSigs, kept.State.NextHolderSigs = nil, nil, nil
	load := func(sha string, c ...*channel.Channel) *backup.Loaded {
		return &backup.Loaded{SHA256: sha, Backup: &vlsstate.Backup{Channels: c}}
	}
	for name, c := range map[string]struct {
		backups []*backup.Loaded
		secrets bool
		sigs    bool
	}{
		"the one on record":         {[]*backup.Loaded{load("aa", full)}, true, true},
		"the one on record is old":  {[]*backup.Loaded{load("aa", &older), load("bb", full)}, true, true},
		"it lacks the channel":      {[]*backup.Loaded{load("aa"), load("bb", full)}, true, true},
		"old signatures do not fit": {[]*backup.Loaded{load("aa", &older)}, false, false},
	} {
		k := NewKnown(nil)
		for _, l := range c.backups {
			k.Take(l)
		}
		got, lacks := k.withSecrets(&model.Run{BackupSHA256: "aa"}, &kept)
		if lacks != "" || (len(got.State.Secrets) > 0) != c.secrets || (got.State.HolderSigs != nil) != c.sigs {
			t.Errorf("%s: %d secrets, signatures %v, %q", name, len(got.State.Secrets), got.State.HolderSigs != nil, lacks)
		}
	}
}
