package vlsstate

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/glrecover/glrecover/channel"
)

// Bounds of lists inside one entry; genuine ones are far below.
const (
	maxList = 1 << 20
	maxAddr = 300
)

// problemAt names an entry as far as its key can be read.
func problemAt(key string, position int) EntryError {
	kind, rest := splitKey(key)
	p := EntryError{Kind: kind, Position: position, key: key}
	switch kind {
	case KindChannel, KindSplice, KindOlder:
		if _, ck, reason := parseChannelKey(rest); reason == "" {
			p.Channel = &ck
		}
	case KindPeer:
		if id, reason := parsePubKey(rest); reason == "" {
			p.Peer = &id
		}
	}
	return p
}

// parseChannelKey splits node id (33) || peer id (33) || dbid (u64 LE).
func parseChannelKey(rest string) (nodeID channel.PubKey, key channel.Key, reason string) {
	const size = 2*channel.PubKeySize + 8
	var space [size]byte
	raw, ok := appendHex(space[:0], rest)
	if !ok {
		return nodeID, key, "the key is not lower-case hex"
	}
	if len(raw) != size {
		return nodeID, key, "the key is not node id, peer id and dbid"
	}
	nodeID, err := channel.PubKeyFromBytes(raw[:channel.PubKeySize])
	if err != nil {
		return nodeID, key, "the key's node id is " + err.Error()
	}
	key.Peer, err = channel.PubKeyFromBytes(raw[channel.PubKeySize : 2*channel.PubKeySize])
	if err != nil {
		return nodeID, key, "the key's peer id is " + err.Error()
	}
	key.DBID = binary.LittleEndian.Uint64(raw[2*channel.PubKeySize:])
	return nodeID, key, ""
}

// channelEntryKey is the inverse of parseChannelKey, with the kind before it.
func channelEntryKey(node channel.PubKey, k channel.Key) string {
	raw := append(append([]byte(nil), node[:]...), k.Peer[:]...)
	return string(KindChannel) + "/" + hex.EncodeToString(binary.LittleEndian.AppendUint64(raw, k.DBID))
}

func (p *part) add(effect Effect, err *fieldError) {
	p.problems = append(p.problems, EntryError{Field: err.field, Reason: err.reason, Effect: effect})
}

func (p *part) lost(err *fieldError) { p.add(EntryLost, err) }

func (p *part) remark(reason string) { p.add(Noted, &fieldError{reason: reason}) }

// noteIgnored remarks on members that this version does not know.
func (p *part) noteIgnored(d *decoder) {
	if d.err == nil && d.ignored > 0 {
		p.remark("it has fields that this version does not know; they were ignored")
	}
}

// load reads the value of a live entry.
func (p *part) load(value node) {
	kind, rest := splitKey(p.Key)
	d := value.d
	switch kind {
	case KindChannel:
		p.readChannel(rest, value)
		return
	case KindPeer:
		p.readPeer(rest, value)
	case KindSplice:
		p.remark("a splice of this channel had begun: its funds may have moved to another funding output, which this backup does not recover; look at the funding transaction on the chain first")
		return
	case KindOlder:
		return // backup.finish looks at it
	case KindUnknown:
		p.remark(fmt.Sprintf("this version does not know entries such as %s; it was ignored", shownKey(p.Key)))
		return
	default:
		id, reason := parsePubKey(rest)
		if reason != "" {
			d.fail("", "the key's node id is %s", reason)
			break
		}
		p.node = id
		p.readNode(kind, value)
	}
	if d.err != nil {
		p.lost(d.err)
		return
	}
	p.noteIgnored(d)
}

func (p *part) readNode(kind Kind, value node) {
	switch kind {
	case KindNode:
		p.facts = readFacts(value)
	case KindNodeState:
		p.preimages = readPreimages(value)
	case KindTracker:
		p.tracker = readTracker(value)
	case KindAllowlist:
		for _, item := range value.array(maxList) {
			item.str()
		}
	}
}

// nodeFacts are what a nodes/ entry says.
type nodeFacts struct {
	network string
	style   uint8
}

// readFacts reads vls-persist's NodeEntry.
func readFacts(value node) *nodeFacts {
	o := value.object()
	style := o.get("key_derivation_style").uint(math.MaxUint8)
	network := o.get("network")
	name := network.str()
	o.done()
	if value.d.err != nil {
		return nil
	}
	if style == 0 {
		value.d.fail("key_derivation_style", "0 is not a key derivation")
		return nil
	}
	switch name {
	case "bitcoin", "testnet", "testnet4", "signet", "regtest":
	default:
		network.fail("not a network that this version knows")
		return nil
	}
	return &nodeFacts{name, uint8(style)}
}

// readPreimages takes the preimages out of vls-persist's NodeStateEntry. Invoices
// are private and stay unread.
func readPreimages(value node) []Preimage {
	o := value.object()
	preimages := o.optional("preimages")
	if preimages == nil {
		return nil
	}
	var out []Preimage
	for _, p := range preimages.array(maxList) {
		out = append(out, p.bytes32())
	}
	if value.d.err != nil {
		return nil
	}
	return out
}

// readPeer reads gl-client's PeerEntry.
func (p *part) readPeer(rest string, value node) {
	d := value.d
	id, reason := parsePubKey(rest)
	if reason != "" {
		d.fail("", "the key's peer id is %s", reason)
		return
	}
	o := value.object()
	if named := o.get("peer_id"); d.err == nil && named.pubKey() != id {
		named.fail("not the peer of the entry's key")
	}
	addr := o.get("addr")
	direction := o.get("direction")
	peer := &Peer{Addr: addr.str(), Direction: Direction(direction.str())}
	if features := o.optional("features"); features != nil {
		peer.Features = features.hex(nil)
	}
	o.done()
	if d.err != nil {
		return
	}
	if !printable(peer.Addr) {
		addr.fail("not an address")
		return
	}
	if peer.Direction != In && peer.Direction != Out {
		// An address may work whoever dialled.
		p.add(Noted, &fieldError{"direction", `neither "in" nor "out"`})
	}
	p.peerID, p.peer = id, peer
}

func printable(addr string) bool {
	if len(addr) > maxAddr {
		return false
	}
	for i := range len(addr) {
		if addr[i] <= ' ' || addr[i] > '~' {
			return false
		}
	}
	return true
}
