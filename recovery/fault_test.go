package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/model"
)

// callFault is what befalls one call to lightningd, to the chain or to a peer.
type callFault string

const (
	killedBefore callFault = "killed before it"
	killedAfter  callFault = "killed after it"
	refused      callFault = "an error"
	doneUnheard  callFault = "an error, and it was done all the same"
	noAnswer     callFault = "no answer"
	nothing      callFault = "null"
	reorganised  callFault = "a reorganisation before it"
	twoDaysLater callFault = "the clock jumps two days ahead"
)

var callFaults = []callFault{killedBefore, killedAfter, refused, doneUnheard, noAnswer, nothing, reorganised, twoDaysLater}

// callAt names a kind of call and the part of the story.
type callAt struct{ name, part string }

// points are the calls of a story; the fault befalls the first one of its kind in
// that part.
type points struct {
	s     *story
	at    callAt
	fault callFault

	mu     sync.Mutex
	part   string
	seen   []callAt
	struck bool
	jump   time.Duration
	dead   bool
}

// strikes notes a call and returns what befalls it.
func (p *points) strikes(name string) callFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := callAt{name, p.part}
	if !slices.Contains(p.seen, c) {
		p.seen = append(p.seen, c)
	}
	if p.struck || c != p.at {
		return ""
	}
	p.struck = true
	return p.fault
}

// die ends the program: whoever calls hears no more of it.
func (p *points) die(ctx context.Context) error {
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

var errFault = errors.New("no space left on device")

// through lets a call through, or what befalls it.
func through[T any](ctx context.Context, p *points, name string, do func() (T, error)) (T, error) {
	var zero T
	switch p.strikes(name) {
	case killedBefore:
		return zero, p.die(ctx)
	case killedAfter:
		_, _ = do()
		return zero, p.die(ctx)
	case refused:
		return zero, errFault
	case doneUnheard:
		_, _ = do()
		return zero, errFault
	case noAnswer:
		select {
		case <-ctx.Done():
			return zero, ctx.Err()
		case <-time.After(time.Hour):
			return zero, fmt.Errorf("%s: %w", name, errFault)
		}
	case nothing:
		return zero, nil
	case reorganised:
		p.s.chain.Reorg(2, true)
		p.s.chain.MineN(2)
		p.s.chain.MineMempool()
	case twoDaysLater:
		p.mu.Lock()
		p.jump = 48 * time.Hour
		p.mu.Unlock()
	}
	return do()
}

// orNone is how the clients hand on null where there must be something.
func orNone[T any](v *T, err error) (*T, error) {
	if v == nil && err == nil {
		err = fmt.Errorf("null: %w", chain.ErrNoBlock)
	}
	return v, err
}

// faultyNode is a lightningd whose calls may meet the fault.
type faultyNode struct {
	*fakeNode
	*points
}

func (n faultyNode) Info(ctx context.Context) (api.Info, error) {
	return through(ctx, n.points, "getinfo", func() (api.Info, error) { return n.fakeNode.Info(ctx) })
}

func (n faultyNode) PeerChannels(ctx context.Context) ([]api.PeerChannel, error) {
	return through(ctx, n.points, "listpeerchannels", func() ([]api.PeerChannel, error) { return n.fakeNode.PeerChannels(ctx) })
}

func (n faultyNode) ClosedChannels(ctx context.Context) ([]channel.ID, error) {
	return through(ctx, n.points, "listclosedchannels", func() ([]channel.ID, error) { return n.fakeNode.ClosedChannels(ctx) })
}

func (n faultyNode) StaticBackup(ctx context.Context) ([][]byte, error) {
	return through(ctx, n.points, "staticbackup", func() ([][]byte, error) { return n.fakeNode.StaticBackup(ctx) })
}

func (n faultyNode) GossipNode(ctx context.Context, id channel.PubKey) (*api.GossipNode, error) {
	return through(ctx, n.points, "listnodes", func() (*api.GossipNode, error) { return n.fakeNode.GossipNode(ctx, id) })
}

func (n faultyNode) Wallet(ctx context.Context) ([]api.WalletOutput, error) {
	return through(ctx, n.points, "listfunds", func() ([]api.WalletOutput, error) { return n.fakeNode.Wallet(ctx) })
}

func (n faultyNode) Configs(ctx context.Context) (map[string]string, error) {
	return through(ctx, n.points, "listconfigs", func() (map[string]string, error) { return n.fakeNode.Configs(ctx) })
}

func (n faultyNode) Records(ctx context.Context, key []string) ([]api.Record, error) {
	return through(ctx, n.points, "listdatastore", func() ([]api.Record, error) { return n.fakeNode.Records(ctx, key) })
}

func (n faultyNode) RecoverChannel(ctx context.Context, scbs [][]byte) ([]channel.ID, error) {
	return through(ctx, n.points, "recoverchannel", func() ([]channel.ID, error) { return n.fakeNode.RecoverChannel(ctx, scbs) })
}

func (n faultyNode) SaveRecord(ctx context.Context, key []string, value string) error {
	_, err := through(ctx, n.points, "datastore "+key[1], func() (any, error) { return nil, n.fakeNode.SaveRecord(ctx, key, value) })
	return err
}

func (n faultyNode) DeleteRecord(ctx context.Context, key []string) error {
	_, err := through(ctx, n.points, "deldatastore", func() (any, error) { return nil, n.fakeNode.DeleteRecord(ctx, key) })
	return err
}

// faultyBackend is lightningd's backend, faultyBitcoind bitcoind itself.
type faultyBackend struct {
	chain.Backend
	*points
}

func (b faultyBackend) ChainInfo(ctx context.Context) (chain.Info, error) {
	return through(ctx, b.points, "getchaininfo", func() (chain.Info, error) { return b.Backend.ChainInfo(ctx) })
}

func (b faultyBackend) UTXO(ctx context.Context, op wire.OutPoint) (*chain.TxOut, error) {
	return through(ctx, b.points, "getutxout", func() (*chain.TxOut, error) { return b.Backend.UTXO(ctx, op) })
}

func (b faultyBackend) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	return orNone(through(ctx, b.points, "getrawblockbyheight", func() (*chain.Block, error) { return b.Backend.Block(ctx, height) }))
}

