package rehearsal

import (
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/scbconv"
)

// Node is what a running node says. Everything in it comes from commands that
// change nothing: getinfo, listpeerchannels, listclosedchannels, staticbackup,
// listnodes.
type Node struct {
	ID      channel.PubKey
	Network string
	// Height is in blocks.
	Height   uint32
	Channels []lightningd.PeerChannel
	// SCBs are the entries of staticbackup. lightningd makes them at the moment
	// of the call, so their shachain counts what the peer has revoked until now
	// (CLN peer_control.c json_add_scb, v26.06.6).
	SCBs   []*scbconv.Entry
	Closed []channel.ID
	// Gossip are the addresses that peers announce, best first.
	Gossip map[channel.PubKey][]scbconv.Address
}

// stubID is the short channel id of what recoverchannel made.
const stubID = "1x1x1"

// funded returns the outpoint of a channel that has one.
func funded(c *lightningd.PeerChannel) (wire.OutPoint, bool) {
	if c.ID == nil || c.FundingTxid == "" {
		return wire.OutPoint{}, false
	}
	switch c.State {
	case "OPENINGD", "DUALOPEND_OPEN_INIT", "CLOSED":
		return wire.OutPoint{}, false
	}
	hash, err := chainhash.NewHashFromStr(c.FundingTxid)
	if err != nil {
		return wire.OutPoint{}, false
	}
	return wire.OutPoint{Hash: *hash, Index: c.FundingOutnum}, true
}

// commits reports whether scratch_txid is a commitment: once a mutual close is
// agreed on, it is that.
func commits(state string) bool {
	switch state {
	case "CHANNELD_AWAITING_LOCKIN", "CHANNELD_NORMAL", "CHANNELD_AWAITING_SPLICE", "CHANNELD_SHUTTING_DOWN",
		"DUALOPEND_AWAITING_LOCKIN", "AWAITING_UNILATERAL":
		return true
	}
	return false
}

// revoked counts the commitments that the peer has revoked. The entry of a stub
// of ours counts nothing: it has the sentinel.
func revoked(e *scbconv.Entry) (uint64, bool) {
	if e == nil || e.TLVs == nil || e.TLVs.Shachain == nil || e.TLVs.Shachain.Sentinel() || e.TLVs.Shachain.MinIndex > channel.MaxShachainIndex+1 {
		return 0, false
	}
	return channel.MaxShachainIndex + 1 - e.TLVs.Shachain.MinIndex, true
}
