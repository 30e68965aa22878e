package vlsstate

import (
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/glrecover/glrecover/channel"
)

// Bounds of lists inside one entry; genuine ones are far below.
const (
	maxList = 1 << 20
	maxAddr = 300
)

// entryReader reads one live entry into a Backup.
type entryReader struct {
	b       *Backup
	problem EntryError
}

// problemAt names an entry as far as its key can be read.
func problemAt(key string, position int) EntryError {
	kind, rest := splitKey(key)
	p := EntryError{Kind: kind, Position: position, key: key}
	switch kind {
	case KindChannel:
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
	raw, ok := lowerHex(rest)
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

func (r *entryReader) add(effect Effect, err *fieldError) {
	p := r.problem
	p.Field, p.Reason, p.Effect = err.field, err.reason, effect
	r.b.Problems = append(r.b.Problems, &p)
}

func (r *entryReader) lost(err *fieldError) { r.add(EntryLost, err) }

func (r *entryReader) note(reason string) { r.add(Noted, &fieldError{reason: reason}) }

// noteIgnored remarks on members that this version does not know.
func (r *entryReader) noteIgnored(d *decoder) {
	if d.err == nil && d.ignored > 0 {
		r.note("it has fields that this version does not know; they were ignored")
	}
}

func (r *entryReader) read(e *Entry) {
	kind, rest := splitKey(e.Key)
	d := &decoder{}
	value := node{d: d, raw: e.Value}
	switch kind {
	case KindChannel:
		r.channel(rest, value)
		return
	case KindPeer:
		r.peer(rest, value)
	case KindUnknown:
		r.note("this version does not know the kind of this entry; it was ignored")
		return
	default:
		id, reason := parsePubKey(rest)
		switch {
		case reason != "":
			d.fail("", "the key's node id is %s", reason)
		case id != r.b.NodeID:
			d.fail("", "the entry is of another node")
		default:
			r.nodeEntry(kind, value)
		}
	}
	if d.err != nil {
		r.lost(d.err)
		return
	}
	r.noteIgnored(d)
}

func (r *entryReader) nodeEntry(kind Kind, value node) {
	switch kind {
	case KindNode:
		r.node(value)
	case KindNodeState:
		r.nodeState(value)
	case KindTracker:
		r.tracker(value)
	case KindAllowlist:
		for _, item := range value.array(maxList) {
			item.str()
		}
	}
}

// node reads vls-persist's NodeEntry.
func (r *entryReader) node(value node) {
	o := value.object()
	style := o.get("key_derivation_style").uint(math.MaxUint8)
	network := o.get("network")
	name := network.str()
	o.done()
	if value.d.err != nil {
		return
	}
	if style == 0 {
		value.d.fail("key_derivation_style", "0 is no key derivation")
		return
	}
	switch name {
	case "bitcoin", "testnet", "testnet4", "signet", "regtest":
	default:
		network.fail("no network that this version knows")
		return
	}
	r.b.Network = name
	r.b.KeyDerivationStyle = uint8(style)
}

// nodeState takes the preimages out of vls-persist's NodeStateEntry. Invoices
// are private and stay unread.
func (r *entryReader) nodeState(value node) {
	o := value.object()
	preimages := o.optional("preimages")
	if preimages == nil {
		return
	}
	var out []Preimage
	for _, p := range preimages.array(maxList) {
		out = append(out, p.bytes32())
	}
	if value.d.err == nil {
		r.b.Preimages = out
	}
}

// peer reads gl-client's PeerEntry.
func (r *entryReader) peer(rest string, value node) {
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
	p := Peer{Addr: addr.str(), Direction: Direction(direction.str())}
	if features := o.optional("features"); features != nil {
		p.Features = features.hex()
	}
	o.done()
	if d.err != nil {
		return
	}
	if !printable(p.Addr) {
		addr.fail("not an address")
		return
	}
	if p.Direction != In && p.Direction != Out {
		direction.fail(`neither "in" nor "out"`)
		return
	}
	r.b.Peers[id] = p
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