func (b faultyBackend) SendRaw(ctx context.Context, tx *wire.MsgTx, high bool) error {
	_, err := through(ctx, b.points, "sendrawtransaction", func() (any, error) { return nil, b.Backend.SendRaw(ctx, tx, high) })
	return err
}

type faultyBitcoind struct {
	chain.Node
	*points
}

func (n faultyBitcoind) BlockchainInfo(ctx context.Context) (chain.BlockchainInfo, error) {
	return through(ctx, n.points, "getblockchaininfo", func() (chain.BlockchainInfo, error) { return n.Node.BlockchainInfo(ctx) })
}

func (n faultyBitcoind) BlockHash(ctx context.Context, height uint32) (chainhash.Hash, error) {
	return through(ctx, n.points, "getblockhash", func() (chainhash.Hash, error) { return n.Node.BlockHash(ctx, height) })
}

func (n faultyBitcoind) HeaderAt(ctx context.Context, height uint32) (*wire.BlockHeader, error) {
	return orNone(through(ctx, n.points, "getblockheader", func() (*wire.BlockHeader, error) { return n.Node.HeaderAt(ctx, height) }))
}

func (n faultyBitcoind) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	return orNone(through(ctx, n.points, "getblock", func() (*chain.Block, error) { return n.Node.Block(ctx, height) }))
}

func (n faultyBitcoind) TxOut(ctx context.Context, op wire.OutPoint, mempool bool) (*chain.UTXO, error) {
	return through(ctx, n.points, "gettxout", func() (*chain.UTXO, error) { return n.Node.TxOut(ctx, op, mempool) })
}

func (n faultyBitcoind) Spenders(ctx context.Context, ops []wire.OutPoint) (map[wire.OutPoint]chainhash.Hash, error) {
	return through(ctx, n.points, "gettxspendingprevout", func() (map[wire.OutPoint]chainhash.Hash, error) { return n.Node.Spenders(ctx, ops) })
}

func (n faultyBitcoind) Transaction(ctx context.Context, id chainhash.Hash, block *chainhash.Hash) (*chain.Transaction, error) {
	return through(ctx, n.points, "getrawtransaction", func() (*chain.Transaction, error) { return n.Node.Transaction(ctx, id, block) })
}

// faultyPeers are peers; a session never ends without a word.
type faultyPeers struct {
	*fakePeers
	*points
}

func (f faultyPeers) Read(ctx context.Context, t peer.Target, expect ...channel.ID) (*peer.Reading, error) {
	n, err := through(ctx, f.points, "numbers", func() (*peer.Reading, error) { return f.fakePeers.Read(ctx, t, expect...) })
	if err == nil && n == nil {
		n = &peer.Reading{Result: peer.Silent}
	}
	return n, err
}

func (f faultyPeers) AskClose(ctx context.Context, t peer.Target, a peer.Ask) (*peer.Outcome, error) {
	o, err := through(ctx, f.points, "session", func() (*peer.Outcome, error) { return f.fakePeers.AskClose(ctx, t, a) })
	if err == nil && o == nil {
		o = &peer.Outcome{Result: peer.Silent}
	}
	return o, err
}

