package recovery

import (
	"context"
	"testing"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
)

// TestWithoutBitcoindItselfAChannelComesHome: its address is known and nothing
// answers there, as with other backends than bcli. The mempool is unseen, and
// all the rest goes on.
func TestWithoutBitcoindItselfAChannelComesHome(t *testing.T) {
	s := newStory(t, "used-both-ways")
	node := s.chain.Node()
	node.SetDown(true)
	s.deps.Bitcoind = func(api.Node, map[string]string) chain.Node { return node }
	s.start()
	commit := s.theirCommitment()
	s.closes(commit.Tx)
	s.begin()
	s.untilState(model.CloseRequested)
	s.mine(1)
	s.untilState(model.OutputsWaiting)
	s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
	s.untilState(model.Credited)
}

// ourCommitment is our own commitment as the snapshot has it, unsigned.
func (s *story) ourCommitment() *bolt3.CommitTx {
	s.t.Helper()
	ours, err := s.keys.Basepoints(s.ch.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	n := s.ch.State.NextHolderCommitNum - 1
	point, err := s.keys.PerCommitmentPoint(s.ch.Key, n)
	if err != nil {
		s.t.Fatal(err)
	}
	tx, err := bolt3.BuildCommitment(s.ch, ours, s.ch.State.HolderCommit, n, point)
	if err != nil {
		s.t.Fatal(err)
	}
	return tx
}

// TestOurOwnCommitmentIsNeverPublished, not even again after somebody else did:
// it may be revoked.
func TestOurOwnCommitmentIsNeverPublished(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.begin()
	s.chain.AddMempool(s.ourCommitment().Tx)
	s.untilState(model.CloseSeen)
	s.until("its kind", func() bool { return s.status().Channels[0].ClosingKind == judge.Ours })
	s.chain.DropMempool()
	for range 3 {
		s.chain.MineN(1)
		s.BlockAdded()
	}
	s.until("the close to be missed", func() bool { s.look(); return s.state() != model.CloseSeen })
	if n := len(s.chain.Mempool()); n > 0 {
		t.Errorf("%d transactions were published", n)
	}
}

// missingBlocks cannot give some blocks.
type missingBlocks struct {
	*chaintest.Backend
	refuse func(height uint32) bool
}

func (b *missingBlocks) Block(ctx context.Context, height uint32) (*chain.Block, error) {
	if b.refuse(height) {
		return nil, chain.ErrUnavailable
	}
	return b.Backend.Block(ctx, height)
}

// TestABlockThatCannotBeReadKeepsNoPeerFromBeingAsked.
func TestABlockThatCannotBeReadKeepsNoPeerFromBeingAsked(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.deps.Bitcoind = nil
	s.deps.Backend = &missingBlocks{s.chain.Backend(), func(uint32) bool { return true }}
	s.start()
	s.begin()
	s.until("the peer is asked", func() bool { return s.peers.asked() > 0 })
}

// TestADeepCloseIsNotFetchedAgainAndAgain: without bitcoind itself each look at
// a block is a request that lightningd waits for.
func TestADeepCloseIsNotFetchedAgainAndAgain(t *testing.T) {
	s := newStory(t, "used-both-ways")
	backend := s.chain.Backend()
	s.deps.Bitcoind, s.deps.Backend = nil, backend
	s.start()
	commit := s.theirCommitment()
	s.closes(commit.Tx)
	s.begin()
	s.untilState(model.CloseRequested)
	s.mine(1)
	s.untilState(model.OutputsWaiting)
	closed := s.status().Channels[0].ClosingHeight
	asked := func() (n int) {
		heights, _ := backend.BlockRequests()
		for _, h := range heights {
			if h == closed {
				n++
			}
		}
		return n
	}
	mine := func(n int) {
		for range n {
			s.mine(1)
			s.until("the block is looked at", func() bool {
				return s.seen.Load().Tip.Height == s.chain.Height()
			})
		}
	}
	mine(13)
	before := asked()
	mine(20)
	if after := asked(); after > before {
		t.Errorf("the close's block was asked for %d times more", after-before)
	}
}
