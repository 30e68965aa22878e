package recovery

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/scbconv"
)

// recordStorage holds what peers kept for the node: encrypted blobs.
var recordStorage = []string{"glrecover", "peer_storage"}

// storedBlob is one peer's blob on record.
type storedBlob struct {
	// Blob is base64, as the peer returned it.
	Blob   string `json:"blob"`
	SHA256 string `json:"sha256"`
}

// ExtraChannel is a channel that a peer's stored copy of the lost node's own
// backup has and the signer's backup does not: it was opened later.
type ExtraChannel struct {
	PeerID       channel.PubKey `json:"peer_id"`
	DBID         uint64         `json:"dbid"`
	ChannelID    channel.ID     `json:"channel_id"`
	FundingTxid  string         `json:"funding_txid"`
	CapacityMsat uint64         `json:"capacity_msat"`
	// From is the peer that returned it, Written when the lost node wrote it.
	From    channel.PubKey `json:"stored_by"`
	Written string         `json:"written_at"`
	// SCB is for recoverchannel, without the record that makes onchaind give up.
	SCB string `json:"scb"`
}

// peerStorage captures what a peer returned, and compares it with the signer's
// backup.
func (s *Service) peerStorage(ctx context.Context, id channel.PubKey, blob []byte, keys Keys, known map[channel.ID]bool) (extra []ExtraChannel, warnings []string) {
	if len(blob) == 0 {
		return nil, nil
	}
	if err := s.keepStorage(ctx, id, blob); err != nil {
		warnings = append(warnings, fmt.Sprintf("peer %s returned a backup that it kept for the lost node, and it could not be stored: %v", id, err))
	}
	plain, err := keys.OpenPeerStorage(blob)
	if err != nil {
		return nil, append(warnings, fmt.Sprintf("peer %s returned a backup that it kept for the lost node (%d bytes), and it cannot be opened: %v; it is in the datastore under %s",
			id, len(blob), err, strings.Join(recordStorage, "/")))
	}
	f, err := scbconv.DecodeFile(plain)
	if err != nil {
		return nil, append(warnings, fmt.Sprintf("peer %s returned a backup of the lost node that cannot be read: %v", id, err))
	}
	for _, e := range f.Entries {
		if known[e.ChannelID] {
			continue
		}
		x, err := extraChannel(e)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("channel %s, which only the copy of peer %s has, cannot be used: %v", e.ChannelID, id, err))
			continue
		}
		x.From, x.Written = id, f.Written.Format(time.RFC3339)
		extra = append(extra, *x)
	}
	return extra, warnings
}

// extraChannel strips an entry of the record that makes onchaind give up.
func extraChannel(e *scbconv.Entry) (*ExtraChannel, error) {
	bare := *e
	if e.TLVs != nil {
		tlvs := *e.TLVs
		tlvs.Shachain = nil
		bare.TLVs = &tlvs
	}
	if err := scbconv.Batch([]*scbconv.Entry{&bare})[0]; err != nil {
		return nil, err
	}
	text, err := bare.EncodeHex()
	if err != nil {
		return nil, err
	}
	return &ExtraChannel{
		PeerID: e.NodeID, DBID: e.DBID, ChannelID: e.ChannelID, FundingTxid: e.Funding.Hash.String(),
		CapacityMsat: msat(e.FundingSat), SCB: text,
	}, nil
}

// mergeExtra keeps each channel once, as the latest copy has it.
func mergeExtra(list []ExtraChannel) []ExtraChannel {
	slices.SortStableFunc(list, func(a, b ExtraChannel) int {
		if c := slices.Compare(a.ChannelID[:], b.ChannelID[:]); c != 0 {
			return c
		}
		return strings.Compare(b.Written, a.Written)
	})
	return slices.CompactFunc(list, func(a, b ExtraChannel) bool { return a.ChannelID == b.ChannelID })
}

// keepStorage records what a peer returned before the first import: after it,
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
