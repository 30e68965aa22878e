package synthetic

import (
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	_ "modernc.org/sqlite" // the driver
)

// Options describe the backup to write.
type Options struct {
	// NodeID is the node's id in hex.
	NodeID string
	// CreatedAt dates the backup.
	CreatedAt time.Time
	// Birth writes each channel as it was when it was funded, as the strategy
	// new_channels_only does: no commitment, point or secret.
	Birth bool
	// OmitPeers are node ids (hex) whose address is not in the backup.
	OmitPeers []string
}

// Backup reads the database at path, of a lightningd that does not run, and
// returns a backup file in the signer's format.
func Backup(path string, o Options) ([]byte, error) {
	node, err := hex.DecodeString(o.NodeID)
	if err != nil || len(node) != 33 {
		return nil, fmt.Errorf("synthetic: %q is no node id", o.NodeID)
	}
	db, done, err := open(path)
	if err != nil {
		return nil, err
	}
	defer done()
	values := map[string]any{}
	if err := channels(db, node, o, values); err != nil {
		return nil, fmt.Errorf("synthetic: %w", err)
	}
	var strategy any = "new_channels_only"
	if !o.Birth {
		strategy = periodic
	}
	return file(o.NodeID, o.CreatedAt, strategy, values)
}

// periodic is the strategy that writes after each update.
var periodic = map[string]any{"periodic": map[string]int{"updates": 1}}

// file writes a backup of the node with these entries and its own.
func file(node string, created time.Time, strategy any, values map[string]any) ([]byte, error) {
	values["nodes/"+node] = entry{0, map[string]any{"key_derivation_style": 1, "network": "regtest"}}
	values["allowlists/"+node] = entry{0, []string{}}
	return json.MarshalIndent(map[string]any{
		"version": 1, "created_at": created.UTC().Format(time.RFC3339), "node_id": node,
		"strategy": strategy, "state": map[string]any{"values": values},
	}, "", "  ")
}

// entry is [version, value].
type entry [2]any

// open works on a copy, so that a journal which a killed lightningd left is
// rolled back there and not in the node's own directory.
func open(path string) (*sql.DB, func(), error) {
	dir, err := os.MkdirTemp("", "glr-db-")
	if err != nil {
		return nil, nil, err
	}
	done := func() { _ = os.RemoveAll(dir) }
	base := filepath.Join(dir, "db")
	for _, suffix := range []string{"", "-journal", "-wal"} {
		raw, err := os.ReadFile(path + suffix)
		if errors.Is(err, os.ErrNotExist) && suffix != "" {
			continue
		}
		if err == nil {
			err = os.WriteFile(base+suffix, raw, 0o600)
		}
		if err != nil {
			done()
			return nil, nil, err
		}
	}
	db, err := sql.Open("sqlite", base)
	if err != nil {
		done()
		return nil, nil, err
	}
	return db, func() { _ = db.Close(); done() }, nil
}

// row is what a channel's rows hold.
type row struct {
	id, state, funder             int64
	nextLocal, nextRemote         uint64
	txid                          []byte
	vout                          uint32
	fundingSat, pushMsat, ourMsat uint64
	funding, revocation           []byte
	payment, htlc, delayed        []byte
	point                         []byte
	lastSig, channelType, upfront []byte
	localDelay, remoteDelay       uint16
	localDust, remoteDust         uint64
	shachain                      int64
	peerID                        []byte
	peerAddress                   string
	feerates, htlcs, feeratePerKW int64
	secrets                       []any
}

const query = `SELECT c.id, c.state, c.funder, c.next_index_local, c.next_index_remote,
 c.funding_tx_id, c.funding_tx_outnum, c.funding_satoshi, c.push_msatoshi, c.msatoshi_local,
 c.fundingkey_remote, c.revocation_basepoint_remote, c.payment_basepoint_remote, c.htlc_basepoint_remote,
 c.delayed_payment_basepoint_remote, c.old_per_commit_remote, c.last_sig, c.channel_type,
 c.remote_upfront_shutdown_script, ours.to_self_delay, theirs.to_self_delay,
 ours.dust_limit_satoshis, theirs.dust_limit_satoshis, c.shachain_remote_id, p.node_id, p.address,
 (SELECT count(*) FROM channel_feerates f WHERE f.channel_id = c.id),
 (SELECT count(*) FROM channel_htlcs h WHERE h.channel_id = c.id AND h.hstate NOT IN (9, 19)),
 (SELECT coalesce(max(feerate_per_kw), 0) FROM channel_feerates f WHERE f.channel_id = c.id)
 FROM channels c JOIN peers p ON p.id = c.peer_id
 JOIN channel_configs ours ON ours.id = c.channel_config_local
 JOIN channel_configs theirs ON theirs.id = c.channel_config_remote
 ORDER BY c.id`