// tellWith tells the story of one channel, from the command to the last block, with
// one fault on the way, and returns the calls that were made and whether one was the
// fault's: which of two comes first is not always the same.
func tellWith(t *testing.T, at callAt, x callFault) (seen []callAt, struck bool) {
	s := newStory(t, "used-both-ways")
	p := &points{s: s, at: at, fault: x}
	s.deps.Node = faultyNode{s.node, p}
	s.deps.Backend = faultyBackend{s.deps.Backend, p}
	s.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return faultyBitcoind{s.chain.Node(), p} }
	s.deps.NewPeers = func(api.Node, peer.NodeKey) (closing.Peers, error) { return faultyPeers{s.peers, p}, nil }
	s.deps.WatchEvery = 0
	now := s.deps.Now
	s.deps.Now = func() time.Time {
		p.mu.Lock()
		defer p.mu.Unlock()
		return now().Add(p.jump)
	}
	defer func() { s.stop() }()

	// lightningd starts the program again where it cannot begin.
	start := func() {
		for range 5 {
			s.stop()
			var ctx context.Context
			ctx, s.stop = context.WithCancel(t.Context())
			s.deps.Store = faultyNode{s.node, p}
			s.Service = New(s.deps)
			started := make(chan error)
			go func() { started <- s.Start(ctx, s.facts) }()
			for waiting := true; waiting; {
				select {
				case err := <-started:
					if waiting = false; err == nil {
						return
					}
				case <-time.After(time.Second):
					p.mu.Lock()
					if p.dead {
						p.dead = false
						s.stop()
					}
					p.mu.Unlock()
				}
			}
		}
		t.Fatal("it does not start")
	}
	// The program is started again when it was killed.
	revive := func() bool {
		p.mu.Lock()
		dead := p.dead
		p.dead = false
		p.mu.Unlock()
		if dead {
			start()
		}
		return dead
	}
	wait := func(what string, ok func() bool) {
		t.Helper()
		p.mu.Lock()
		p.part = what
		p.mu.Unlock()
		for range 2 * 60 * 60 {
			if revive(); ok() {
				return
			}
			time.Sleep(time.Second)
		}
		t.Fatalf("waited in vain for %s; the channel is %s: %+v", what, s.state(), s.status().Channels)
	}
	in := func(want model.ChannelState) func() bool { return func() bool { return s.state() == want } }

	commit := s.theirCommitment()
	s.closes(commit.Tx)
	s.peers.numbers[s.ch.ID()] = s.current()
	p.part = "the start"
	start()
	// Like a person, until it says that it has begun. A kill ends the command.
	begin := func() bool {
		done := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _, err := s.Recover(ctx, s.params(), silent{}); done <- err }()
		for {
			select {
			case err := <-done:
				return err == nil
			case <-time.After(time.Second):
				if revive() {
					cancel()
				}
			}
		}
	}
	wait("the answer and the close", func() bool {
		switch s.state() {
		case model.CloseSeen, model.OutputsWaiting: // where a reorganisation took it into a block
			return true
		case "", model.LeftOut:
			begin()
		}
		return false
	})
	s.mine(1)
	wait("the block", in(model.OutputsWaiting))
	s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
	wait("the coin", in(model.Credited))
	s.mine(model.FinalConfs)
	wait("the end", in(model.Resolved))
	time.Sleep(time.Minute) // what could not be saved is saved later
	st := s.status()
	if want := 1000 * s.node.wallet[0].Sat; st.Channels[0].RecoveredMsat != want {
		t.Errorf("%d msat recovered, want %d", st.Channels[0].RecoveredMsat, want)
	}
	if tx, _ := s.chain.Spend(s.ch.Funding); tx == nil || tx.TxHash() != commit.Tx.TxHash() {
		t.Errorf("the funding output is spent by %v", tx)
	}
	if len(st.Alarms) > 0 {
		t.Errorf("alarms: %v", st.Alarms)
	}
	if n := len(s.node.channels); n != 1 {
		t.Errorf("%d stubs", n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen, p.struck
}

// A fault at each call that the loop makes, in each state of the channel, changes
// nothing of how its recovery ends.
func TestAFaultAtAnyCall(t *testing.T) {
	var calls []callAt
	synctest.Test(t, func(t *testing.T) { calls, _ = tellWith(t, callAt{}, "") })
	struck := 0
	for _, c := range calls {
		for _, x := range callFaults {
			t.Run(fmt.Sprintf("%s %s %s", c.name, c.part, x), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if _, did := tellWith(t, c, x); did {
						struck++
					}
				})
			})
		}
	}
	if all := len(calls) * len(callFaults); struck < all*9/10 {
		t.Errorf("of %d faults %d came to pass", all, struck)
	}
	t.Logf("MEASURED: %d faults at %d calls, each ends well", struck, len(calls))
}

var (
	_ Node          = faultyNode{}
	_ closing.Peers = faultyPeers{}
)
