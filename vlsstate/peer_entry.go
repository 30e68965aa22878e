package vlsstate

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

// SetPeer puts what is known of a peer into the state, in place of the entry
// that it may have. The entry's version is one above the old one, or 0; it has
// no signature, since only the signer can sign. A peer that a Greenlight signer
// deleted stays deleted.
//
// The error has the name invalid_parameter where p could not be read again.
func (b *Backup) SetPeer(id channel.PubKey, p Peer) error {
	if !printable(p.Addr) || p.Direction != In && p.Direction != Out {
		return failure.New(failure.InvalidParameter, "Give an address of printable characters and a direction",
			"the address of peer %s cannot be kept in a backup", id)
	}
	value := appendString([]byte(`{"addr":`), p.Addr)
	value = appendString(append(value, `,"direction":`...), string(p.Direction))
	value = appendString(append(value, `,"features":`...), hex.EncodeToString(p.Features))
	value = appendString(append(value, `,"peer_id":`...), id.String())
	e := Entry{Key: string(KindPeer) + "/" + id.String(), Value: append(value, '}')}
	at, found := slices.BinarySearchFunc(b.Entries, e.Key, func(e Entry, key string) int { return strings.Compare(e.Key, key) })
	if !found {
		b.Entries = slices.Insert(slices.Clone(b.Entries), at, e)
	} else {
		old := b.Entries[at]
		if old.Version >= TombstoneVersion-1 {
			return nil
		}
		e.Version = old.Version + 1
		b.Entries = slices.Clone(b.Entries)
		b.Entries[at] = e
		b.Problems = slices.DeleteFunc(slices.Clone(b.Problems), func(p *EntryError) bool { return p.key == e.Key })
	}
	if b.Peers == nil {
		b.Peers = make(map[channel.PubKey]Peer)
	}
	b.Peers[id] = p
	return nil
}
