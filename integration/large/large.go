// Package large makes signer backups of any number of channels, for benchmarks:
// every channel is used and consistent, so that all checks of the product run to
// their end. Our keys follow from the secret, the peers' from the channel's
// number; each commitment is rebuilt and signed with the peer's key, with its
// HTLCs; the peer's secrets are a real shachain; entries carry the signer's
// signature.
//
// It is made with the product's own code, so it shows how fast something is, and
// never that it is right: that is what the genuine corpus is for. Its channels
// are on no chain.
package large

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/cores"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/vlsstate"
)

const (
	capacitySat = 1_000_000
	feerate     = 1255
	// revoked commitments of each channel: 17 buckets of secrets, as a channel
	// has after some tens of thousands of payments.
	revoked = 100_000
)

// Secret is the secret of every backup that this package makes.
var Secret = sha256.Sum256([]byte("glrecover large"))

// maker makes the entries of one node.
type maker struct {
	secret *keychain.Secret
	state  *btcec.PrivateKey
	node   channel.PubKey
}

// Backup makes a backup with so many used channels, one peer for every two.
// Each third channel has a pending HTLC, each ninth three.
func Backup(channels int) (*vlsstate.Backup, error) {
	source := keychain.FromBytes(bytes.Clone(Secret[:]))
	secret, err := source.Secret(nil)
	if err != nil {
		return nil, err
	}
	node, err := secret.NodeID()
	if err != nil {
		return nil, err
	}
	raw, err := hkdf.Key(sha256.New, Secret[:], nil, "greenlight/state-signing/v1", 32)
	if err != nil {
		return nil, err
	}
	m := &maker{secret: secret, node: node}
	m.state, _ = btcec.PrivKeyFromBytes(raw)
	b := &vlsstate.Backup{
		CreatedAt: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), NodeID: node,
		Strategy: vlsstate.Strategy{Kind: vlsstate.Periodic, Updates: 1},
	}
	own := map[string]any{
		"trackers/":   tracker(channels),
		"nodes/":      map[string]any{"key_derivation_style": 1, "network": "regtest"},
		"allowlists/": []string{},
		"nodestates/": map[string]any{"invoices": []any{}, "issued_invoices": []any{}, "payments": []any{}, "preimages": []any{}, "excess_amount": 0},
	}
	for kind, value := range own {
		e, err := m.entry(kind+node.String(), 1, value)
		if err != nil {
			return nil, err
		}
		b.Entries = append(b.Entries, e)
	}
	made := make([][]vlsstate.Entry, channels)
	err = cores.Each(channels, func(i int) (err error) {
		made[i], err = m.channel(i)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, entries := range made {
		b.Entries = append(b.Entries, entries...)
	}
	b.Entries.Sort()
	return b, nil
}

// entry signs a value as the signer does.
func (m *maker) entry(key string, version uint64, value any) (vlsstate.Entry, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return vlsstate.Entry{}, err
	}
	e := vlsstate.Entry{Key: key, Version: version, Value: raw}
	digest := vlsstate.SigningDigest(&e)
	compact := ecdsa.SignCompact(m.state, digest[:], true)
	e.Signature = compact[1:]
	return e, nil
}

// key is the peer's private key for one purpose of one channel.
func key(i int, purpose string) *btcec.PrivateKey {
	h := sha256.Sum256(fmt.Appendf(nil, "glrecover large %d %s", i, purpose))
	priv, _ := btcec.PrivKeyFromBytes(h[:])
	return priv
}

func public(k *btcec.PrivateKey) channel.PubKey { return channel.PubKeyOf(k.PubKey()) }

// peers have two channels each.
const channelsPerPeer = 2

