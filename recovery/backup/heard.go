package backup

import (
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/scbconv"
)

// Heard is what a peer said in a session in which nothing was sent on any channel.
type Heard struct {
	Peer channel.PubKey
	// Address was dialled, Source said so.
	Address scbconv.Address
	Source  scbconv.Source
	Said    *peer.Reading
	At      time.Time
}

// Unheard is a peer that was dialled and did not speak of its channels.
type Unheard struct {
	Peer    channel.PubKey `json:"peer_id"`
	Address string         `json:"address"`
	// Result is why, as in package peer.
	Result string `json:"result"`
}

// Unheard reports whether the peer said nothing, for whatever reason.
func (h *Heard) Unheard() (u Unheard, is bool) {
	return Unheard{Peer: h.Peer, Address: h.Address.String(), Result: string(h.Said.Result)}, h.Said.Result != peer.Read && len(h.Said.Channels) == 0
}
