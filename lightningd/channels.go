package lightningd

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/glrecover/glrecover/channel"
)

// PeerChannel is one entry of listpeerchannels. Fields that CLN leaves out for
// a stub or a young channel are zero.
type PeerChannel struct {
	Peer      channel.PubKey `json:"peer_id"`
	Connected bool           `json:"peer_connected"`
	// State is CLN's, such as CHANNELD_NORMAL, AWAITING_UNILATERAL, ONCHAIN.
	State string `json:"state"`
	// ID is nil before the channel has one.
	ID             *ChannelID `json:"channel_id"`
	ShortChannelID string     `json:"short_channel_id"`
	// FundingTxid is in display order.
	FundingTxid   string `json:"funding_txid"`
	FundingOutnum uint32 `json:"funding_outnum"`
	// Opener and Closer are "local" or "remote"; Closer is "" while open.
	Opener      string `json:"opener"`
	Closer      string `json:"closer"`
	Total       Msat   `json:"total_msat"`
	ToUs        Msat   `json:"to_us_msat"`
	ChannelType struct {
		Bits  []int    `json:"bits"`
		Names []string `json:"names"`
	} `json:"channel_type"`
	// LostState says that the peer proved that we lost state.
	LostState bool     `json:"lost_state"`
	Owner     string   `json:"owner"`
	Private   bool     `json:"private"`
	Status    []string `json:"status"`
	// ScratchTxid is the commitment that lightningd would publish.
	ScratchTxid string `json:"scratch_txid"`
	HTLCs       []HTLC `json:"htlcs"`
}

// HTLC is one payment in a channel that lightningd still has in memory.
type HTLC struct {
	// Direction is "in" or "out".
	Direction string `json:"direction"`
	Amount    Msat   `json:"amount_msat"`
	// Expiry is a block height.
	Expiry      uint32 `json:"expiry"`
	PaymentHash Hex    `json:"payment_hash"`
	// State is CLN's, such as SENT_ADD_ACK_REVOCATION; REMOVE is in the name of
	// those that end.
	State string `json:"state"`
	// LocalTrimmed says that our own commitment has no output for it.
	LocalTrimmed bool `json:"local_trimmed"`
}

// ChannelID is channel.ID with CLN's JSON form.
type ChannelID channel.ID

// String returns 64 lower-case hex digits.
func (id ChannelID) String() string { return channel.ID(id).String() }

// UnmarshalText reads 64 hex digits.
func (id *ChannelID) UnmarshalText(text []byte) error {
	if len(text) != 2*len(id) {
		return fmt.Errorf("channel id has %d hex digits, want %d", len(text), 2*len(id))
	}
	if _, err := hex.Decode(id[:], text); err != nil {
		return fmt.Errorf("channel id is not hex")
	}
	return nil
}

// MarshalText returns the hex form.
func (id ChannelID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

type listpeerchannels struct {
	ID string `json:"id,omitempty"`
}

func (listpeerchannels) Name() string { return "listpeerchannels" }

// ListPeerChannels calls listpeerchannels; peer nil lists all.
func (c *Client) ListPeerChannels(ctx context.Context, peer *channel.PubKey) ([]PeerChannel, error) {
	out, err := get[struct {
		Channels []PeerChannel `json:"channels"`
	}](ctx, c, listpeerchannels{optional(peer)})
	if err != nil {
		return nil, err
	}
	return out.Channels, nil
}

// ClosedChannel is one entry of listclosedchannels.
type ClosedChannel struct {
	// Peer is nil where CLN has forgotten it.
	Peer           *channel.PubKey `json:"peer_id"`
	ID             ChannelID       `json:"channel_id"`
	ShortChannelID string          `json:"short_channel_id"`
	Opener         string          `json:"opener"`
	Closer         string          `json:"closer"`
	FundingTxid    string          `json:"funding_txid"`
	FundingOutnum  uint32          `json:"funding_outnum"`
	Total          Msat            `json:"total_msat"`
}

type listclosedchannels struct{}

func (listclosedchannels) Name() string { return "listclosedchannels" }

// ListClosedChannels calls listclosedchannels.
func (c *Client) ListClosedChannels(ctx context.Context) ([]ClosedChannel, error) {
	out, err := get[struct {
		Channels []ClosedChannel `json:"closedchannels"`
	}](ctx, c, listclosedchannels{})
	if err != nil {
		return nil, err
	}
	return out.Channels, nil
}

// Hex is bytes as hex text.
type Hex []byte

// UnmarshalJSON reads a string of hex digits; null is nil.
func (h *Hex) UnmarshalJSON(raw []byte) error {
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil || text == nil {
		*h = nil
		return err
	}
	b, err := hex.DecodeString(*text)
	if err != nil {
		return fmt.Errorf("not hex")
	}
	*h = b
	return nil
}

// MarshalText returns lower-case hex digits.
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

type staticbackup struct{}

func (staticbackup) Name() string { return "staticbackup" }

// StaticBackup returns the SCB entry of each channel that lightningd has
// loaded; an entry begins with its dbid.
func (c *Client) StaticBackup(ctx context.Context) ([][]byte, error) {
	out, err := get[struct {
		SCB []Hex `json:"scb"`
	}](ctx, c, staticbackup{})
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for _, e := range out.SCB {
		entries = append(entries, e)
	}
	return entries, nil
}

type recoverchannel struct {
	SCB []string `json:"scb"`
}

func (recoverchannel) Name() string { return "recoverchannel" }

// RecoverChannel calls recoverchannel with SCB entries and returns the channel
// ids of the stubs that lightningd made. An entry whose dbid is taken is
// skipped without a word, so compare.
func (c *Client) RecoverChannel(ctx context.Context, entries [][]byte) ([]channel.ID, error) {
	m := recoverchannel{SCB: []string{}}
	for _, e := range entries {
		m.SCB = append(m.SCB, hex.EncodeToString(e))
	}
	out, err := get[struct {
		Stubs []ChannelID `json:"stubs"`
	}](ctx, c, m)
	if err != nil {
		return nil, err
	}
	var ids []channel.ID
	for _, id := range out.Stubs {
		ids = append(ids, channel.ID(id))
	}
	return ids, nil
}
