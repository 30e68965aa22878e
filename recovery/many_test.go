package recovery

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/record"
	"github.com/glrecover/glrecover/recovery/sessions"
)

// tally counts the calls that the engine makes, by name.
type tally struct {
	mu    sync.Mutex
	calls map[string]int
}

func (c *tally) note(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[call]++
}

// take returns what was counted since it was called last.
func (c *tally) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.calls
	c.calls = map[string]int{}
	return was
}

// countedNode is a lightningd whose calls are counted.
type countedNode struct {
	*fakeNode
	*tally
}

func (n countedNode) PeerChannels(ctx context.Context) ([]api.PeerChannel, error) {
	n.note("listpeerchannels")
	return n.fakeNode.PeerChannels(ctx)
}

func (n countedNode) ClosedChannels(ctx context.Context) ([]channel.ID, error) {
	n.note("listclosedchannels")
	return n.fakeNode.ClosedChannels(ctx)
}

func (n countedNode) Wallet(ctx context.Context) ([]api.WalletOutput, error) {
	n.note("listfunds")
	return n.fakeNode.Wallet(ctx)
}

func (n countedNode) GossipNode(ctx context.Context, id channel.PubKey) (*api.GossipNode, error) {
	n.note("listnodes")
	return n.fakeNode.GossipNode(ctx, id)
}

func (n countedNode) SaveRecord(ctx context.Context, key []string, value string) error {
	n.note("datastore")
	return n.fakeNode.SaveRecord(ctx, key, value)
}

// countedBackend is a backend whose calls are counted.
type countedBackend struct {
	chain.Backend
	*tally
}

func (b countedBackend) ChainInfo(ctx context.Context) (chain.Info, error) {
	b.note("getchaininfo")
	return b.Backend.ChainInfo(ctx)
}

func (b countedBackend) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	b.note("getrawblockbyheight")
	return b.Backend.Block(ctx, height)
}

// countedPeers are peers whose sessions are counted.
type countedPeers struct {
	*fakePeers
	*tally
}

func (p countedPeers) AskClose(ctx context.Context, t peer.Target, a peer.Ask) (*peer.Outcome, error) {
	p.note("session")
	// As long as a refused connection takes.
	time.Sleep(time.Millisecond)
	return p.fakePeers.AskClose(ctx, t, a)
}

// newCrowd is a world in which n channels with n peers were imported in an
// earlier run of the plugin, and nobody is there. Call it in a bubble.
func newCrowd(t *testing.T, n int) (*world, *tally) {
	t.Helper()
	w := newWorld(t, "used-both-ways", true)
	w.stop()
	counts := &tally{calls: map[string]int{}}
	w.deps.Node, w.deps.WatchEvery = countedNode{w.node, counts}, 0
	w.deps.Backend = countedBackend{w.deps.Backend, counts}
	w.deps.NewPeers = func(api.Node, peer.NodeKey) (closing.Peers, error) { return countedPeers{w.peers, counts}, nil }
	base := *readCorpus(t, "used-both-ways").Channels[0]
	now := time.Now()
	save := model.Save{Run: &model.Run{NodeID: base.Key.Peer, Network: "regtest", Imported: now, Mark: "run 1", MaxFeePercent: 10}}
	for i := range n {
		c := base
		_, pub := btcec.PrivKeyFromBytes(binary.BigEndian.AppendUint32(bytes.Repeat([]byte{1}, 28), uint32(i)))
		c.Key = channel.Key{Peer: channel.PubKeyOf(pub), DBID: uint64(i + 1)}
		c.Funding = wire.OutPoint{Hash: chainhash.DoubleHashH([]byte{byte(i), byte(i >> 8)})}
		save.Channels = append(save.Channels, model.Record{
			Channel: c, State: model.Imported, Since: now, Address: "192.0.2.1:9735", Source: "backup", ImportedAt: 90, WatchFrom: w.chain.Height(),
		})
		w.node.channels = append(w.node.channels, api.PeerChannel{
			Peer: c.Peer, ID: c.ID(), Funding: c.Funding, State: "CHANNELD_NORMAL", Stub: true, Private: true,
		})
	}
	if err := record.Open(w.node).Write(t.Context(), save); err != nil {
		t.Fatal(err)
	}
	w.start()
	return w, counts
}

