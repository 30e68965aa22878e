package record

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/backup"
)

// copies are where the backups are kept that peers returned, encrypted.
var copies = []string{"glrecover", "peer_storage"}

// storedCopy is one peer's.
type storedCopy struct {
	// Blob is base64, as the peer returned it.
	Blob   string `json:"blob"`
	SHA256 string `json:"sha256"`
}

// Copies are those on record. What cannot be read is left out.
func Copies(ctx context.Context, s Store) ([]backup.Copy, error) {
	list, err := s.Records(ctx, copies)
	if err != nil {
		return nil, err
	}
	var out []backup.Copy
	for _, r := range list {
		if len(r.Key) != len(copies)+1 {
			continue
		}
		var kept storedCopy
		id, err := channel.ParsePubKey(r.Key[len(copies)])
		if err != nil || json.Unmarshal([]byte(r.Value), &kept) != nil {
			continue
		}
		blob, err := base64.StdEncoding.DecodeString(kept.Blob)
		if err != nil {
			continue
		}
		out = append(out, backup.Copy{Source: backup.FromPeer, Peer: id, Blob: blob})
	}
	return out, nil
}

// KeepCopy records what a peer returned before the first import: after it,
// lightningd stores its own newer and poorer backup with the peers, and the old
// one is gone.
func KeepCopy(ctx context.Context, s Store, id channel.PubKey, blob []byte) error {
	key := append(append([]string{}, copies...), id.String())
	have, err := s.Records(ctx, key)
	if err != nil || len(have) > 0 {
		return err // the first one is the one that counts
	}
	sum := sha256.Sum256(blob)
	raw, err := json.Marshal(storedCopy{Blob: base64.StdEncoding.EncodeToString(blob), SHA256: hex.EncodeToString(sum[:])})
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return s.SaveRecord(ctx, key, string(raw))
}
