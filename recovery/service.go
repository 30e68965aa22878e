package recovery

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/wire"
	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/chainview"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/hearing"
	"github.com/glrecover/glrecover/recovery/keyring"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/record"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/sweeping"
)

// Node is what the recovery asks of lightningd, or of what stands in its place where
// there is none: then nothing is there but the id and the height. A plan uses only
// the methods of plan.Node, and a test holds it to that.
type Node interface {
	hearing.Node
	// Configs are the values of listconfigs by name; they hold bitcoind's
	// password, so they are never logged.
	Configs(ctx context.Context) (map[string]string, error)
	// Spends says what lightningd knows of the spends of its wallet's outputs.
	Spends(ctx context.Context) (map[wire.OutPoint]claims.Spend, error)
	// RecoverChannel makes stubs and returns the channel ids of those made. It is
	// the only method with an effect.
	RecoverChannel(ctx context.Context, scbs [][]byte) ([]channel.ID, error)
}

// Deps are the service's surroundings.
type Deps struct {
	Node  Node
	Store record.Store
	// Stubs says that Node is a lightningd that takes stubs (recoverchannel). Without
	// one our own sessions and sweeps do everything.
	Stubs bool
	// Chain is the chain where neither lightningd nor bitcoind is asked for it; then
	// Backend and Bitcoind are nil. It may be a chain.Sifter.
	Chain chainview.Chain
	// Backend is lightningd's own source of blocks, or bitcoind itself.
	Backend chain.Backend
	// Bitcoind opens bitcoind itself with lightningd's settings; nil where it
	// cannot be reached.
	Bitcoind func(facts api.Node, configs map[string]string) chain.Node
	// OpenKeys reads the node's secret; the failure is shown to the user.
	OpenKeys func(facts api.Node, id channel.PubKey) (keyring.Keys, error)
	// Diagnose explains why the node's secret does not make the node of the
	// backup; nil where it cannot.
	Diagnose func(ctx context.Context, facts api.Node, running, want channel.PubKey) *failure.Error
	// NewPeers makes the sessions' client for a node key.
	NewPeers func(facts api.Node, k peer.NodeKey) (closing.Peers, error)
	// Children makes the children that pay for stuck closes; nil where nothing can
	// be paid.
	Children *claims.ChildBuilder
	// Sweeps makes the transactions that claim outputs; nil where nothing is
	// claimed.
	Sweeps *claims.SweepBuilder
	// ShowPlan gets the plan of a real run before anything of it is done; nil where
	// the answer is enough.
	ShowPlan func(*answer.Answer)
	Log      logrus.FieldLogger
	// Mark names the run of lightningd ("" if unknown), Now the time.
	Mark string
	Now  func() time.Time
	// WatchEvery is how often the chain is looked at; 0 is the Watcher's default.
	WatchEvery time.Duration
}

// Service is one node's recovery. Its methods may be called from any goroutine.
type Service struct {
	Deps
	log logrus.FieldLogger

	// events go to the goroutine that owns the state; seen is what it published
	// last.
	events chan model.Event
	seen   atomic.Pointer[state.State]
	// started is closed when the record has been read: before, nobody knows
	// whether an opening is safe.
	started chan struct{}
	// ended is closed when the loop has ended.
	ended chan struct{}

	// Set by Start, before started is closed.
	ctx   context.Context
	facts api.Node
	id    channel.PubKey

	keyring keyring.Ring
	view    chainview.View
	maker   sweeping.Maker
	calls   calls
}

// New makes a service; Start makes it work.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{
		Deps: d, log: d.Log, events: make(chan model.Event, 64), started: make(chan struct{}), ended: make(chan struct{}),
		calls: calls{waiting: map[uint64]*call{}},
	}
	s.keyring.Open, s.keyring.Needed = s.openKeys, s.busy
	s.view = chainview.View{Own: d.Chain, Backend: d.Backend, Now: d.Now, Every: d.WatchEvery}
	if d.Bitcoind != nil {
		s.view.Bitcoind = s.bitcoind
	}
	return s
}

