package recovery

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/proof"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/sweep"
	"github.com/glrecover/glrecover/vlsstate"
)

// Keys is what the recovery needs of the node's secret. The secret itself stays
// in keychain.
type Keys interface {
	// NodeID is the public key of the node's identity, NodeKey that identity
	// for BOLT 8 sessions.
	NodeID() channel.PubKey
	NodeKey() peer.NodeKey
	// Basepoints are our own public keys of a channel.
	Basepoints(k channel.Key) (channel.Basepoints, error)
	// PerCommitmentPoint is the point of our commitment n.
	PerCommitmentPoint(k channel.Key, n uint64) (channel.PubKey, error)
	// PerCommitmentSecret is our revocation secret of commitment n, for
	// checking a peer's claim. It is never sent.
	PerCommitmentSecret(k channel.Key, n uint64) ([32]byte, error)
	// FundingScript is the scriptPubKey of the channel's funding output.
	FundingScript(c *channel.Channel) ([]byte, error)
	// Funding signs with our key of the funding output. It is used on our
	// anchor, never on the funding output itself.
	Funding(k channel.Key) (sweep.Signer, error)
	// Prove checks a backup with the secret. The texts are what the user must
	// know about an otherwise right secret.
	Prove(b *vlsstate.Backup) (*proof.Report, []string, error)
	// OpenPeerStorage decrypts the backup that a CLN node leaves with its peers.
	OpenPeerStorage(blob []byte) ([]byte, error)
	// InWallet reports whether the script is one of the first of the node's
	// on-chain wallet.
	InWallet(pkScript []byte) bool
	// Wipe clears the secret; no other method may be called after it.
	Wipe()
}

// Peers is what the recovery asks of peers; peer.Client implements it.
type Peers interface {
	Numbers(ctx context.Context, t peer.Target, expect ...channel.ID) (*peer.Numbers, error)
	AskClose(ctx context.Context, t peer.Target, ask peer.Ask) (*peer.Outcome, error)
}

// Deps are the service's surroundings.
type Deps struct {
	Node    Node
	Backend chain.Backend
	// OpenKeys reads the node's secret; the failure is shown to the user.
	OpenKeys func(facts api.Node, id channel.PubKey) (Keys, error)
	// Diagnose explains why the node's secret does not make the node of the
	// backup; nil where it cannot.
	Diagnose func(ctx context.Context, facts api.Node, running, want channel.PubKey) *failure.Error
	// NewPeers makes the sessions' client for a node key.
	NewPeers func(facts api.Node, k peer.NodeKey) (Peers, error)
	// Bitcoind opens bitcoind itself with lightningd's settings; nil where it
	// cannot be reached.
	Bitcoind func(facts api.Node, configs map[string]string) chain.Node
	// BuildChild makes a child that pays for a stuck close; Feerate is what a
	// close should pay now, in sat per 1000 weight.
	BuildChild func(ctx context.Context, r sweep.Request) (*sweep.Child, error)
	Feerate    func(ctx context.Context) (uint32, error)
	Log        logrus.FieldLogger
	// Mark names the run of lightningd ("" if unknown), Now the time.
	Mark string
	Now  func() time.Time
}

// Service is one node's recovery. Its methods may be called from any goroutine.
type Service struct {
	Deps
	node Node
	log  logrus.FieldLogger

	// busy is held by the one call that imports.
	busy chan struct{}
	// wake tells the engine that something happened, lookWanted that it was
	// something to look at.
	wake       chan struct{}
	lookWanted atomic.Bool
	// started is closed when the record has been read: before, nobody knows
	// whether an opening is safe.
	started chan struct{}
	// ctx ends with the plugin.
	ctx   context.Context
	facts api.Node
	id    channel.PubKey

	// saving is held around each write of the record; never lock it with mu
	// held.
	saving sync.Mutex

	// Of the engine's goroutine alone: blocks that were in the chain, and at
	// which tip that was asked; and when blocks are looked at again.
	there     map[chainhash.Hash]uint32
	scanAgain time.Time
	// seen is the last look, which ended at seenAt and took seenIn; nil if it
	// failed.
	seen   *facts
	seenAt time.Time
	seenIn time.Duration

	mu     sync.Mutex
	run    *run
	tracks map[channel.Key]*tracked
	keys   Keys
	peers  Peers
	// keyUsers counts the calls that may be using keys.
	keyUsers int
	// keysErr is why there are no keys, keysTried when they were tried last.
	keysErr   error
	keysTried time.Time
	chainView *chain.View
	// tip is the height of the last look at the chain.
	tip uint32
}

