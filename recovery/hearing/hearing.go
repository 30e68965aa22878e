package hearing

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/locate"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/plan"
	"github.com/glrecover/glrecover/recovery/record"
	"github.com/glrecover/glrecover/scbconv"
)

// maxHeard bounds the peers that are heard before a plan: a copy that a liar made
// cannot be opened with our key, but the user can name any number.
const maxHeard = 1000

// Node is what is asked of lightningd, or of what stands in its place.
type Node interface {
	plan.Node
	// Neighbours are the nodes with which gossip knows a channel of the node.
	Neighbours(ctx context.Context, id channel.PubKey) ([]channel.PubKey, error)
}

// Peers reads what a peer says; peer.Client implements it.
type Peers interface {
	Read(ctx context.Context, t peer.Target, expect ...channel.ID) (*peer.Reading, error)
}

// Hearing hears peers.
type Hearing struct {
	Node  Node
	Store record.Store
	Peers Peers
	Keys  backup.Opener
	Now   func() time.Time
	// ReadTime bounds one session.
	ReadTime time.Duration
	Log      logrus.FieldLogger
}

// All adds to the inputs of a plan what peers say unasked, and the copies that they
// return: the peers that the user names ("host:port" as typed, or ""), the backup's,
// those that gossip names, and those that a copy names which another peer returned.
// The failures are invalid_parameter, and what the node answered.
func (r *Hearing) All(ctx context.Context, in *plan.Inputs, named map[channel.PubKey]string) error {
	addresses, err := locate.New(in.Locate())
	if err != nil {
		return err
	}
	h := &rounds{Hearing: r, addresses: addresses, seen: map[channel.PubKey]bool{}, progress: in.Progress}
	for _, id := range slices.SortedFunc(maps.Keys(named), func(a, b channel.PubKey) int { return bytes.Compare(a[:], b[:]) }) {
		text := named[id]
		at := scbconv.Choice{Source: scbconv.FromPlaceholder}
		if text != "" {
			a, err := scbconv.ReadAddress(text, id)
			if err != nil {
				return failure.New(failure.InvalidParameter, "Write it as host:port, [IPv6]:port or name.onion:port", "peers: peer %s: %v", id, err).Wrap(err)
			}
			at = scbconv.Choice{Address: a, Source: scbconv.FromParameter}
		}
		h.add(ctx, id, at)
	}
	for _, c := range in.Backup.Channels {
		h.add(ctx, c.Peer, scbconv.Choice{Source: scbconv.FromPlaceholder})
	}
	if in.Words {
		neighbours, err := r.Node.Neighbours(ctx, in.Backup.NodeID)
		if err != nil {
			return err
		}
		for _, id := range neighbours {
			h.add(ctx, id, scbconv.Choice{Source: scbconv.FromPlaceholder})
		}
	}
	copies := in.Copies
	if stored, err := plan.DatastoreCopy(ctx, r.Node); err == nil && stored != nil {
		copies = append(copies, *stored)
	}
	h.addCopies(ctx, copies)
	for len(h.due) > 0 && ctx.Err() == nil {
		in.Copies = append(in.Copies, h.next(ctx)...)
	}
	in.Heard = h.heard
	return ctx.Err()
}

// rounds is one hearing: each round may name more peers.
type rounds struct {
	*Hearing
	addresses *locate.Addresses
	progress  api.Progress
	seen      map[channel.PubKey]bool
	due       []backup.Heard
	heard     []backup.Heard
}

// add makes a peer due, once. Where no address was given one is looked for.
func (h *rounds) add(ctx context.Context, id channel.PubKey, at scbconv.Choice) {
	if h.seen[id] || len(h.seen) >= maxHeard {
		return
	}
	if at.Source.Guessed() || at.Source == locate.FromCopy {
		if known := h.addresses.Of(ctx, id); !known.Source.Guessed() || (at.Source == scbconv.FromPlaceholder && known.Source != scbconv.FromPlaceholder) {
			at = known
		}
	}
	if at.Source == scbconv.FromPlaceholder {
		return // a copy may tell later where it is
	}
	h.seen[id] = true
	h.due = append(h.due, backup.Heard{Peer: id, Address: at.Address, Source: at.Source, Said: &peer.Reading{}})
}

