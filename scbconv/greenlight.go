package scbconv

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/glrecover/glrecover/channel"
)

// Warnings of Greenlight's converter.
const (
	warnMissingAddr     = "missing_peer_addr"
	warnMissingShachain = "shachain_tlv_missing"
)

// greenlightChannelTypes are what gl-client writes: 4 bytes with a leading
// zero, and bit 20 along with bit 22 (vls-protocol-signer
// commitment_type_to_channel_type).
var greenlightChannelTypes = map[channel.Type][]byte{
	channel.Legacy:             {},
	channel.StaticRemoteKey:    {0x00, 0x00, 0x10, 0x00},
	channel.Anchors:            {0x00, 0x10, 0x10, 0x00},
	channel.AnchorsZeroFeeHTLC: {0x00, 0x50, 0x10, 0x00},
}

// Report is what Greenlight's converter gives (gl-client 0.7.0, CLNBackup).
// Field order is the order of its JSON: encoded with an indent of two spaces and
// without HTML escapes it is Greenlight's own text.
type Report struct {
	Request          Request         `json:"request"`
	TotalChannels    int             `json:"total_channels"`
	ExportedChannels int             `json:"exported_channels"`
	SkippedChannels  int             `json:"skipped_channels"`
	Channels         []ReportChannel `json:"channels"`
	Skipped          []ReportSkipped `json:"skipped"`
}

// Request is the parameter of recoverchannel.
type Request struct {
	SCB []string `json:"scb"`
}

// ReportChannel is one converted channel.
type ReportChannel struct {
	ChannelKey      string         `json:"channel_key"`
	PeerID          channel.PubKey `json:"peer_id"`
	PeerAddr        string         `json:"peer_addr"`
	FundingOutpoint ReportOutpoint `json:"funding_outpoint"`
	DBID            uint64         `json:"cln_dbid"`
	ChannelID       string         `json:"channel_id"`
	SCB             string         `json:"scb"`
	Warnings        []string       `json:"warnings"`
}

// ReportOutpoint has its txid in internal byte order, as the backup file does.
type ReportOutpoint struct {
	TxID string `json:"txid"`
	Vout uint32 `json:"vout"`
}

// ReportSkipped is one channel that skip_incomplete left out.
type ReportSkipped struct {
	ChannelKey string         `json:"channel_key"`
	PeerID     channel.PubKey `json:"peer_id"`
	Warnings   []string       `json:"warnings"`
}

// Refusal is a refusal of Greenlight's converter, in its words. They can hold
// the peer's address as the backup has it.
type Refusal struct{ Text string }

// Error returns Text.
func (r *Refusal) Error() string { return r.Text }

func refuse(format string, args ...any) error {
	return &Refusal{Text: fmt.Sprintf(format, args...)}
}

// ChannelKey is the name of a channel's entry in the backup of a node:
// "channels/" and the hex of node id, peer id and dbid (little endian).
func ChannelKey(node channel.PubKey, k channel.Key) string {
	raw := append(append([]byte(nil), node[:]...), k.Peer[:]...)
	return "channels/" + hex.EncodeToString(binary.LittleEndian.AppendUint64(raw, k.DBID))
}

// Greenlight converts as gl-client 0.7.0 does (src/signer/backup.rs,
// to_cln_backup), byte for byte: with TLV 1, with the delay that the peer
// imposes on us in TLV 7, channels in the order of their keys. It serves
// comparison only: what it makes recovers little of a used channel.
//
// addrs are the addresses of the backup's peer entries as they stand there. A
// channel whose peer has none is a Refusal, or skipped with skipIncomplete; no
// channel at all is a Refusal too. The first refusal ends it, as it does there.
// Dbids, curve points and amounts are not checked, as they are not there.
func Greenlight(node channel.PubKey, channels []*channel.Channel, addrs map[channel.PubKey]string, skipIncomplete bool) (*Report, error) {
	type keyed struct {
		key string
		*channel.Channel
	}
	sorted := make([]keyed, len(channels))
	for i, c := range channels {
		sorted[i] = keyed{ChannelKey(node, c.Key), c}
	}
	slices.SortFunc(sorted, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })

	r := &Report{
		Request:       Request{SCB: []string{}},
		TotalChannels: len(channels),
		Channels:      []ReportChannel{},
		Skipped:       []ReportSkipped{},
	}
	for _, c := range sorted {
		addr := addrs[c.Peer]
		if addr == "" {
			if !skipIncomplete {
				return nil, refuse("channel %s is incomplete: %s", c.key, warnMissingAddr)
			}
			r.Skipped = append(r.Skipped, ReportSkipped{c.key, c.Peer, []string{warnMissingAddr}})
			continue
		}
		scb, warnings, err := greenlightEntry(c.Channel, addr)
		if err != nil {
			return nil, refuse("encoding recoverchannel SCB for %s: %s", c.key, err)
		}
		id := c.ID()
		text := hex.EncodeToString(scb)
		r.Request.SCB = append(r.Request.SCB, text)
		r.Channels = append(r.Channels, ReportChannel{
			ChannelKey:      c.key,
			PeerID:          c.Peer,
			PeerAddr:        addr,
			FundingOutpoint: ReportOutpoint{hex.EncodeToString(c.Funding.Hash[:]), c.Funding.Index},
			DBID:            c.DBID,
			ChannelID:       id.String(),
			SCB:             text,
			Warnings:        warnings,
		})
	}
	if len(r.Request.SCB) == 0 {
		return nil, refuse("no complete recoverable channels available for recoverchannel export")
	}
	r.ExportedChannels, r.SkippedChannels = len(r.Channels), len(r.Skipped)
	return r, nil
}

func greenlightEntry(c *channel.Channel, addr string) (scb []byte, warnings []string, err error) {
	wireaddr, err := greenlightAddress(addr)
	if err != nil {
		return nil, nil, err
	}
	opener, delay := c.Opener, c.CounterpartyDelay
	e := Entry{
		DBID:        c.DBID,
		ChannelID:   c.ID(),
		NodeID:      c.Peer,
		Funding:     c.Funding,
		FundingSat:  c.CapacitySat,
		ChannelType: greenlightChannelTypes[c.Type],
		TLVs: &TLVs{
			Basepoints: &Basepoints{c.Remote.Revocation, c.Remote.Payment, c.Remote.HTLC, c.Remote.Delayed},
			Opener:     &opener,
			Delay:      &delay,
		},
	}
	warnings = []string{}
	if c.State.NoSecretStorage {
		warnings = append(warnings, warnMissingShachain)
	}
	if e.TLVs.Shachain, err = greenlightShachain(c.State.Secrets); err != nil {
		return nil, nil, err
	}
	return e.marshal(wireaddr), warnings, nil
}

// greenlightShachain returns nil for an empty storage: gl-client then leaves
// the record out.
func greenlightShachain(secrets []channel.Secret) (*Shachain, error) {
	if len(secrets) > maxShachain {
		return nil, fmt.Errorf("shachain has %d entries, maximum is %d", len(secrets), maxShachain)
	}
	if len(secrets) == 0 {
		return nil, nil
	}
	s := &Shachain{MinIndex: secrets[0].Index, Secrets: secrets}
	for i, secret := range secrets {
		at, ok := bucket(secret.Index)
		if !ok {
			return nil, fmt.Errorf("invalid shachain index %d", secret.Index)
		}
		if at != i {
			return nil, fmt.Errorf("shachain secret index %d belongs at position %d, found at position %d", secret.Index, at, i)
		}
		s.MinIndex = min(s.MinIndex, secret.Index)
	}
	return s, nil
}