func (m *maker) channel(i int) ([]vlsstate.Entry, error) {
	peer := public(key(i/channelsPerPeer, "node"))
	dbid := uint64(i + 1)
	ours, err := m.secret.ChannelKeys(peer, dbid)
	if err != nil {
		return nil, err
	}
	c := &channel.Channel{
		Key:     channel.Key{Peer: peer, DBID: dbid},
		Funding: fundingOf(i),
		Type:    channel.AnchorsZeroFeeHTLC, CapacitySat: capacitySat, Opener: channel.Local,
		HolderDelay: 144, CounterpartyDelay: 720,
		Remote: channel.Basepoints{
			Funding: public(key(i, "funding")), Revocation: public(key(i, "revocation")), Payment: public(key(i, "payment")),
			HTLC: public(key(i, "htlc")), Delayed: public(key(i, "delayed")),
		},
	}
	n := uint64(revoked + i%1000)
	state, err := stateOf(c, ours, i, n)
	if err != nil {
		return nil, fmt.Errorf("channel %d: %w", i, err)
	}
	raw := append(append([]byte(nil), m.node[:]...), peer[:]...)
	e, err := m.entry("channels/"+hex.EncodeToString(binary.LittleEndian.AppendUint64(raw, dbid)), 3*n, map[string]any{
		"blockheight": nil, "id": nil, "channel_value_satoshis": uint64(capacitySat),
		"channel_setup":     setupOf(c),
		"enforcement_state": state,
	})
	if err != nil || i%channelsPerPeer != 0 {
		return []vlsstate.Entry{e}, err
	}
	p, err := m.entry("peers/"+peer.String(), 0, map[string]any{
		"addr": fmt.Sprintf("10.%d.%d.%d:9735", i>>16&255, i>>8&255, i&255), "direction": "out", "features": "800898880a8a59a1", "peer_id": peer.String(),
	})
	return []vlsstate.Entry{e, p}, err
}

func setupOf(c *channel.Channel) map[string]any {
	return map[string]any{
		"channel_value_sat": c.CapacitySat, "commitment_type": c.Type.String(),
		"counterparty_points": map[string]any{
			"funding_pubkey": c.Remote.Funding.String(), "revocation_basepoint": c.Remote.Revocation.String(),
			"payment_point": c.Remote.Payment.String(), "htlc_basepoint": c.Remote.HTLC.String(), "delayed_payment_basepoint": c.Remote.Delayed.String(),
		},
		"counterparty_selected_contest_delay": c.CounterpartyDelay, "holder_selected_contest_delay": c.HolderDelay,
		"counterparty_shutdown_script": nil, "holder_shutdown_script": nil,
		"funding_outpoint": map[string]any{"txid": hex.EncodeToString(c.Funding.Hash[:]), "vout": c.Funding.Index},
		"is_outbound":      c.Opener == channel.Local, "push_value_msat": c.PushMsat,
	}
}

// fundingOf is a channel's funding output.
func fundingOf(i int) wire.OutPoint {
	return wire.OutPoint{Hash: chainhash.Hash(sha256.Sum256(fmt.Appendf(nil, "funding %d", i))), Index: uint32(i % 3)}
}

// tracker is the entry that watches all fundings, as of a signer that gets no
// blocks.
func tracker(channels int) map[string]any {
	listeners := []any{}
	for i := range channels {
		o := fundingOf(i)
		txid := hex.EncodeToString(o.Hash[:])
		listeners = append(listeners, []any{
			map[string]any{"txid": txid, "vout": o.Index},
			[]any{
				map[string]any{
					"closing_outpoints": nil, "closing_swept_height": nil, "funding_double_spent_height": nil, "funding_height": nil,
					"funding_inputs": []string{o.Hash.String() + ":0"}, "funding_outpoint": nil, "funding_txids": []string{o.Hash.String()},
					"funding_vouts": []uint32{o.Index}, "height": 0, "mutual_closing_height": nil, "our_output_swept_height": nil,
					"saw_block": false, "saw_forget_channel": false, "unilateral_closing_height": nil,
				},
				map[string]any{"seen": []any{}, "txid_watches": []string{txid}, "watches": []any{map[string]any{"txid": txid, "vout": 0}}},
			},
		})
	}
	return map[string]any{"headers": []any{}, "height": 0, "listeners": listeners, "network": "regtest", "tip": "00"}
}

// htlcs are pending ones, of our commitment.
func htlcs(i int) (offered, received []channel.HTLC) {
	htlc := func(kind string, sat uint64) channel.HTLC {
		return channel.HTLC{ValueSat: sat, PaymentHash: sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, i)), CLTVExpiry: 800_000 + uint32(i)}
	}
	if i%3 == 0 {
		offered = append(offered, htlc("a", 40_000))
	}
	if i%9 == 0 {
		received = append(received, htlc("b", 25_000), htlc("c", 3_000))
	}
	return offered, received
}

