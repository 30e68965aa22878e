package backup

import "github.com/glrecover/glrecover/channel"

// Description is what a backup says of a channel, the same wherever a channel
// is shown. Amounts are in msat, txids in display order.
type Description struct {
	PeerID    channel.PubKey `json:"peer_id"`
	DBID      uint64         `json:"dbid"`
	ChannelID string         `json:"channel_id,omitempty"`

	FundingTxid   string `json:"funding_txid,omitempty"`
	FundingOutnum uint32 `json:"funding_outnum"`
	Opener        string `json:"opener,omitempty"`
	ChannelType   string `json:"channel_type,omitempty"`

	CapacityMsat uint64 `json:"capacity_msat"`
	// LastKnownShareMsat is ours at the snapshot, null where it is unknown.
	LastKnownShareMsat *uint64             `json:"last_known_share_msat"`
	ShareFrom          channel.ShareSource `json:"share_from,omitempty"`
	HTLCsOffered       int                 `json:"htlcs_offered"`
	HTLCsOfferedMsat   uint64              `json:"htlcs_offered_msat"`
	HTLCsReceived      int                 `json:"htlcs_received"`
	HTLCsReceivedMsat  uint64              `json:"htlcs_received_msat"`
	SignerClosed       bool                `json:"closed_according_to_signer"`
}

// Describe is what the backup says of a channel.
func Describe(c *channel.Channel) Description {
	d := Description{
		PeerID: c.Peer, DBID: c.DBID, ChannelID: c.ID().String(),
		FundingTxid: c.Funding.Hash.String(), FundingOutnum: c.Funding.Index,
		Opener: c.Opener.String(), ChannelType: c.Type.String(),
		CapacityMsat: channel.Msat(c.CapacitySat), SignerClosed: c.State.Closed,
	}
	share := c.LastKnownShare()
	d.LastKnownShareMsat, d.ShareFrom = share.Msat(), share.From
	var offered, received uint64
	d.HTLCsOffered, d.HTLCsReceived, offered, received = c.PendingHTLCs()
	d.HTLCsOfferedMsat, d.HTLCsReceivedMsat = channel.Msat(offered), channel.Msat(received)
	return d
}
