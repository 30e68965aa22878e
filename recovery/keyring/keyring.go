// Package keyring opens the node's secret when something needs it, and wipes it when
// nothing does any more. The secret itself stays in keychain.
package keyring

import (
	"sync"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/plan"
	"github.com/glrecover/glrecover/sweep"
)

// Keys is what the recovery needs of the node's secret.
type Keys interface {
	plan.Keys
	// NodeID is the public key of the node's identity, NodeKey that identity
	// for BOLT 8 sessions.
	NodeID() channel.PubKey
	NodeKey() peer.NodeKey
	// Targets are all that can be looked for among the unspent outputs, with what
	// the user must know about an otherwise right secret.
	Targets(network string, channels []*channel.Channel, states uint64) (*find.Targets, []string, error)
	// Funding signs with our key of the funding output. It is used on our
	// anchor, never on the funding output itself.
	Funding(k channel.Key) (sweep.Signer, error)
	// Signer signs claims of what closes pay to us.
	sweep.Keys
	// Wipe clears the secret; no other method may be called after it.
	Wipe()
}

// Ring holds the keys, and the client of sessions under the node's name. Its methods
// may be called from any goroutine.
type Ring struct {
	// Open reads the secret; the failure is shown to the user.
	Open func() (Keys, closing.Peers, error)
	// Needed reports whether more work is to be expected soon.
	Needed func() bool

	mu    sync.Mutex
	keys  Keys
	peers closing.Peers
	// users counts those who have them and have not released them yet.
	users int
}

// Use returns the keys and the sessions' client; release them after, also after an
// error, which is why the secret cannot be read.
func (r *Ring) Use() (keys Keys, peers closing.Peers, release func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		if keys, peers, err = r.Open(); err != nil {
			return nil, nil, func() {}, err
		}
		r.keys, r.peers = keys, peers
	}
	r.users++
	return r.keys, r.peers, func() {
		r.mu.Lock()
		r.users--
		r.mu.Unlock()
		r.Rest()
	}, nil
}

// Rest wipes the keys where nothing is under way.
func (r *Ring) Rest() {
	if r.Needed() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys != nil && r.users == 0 {
		r.keys.Wipe()
		r.keys, r.peers = nil, nil
	}
}
