package recovery

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/model"
)

// TestAPreimageOfASweepOnRecordIsKnownAfterARestart: without it the sweep could not
// be made dearer before the payment expires.
func TestAPreimageOfASweepOnRecordIsKnownAfterARestart(t *testing.T) {
	s := newStory(t, "used-both-ways")
	preimage := [32]byte{7, 1}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{Witness: wire.TxWitness{{1}, preimage[:], {2}}})
	tx.AddTxOut(wire.NewTxOut(1_000, []byte{0x51}))
	raw, err := chain.EncodeTx(tx)
	if err != nil {
		t.Fatal(err)
	}
	kept := *s.ch
	kept.State = channel.State{}
	s.save(model.Save{Run: &model.Run{NodeID: s.node.info.ID}, Channels: []model.Record{{
		Channel: kept, State: model.OutputsWaiting, Sweeps: []model.Sweep{{Txid: tx.TxHash().String(), Raw: raw}},
	}}})
	s.start()
	if got := s.maker.Preimages()[sha256.Sum256(preimage[:])]; got != preimage {
		t.Error("it is forgotten")
	}
}

// TestAClaimThatIsTooDearAsksForOneAddress, and for no feerate that bitcoind refuses.
func TestAClaimThatIsTooDearAsksForOneAddress(t *testing.T) {
	s := newStory(t, "used-both-ways")
	var addresses atomic.Int32
	s.deps.Sweeps.Address = func(context.Context) (string, error) {
		addresses.Add(1)
		return walletAddress, nil
	}
	s.deps.Sweeps.Feerate = func(context.Context, string) (uint32, error) { return 10_000_000, nil }
	s.start()
	commit := s.theirCommitment()
	op := output(commit, bolt3.ToRemoteOutput)
	s.closedBefore(commit.Tx)
	s.begin()
	for range 3 {
		s.quiet(1)
		s.until("the trouble", func() bool {
			s.look()
			c := s.seen.Load().Channels[s.ch.Key]
			return c != nil && s.seen.Load().Tip.Height == s.chain.Height() && strings.HasPrefix(c.Troubles[op].Text, "uneconomic_at 8000 sat/vB")
		})
		s.lookTwice()
	}
	if n := addresses.Load(); n != 1 {
		t.Errorf("%d addresses", n)
	}
}
