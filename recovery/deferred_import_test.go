package recovery

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/lightningd"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/record"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/testdata"
)

// young is a world whose only channel waits for its confirmations.
func young(t *testing.T, bitcoind func(*chaintest.Chain) chain.Node) (w *world, backup string) {
	t.Helper()
	w = newWorld(t, "used-both-ways", true)
	if bitcoind != nil {
		node := bitcoind(w.chain)
		w.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return node }
		w.start()
	}
	keys, err := w.deps.OpenKeys(w.facts, w.node.info.ID)
	if err != nil {
		t.Fatal(err)
	}
	c := readCorpus(t, "used-both-ways").Channels[0]
	text, _ := w.fund(testdata.Read(t, "used-both-ways", "backup.json"), c, keys)
	a, err := w.recover(inline(string(text)))
	if err != nil || a.Channels[0].State != model.FundingUnconfirmed {
		t.Fatalf("%+v, %v", a, err)
	}
	return w, string(text)
}

// TestNothingIsImportedLateWhileTheHostedNodeSeemsAlive, since lightningd's stub
// speaks to the peer by itself; and a new call is refused too, unless the alarm
// is overridden.
func TestNothingIsImportedLateWhileTheHostedNodeSeemsAlive(t *testing.T) {
	w, text := young(t, nil)
	w.alive("numbers moved")
	w.chain.MineN(decision.MinFundingConfs)
	w.lookTwice()
	if n := count(w.node.calls(), "recoverchannel"); n > 0 {
		t.Error("imported although the hosted node seems to be alive")
	}
	p := inline(text)
	if _, err := w.recover(p); failure.NameOf(err) != failure.HostedNodeAlive {
		t.Errorf("a new call: %v", err)
	}
	w.start()
	if _, err := w.recover(p); failure.NameOf(err) != failure.HostedNodeAlive {
		t.Errorf("a new call after a restart: %v", err)
	}
	p.Override = []string{string(failure.HostedNodeAlive)}
	if a, err := w.recover(p); err != nil || a.Totals.Imported != 1 {
		t.Errorf("with the override: %+v, %v", a, err)
	}
}

// TestConfirmationsThatNobodyTellsAreNone: a peer that is told to fail an
// unconfirmed channel may forget it, and the coins stay in the 2-of-2.
func TestConfirmationsThatNobodyTellsAreNone(t *testing.T) {
	var node *chaintest.Node
	w, _ := young(t, func(c *chaintest.Chain) chain.Node {
		node = c.Node()
		return node
	})
	node.SetDown(true)
	w.lookTwice()
	if n := count(w.node.calls(), "recoverchannel"); n > 0 {
		t.Error("imported with one confirmation while bitcoind was away")
	}
}

// TestAPanicInASessionStopsNothingElse: neither the plugin, nor its guard.
func TestAPanicInASessionStopsNothingElse(t *testing.T) {
	s := newStory(t, "used-both-ways")
	calls := make(chan struct{}, 100)
	s.peers.mu.Lock()
	s.peers.ask = func(peer.Target, peer.Ask) *peer.Outcome {
		calls <- struct{}{}
		panic("a message that nobody thought of")
	}
	s.peers.mu.Unlock()
	s.begin()
	<-calls
	<-calls // it is asked again, after a pause
	if st := s.status(); len(st.Channels) != 1 {
		t.Error("no status")
	}
	if err := s.OpeningAllowed(t.Context(), &s.ch.Peer, "fundchannel"); err == nil {
		t.Error("the guard is down")
	}
}

// TestAChannelThatAppearsRaisesTheAlarm, whoever opened it and whether or not
// the plugin ran then.
func TestAChannelThatAppearsRaisesTheAlarm(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.begin()
	s.stop() // and nobody guards
	other := readCorpus(t, "stale").Channels[0].Peer
	funding := wire.OutPoint{Hash: [32]byte{1}, Index: 1}
	s.node.mu.Lock()
	s.node.channels = append(s.node.channels,
		api.PeerChannel{Peer: s.ch.Peer, ID: channel.ID{1}, Funding: funding, State: "CHANNELD_AWAITING_LOCKIN"},
		api.PeerChannel{Peer: other, ID: channel.ID{2}, State: "CHANNELD_NORMAL"})
	s.node.mu.Unlock()
	s.start()
	s.until("the alarm", func() bool { return len(s.status().Alarms) > 0 })
	s.ChannelOpened(s.ch.Peer, funding.Hash.String())
	if st := s.status(); len(st.Alarms) != 1 || !strings.Contains(st.Alarms[0], funding.Hash.String()) {
		t.Errorf("alarms %q", st.Alarms)
	}
}

// slowPeers speak, and then the time is over.
type slowPeers struct{ *fakePeers }

func (p slowPeers) Read(ctx context.Context, t peer.Target, expect ...channel.ID) (*peer.Reading, error) {
	n, err := p.fakePeers.Read(ctx, t, expect...)
	if err == nil {
		err = context.DeadlineExceeded
	}
	return n, err
}