// addCopies makes the peers due that copies of the lost node's own backup name.
func (h *rounds) addCopies(ctx context.Context, copies []backup.Copy) {
	for i := range copies {
		f, err := copies[i].Open(h.Keys)
		if err != nil {
			continue // the plan tells
		}
		for _, e := range f.Entries {
			at := scbconv.Choice{Address: e.Address, Source: locate.FromCopy}
			if e.Address.IsZero() || e.Address == scbconv.Placeholder {
				at = scbconv.Choice{Source: scbconv.FromPlaceholder}
			}
			h.add(ctx, e.NodeID, at)
		}
	}
}

// next hears the peers that are due, and returns the copies that they gave back.
func (h *rounds) next(ctx context.Context) []backup.Copy {
	due := h.due
	h.due = nil
	var wg sync.WaitGroup
	places := make(chan struct{}, model.MaxSessions)
	for i := range due {
		wg.Add(1)
		places <- struct{}{}
		go func() {
			defer func() { <-places; wg.Done() }()
			_ = failure.Guard(h.Log, "a session with a peer", func() error { h.hear(ctx, &due[i]); return nil })
		}()
	}
	wg.Wait()
	var copies []backup.Copy
	for i := range due {
		blob := due[i].Said.PeerStorage
		if len(blob) == 0 {
			continue
		}
		copies = append(copies, backup.Copy{Source: backup.FromPeer, Peer: due[i].Peer, Blob: blob})
		if err := record.KeepCopy(ctx, h.Store, due[i].Peer, blob); err != nil {
			h.Log.WithError(err).Warnf("peer %s returned a backup that it kept for the lost node, and it could not be stored", due[i].Peer)
		}
	}
	h.heard = append(h.heard, due...)
	h.addCopies(ctx, copies)
	return copies
}

// hear holds one session and tells the user how it went.
func (h *rounds) hear(ctx context.Context, to *backup.Heard) {
	to.Said = h.read(ctx, to.Peer, to.Address.String())
	to.At = h.Now()
	kept := ""
	if n := len(to.Said.PeerStorage); n > 0 {
		kept = fmt.Sprintf(", and returns a copy (%d bytes)", n)
	}
	if len(to.Said.Channels) == 0 && kept == "" && to.Said.Result != peer.Read {
		h.progress.Message(fmt.Sprintf("peer %s at %s: %s %s", to.Peer, to.Address, to.Said.Result, to.Said.Reason))
		return
	}
	h.progress.Message(fmt.Sprintf("peer %s speaks of %d channels%s", to.Peer, len(to.Said.Channels), kept))
}

// read holds one session. Nothing is said in it on any channel.
func (r *Hearing) read(ctx context.Context, id channel.PubKey, address string) *peer.Reading {
	at, err := peer.ParseAddress(address)
	if err != nil {
		return &peer.Reading{Result: peer.Unreachable, Reason: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, r.ReadTime)
	defer cancel()
	said, err := r.Peers.Read(ctx, peer.Target{Node: id, Address: at})
	if said == nil {
		said = &peer.Reading{}
	}
	if err != nil {
		said.Result, said.Reason = peer.Silent, err.Error()
	}
	return said
}

// Any reports whether one of these peers can be heard now. What it says is for the
// next All.
func (r *Hearing) Any(ctx context.Context, list []backup.Unheard) bool {
	return slices.ContainsFunc(list, func(u backup.Unheard) bool {
		said := r.read(ctx, u.Peer, u.Address)
		return said.Result == peer.Read || len(said.Channels) > 0
	})
}
