package recovery

import (
	"context"
	"errors"
	"io"
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
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/scbconv"
)

// fakeNode is a lightningd in memory: it makes stubs, keeps a datastore, and
// counts the calls with an effect.
type fakeNode struct {
	mu       sync.Mutex
	info     Info
	channels []PeerChannel
	closed   []channel.ID
	static   [][]byte
	gossip   map[channel.PubKey]*GossipNode
	update   time.Time
	wallet   []WalletOutput
	store    map[string]Record
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
		info:   Info{ID: id, Network: "regtest", Version: "v26.06.6", Height: 100},
		gossip: map[channel.PubKey]*GossipNode{}, store: map[string]Record{},
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

func (n *fakeNode) Info(context.Context) (Info, error) { return n.info, nil }

func (n *fakeNode) PeerChannels(context.Context) ([]PeerChannel, error) {
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

func (n *fakeNode) GossipNode(_ context.Context, id channel.PubKey) (*GossipNode, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.gossip[id], nil
}

func (n *fakeNode) GossipUpdate(context.Context, channel.PubKey) (time.Time, error) {
	return n.update, nil
}

func (n *fakeNode) Wallet(context.Context) ([]WalletOutput, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.looks++
	return slices.Clone(n.wallet), nil
}

func (n *fakeNode) Configs(context.Context) (map[string]string, error) {
	return map[string]string{}, nil
}

func (n *fakeNode) Records(_ context.Context, key []string) ([]Record, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Record
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
	n.store[strings.Join(key, "/")] = Record{Key: key, Value: value}
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
		n.channels = append(n.channels, PeerChannel{
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
}

func (p *fakePeers) Numbers(_ context.Context, _ peer.Target, expect ...channel.ID) (*peer.Numbers, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &peer.Numbers{Result: peer.Unreachable, Reason: "connection refused"}
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
	log := logrus.New()
	log.SetOutput(io.Discard)
	w.deps = Deps{
		Node: w.node, Backend: w.chain.Backend(), Log: log, Mark: "run 1", Now: worldClock(),
		OpenKeys: func(facts api.Node, _ channel.PubKey) (Keys, error) {
			if !withSecret {
				_, err := keychain.Locate("", "", b.NodeID)
				return nil, err
			}
			secret, err := keychain.Load(corpusPath(corpusCase, "hsm_secret.hex"), false, nil)
			if err != nil {
				return nil, err
			}
			return newSecretKeys(secret, facts.Network)
		},
		NewPeers: func(api.Node, peer.NodeKey) (Peers, error) { return w.peers, nil },
		Bitcoind: func(api.Node, map[string]string) chain.Node { return w.chain.Node() },
	}
	w.start()
	return w
}

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
	w.Service = New(w.deps)
	if err := w.Start(ctx, w.facts); err != nil {
		w.t.Fatal(err)
	}
}

// until waits for a condition that the engine brings about.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// lookTwice waits until the engine has looked at everything twice: after the
// second look began, the first one's consequences are drawn.
func (w *world) lookTwice() {
	w.t.Helper()
	looks := func() int {
		w.node.mu.Lock()
		defer w.node.mu.Unlock()
		return w.node.looks
	}
	before := looks()
	w.until("two looks", func() bool {
		w.nudge()
		return looks() > before+1
	})
}

func (w *world) recover(p api.RecoverParams) (*Answer, error) {
	w.t.Helper()
	a, err := w.Recover(w.t.Context(), p, silent{})
	if err != nil {
		return nil, err
	}
	return a.(*Answer), nil
}

func (w *world) status() *Status {
	w.t.Helper()
	s, err := w.Status(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	return s.(*Status)
}

// fund puts the funding output of a corpus channel on the chain: the backup's
// own txid cannot be mined, so the backup gets the one that was.
func (w *world) fund(backup []byte, c *channel.Channel, keys Keys) ([]byte, wire.OutPoint) {
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
