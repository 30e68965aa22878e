package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"
	"github.com/sirupsen/logrus"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/keychain"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/keyring"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/record"
	secrets "github.com/glrecover/glrecover/recovery/secret"
	"github.com/glrecover/glrecover/recovery/tell"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/testdata"
)

// fakeNode is a lightningd in memory: it makes stubs, keeps a datastore, and
// counts the calls with an effect.
type fakeNode struct {
	mu   sync.Mutex
	info api.Info
	// height is lightningd's, if it follows the chain.
	height   func() uint32
	channels []api.PeerChannel
	closed   []channel.ID
	static   [][]byte
	gossip   map[channel.PubKey]*api.GossipNode
	update   time.Time
	// neighbours are the old node's peers in gossip.
	neighbours []channel.PubKey
	wallet     []api.WalletOutput
	spends     map[wire.OutPoint]claims.Spend
	configs    map[string]string
	store      map[string]api.Record
	// taken are dbids of channels that this node had and that it does not list.
	taken map[uint64]bool
	// refuse makes recoverchannel fail for calls that hold the dbid.
	refuse  map[uint64]bool
	effects []string
	// looks counts the calls of listfunds: the engine's looks at everything.
	looks int
	// onEffect, if set, may fail a call with an effect, before it happens.
	onEffect func(call string) error
}

func newFakeNode(id channel.PubKey) *fakeNode {
	return &fakeNode{
		info:   api.Info{ID: id, Network: "regtest", Version: "v26.06.6", Height: 100},
		gossip: map[channel.PubKey]*api.GossipNode{}, store: map[string]api.Record{},
		taken: map[uint64]bool{}, refuse: map[uint64]bool{},
	}
}

func (n *fakeNode) effect(call string) error {
	n.effects = append(n.effects, call)
	if n.onEffect != nil {
		return n.onEffect(call)
	}
	return nil
}

func (n *fakeNode) calls() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.effects)
}

func (n *fakeNode) Info(context.Context) (api.Info, error) {
	info := n.info
	if n.height != nil {
		info.Height = n.height()
	}
	return info, nil
}

func (n *fakeNode) PeerChannels(context.Context) ([]api.PeerChannel, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.channels), nil
}

func (n *fakeNode) ClosedChannels(context.Context) ([]channel.ID, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.closed), nil
}

func (n *fakeNode) StaticBackup(context.Context) ([][]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.static), nil
}

func (n *fakeNode) GossipNode(_ context.Context, id channel.PubKey) (*api.GossipNode, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.gossip[id], nil
}

func (n *fakeNode) GossipUpdate(context.Context, channel.PubKey) (time.Time, error) {
	return n.update, nil
}

func (n *fakeNode) Neighbours(context.Context, channel.PubKey) ([]channel.PubKey, error) {
	return n.neighbours, nil
}

func (n *fakeNode) Wallet(context.Context) ([]api.WalletOutput, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.looks++
	return slices.Clone(n.wallet), nil
}

func (n *fakeNode) Spends(context.Context) (map[wire.OutPoint]claims.Spend, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.spends), nil
}

func (n *fakeNode) Configs(context.Context) (map[string]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.configs), nil
}

