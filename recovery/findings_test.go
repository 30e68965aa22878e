package recovery

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/closing"
	"github.com/glrecover/glrecover/recovery/keyring"
	"github.com/glrecover/glrecover/recovery/model"
)

// TestOutputsThatWereTakenWhileLightningdWasDownAreSeen at the next start.
func TestOutputsThatWereTakenWhileLightningdWasDownAreSeen(t *testing.T) {
	s := newStory(t, "htlc-in-flight")
	commit := s.closed(1)
	s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
	s.looked()
	s.stop()
	var ops []wire.OutPoint
	for _, vout := range commit.HTLCVouts() {
		ops = append(ops, wire.OutPoint{Hash: commit.Tx.TxHash(), Index: uint32(vout)})
	}
	s.chain.Mine(chaintest.SpendTo(1000, []byte{0x51}, ops...))
	s.chain.MineN(3)
	s.start()
	s.looked()
	s.chain.MineN(200)
	s.BlockAdded()
	s.untilState(model.Resolved)
}

// TestAChannelThatWasLeftOutIsImportedWhenALaterCallSaysSo, and its funding has
// its confirmations.
func TestAChannelThatWasLeftOutIsImportedWhenALaterCallSaysSo(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.node.refuse[s.ch.DBID] = true
	if a := s.begin(); a.Channels[0].State != model.LeftOut {
		t.Fatalf("%s: %s", a.Channels[0].Result, a.Channels[0].State)
	}
	s.node.refuse[s.ch.DBID] = false
	s.chain.Reorg(10, true)
	s.chain.MineMempool()
	a := s.begin()
	if c := a.Channels[0]; c.Result != answer.NotYetConfirmed || c.State != model.FundingUnconfirmed {
		t.Fatalf("%s, %s: %s", c.Result, c.State, c.Reason)
	}
	s.chain.MineN(20)
	s.BlockAdded()
	s.untilState(model.Imported)
}

// TestACloseInAPrunedBlockStopsNobodyElse: without bitcoind nobody can read its
// block again; another channel's peer is asked all the same.
func TestACloseInAPrunedBlockStopsNobodyElse(t *testing.T) {
	for name, pruned := range map[string]bool{"pruned": true, "whole": false} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t, "htlc-in-flight")
			s.deps.Bitcoind = nil
			s.start()
			commit := s.theirCommitment()
			s.closes(commit.Tx)
			s.begin()
			s.until("the close in the mempool", func() bool { s.look(); return len(s.chain.Mempool()) > 0 })
			s.mine(1)
			s.untilState(model.OutputsWaiting) // for ever: HTLC outputs that this version cannot claim
			s.mine(400)
			s.lookTwice()
			s.stop()
			other := s.seen.Load().Channels[s.ch.Key].Record
			other.Channel.DBID, other.Channel.Funding.Index = 77, 9
			other.State, other.Close, other.Seen, other.First = model.Imported, nil, nil, nil
			s.save(model.Save{Channels: []model.Record{other}})
			s.node.mu.Lock()
			s.node.channels = append(s.node.channels, s.node.channels[0])
			s.node.channels[1].ID = other.Channel.ID()
			s.node.mu.Unlock()
			if pruned {
				s.chain.Prune(s.chain.Height() - 288)
			}
			asked := s.peers.asked()
			s.start() // lightningd restarts
			s.until("the other channel's peer to be asked", func() bool { return s.peers.asked() > asked })
			if got := s.state(); got != model.OutputsWaiting {
				t.Errorf("the close in the block: %s", got)
			}
		})
	}
}

// TestWithoutANewBlockNoBlockIsReadAgain, also where bitcoind cannot be asked:
// lightningd waits for each block that bcli reads.
func TestWithoutANewBlockNoBlockIsReadAgain(t *testing.T) {
	s := newStory(t, "used-both-ways")
	backend := s.chain.Backend()
	s.deps.Backend = backend
	s.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return nil }
	s.start()
	s.begin()
	s.until("the end of the look-back", func() bool { s.look(); return s.seen.Load().LookBack.Done })
	s.looked()
	before, _ := backend.BlockRequests()
	for range 10 {
		s.looked()
	}
	if after, _ := backend.BlockRequests(); len(after) > len(before) {
		t.Errorf("%d block requests in 20 looks without a new block", len(after)-len(before))
	}
}

// blockedPeers hold a session until they are told.
type blockedPeers struct {
	*fakePeers
	in, out chan struct{}
}

func (p blockedPeers) Read(ctx context.Context, t peer.Target, e ...channel.ID) (*peer.Reading, error) {
	close(p.in)
	<-p.out
	return p.fakePeers.Read(ctx, t, e...)
}

