package recovery

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"time"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/vlsstate"
)

// loaded is a backup with the name of its bytes.
type loaded struct {
	*vlsstate.Backup
	path   string
	sha256 string
}

// load reads the backup that a caller named or gave. The failures are those of
// vlsstate, and invalid_parameter for a relative path: lightningd's working
// directory is not the caller's.
func load(b api.Backup) (*loaded, error) {
	if b.Inline != nil {
		backup, err := vlsstate.ParseAny(b.Inline)
		if err != nil {
			return nil, err
		}
		return &loaded{Backup: backup, sha256: digest(b.Inline)}, nil
	}
	if !filepath.IsAbs(b.Path) {
		meant, err := filepath.Abs(b.Path)
		if err != nil {
			meant = b.Path
		}
		return nil, failure.New(failure.InvalidParameter,
			"Give the absolute path, beginning with a slash",
			"backup: the relative path would have meant %s, in lightningd's working directory and not in yours", meant)
	}
	// Read once, so that what is hashed is what is parsed.
	raw, err := vlsstate.Disk{}.ReadFile(b.Path)
	if err != nil {
		return nil, err
	}
	backup, err := vlsstate.ParseAny(raw)
	if err != nil {
		return nil, err
	}
	return &loaded{Backup: backup, path: b.Path, sha256: digest(raw)}, nil
}

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// clockMargin is how far a clock may be ahead of ours.
const clockMargin = 10 * time.Minute

// written is when the backup was written; zero where it does not say, or names a
// time that is still to come: nobody signs the date.
func (b *loaded) written(now time.Time) time.Time {
	if b.CreatedAt.After(now.Add(clockMargin)) {
		return time.Time{}
	}
	return b.CreatedAt
}