func (n *fakeNode) Records(_ context.Context, key []string) ([]api.Record, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []api.Record
	for _, r := range n.store {
		if len(r.Key) >= len(key) && len(r.Key) <= len(key)+1 && slices.Equal(r.Key[:len(key)], key) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (n *fakeNode) SaveRecord(_ context.Context, key []string, value string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.effect("datastore"); err != nil {
		return err
	}
	n.store[strings.Join(key, "/")] = api.Record{Key: key, Value: value}
	return nil
}

func (n *fakeNode) DeleteRecord(_ context.Context, key []string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.effect("deldatastore"); err != nil {
		return err
	}
	delete(n.store, strings.Join(key, "/"))
	return nil
}

var errRefused = errors.New("refused")

func (n *fakeNode) RecoverChannel(_ context.Context, scbs [][]byte) ([]channel.ID, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.effect("recoverchannel"); err != nil {
		return nil, err
	}
	var entries []*scbconv.Entry
	for _, raw := range scbs {
		e, err := scbconv.Decode(raw)
		if err != nil {
			return nil, err
		}
		if n.refuse[e.DBID] {
			return nil, errRefused
		}
		entries = append(entries, e)
	}
	var made []channel.ID
	for i, e := range entries {
		if n.taken[e.DBID] {
			continue
		}
		n.taken[e.DBID] = true
		n.channels = append(n.channels, api.PeerChannel{
			Peer: e.NodeID, ID: e.ChannelID, Funding: e.Funding, State: "CHANNELD_NORMAL", Stub: true, Private: true,
		})
		n.static = append(n.static, scbs[i])
		made = append(made, e.ChannelID)
	}
	return made, nil
}

// fakePeers answers for all peers.
type fakePeers struct {
	mu      sync.Mutex
	numbers map[channel.ID]peer.Reestablish
	// ask decides what AskClose gives; the default is unreachable.
	ask  func(t peer.Target, a peer.Ask) *peer.Outcome
	asks []channel.ID
	// storage is what each peer returns as peer storage.
	storage []byte
	// speaks is what a peer says of that nobody asked for; heard are the peers that
	// were met without a question.
	speaks map[channel.PubKey][]peer.Reestablish
	heard  []channel.PubKey
}

func (p *fakePeers) heardOf() []channel.PubKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heard)
}

func (p *fakePeers) Read(_ context.Context, t peer.Target, expect ...channel.ID) (*peer.Reading, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &peer.Reading{Result: peer.Unreachable, Reason: "connection refused"}
	if len(expect) == 0 {
		p.heard = append(p.heard, t.Node)
		if said := p.speaks[t.Node]; said != nil {
			n.Result, n.Reason, n.Channels = peer.Read, "", said
		}
	}
	for _, id := range expect {
		if r, ok := p.numbers[id]; ok {
			n.Result, n.Reason = peer.Read, ""
			n.Channels = append(n.Channels, r)
		}
	}
	n.PeerStorage = p.storage
	return n, nil
}

func (p *fakePeers) AskClose(_ context.Context, t peer.Target, a peer.Ask) (*peer.Outcome, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asks = append(p.asks, a.Channel)
	if p.ask == nil {
		return &peer.Outcome{Result: peer.Unreachable, Reason: "connection refused"}, nil
	}
	return p.ask(t, a), nil
}

func (p *fakePeers) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asks)
}

// world is a service with everything around it.
type world struct {
	t     *testing.T
	node  *fakeNode
	peers *fakePeers
	chain *chaintest.Chain
	deps  Deps
	facts api.Node
	*Service
	stop context.CancelFunc
}

// newWorld surrounds the node of a corpus case; withSecret says whether its
// hsm_secret can be read.
func newWorld(t *testing.T, corpusCase string, withSecret bool) *world {
	t.Helper()
	b := readCorpus(t, corpusCase)
	w := &world{
		t: t, node: newFakeNode(b.NodeID), peers: &fakePeers{numbers: map[channel.ID]peer.Reestablish{}},
		chain: chaintest.New("regtest", time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)),
		facts: api.Node{Network: "regtest", Version: "v26.06.6", AtStartup: true},
	}
	w.chain.MineN(100)
	w.node.height = w.chain.Height
	log := logrus.New()
	log.SetOutput(io.Discard)
	if testing.Verbose() {
		log.SetOutput(os.Stderr)
	}
	w.deps = Deps{
		Node: w.node, Store: w.node, Stubs: true, Backend: w.chain.Backend(), WatchEvery: 200 * time.Millisecond, Log: log, Mark: "run 1", Now: worldClock(),
		OpenKeys: func(facts api.Node, _ channel.PubKey) (keyring.Keys, error) {
			if !withSecret {
				_, err := keychain.Locate("", "", b.NodeID)
				return nil, err
			}
			secret, err := keychain.Load(testdata.Corpus(corpusCase, "hsm_secret.hex"), false, nil)
			if err != nil {
				return nil, err
			}
			return secrets.New(secret, facts.Network)
		},
		NewPeers: func(api.Node, peer.NodeKey) (closing.Peers, error) { return w.peers, nil },
		Sweeps: &claims.SweepBuilder{
			Address: func(context.Context) (string, error) { return walletAddress, nil },
			Feerate: func(context.Context, string) (uint32, error) { return 1000, nil },
		},
		Bitcoind: func(api.Node, map[string]string) chain.Node { return w.chain.Node() },
	}
	w.start()
	return w
}