const (
	many = 200
	// looksPerMinute bounds the looks at lightningd and the chain while nothing
	// happens: one every 15 s, and the two at the ends of a minute.
	looksPerMinute = 6
	// triesPerMinute bounds the sessions once each peer is tried every five
	// minutes, a fifth more or less: if jitter put them all together, each could
	// fall into one minute, but none twice.
	triesPerMinute = many
)

// TestTwoHundredChannelsWhosePeersAreAwayKeepNobodyBusy over half an hour:
// calls per minute are counted.
func TestTwoHundredChannelsWhosePeersAreAwayKeepNobodyBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, counts := newCrowd(t, many)
		defer w.stop()
		total := 0
		for minute := range 30 {
			time.Sleep(time.Minute)
			calls := counts.take()
			for _, look := range []string{"getchaininfo", "listpeerchannels", "listclosedchannels", "listfunds"} {
				if calls[look] > looksPerMinute {
					t.Errorf("minute %d: %d calls of %s", minute, calls[look], look)
				}
			}
			tries := triesPerMinute
			switch minute {
			case 0:
				tries = many * 7 // after 0, 1, 3, 7, 15, 31 and 63 s, a fifth more or less
			case 1:
				tries = many * 2 // after 63 and 127 s
			}
			if calls["session"] == 0 && minute == 0 || calls["session"] > tries || calls["listnodes"] > tries {
				t.Errorf("minute %d: %d sessions, %d calls of listnodes", minute, calls["session"], calls["listnodes"])
			}
			if minute > 0 && calls["datastore"] > 0 {
				t.Errorf("minute %d: %d records written, and nothing happened", minute, calls["datastore"])
			}
			if calls["getrawblockbyheight"] > 0 {
				t.Errorf("minute %d: %d blocks fetched", minute, calls["getrawblockbyheight"])
			}
			total += calls["session"]
		}
		// No peer is forgotten either: 9 tries in the first five minutes, then one
		// every six at the latest.
		if total < many*(9+4) {
			t.Errorf("%d sessions in half an hour", total)
		}
	})
}

// TestTheStatusOfTwoHundredChannelsIsThereAtOnce, whatever lightningd and the
// peers are doing: it is told from memory.
func TestTheStatusOfTwoHundredChannelsIsThereAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, counts := newCrowd(t, many)
		defer w.stop()
		time.Sleep(90 * time.Second)
		synctest.Wait()
		counts.take()
		begun := time.Now()
		for range 100 {
			if st := w.status(); len(st.Channels) != many || st.Totals.Channels != many {
				t.Fatalf("%d channels", len(st.Channels))
			}
		}
		// The bubble's clock moves only while everybody waits.
		if took := time.Since(begun); took > 0 {
			t.Errorf("the status waited %s for something", took)
		}
		if calls := counts.take(); len(calls) > 0 {
			t.Errorf("the status made calls: %v", calls)
		}
	})
}

// TestAPeerThatIsBackAfterTenMinutesClosesWithoutHelp, and within the longest
// pause between two tries.
func TestAPeerThatIsBackAfterTenMinutesClosesWithoutHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t, "used-both-ways")
		defer func() { s.stop() }()
		s.begin()
		time.Sleep(10 * time.Minute)
		if got := s.state(); got != model.Imported {
			t.Fatalf("while the peer is away: %s", got)
		}
		s.closes(s.theirCommitment().Tx)
		back := time.Now()
		for s.state() != model.CloseSeen {
			if time.Since(back) > sessions.LastRetry*12/10+time.Minute {
				t.Fatalf("%s after the peer is back: %s", time.Since(back), s.state())
			}
			time.Sleep(time.Second)
		}
	})
}

// TestAPeerThatConnectsIsAskedAtOnce: the pause between two tries ends.
func TestAPeerThatConnectsIsAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t, "used-both-ways")
		defer func() { s.stop() }()
		s.begin()
		time.Sleep(10 * time.Minute)
		s.closes(s.theirCommitment().Tx)
		s.PeerConnected(s.ch.Peer)
		time.Sleep(5 * time.Second)
		if got := s.state(); got != model.CloseSeen {
			t.Errorf("5 s after the peer connected: %s", got)
		}
	})
}
