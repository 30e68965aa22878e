package harness

import (
	"os"
	"path/filepath"
	"time"

	"github.com/glrecover/glrecover/integration/synthetic"
)

// Source says where a scenario's backups come from.
type Source struct {
	// Genuine means Greenlight's own signer; else they are synthetic.
	Genuine bool
	// Birth takes a channel's snapshot when it is funded and never again
	// (new_channels_only); else after each update.
	Birth bool
}

// BackupsEnv set to "synthetic" keeps AnySource from the genuine signer.
const BackupsEnv = "GLRECOVER_BACKUPS"

// AnySource is the genuine signer where it is at hand, else the synthetic
// source.
func AnySource() Source {
	if os.Getenv(BackupsEnv) == "synthetic" {
		return Source{}
	}
	missing, _ := Missing(GLSigner)
	return Source{Genuine: len(missing) == 0}
}

// Label is "genuine" or "synthetic", for names and output.
func (s Source) Label() string {
	if s.Genuine {
		return "genuine"
	}
	return "synthetic"
}

// AtBirth returns the source with Birth set.
func (s Source) AtBirth() Source {
	s.Birth = true
	return s
}

// Config is how the node must run that the backups are taken of.
func (s Source) Config() CLNConfig {
	if !s.Genuine {
		return CLNConfig{Options: []string{"dev-force-features=-63"}}
	}
	strategy := "periodic:1"
	if s.Birth {
		strategy = "new_channels_only"
	}
	return CLNConfig{Signer: &Signer{Strategy: strategy}}
}

// Lose ends the node for ever (SIGKILL) and returns its last backup.
func (s Source) Lose(n *CLN) Backup {
	n.net.T.Helper()
	if s.Genuine {
		b := n.GenuineBackup()
		n.Kill()
		return b
	}
	n.Kill()
	return s.read(n)
}

// Snapshot returns the node's backup as it is now; the node goes on.
func (s Source) Snapshot(n *CLN) Backup {
	n.net.T.Helper()
	if s.Genuine {
		return n.GenuineBackup()
	}
	n.Stop()
	b := s.read(n)
	n.Start()
	return b
}

func (s Source) read(n *CLN) Backup {
	n.net.T.Helper()
	raw, err := synthetic.Backup(filepath.Join(n.Dir, "regtest", "lightningd.sqlite3"), synthetic.Options{
		NodeID: n.ID, CreatedAt: time.Now(), Birth: s.Birth, OmitPeers: n.omitted,
	})
	if err != nil {
		n.net.T.Fatalf("%v", err)
	}
	return Backup{Path: n.net.WriteFile(n.Name+"-backup-"+randomHex(2)+".json", raw), Label: s.Label()}
}

// Bytes are the backup file's.
func (b Backup) Bytes(t TB) []byte {
	t.Helper()
	raw, err := os.ReadFile(b.Path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return raw
}
