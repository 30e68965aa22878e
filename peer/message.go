package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/lightningnetwork/lnd/lnwire"

	"github.com/glrecover/glrecover/channel"
)

// Messages that lnwire does not know (BOLT 1, "Peer storage"); CLN before v24.11
// called the second one your_peer_storage.
const msgPeerStorageRetrieval = 9

// reestablishFixed is channel_reestablish without TLVs, type included: channel
// id, two numbers, secret, point (BOLT 2).
const reestablishFixed = 2 + 32 + 8 + 8 + 32 + 33

// MaxPeerStorage is the largest peer-storage blob (BOLT 1), in bytes.
const MaxPeerStorage = 65531

// errGarbage is matched by whatever a peer sent that no peer should send.
var errGarbage = errors.New("not a message of the protocol")

// ourFeatures are all optional (odd), so that no peer has to hang up for lack of
// one. gossip_queries keeps peers from streaming their gossip; the storage bits
// (BOLT 9: 42/43 option_provide_storage, 40/41 its older companion) make CLN
// return our blob, which it does only for peers that offer storage themselves.
// option_support_large_channel and scid_alias are absent: channels that exist
// don't need them, and the latter makes lnd rewrite its records.
func ourFeatures() *lnwire.RawFeatureVector {
	const (
		wantPeerStorage = 41
		provideStorage  = 43
	)
	return lnwire.NewRawFeatureVector(
		lnwire.DataLossProtectOptional,
		lnwire.UpfrontShutdownScriptOptional,
		lnwire.GossipQueriesOptional,
		lnwire.TLVOnionPayloadOptional,
		lnwire.StaticRemoteKeyOptional,
		lnwire.PaymentAddrOptional,
		lnwire.MPPOptional,
		lnwire.AnchorsOptional,
		lnwire.AnchorsZeroFeeHtlcTxOptional,
		lnwire.ShutdownAnySegwitOptional,
		wantPeerStorage,
		provideStorage,
		lnwire.ExplicitChannelTypeOptional,
	)
}

