package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path/filepath"
	"time"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/vlsstate"
)

// Loaded is a backup with the name of its bytes.
type Loaded struct {
	*vlsstate.Backup
	// Path is empty for a backup that came inline.
	Path string
	// SHA256 names the bytes, hex.
	SHA256 string
}

// Facts date the backup and name its bytes.
type Facts struct {
	SHA256     string `json:"sha256"`
	CreatedAt  string `json:"created_at,omitempty"`
	AgeSeconds int64  `json:"age_seconds,omitempty"`
	// Strategy is the signer's; a dump of vlsd's storage has none.
	Strategy string `json:"strategy,omitempty"`
}

// Load reads the backup that a caller named or gave. The failures are those of
// vlsstate, and invalid_parameter for a relative path: lightningd's working
// directory is not the caller's.
func Load(b api.Backup) (*Loaded, error) {
	if b.Inline != nil {
		return read(bytes.NewReader(b.Inline), "")
	}
	if !filepath.IsAbs(b.Path) {
		meant, err := filepath.Abs(b.Path)
		if err != nil {
			meant = b.Path
		}
		return nil, failure.New(failure.InvalidParameter,
			"Give the absolute path, beginning with a slash",
			"backup: a relative path is read in lightningd's working directory, not in yours; it would mean %s", meant)
	}
	f, err := vlsstate.Disk{}.Open(b.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, b.Path)
}

// read reads once, so that what is hashed is what is parsed.
func read(r io.Reader, path string) (*Loaded, error) {
	sum := sha256.New()
	b, err := vlsstate.ReadAny(io.TeeReader(r, sum))
	if err != nil {
		return nil, err
	}
	return &Loaded{Backup: b, Path: path, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

// ClockMargin is how far a clock may be ahead of ours.
const ClockMargin = 10 * time.Minute

// Written is when the backup was written; zero where it does not say, or names a
// time that is still to come: nobody signs the date.
func (b *Loaded) Written(now time.Time) time.Time {
	if b.CreatedAt.After(now.Add(ClockMargin)) {
		return time.Time{}
	}
	return b.CreatedAt
}

// Facts dates and names the backup.
func (b *Loaded) Facts(now time.Time) Facts {
	f := Facts{SHA256: b.SHA256}
	if b.Source != vlsstate.FromDump {
		f.Strategy = b.Strategy.String()
	}
	if !b.CreatedAt.IsZero() {
		f.CreatedAt = b.CreatedAt.UTC().Format(time.RFC3339)
		f.AgeSeconds = int64(now.Sub(b.CreatedAt).Seconds())
	}
	return f
}
