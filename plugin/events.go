package plugin

import (
	"encoding/json"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/lightningd"
)

func (p *plugin) subscriptions() []lightningd.Subscription {
	return []lightningd.Subscription{
		subscribe(p, "block_added", func(s Service, _ struct{}) { s.BlockAdded() }),
		subscribe(p, "connect", func(s Service, e struct {
			ID channel.PubKey `json:"id"`
		},
		) {
			s.PeerConnected(e.ID)
		}),
		subscribe(p, "channel_state_changed", func(s Service, _ struct{}) { s.ChannelStateChanged() }),
		subscribe(p, "channel_opened", func(s Service, e struct {
			ID   channel.PubKey `json:"id"`
			Txid string         `json:"funding_txid"`
		},
		) {
			s.ChannelOpened(e.ID, e.Txid)
		}),
	}
}

// subscribe decodes the notifications of a topic. One that cannot be read is
// logged and dropped: the chain and listpeerchannels are the truth, events only
// say when to look.
func subscribe[T any](p *plugin, topic string, handle func(Service, T)) lightningd.Subscription {
	return lightningd.Subscription{Topic: topic, Handle: func(payload json.RawMessage) {
		s := p.current()
		if s == nil {
			return
		}
		var event T
		if inner := unwrap(payload, topic); inner == nil || json.Unmarshal(inner, &event) != nil {
			p.log.Warnf("cannot read a notification of topic %s", topic)
			return
		}
		handle(s, event)
	}}
}

// unwrap takes the member named like the topic out of a payload. Some releases
// do not wrap some topics: then it is the payload itself. Nil for no object.
func unwrap(payload json.RawMessage, topic string) json.RawMessage {
	members, list, err := lightningd.Split(payload)
	if err != nil || list {
		return nil
	}
	for _, m := range members {
		if m.Name == topic {
			return m.Raw
		}
	}
	return payload
}