func encode(msg lnwire.Message) ([]byte, error) {
	var buf bytes.Buffer
	if _, err := lnwire.WriteMessage(&buf, msg, 0); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// zeroReestablish is what a node that lost its state says (BOLT 2): it expects
// commitment 0, knows no secret. The point need only be valid.
func zeroReestablish(id channel.ID, point *btcec.PublicKey) lnwire.Message {
	return &lnwire.ChannelReestablish{
		ChanID:                    lnwire.ChannelID(id),
		LocalUnrevokedCommitPoint: point,
	}
}

// failText is the text of our error message; peers show it to their operators.
const failText = "glrecover: this node lost its state, please close the channel"

func failChannel(id channel.ID) lnwire.Message {
	return &lnwire.Error{ChanID: lnwire.ChannelID(id), Data: lnwire.ErrorData(failText)}
}

// inbound is what one message of the peer means to us. At most one field is
// set; none for a message that we have no use for.
type inbound struct {
	init        bool
	reestablish *Reestablish
	said        *Said
	storage     []byte
	pong        lnwire.Message
}

// parse reads one message. Only the types that this package acts on are
// decoded; all others, known or not, odd or even, are passed over: nothing that
// they could ask for is ever done here, and a peer that speaks a newer protocol
// must not keep the user from their coins. Errors match errGarbage.
func parse(payload []byte) (inbound, error) {
	if len(payload) < 2 {
		return inbound{}, fmt.Errorf("%w: %d bytes", errGarbage, len(payload))
	}
	switch kind := binary.BigEndian.Uint16(payload); kind {
	case uint16(lnwire.MsgInit):
		_, err := decode[*lnwire.Init](payload)
		return inbound{init: err == nil}, err

	case uint16(lnwire.MsgWarning):
		m, err := decode[*lnwire.Warning](payload)
		if err != nil {
			return inbound{}, err
		}
		return inbound{said: &Said{Kind: SaidWarning, Channel: channel.ID(m.ChanID), Text: printable(m.Data)}}, nil

	case uint16(lnwire.MsgError):
		m, err := decode[*lnwire.Error](payload)
		if err != nil {
			return inbound{}, err
		}
		return inbound{said: &Said{Kind: SaidError, Channel: channel.ID(m.ChanID), Text: printable(m.Data)}}, nil

	case uint16(lnwire.MsgPing):
		m, err := decode[*lnwire.Ping](payload)
		if errors.Is(err, lnwire.ErrMaxPongBytesExceeded) {
			// BOLT 1: such a ping is to be ignored.
			return inbound{}, nil
		}
		if err != nil {
			return inbound{}, err
		}
		return inbound{pong: lnwire.NewPong(make([]byte, m.NumPongBytes))}, nil

	case uint16(lnwire.MsgChannelReestablish):
		r, err := parseReestablish(payload)
		return inbound{reestablish: r}, err

	case uint16(lnwire.MsgShutdown), uint16(lnwire.MsgClosingSigned):
		if len(payload) < 2+32 {
			return inbound{}, fmt.Errorf("%w: closing message of %d bytes", errGarbage, len(payload))
		}
		said := &Said{Kind: SaidShutdown, Channel: channel.ID(payload[2:34])}
		if kind == uint16(lnwire.MsgClosingSigned) {
			said.Kind = SaidClosingSigned
		}
		return inbound{said: said}, nil

	case msgPeerStorageRetrieval:
		blob, err := parsePeerStorage(payload)
		return inbound{storage: blob}, err
	}
	return inbound{}, nil
}

// decode has lnwire read a message of a type that is known to be T's. lnwire's
// own error texts can carry bytes of the message, so they are not passed on.
func decode[T lnwire.Message](payload []byte) (T, error) {
	msg, err := lnwire.ReadMessage(bytes.NewReader(payload), 0)
	if err != nil {
		var none T
		if errors.Is(err, lnwire.ErrMaxPongBytesExceeded) {
			return none, err
		}
		return none, fmt.Errorf("%w: type %d does not decode", errGarbage, binary.BigEndian.Uint16(payload))
	}
	return msg.(T), nil
}

// parseReestablish drops the TLVs first: numbers are wanted from a peer
// whose extensions this lnwire does not understand.
func parseReestablish(payload []byte) (*Reestablish, error) {
	if len(payload) > reestablishFixed {
		payload = payload[:reestablishFixed]
	}
	m, err := decode[*lnwire.ChannelReestablish](payload)
	if err != nil {
		return nil, err
	}
	r := &Reestablish{
		Channel:            channel.ID(m.ChanID),
		NextCommitment:     m.NextLocalCommitHeight,
		NextRevocation:     m.RemoteCommitTailHeight,
		YourLastSecret:     Secret(m.LastRemoteCommitSecret),
		DataLossProtection: m.LocalUnrevokedCommitPoint != nil,
	}
	if m.LocalUnrevokedCommitPoint != nil {
		r.MyCurrentPoint = channel.PubKeyOf(m.LocalUnrevokedCommitPoint)
	}
	return r, nil
}

// parsePeerStorage reads peer_storage_retrieval: u16 length, then the blob
// (BOLT 1). The blob is CLN's own encrypted backup or whatever else we once
// gave; it is not interpreted here. Bytes after it would be TLVs.
func parsePeerStorage(payload []byte) ([]byte, error) {
	if len(payload) < 4 {
		return nil, fmt.Errorf("%w: peer storage of %d bytes", errGarbage, len(payload))
	}
	n := int(binary.BigEndian.Uint16(payload[2:]))
	if n > MaxPeerStorage || len(payload)-4 < n {
		return nil, fmt.Errorf("%w: peer storage says %d bytes and has %d", errGarbage, n, len(payload)-4)
	}
	return bytes.Clone(payload[4 : 4+n]), nil
}
