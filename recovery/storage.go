package recovery

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/glrecover/glrecover/channel"
)

// recordStorage holds what peers kept for the node: encrypted blobs.
var recordStorage = []string{"glrecover", "peer_storage"}

// storedBlob is one peer's blob on record.
type storedBlob struct {
	// Blob is base64, as the peer returned it.
	Blob   string `json:"blob"`
	SHA256 string `json:"sha256"`
}

// peerStorage captures what a peer returned and says so.
func (s *Service) peerStorage(ctx context.Context, id channel.PubKey, blob []byte) []string {
	if len(blob) == 0 {
		return nil
	}
	if err := s.keepStorage(ctx, id, blob); err != nil {
		return []string{fmt.Sprintf("peer %s returned a backup that it kept for the lost node, and it could not be stored: %v", id, err)}
	}
	return []string{fmt.Sprintf("peer %s returned a backup that it kept for the lost node (%d bytes, encrypted); it is in the datastore under %s",
		id, len(blob), strings.Join(recordStorage, "/"))}
}

// keepStorage captures what a peer returned before the first import: after it,
// lightningd stores its own newer and poorer backup with the peers, and the old
// one is gone.
func (s *Service) keepStorage(ctx context.Context, id channel.PubKey, blob []byte) error {
	key := append(append([]string{}, recordStorage...), id.String())
	have, err := s.node.Records(ctx, key)
	if err != nil || len(have) > 0 {
		return err // the first one is the one that counts
	}
	sum := sha256.Sum256(blob)
	raw, err := json.Marshal(storedBlob{Blob: base64.StdEncoding.EncodeToString(blob), SHA256: hex.EncodeToString(sum[:])})
	if err != nil {
		return fmt.Errorf("peer storage: %w", err)
	}
	return s.node.SaveRecord(ctx, key, string(raw))
}