func stateOf(c *channel.Channel, ours *keychain.ChannelKeys, i int, n uint64) (map[string]any, error) {
	offered, received := htlcs(i)
	left := uint64(capacitySat - 660 - (1124+172*(len(offered)+len(received)))*feerate/1000)
	for _, h := range append(append([]channel.HTLC{}, offered...), received...) {
		left -= h.ValueSat
	}
	our := left / 3
	commit := &channel.Commitment{
		Broadcaster: channel.Local, ToBroadcasterSat: our, ToCountersignerSat: left - our,
		FeeratePerKW: feerate, Offered: offered, Received: received,
	}
	sigs, err := sign(c, ours, commit, i, n)
	if err != nil {
		return nil, err
	}
	root := channel.Secret{Secret: sha256.Sum256(fmt.Appendf(nil, "shachain %d", i))}
	point := func(n uint64) string {
		secret, _ := bolt3.DeriveSecret(root, channel.ShachainIndex(n))
		return bolt3.PointOf(secret).String()
	}
	return map[string]any{
		"channel_closed": false, "initial_holder_value": uint64(capacitySat),
		"next_holder_commit_num": n + 1, "next_counterparty_commit_num": n + 1, "next_counterparty_revoke_num": n,
		"counterparty_secrets":            map[string]any{"old_secrets": secrets(root, n)},
		"current_holder_commit_info":      commitment(false, our, left-our, offered, received),
		"current_counterparty_signatures": sigs, "next_holder_commit_info": nil,
		"current_counterparty_commit_info": commitment(true, left-our, our, received, offered), "current_counterparty_point": point(n),
		"previous_counterparty_commit_info": nil, "previous_counterparty_point": point(n - 1),
	}, nil
}

func commitment(counterparty bool, broadcaster, countersigner uint64, offered, received []channel.HTLC) map[string]any {
	list := func(in []channel.HTLC) []any {
		out := []any{}
		for _, h := range in {
			out = append(out, map[string]any{"cltv_expiry": h.CLTVExpiry, "payment_hash": numbers(h.PaymentHash[:]), "value_sat": h.ValueSat})
		}
		return out
	}
	return map[string]any{
		"feerate_per_kw": feerate, "is_counterparty_broadcaster": counterparty,
		"offered_htlcs": list(offered), "received_htlcs": list(received),
		"to_broadcaster_value_sat": broadcaster, "to_countersigner_value_sat": countersigner,
	}
}

// sign makes what the peer signed of our commitment.
func sign(c *channel.Channel, ours *keychain.ChannelKeys, commit *channel.Commitment, i int, n uint64) ([]any, error) {
	point, err := ours.PerCommitmentPoint(n)
	if err != nil {
		return nil, err
	}
	tx, err := bolt3.BuildCommitment(c, ours.Basepoints(), commit, n, point)
	if err != nil {
		return nil, err
	}
	digest, err := tx.SigHash()
	if err != nil {
		return nil, err
	}
	der := func(k *btcec.PrivateKey, digest [32]byte) string {
		return hex.EncodeToString(ecdsa.Sign(k, digest[:]).Serialize())
	}
	p, err := point.Point()
	if err != nil {
		return nil, err
	}
	htlcKey := bolt3.TweakPrivKey(key(i, "htlc"), p)
	of := []string{}
	for _, vout := range tx.HTLCVouts() {
		htlc, err := tx.HTLCTx(vout)
		if err != nil {
			return nil, err
		}
		digest, err := htlc.SigHash(bolt3.HTLCSigHashType(c.Type))
		if err != nil {
			return nil, err
		}
		of = append(of, der(htlcKey, digest))
	}
	return []any{der(key(i, "funding"), digest), of}, nil
}

// secrets is BOLT 3's compact storage after the peer has revoked its
// commitments 0 to n-1: bucket b holds the lowest revealed index with b trailing
// zeros.
func secrets(root channel.Secret, n uint64) []any {
	lowest := channel.ShachainIndex(n - 1)
	var out []any
	for b := range 48 {
		index := (lowest + 1<<b - 1) >> b << b
		if bits.TrailingZeros64(index) != b {
			index += 1 << b
		}
		if index > channel.MaxShachainIndex {
			break
		}
		secret, _ := bolt3.DeriveSecret(root, index)
		out = append(out, []any{numbers(secret[:]), index})
	}
	return out
}

// numbers is an array of byte values, as the signer writes raw bytes.
func numbers(raw []byte) []int {
	out := make([]int, len(raw))
	for i, v := range raw {
		out[i] = int(v)
	}
	return out
}
