// Package chainview is the recovery's one view of the chain: lightningd's source of
// blocks joined with bitcoind itself as soon as that can be reached, or a chain that
// needs neither, and the Watcher over it while there is something to follow.
package chainview

import (
	"context"
	"sync"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
)

// Chain is a chain of its own: a light client, or a server's.
type Chain interface {
	chain.Source
	// Send publishes transactions that belong together, a child last. One that is
	// known already is no error; one that was refused is a *chain.RejectedError.
	Send(ctx context.Context, txs ...*wire.MsgTx) error
}

// View is that view. Its methods may be called from any goroutine.
type View struct {
	// Own is the chain where neither lightningd nor bitcoind is asked for it.
	Own Chain
	// Backend is lightningd's own source of blocks, or bitcoind itself.
	Backend chain.Backend
	// Bitcoind looks for bitcoind itself; nil where it cannot be found now.
	Bitcoind func(ctx context.Context) chain.Node
	Now      func() time.Time
	// Every is how often the Watcher looks; 0 is its default.
	Every time.Duration

	mu     sync.Mutex
	node   chain.Node
	tried  time.Time
	source chain.Source
	// cursor is where the Watcher was.
	cursor  *chain.Cursor
	watcher *chain.Watcher
	stop    context.CancelFunc
}

// retry is how long bitcoind is not looked for again where it was not found.
const retry = 30 * time.Second

// Source is the chain to ask. It looks for bitcoind, unless that was found; not under
// the lock, since lightningd, which is asked for the way to it, may be slow.
func (v *View) Source(ctx context.Context) chain.Source {
	if v.Own != nil {
		return v.Own
	}
	v.mu.Lock()
	due := v.node == nil && v.Bitcoind != nil && (v.tried.IsZero() || v.Now().Sub(v.tried) >= retry)
	if due {
		v.tried = v.Now()
	}
	v.mu.Unlock()
	var node chain.Node
	if due {
		node = v.Bitcoind(ctx)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.source == nil || (node != nil && v.node == nil) {
		v.node = node
		v.source = chain.Join(v.Backend, node)
	}
	return v.source
}

// Node is bitcoind itself, nil where it was not found.
func (v *View) Node(ctx context.Context) chain.Node {
	v.Source(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.node
}

// Send publishes transactions that belong together, a child last.
func (v *View) Send(ctx context.Context, txs ...*wire.MsgTx) error {
	defer v.Poke()
	if v.Own != nil {
		return v.Own.Send(ctx, txs...)
	}
	return chain.Send(ctx, v.Backend, v.Node(ctx), txs...)
}

// Restore says where the Watcher of the last run was.
func (v *View) Restore(cursor *chain.Cursor) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cursor = cursor
}

// Watcher returns the Watcher. A new one waits for Begin: what the record has is to be
// watched before it looks at the first block.
func (v *View) Watcher() *chain.Watcher {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.watcher != nil {
		return v.watcher
	}
	var opts []chain.WatcherOption
	if v.Every > 0 {
		opts = append(opts, chain.Every(v.Every))
	}
	v.watcher = chain.NewWatcher(currentSource{v}, opts...)
	if v.cursor != nil {
		v.watcher.Restore(*v.cursor)
	}
	return v.watcher
}

// Begin lets a new Watcher look: run is called on a goroutine of its own, with a
// context that ends with ctx or at Rest.
func (v *View) Begin(ctx context.Context, run func(ctx context.Context, w *chain.Watcher)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.watcher == nil || v.stop != nil {
		return
	}
	ctx, v.stop = context.WithCancel(ctx)
	go run(ctx, v.watcher)
}

// Forget ends the watch of outpoints.
func (v *View) Forget(ops []wire.OutPoint) {
	if w := v.current(); w != nil {
		w.Forget(ops...)
	}
}

// Poke makes the Watcher look now.
func (v *View) Poke() {
	if w := v.current(); w != nil {
		w.Poke()
	}
}

// current is the Watcher, nil if there is none.
func (v *View) current() *chain.Watcher {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.watcher
}

// Rest ends the Watcher where nothing is followed; it starts anew where it was.
func (v *View) Rest(cursor *chain.Cursor) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if cursor != nil {
		v.cursor = cursor
	}
	if v.stop != nil {
		v.stop()
	}
	v.watcher, v.stop = nil, nil
}