func channels(db *sql.DB, node []byte, o Options, values map[string]any) error {
	rows, err := db.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	var all []*row
	for rows.Next() {
		r := new(row)
		if err := rows.Scan(&r.id, &r.state, &r.funder, &r.nextLocal, &r.nextRemote,
			&r.txid, &r.vout, &r.fundingSat, &r.pushMsat, &r.ourMsat,
			&r.funding, &r.revocation, &r.payment, &r.htlc,
			&r.delayed, &r.point, &r.lastSig, &r.channelType,
			&r.upfront, &r.localDelay, &r.remoteDelay,
			&r.localDust, &r.remoteDust, &r.shachain, &r.peerID, &r.peerAddress,
			&r.feerates, &r.htlcs, &r.feeratePerKW); err != nil {
			return err
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, r := range all {
		if r.secrets, err = secrets(db, r.shachain); err != nil {
			return err
		}
		value, err := r.value(o.Birth)
		if err != nil {
			return fmt.Errorf("channel %d: %w", r.id, err)
		}
		key := append(append([]byte{}, node...), r.peerID...)
		key = binary.LittleEndian.AppendUint64(key, uint64(r.id))
		values["channels/"+hex.EncodeToString(key)] = entry{1, value}
		peer := hex.EncodeToString(r.peerID)
		if r.peerAddress != "" && !contains(o.OmitPeers, peer) {
			values["peers/"+peer] = entry{0, map[string]string{
				"peer_id": peer, "addr": r.peerAddress, "direction": "out", "features": "",
			}}
		}
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if strings.EqualFold(e, s) {
			return true
		}
	}
	return false
}

// secrets returns the shachain's buckets as [[32 byte values], index].
func secrets(db *sql.DB, id int64) ([]any, error) {
	rows, err := db.Query(`SELECT pos, idx, hash FROM shachain_known WHERE shachain_id = ? ORDER BY pos`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	buckets := []any{}
	for rows.Next() {
		var pos int
		var index uint64
		var hash []byte
		if err := rows.Scan(&pos, &index, &hash); err != nil {
			return nil, err
		}
		if pos != len(buckets) {
			return nil, fmt.Errorf("shachain has no bucket %d", len(buckets))
		}
		buckets = append(buckets, []any{numbers(hash), index})
	}
	return buckets, rows.Err()
}

// numbers is an array of byte values, as the signer writes raw bytes.
func numbers(b []byte) []int {
	out := make([]int, len(b))
	for i, v := range b {
		out[i] = int(v)
	}
	return out
}

// Channel states of lightningd/channel_state.h from which on the signer has
// signed a close.
const (
	closingdComplete = 6
	closed           = 10
)

// Commitment weights without HTLCs (BOLT 3) and the value of two anchors.
const (
	weightAnchors         = 1124
	weightStaticRemoteKey = 724
	bothAnchorsSat        = 660
)

func (r *row) value(birth bool) (map[string]any, error) {
	anchors := hasBit(r.channelType, 22)
	kind := "StaticRemoteKey"
	if anchors {
		kind = "AnchorsZeroFeeHtlc"
	}
	initial := r.pushMsat / 1000
	if r.funder == 0 {
		initial = r.fundingSat - initial
	}
	state := map[string]any{
		"channel_closed": false, "counterparty_secrets": map[string]any{"old_secrets": []any{}},
		"current_counterparty_commit_info": nil, "current_counterparty_point": nil,
		"current_counterparty_signatures": nil, "current_holder_commit_info": nil,
		"initial_holder_value": initial, "next_counterparty_commit_num": 0,
		"next_counterparty_revoke_num": 0, "next_holder_commit_info": nil, "next_holder_commit_num": 0,
		"previous_counterparty_commit_info": nil, "previous_counterparty_point": nil,
	}
	if !birth {
		if err := r.fillState(state, anchors); err != nil {
			return nil, err
		}
	}
	var upfront any
	if len(r.upfront) > 0 {
		upfront = hex.EncodeToString(r.upfront)
	}
	return map[string]any{
		"blockheight": nil, "id": nil, "channel_value_satoshis": r.fundingSat,
		"channel_setup": map[string]any{
			"channel_value_sat": r.fundingSat, "commitment_type": kind,
			"counterparty_points": map[string]string{
				"delayed_payment_basepoint": hex.EncodeToString(r.delayed),
				"funding_pubkey":            hex.EncodeToString(r.funding),
				"htlc_basepoint":            hex.EncodeToString(r.htlc),
				"payment_point":             hex.EncodeToString(r.payment),
				"revocation_basepoint":      hex.EncodeToString(r.revocation),
			},
			// A side's own configuration says what it imposes on the other.
			"counterparty_selected_contest_delay": r.remoteDelay,
			"holder_selected_contest_delay":       r.localDelay,
			"counterparty_shutdown_script":        upfront, "holder_shutdown_script": nil,
			"funding_outpoint": map[string]any{"txid": hex.EncodeToString(r.txid), "vout": r.vout},
			"is_outbound":      r.funder == 0, "push_value_msat": r.pushMsat,
		},
		"enforcement_state": state,
	}, nil
}

func (r *row) fillState(state map[string]any, anchors bool) error {
	if r.htlcs > 0 || r.feerates > 1 {
		return errors.New("has HTLCs or a fee update pending, which this reader does not write")
	}
	weight, anchorsSat := uint64(weightStaticRemoteKey), uint64(0)
	if anchors {
		weight, anchorsSat = weightAnchors, bothAnchorsSat
	}
	ours, theirs := r.ourMsat/1000, (r.fundingSat*1000-r.ourMsat)/1000
	cost := uint64(r.feeratePerKW)*weight/1000 + anchorsSat
	if r.funder == 0 {
		ours -= min(ours, cost)
	} else {
		theirs -= min(theirs, cost)
	}
	commitment := func(theirTransaction bool, own, other, dust uint64) map[string]any {
		trim := func(sat uint64) uint64 {
			if sat < dust {
				return 0
			}
			return sat
		}
		return map[string]any{
			"feerate_per_kw": r.feeratePerKW, "is_counterparty_broadcaster": theirTransaction,
			"offered_htlcs": []any{}, "received_htlcs": []any{},
			"to_broadcaster_value_sat": trim(own), "to_countersigner_value_sat": trim(other),
		}
	}
	state["counterparty_secrets"] = map[string]any{"old_secrets": r.secrets}
	state["current_holder_commit_info"] = commitment(false, ours, theirs, r.localDust)
	state["current_counterparty_commit_info"] = commitment(true, theirs, ours, r.remoteDust)
	state["current_counterparty_point"] = hex.EncodeToString(r.point)
	state["next_holder_commit_num"] = r.nextLocal
	state["next_counterparty_commit_num"] = r.nextRemote
	state["next_counterparty_revoke_num"] = r.nextRemote - 1
	if r.nextRemote > 1 {
		point, err := r.previousPoint()
		if err != nil {
			return err
		}
		state["previous_counterparty_point"] = point
	}
	if r.state >= closingdComplete && r.state <= closed {
		state["channel_closed"] = true
		return nil // last_sig belongs to the closing transaction
	}
	sig, err := der(r.lastSig)
	if err != nil {
		return err
	}
	state["current_counterparty_signatures"] = []any{sig, []any{}}
	return nil
}

// previousPoint is the point of the counterparty's last revoked commitment: of
// its secret, the one with the lowest index.
func (r *row) previousPoint() (string, error) {
	want := uint64(1<<48-1) - (r.nextRemote - 2)
	for _, b := range r.secrets {
		bucket := b.([]any)
		if bucket[1].(uint64) != want {
			continue
		}
		raw := make([]byte, 0, 32)
		for _, v := range bucket[0].([]int) {
			raw = append(raw, byte(v))
		}
		_, point := btcec.PrivKeyFromBytes(raw)
		return hex.EncodeToString(point.SerializeCompressed()), nil
	}
	return "", errors.New("the last revoked secret is missing")
}

// der turns lightningd's 64-byte signature into DER hex.
func der(compact []byte) (string, error) {
	if len(compact) != 64 {
		return "", fmt.Errorf("signature of %d bytes", len(compact))
	}
	var a, b btcec.ModNScalar
	if a.SetByteSlice(compact[:32]) || b.SetByteSlice(compact[32:]) {
		return "", errors.New("signature out of range")
	}
	return hex.EncodeToString(ecdsa.NewSignature(&a, &b).Serialize()), nil
}

// hasBit reads a BOLT 9 feature bit field.
func hasBit(features []byte, bit int) bool {
	i := len(features) - 1 - bit/8
	return i >= 0 && features[i]&(1<<(bit%8)) != 0
}