// walletAddress is what the wallet gives for sweeps.
const walletAddress = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

// worldClock runs like the machine's, from a month after the corpus was made:
// the tests must not depend on the day.
func worldClock() func() time.Time {
	begun, epoch := time.Now(), time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)
	return func() time.Time { return epoch.Add(time.Since(begun)) }
}

// start starts the plugin, again if need be.
func (w *world) start() {
	w.t.Helper()
	if w.stop != nil {
		w.stop()
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	w.stop = cancel
	if s, ok := w.deps.Node.(record.Store); ok {
		w.deps.Store = s
	}
	w.Service = New(w.deps)
	if err := w.Start(ctx, w.facts); err != nil {
		w.t.Fatal(err)
	}
}

// until waits for a condition that the engine brings about.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// lookTwice waits until lightningd was looked at twice and the Watcher stands at
// the tip: after the second look began, the first one's consequences are drawn.
func (w *world) lookTwice() {
	w.t.Helper()
	looks := func() int {
		w.node.mu.Lock()
		defer w.node.mu.Unlock()
		return w.node.looks
	}
	before := looks()
	w.until("two looks", func() bool {
		w.look()
		return looks() > before+1 && (w.seen.Load().Tip.Height == w.chain.Height() || !w.seen.Load().Active())
	})
}

// look makes the loop look at everything.
func (s *Service) look() {
	s.view.Poke()
	s.tell(model.NodeChanged{})
}

// stateOf is the state of a followed channel, "" for others.
func (s *Service) stateOf(k channel.Key) model.ChannelState {
	if c := s.seen.Load().Channels[k]; c != nil {
		return c.State
	}
	return ""
}

// silent is a caller who is told nothing.
type silent struct{}

func (silent) Message(string)      {}
func (silent) Step(uint32, uint32) {}

func (w *world) recover(p api.RecoverParams) (*answer.Answer, error) {
	w.t.Helper()
	a, err := w.Recover(w.t.Context(), p, silent{})
	if err != nil {
		return nil, err
	}
	return a.(*answer.Answer), nil
}

func (w *world) status() *tell.Status {
	w.t.Helper()
	s, err := w.Status(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	return s.(*tell.Status)
}

// fund puts the funding output of a corpus channel on the chain: the backup's
// own txid cannot be mined, so the backup gets the one that was.
func (w *world) fund(backup []byte, c *channel.Channel, keys keyring.Keys) ([]byte, wire.OutPoint) {
	w.t.Helper()
	script, err := keys.FundingScript(c)
	if err != nil {
		w.t.Fatal(err)
	}
	tx, op := w.chain.Pay(int64(c.CapacitySat), script)
	w.chain.Mine(tx)
	text := string(backup)
	text = strings.ReplaceAll(text, hexOf(c.Funding.Hash[:]), hexOf(op.Hash[:]))
	return []byte(text), op
}

// recordOf is the store's name of a channel's record.
func recordOf(c *channel.Channel) string {
	return fmt.Sprintf("glrecover/channel/%s-%d", c.Peer, c.DBID)
}

// alive raises the alarm, as a session does that has the proof.
func (w *world) alive(why string) {
	w.t.Helper()
	for k := range w.seen.Load().Channels {
		w.send(model.SessionEnded{Key: k, Result: string(peer.Withheld), Withheld: model.WithheldAlive, Reason: why})
		break
	}
	w.until("the alarm", func() bool { return w.seen.Load().Run.Alive != "" })
}

// children is the maker of children, for a test to set.
func (w *world) children() *claims.ChildBuilder {
	if w.deps.Children == nil {
		w.deps.Children = &claims.ChildBuilder{Feerate: func(context.Context) (uint32, error) { return 2000, nil }}
	}
	return w.deps.Children
}

// save writes records as an earlier run left them.
func (w *world) save(s model.Save) {
	w.t.Helper()
	if err := record.Open(w.node).Write(w.t.Context(), s); err != nil {
		w.t.Fatal(err)
	}
}
