package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/vlsstate"
)

// ephemeralFrom is where Linux begins to take the ports of outgoing connections
// from; IANA's range lies above. lightningd does not say which side dialled a
// connection, so an address with such a port may be where the peer called from.
const ephemeralFrom = 32768

// addedAddress is one address that a source has of a peer.
type addedAddress struct {
	peer     channel.PubKey
	addr     scbconv.Address
	source   string
	features []byte
	// inbound says that the peer may have called from there.
	inbound bool
	// forced goes before the state's own address.
	forced bool
}

// peerAddresses are all that the sources have, best source first.
type peerAddresses struct{ list []addedAddress }

func (k *peerAddresses) parameter(a addresses) {
	for peer, addr := range a {
		k.list = append(k.list, addedAddress{peer: peer, addr: addr, source: "yours", forced: true})
	}
}

// running takes what the running node knows: gossip, then connections.
func (k *peerAddresses) running(ctx context.Context, node *lightningd.Client, b *vlsstate.Backup) error {
	info, err := node.GetInfo(ctx)
	if err != nil {
		return unreachable(err)
	}
	if info.ID != b.NodeID {
		return failure.New(failure.WrongNode, "Give the socket of the backup's node",
			"the running node is %s, the state is of node %s", info.ID, b.NodeID)
	}
	gossip, err := announced(ctx, node, peersOf(b))
	if err != nil {
		return unreachable(err)
	}
	connected, err := node.ListPeers(ctx, nil)
	if err != nil {
		return unreachable(err)
	}
	features := make(map[channel.PubKey][]byte)
	for i := range connected {
		// Features that are no hex are only left out.
		features[connected[i].ID], _ = hex.DecodeString(connected[i].Features)
	}
	for peer, addrs := range gossip {
		k.list = append(k.list, addedAddress{peer: peer, addr: addrs[0], source: "from gossip", features: features[peer]})
	}
	for i := range connected {
		p := &connected[i]
		for _, text := range p.NetAddr {
			if addr, err := scbconv.ParseAddress(text); err == nil {
				k.list = append(k.list, addedAddress{
					peer: p.ID, addr: addr, source: "from a connection", features: features[p.ID],
					inbound: addr.Port() >= ephemeralFrom,
				})
			}
		}
	}
	return nil
}

// maxSCBFile bounds a file of SCB entries: some ten thousand channels.
const maxSCBFile = 64 << 20

// entries takes the addresses of SCB entries in a file.
func (k *peerAddresses) entries(path string) error {
	unreadable := func(found string) error {
		return failure.New(failure.InvalidParameter, `Give the {"scb":[...]} of staticbackup or glrecover convert`, "%s %s", path, found)
	}
	raw, err := readCapped(path, maxSCBFile)
	if err != nil {
		return unreadable("cannot be read: " + reason(err))
	}
	var file struct {
		SCB []string `json:"scb"`
	}
	if json.Unmarshal(raw, &file) != nil || len(file.SCB) == 0 {
		return unreadable("holds no static channel backups")
	}
	for _, text := range file.SCB {
		e, err := scbconv.DecodeHex(text)
		if err != nil {
			return unreadable("holds an entry that cannot be read: " + err.Error())
		}
		if e.Address == scbconv.Placeholder {
			continue
		}
		dialled := e.TLVs != nil && e.TLVs.Opener != nil && *e.TLVs.Opener == channel.Local
		k.list = append(k.list, addedAddress{
			peer: e.NodeID, addr: e.Address, source: "from an SCB",
			inbound: !dialled && e.Address.Port() >= ephemeralFrom,
		})
	}
	return nil
}

// addTo puts the best address of each peer of the state's channels into the
// state, unless that has a better one, and returns what it put there.
func (k *peerAddresses) addTo(b *vlsstate.Backup) ([]addedAddress, error) {
	var added []addedAddress
	for _, peer := range peersOf(b) {
		best := k.best(peer)
		old, known := b.Peers[peer]
		switch {
		case best == nil:
			continue
		case best.forced:
			if old.Addr == best.addr.String() && old.Direction == vlsstate.Out {
				continue
			}
		case dialable(old), best.inbound && known && old.Addr != "":
			continue
		}
		p := vlsstate.Peer{Addr: best.addr.String(), Direction: vlsstate.Out, Features: best.features}
		if best.inbound {
			p.Direction = vlsstate.In
		}
		if len(p.Features) == 0 {
			p.Features = old.Features
		}
		if err := b.SetPeer(peer, p); err != nil {
			return nil, err
		}
		added = append(added, *best)
	}
	return added, nil
}

// best is the first address that can be dialled, else the first.
func (k *peerAddresses) best(peer channel.PubKey) *addedAddress {
	var inbound *addedAddress
	for i := range k.list {
		a := &k.list[i]
		switch {
		case a.peer != peer:
		case !a.inbound:
			return a
		case inbound == nil:
			inbound = a
		}
	}
	return inbound
}

func dialable(p vlsstate.Peer) bool {
	_, err := scbconv.ParseAddress(p.Addr)
	return err == nil && p.Direction == vlsstate.Out
}

// peersWithout counts the channels' peers that have no address to dial.
func peersWithout(b *vlsstate.Backup) int {
	n := 0
	for _, peer := range peersOf(b) {
		if !dialable(b.Peers[peer]) {
			n++
		}
	}
	return n
}

// readCapped reads a regular file of at most so many bytes.
func readCapped(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(raw)) > most {
		err = errors.New("it is too large")
	}
	return raw, err
}