// Start reads the record and, where a recovery is under way, goes on with it
// until ctx ends. It returns when the record is read. After an error it may be
// called again.
func (s *Service) Start(ctx context.Context, facts api.Node) error {
	info, err := s.Node.Info(ctx)
	if err != nil {
		return err
	}
	book := record.Open(s.Store)
	contents, err := book.Load(ctx)
	if err != nil {
		return err
	}
	s.ctx, s.facts, s.id = ctx, facts, info.ID
	state := state.New(state.Config{
		Stubs: s.Stubs, Sweeps: s.Sweeps != nil, Mark: s.Mark,
		AllowAll: facts.Options.AllowAllOpenings, Allowed: facts.Options.AllowOpenings,
	}, contents.Run, contents.Channels)
	s.view.Restore(contents.Cursor)
	s.maker = sweeping.Maker{Known: sweeping.NewKnown(contents.Channels), Sweeps: s.Sweeps, Children: s.Children, Network: claims.Network(facts.Network), Log: s.log}
	l := &loop{Service: s, state: state, book: book}
	l.step(model.Started{Restarted: s.restarted(contents.Run)})
	close(s.started)
	go func() {
		defer close(s.ended)
		l.run(ctx)
	}()
	return nil
}

// Ended is closed when the work has ended, after the context of Start has: nothing is
// written to the store any more.
func (s *Service) Ended() <-chan struct{} { return s.ended }

// State is what the owner of the state published last; nobody changes it.
func (s *Service) State() *state.State { return s.seen.Load() }

// restarted reports whether lightningd was started since the last import. A
// plugin that was in the configuration starts with lightningd; one that was
// started by command can tell by the run's mark only.
func (s *Service) restarted(r *model.Run) bool {
	if r == nil || r.Imported.IsZero() {
		return false
	}
	return s.facts.AtStartup || (s.Mark != "" && r.Mark != "" && s.Mark != r.Mark)
}

// send tells the owner of the state that something happened.
func (s *Service) send(e model.Event) {
	select {
	case s.events <- e:
	case <-s.ctx.Done():
	}
}

// tell is send for lightningd's notifications: before Start nothing is of
// interest, and nothing may block.
func (s *Service) tell(e model.Event) {
	select {
	case <-s.started:
		go s.send(e)
	default:
	}
}

// BlockAdded tells that lightningd has processed a block.
func (s *Service) BlockAdded() {
	s.view.Poke()
	s.tell(model.NodeChanged{})
}

// PeerConnected tells that lightningd and a peer have a connection.
func (s *Service) PeerConnected(id channel.PubKey) { s.tell(model.PeerSeen{Peer: id}) }

// ChannelStateChanged tells that a channel of lightningd's changed.
func (s *Service) ChannelStateChanged() { s.tell(model.NodeChanged{}) }

// ChannelOpened tells that a peer has funded a channel with this node; the txid is in
// display order.
func (s *Service) ChannelOpened(peer channel.PubKey, fundingTxid string) {
	s.tell(model.ChannelAppeared{Peer: peer, FundingTxid: fundingTxid})
}

// openKeys reads the node's secret.
func (s *Service) openKeys() (keyring.Keys, closing.Peers, error) {
	keys, err := s.OpenKeys(s.facts, s.id)
	if err != nil {
		return nil, nil, err
	}
	peers, err := s.NewPeers(s.facts, keys.NodeKey())
	if err != nil {
		keys.Wipe()
		return nil, nil, err
	}
	return keys, peers, nil
}

// busy reports whether a recovery or a call is under way.
func (s *Service) busy() bool {
	st := s.seen.Load()
	return st != nil && (st.Active() || st.Call != nil)
}

// bitcoind looks for bitcoind in lightningd's settings.
func (s *Service) bitcoind(ctx context.Context) chain.Node {
	configs, err := s.Node.Configs(ctx)
	if err != nil {
		return nil
	}
	return s.Bitcoind(s.facts, configs)
}

// watch runs the Watcher.
func (s *Service) watch(ctx context.Context, w *chain.Watcher) {
	_ = failure.Guard(s.log, "the watch of the chain", func() error {
		w.Run(ctx, func(u chain.Update) {
			select {
			case s.events <- model.ChainSeen{Update: u}:
			case <-ctx.Done():
			}
		})
		return nil
	})
}
