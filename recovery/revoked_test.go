package recovery

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/model"
)

// TestAPaymentOfARevokedCommitmentThatTheBackupDoesNotKnowIsPunished: its output
// cannot be named, but what the peer's HTLC transaction makes of it can.
func TestAPaymentOfARevokedCommitmentThatTheBackupDoesNotKnowIsPunished(t *testing.T) {
	s := newStory(t, "used-both-ways")
	ours, err := s.keys.Basepoints(s.ch.Key)
	if err != nil {
		t.Fatal(err)
	}
	const n = 2
	secret, ok := bolt3.SecretAt(s.ch.State.Secrets, n)
	if !ok {
		t.Fatal("the case does not reveal it")
	}
	old := *s.ch.State.CounterpartyCommit
	old.ToBroadcasterSat -= 60_000
	old.Offered = []channel.HTLC{{ValueSat: 60_000, PaymentHash: [32]byte{3, 1}, CLTVExpiry: 105}}
	commit, err := bolt3.BuildCommitment(s.ch, ours, &old, n, bolt3.PointOf(secret))
	if err != nil {
		t.Fatal(err)
	}
	s.begin()
	s.chain.AddMempool(commit.Tx)
	s.mine(1)
	toLocal := output(commit, bolt3.ToLocalOutput)
	penalty := s.untilSwept(toLocal)
	s.mine(1)
	s.credit(penalty, 0)
	s.credit(commit.Tx, int(output(commit, bolt3.ToRemoteOutput).Index))
	s.lookTwice()
	if c := s.status().Channels[0]; c.State != model.Cheated || !strings.Contains(c.Reason, "1 output (60000 sat) of payments that were under way") {
		t.Errorf("while the peer can still take a payment: %s (%s)", c.State, c.Reason)
	}
	htlc, err := commit.HTLCTx(commit.HTLCVouts()[0])
	if err != nil {
		t.Fatal(err)
	}
	s.chain.AddMempool(htlc.Tx)
	s.mine(1)
	last := s.untilSwept(wire.OutPoint{Hash: htlc.Tx.TxHash()})
	s.mine(1)
	s.credit(last, 0)
	s.untilState(model.Credited)
}