// TestOpeningsAreRefusedWhileGlrecoverIsAtWork: a channel that is opened between
// the gates and the import would clash with it.
func TestOpeningsAreRefusedWhileGlrecoverIsAtWork(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	held := blockedPeers{w.peers, make(chan struct{}), make(chan struct{})}
	w.deps.NewPeers = func(api.Node, peer.NodeKey) (closing.Peers, error) { return held, nil }
	w.start()
	done := make(chan error, 1)
	go func() { _, err := w.recover(pathOf(t, "used-both-ways")); done <- err }()
	<-held.in
	other := readCorpus(t, "stale").Channels[0].Peer
	for _, p := range []*channel.PubKey{&readCorpus(t, "used-both-ways").Channels[0].Peer, &other, nil} {
		if err := w.OpeningAllowed(t.Context(), p, "fundchannel"); err == nil || !strings.Contains(err.Error(), "opening_refused") {
			t.Errorf("in the middle of glrecover an opening is allowed: %v", err)
		}
	}
	close(held.out)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestOutputsThatWereTakenBeforeTheSecretCameAreSeen: only the secret names them.
func TestOutputsThatWereTakenBeforeTheSecretCameAreSeen(t *testing.T) {
	s := newStory(t, "htlc-in-flight")
	with := s.deps.OpenKeys
	s.deps.OpenKeys = func(api.Node, channel.PubKey) (keyring.Keys, error) { return nil, fmt.Errorf("no file") }
	s.start()
	s.begin()
	commit := s.theirCommitment()
	s.chain.Mine(commit.Tx)
	s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
	var ops []wire.OutPoint
	for _, vout := range commit.HTLCVouts() {
		ops = append(ops, wire.OutPoint{Hash: commit.Tx.TxHash(), Index: uint32(vout)})
	}
	s.chain.Mine(chaintest.SpendTo(1000, []byte{0x51}, ops...))
	s.mine(model.FinalConfs)
	s.untilState(model.OutputsWaiting)
	s.lookTwice()
	s.deps.OpenKeys = with
	s.start()
	s.untilState(model.Resolved)
}

// TestABusyMomentOfBitcoindIsForgottenAgain: the block that could not be read is
// read later, and the close ends as it would have.
func TestABusyMomentOfBitcoindIsForgottenAgain(t *testing.T) {
	s, _, _, sat := creditedStory(t)
	backend, node := s.chain.Backend(), s.chain.Node()
	s.deps.Backend = backend
	s.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return node }
	s.start()
	s.untilState(model.Credited)
	backend.SetDown(true)
	node.SetDown(true)
	s.mine(1)
	s.until("the trouble to be told", func() bool { return s.status().Chain.Trouble != "" })
	if c := s.status().Channels[0]; c.State != model.Credited || c.RecoveredMsat != channel.Msat(sat) {
		t.Errorf("in the busy moment: %+v", c)
	}
	backend.SetDown(false)
	node.SetDown(false)
	s.mine(150)
	s.untilState(model.Resolved)
}

// TestACoinThatAReorganisationUnconfirmsIsNotInTheWallet, until it is again.
func TestACoinThatAReorganisationUnconfirmsIsNotInTheWallet(t *testing.T) {
	s, commit, vout, sat := creditedStory(t)
	s.chain.Reorg(1, true)
	s.node.mu.Lock()
	s.node.wallet = nil
	s.node.mu.Unlock()
	s.chain.MineN(2)
	s.BlockAdded()
	s.untilState(model.CloseSeen)
	if st := s.status(); st.Totals.RecoveredMsat != 0 || strings.Contains(st.Channels[0].Reason, "in the wallet") {
		t.Errorf("unconfirmed: %+v", st.Channels[0])
	}
	s.mine(1)
	s.credit(commit, vout)
	s.untilState(model.Credited)
	if got := s.status().Totals.RecoveredMsat; got != channel.Msat(sat) {
		t.Errorf("recovered %d", got)
	}
}

// TestACloseFromBeforeTheBackupsDateIsFound, also where nobody can ask bitcoind's
// UTXO set, or bitcoind itself: the blocks before that date are looked through.
func TestACloseFromBeforeTheBackupsDateIsFound(t *testing.T) {
	for name, node := range map[string]func(*chaintest.Chain) chain.Node{
		"no scan of the UTXO set": func(c *chaintest.Chain) chain.Node { return c.Node() },
		"no bitcoind":             nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t, "used-both-ways")
			if s.deps.Bitcoind = nil; node != nil {
				s.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return node(s.chain) }
			}
			s.start()
			commit := s.theirCommitment()
			s.chain.Mine(commit.Tx)
			s.chain.MineN(700)
			written := readCorpus(t, "used-both-ways").CreatedAt
			s.chain.SetTime(written.Add(24 * time.Hour))
			s.chain.MineN(20)
			s.begin()
			s.untilState(model.OutputsWaiting)
			s.untilSwept(output(commit, bolt3.ToRemoteOutput))
			if l := s.status().Chain.LookBack; strings.Contains(l, "older than the backup") {
				t.Errorf("the look at older blocks is still named: %q", l)
			}
		})
	}
}