// New makes a service; Start makes it work.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{
		Deps: d, node: d.Node, log: d.Log,
		busy: make(chan struct{}, 1), wake: make(chan struct{}, 1), started: make(chan struct{}),
		tracks: map[channel.Key]*tracked{}, there: map[chainhash.Hash]uint32{},
	}
}

// Start reads the record and, where a recovery is under way, goes on with it
// until ctx ends. It returns when the record is read. After an error it may be
// called again.
func (s *Service) Start(ctx context.Context, facts api.Node) error {
	info, err := s.node.Info(ctx)
	if err != nil {
		return err
	}
	r, tracks, err := loadRecord(ctx, s.node)
	if err != nil {
		return err
	}
	if r != nil && !r.Restarted && s.restarted(r, facts) {
		r.Restarted = true
		if err := save(ctx, s.node, recordRun, r); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.ctx, s.facts, s.id, s.run = ctx, facts, info.ID, r
	for _, t := range tracks {
		s.tracks[t.Channel.Key] = &tracked{track: *t}
	}
	s.mu.Unlock()
	close(s.started)
	if r != nil {
		s.log.Infof("going on with the recovery of %d channels", len(tracks))
	}
	go s.engine(ctx)
	return nil
}

// restarted reports whether lightningd was started since the last import. A
// plugin that was in the configuration starts with lightningd; one that was
// started by command can tell by the run's mark only.
func (s *Service) restarted(r *run, facts api.Node) bool {
	if r.Imported.IsZero() {
		return false
	}
	if facts.AtStartup {
		return true
	}
	return s.Mark != "" && r.Mark != "" && s.Mark != r.Mark
}

// nudge wakes the engine for a look at everything.
func (s *Service) nudge() {
	s.lookWanted.Store(true)
	s.hurry()
}

// hurry wakes the engine to see which peers are due.
func (s *Service) hurry() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// BlockAdded tells that lightningd has processed a block.
func (s *Service) BlockAdded(uint32) { s.nudge() }

// PeerDisconnected is of no interest: lightningd's stubs come and go.
func (s *Service) PeerDisconnected(channel.PubKey) {}

// ChannelStateChanged tells that a channel of lightningd's changed.
func (s *Service) ChannelStateChanged(api.StateChange) { s.nudge() }

// view is the chain as lightningd and, where it can be reached, bitcoind see it.
func (s *Service) view(ctx context.Context) *chain.View {
	s.mu.Lock()
	known := s.chainView
	s.mu.Unlock()
	if known != nil && known.HasNode() {
		return known
	}
	// Not under the lock: lightningd may be slow, and the guard must answer.
	var node chain.Node
	if s.Bitcoind != nil {
		if configs, err := s.node.Configs(ctx); err == nil {
			node = s.Bitcoind(s.facts, configs)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.chainView == nil || (node != nil && !s.chainView.HasNode()) {
		s.chainView = chain.New(s.Backend, node)
	}
	return s.chainView
}

// secretRetry is how long an unreadable secret is left alone.
const secretRetry = 10 * time.Second

// openKeys returns the node's keys, reading the secret if that was not done.
func (s *Service) openKeys() (Keys, Peers, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys != nil {
		return s.keys, s.peers, nil
	}
	if s.keysErr != nil && s.Now().Sub(s.keysTried) < secretRetry {
		return nil, nil, s.keysErr
	}
	s.keysTried = s.Now()
	keys, err := s.OpenKeys(s.facts, s.id)
	if err == nil {
		s.peers, err = s.NewPeers(s.facts, keys.NodeKey())
	}
	if s.keysErr = err; err != nil {
		return nil, nil, err
	}
	s.keys = keys
	return s.keys, s.peers, nil
}

// holdKeys keeps the keys from being wiped until the returned function is
// called.
func (s *Service) holdKeys() (release func()) {
	s.mu.Lock()
	s.keyUsers++
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.keyUsers--
		s.mu.Unlock()
		s.nudge()
	}
}

// dropKeys wipes the keys while nobody needs them.
func (s *Service) dropKeys() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil || s.keyUsers > 0 {
		return
	}
	s.keys.Wipe()
	s.keys, s.peers = nil, nil
}

// keysOrNil returns nil where the secret cannot be read.
func (s *Service) keysOrNil() Keys {
	keys, _, err := s.openKeys()
	if err != nil {
		return nil
	}
	return keys
}