// TestNumbersThatCameBeforeTheTimeWasOverCount: a slow peer can be a stale one.
func TestNumbersThatCameBeforeTheTimeWasOverCount(t *testing.T) {
	s := newStory(t, "used-both-ways")
	stale := s.current()
	stale.NextCommitment = s.ch.State.NextCounterpartyRevokeNum - 3
	s.peers.numbers[s.ch.ID()] = stale
	s.peers.storage = []byte("kept by the peer")
	s.deps.NewPeers = func(api.Node, peer.NodeKey) (closing.Peers, error) { return slowPeers{s.peers}, nil }
	s.start()
	a := s.begin()
	if a.Channels[0].Result != answer.StalePeer {
		t.Errorf("result %q", a.Channels[0].Result)
	}
	if slices.ContainsFunc(a.Warnings, func(w string) bool { return strings.Contains(w, "context") }) {
		t.Errorf("warnings %q", a.Warnings)
	}
	if kept, err := record.Copies(t.Context(), s.node); err != nil || len(kept) != 1 {
		t.Error("what the peer had kept was not recorded")
	}
}

// TestAChannelThatStopsLightningdIsLeftOutInTheEnd: to give it the same channel
// again at each start would stop it for ever.
func TestAChannelThatStopsLightningdIsLeftOutInTheEnd(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	poison := readCorpus(t, "three-peers").Channels[1]
	dead := &mortalNode{fakeNode: w.node, poison: poison.DBID}
	w.deps.Node = dead
	w.start()
	if _, err := w.recover(pathOf(t, "three-peers")); failure.NameOf(err) != failure.Internal {
		t.Fatalf("got %v", err)
	}
	for range 5 {
		dead.kill() // whatever the plugin of the last run is still at
		dead = &mortalNode{fakeNode: w.node, poison: poison.DBID}
		w.deps.Node = dead
		w.start()
		w.until("lightningd stops again, or all is done", func() bool {
			w.look()
			st := w.status()
			return dead.dead() || (st.Totals.ByState[model.LeftOut] == 1 && st.Totals.ByState[model.Imported]+st.Totals.ByState[model.NeedsAddress] == 4)
		})
	}
	if dead.dead() {
		t.Fatal("lightningd is still stopped by it")
	}
	if st := w.stateOf(poison.Key); st != model.LeftOut {
		t.Errorf("state %s", st)
	}
	if n := len(w.node.channels); n != 4 {
		t.Errorf("%d channels are there", n)
	}
}

// mortalNode is a lightningd that stops when it is given one channel.
type mortalNode struct {
	*fakeNode
	poison uint64

	mu   sync.Mutex
	down bool
}

func (n *mortalNode) dead() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.down
}

func (n *mortalNode) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
}

func (n *mortalNode) RecoverChannel(ctx context.Context, scbs [][]byte) ([]channel.ID, error) {
	for _, raw := range scbs {
		if e, err := scbconv.Decode(raw); err == nil && e.DBID == n.poison {
			n.kill()
		}
	}
	if n.dead() {
		return nil, lightningd.ErrUnreachable
	}
	return n.fakeNode.RecoverChannel(ctx, scbs)
}

func (n *mortalNode) PeerChannels(ctx context.Context) ([]api.PeerChannel, error) {
	if n.dead() {
		return nil, lightningd.ErrUnreachable
	}
	return n.fakeNode.PeerChannels(ctx)
}

func (n *mortalNode) SaveRecord(ctx context.Context, key []string, value string) error {
	if n.dead() {
		return lightningd.ErrUnreachable
	}
	return n.fakeNode.SaveRecord(ctx, key, value)
}

// TestAFundingThatNobodyCanConfirmWaitsForTheBackupToBeOld: without bitcoind
// itself, getutxout does not tell confirmed from unconfirmed.
func TestAFundingThatNobodyCanConfirmWaitsForTheBackupToBeOld(t *testing.T) {
	s := newStory(t, "used-both-ways")
	var mu sync.Mutex
	now := readCorpus(t, "used-both-ways").CreatedAt.Add(decision.Youngest - time.Minute)
	s.deps.Bitcoind = nil
	s.deps.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	s.start()
	a := s.begin()
	if a.Channels[0].Result != answer.NotYetConfirmed || s.state() != model.FundingUnconfirmed {
		t.Fatalf("result %s, state %s", a.Channels[0].Result, s.state())
	}
	mu.Lock()
	now = now.Add(2 * time.Minute)
	mu.Unlock()
	s.until("the import", func() bool { s.look(); return count(s.node.calls(), "recoverchannel") == 1 })
}

// TestAKillInTheMiddleOfTheAlarmForgetsNoChannel: the alarm is on record before
// the channels' states are.
func TestAKillInTheMiddleOfTheAlarmForgetsNoChannel(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	if _, err := w.recover(pathOf(t, "three-peers")); err != nil {
		t.Fatal(err)
	}
	w.stop()
	r := *w.seen.Load().Run
	r.Alive = "its numbers moved"
	if err := record.Open(w.node).Write(t.Context(), model.Save{Run: &r}); err != nil {
		t.Fatal(err)
	}
	w.start()
	if st := w.status(); st.Totals.ByState[model.HostedAlive] != st.Totals.Channels || st.Totals.Channels == 0 {
		t.Errorf("states %v", st.Totals.ByState)
	}
}
