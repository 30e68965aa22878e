package synthetic

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// First is a channel that its peer opened and that is at its first commitments,
// as the fundee of the harness has one. Points are in hex.
type First struct {
	NodeID, PeerID, PeerAddress string
	DBID                        uint64
	CreatedAt                   time.Time
	// FundingTxid is in internal byte order.
	FundingTxid           []byte
	FundingVout           uint32
	CapacitySat, PushMsat uint64
	// OurSat and TheirSat are what the commitments pay.
	OurSat, TheirSat uint64
	FeeratePerKW     uint32
	// OurDelay is what we impose on the peer, TheirDelay what it imposes on us,
	// in blocks.
	OurDelay, TheirDelay uint16
	// The peer's basepoints and its first per-commitment point.
	Funding, Revocation, Payment, HTLC, Delayed, Point string
	// Signature is the peer's on our commitment, DER in hex.
	Signature string
}

// Backup is the file of a signer that knows this channel and nothing else.
func (c First) Backup() ([]byte, error) {
	node, err := hex.DecodeString(c.NodeID)
	if err != nil {
		return nil, fmt.Errorf("synthetic: node id: %w", err)
	}
	peer, err := hex.DecodeString(c.PeerID)
	if err != nil {
		return nil, fmt.Errorf("synthetic: peer id: %w", err)
	}
	commitment := func(theirTransaction bool, own, other uint64) map[string]any {
		return map[string]any{
			"feerate_per_kw": c.FeeratePerKW, "is_counterparty_broadcaster": theirTransaction,
			"offered_htlcs": []any{}, "received_htlcs": []any{},
			"to_broadcaster_value_sat": own, "to_countersigner_value_sat": other,
		}
	}
	channel := map[string]any{
		"blockheight": nil, "id": nil, "channel_value_satoshis": c.CapacitySat,
		"channel_setup": map[string]any{
			"channel_value_sat": c.CapacitySat, "commitment_type": "AnchorsZeroFeeHtlc",
			"counterparty_points": map[string]string{
				"delayed_payment_basepoint": c.Delayed, "funding_pubkey": c.Funding, "htlc_basepoint": c.HTLC,
				"payment_point": c.Payment, "revocation_basepoint": c.Revocation,
			},
			"counterparty_selected_contest_delay": c.TheirDelay, "holder_selected_contest_delay": c.OurDelay,
			"counterparty_shutdown_script": nil, "holder_shutdown_script": nil,
			"funding_outpoint": map[string]any{"txid": hex.EncodeToString(c.FundingTxid), "vout": c.FundingVout},
			"is_outbound":      false, "push_value_msat": c.PushMsat,
		},
		"enforcement_state": map[string]any{
			"channel_closed": false, "counterparty_secrets": map[string]any{"old_secrets": []any{}},
			"current_counterparty_commit_info": commitment(true, c.TheirSat, c.OurSat),
			"current_counterparty_point":       c.Point,
			"current_counterparty_signatures":  []any{c.Signature, []any{}},
			"current_holder_commit_info":       commitment(false, c.OurSat, c.TheirSat),
			"initial_holder_value":             c.PushMsat / 1000,
			"next_counterparty_commit_num":     1, "next_counterparty_revoke_num": 0,
			"next_holder_commit_info": nil, "next_holder_commit_num": 1,
			"previous_counterparty_commit_info": nil, "previous_counterparty_point": nil,
		},
	}
	key := binary.LittleEndian.AppendUint64(append(node, peer...), c.DBID)
	return file(c.NodeID, c.CreatedAt, periodic, map[string]any{
		"channels/" + hex.EncodeToString(key): entry{1, channel},
		"peers/" + c.PeerID: entry{0, map[string]string{
			"peer_id": c.PeerID, "addr": c.PeerAddress, "direction": "out", "features": "",
		}},
	})
}
