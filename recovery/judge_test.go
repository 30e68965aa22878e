package recovery

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
)

// futureCommitment is the peer's commitment of after the backup: the snapshot's
// with another point and number.
func (s *story) futureCommitment(change func(*channel.Commitment)) *wire.MsgTx {
	s.t.Helper()
	ours, err := s.keys.Basepoints(s.ch.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	key, err := btcec.NewPrivateKey()
	if err != nil {
		s.t.Fatal(err)
	}
	c := *s.ch.State.CounterpartyCommit
	change(&c)
	tx, err := bolt3.BuildCommitment(s.ch, ours, &c, s.ch.State.NextCounterpartyCommitNum+5, channel.PubKeyOf(key.PubKey()))
	if err != nil {
		s.t.Fatal(err)
	}
	return tx.Tx
}

// TestACommitmentNewerThanTheBackupSaysWhatItHides: outputs that it cannot name
// may be payments to us, and the user must not read that all came back, nor be
// told that all is done.
func TestACommitmentNewerThanTheBackupSaysWhatItHides(t *testing.T) {
	s := newStory(t, "htlc-in-flight")
	tx := s.futureCommitment(func(*channel.Commitment) {})
	v := judge.Close(s.ch, tx, 200, s.keys)
	if v.Kind != judge.Theirs || len(v.Owed) != 1 || v.Unnamed < 2 {
		t.Fatalf("%+v", v)
	}
	s.closes(tx)
	s.begin()
	s.untilState(model.CloseSeen)
	s.mine(1)
	s.untilState(model.OutputsWaiting)
	s.credit(tx, int(v.Owed[0].OutPoint.Index))
	s.until("to_remote credited", func() bool { s.look(); return s.status().Totals.RecoveredMsat > 0 })
	s.mine(model.FinalConfs)
	s.looked()
	if c := s.status().Channels[0]; c.State != model.OutputsWaiting || !strings.Contains(c.Reason, "cannot tell who owns") {
		t.Errorf("%s: %s", c.State, c.Reason)
	}
	// Without to_remote and with payments nobody can tell anything: such a
	// channel is not left out.
	tx = s.futureCommitment(func(c *channel.Commitment) { c.ToCountersignerSat = 0 })
	if v := judge.Close(s.ch, tx, 200, s.keys); v.NothingOurs() {
		t.Errorf("surely not ours: %+v", v)
	}
}

// TestWithoutTheSecretPendingPaymentsAreNotForgotten: to_remote is in the
// wallet, and the channel is not resolved, however deep.
func TestWithoutTheSecretPendingPaymentsAreNotForgotten(t *testing.T) {
	for name, want := range map[string]model.ChannelState{"htlc-in-flight": model.OutputsWaiting, "used-both-ways": model.Resolved} {
		s := newStory(t, name)
		commit := s.theirCommitment()
		without := newWorld(t, name, false)
		s.deps.OpenKeys = without.deps.OpenKeys
		s.start()
		s.begin()
		s.chain.Mine(commit.Tx)
		s.BlockAdded()
		s.untilState(model.OutputsWaiting)
		s.credit(commit.Tx, bolt3test.Output(commit, bolt3.ToRemoteOutput))
		s.mine(model.FinalConfs + 5)
		s.until("to_remote credited", func() bool { s.look(); return s.status().Totals.RecoveredMsat > 0 })
		s.untilState(want)
		if want != model.Resolved {
			s.looked()
		}
		if c := s.status().Channels[0]; c.State != want || (want == model.OutputsWaiting && !strings.Contains(c.Reason, "hsm_secret")) {
			t.Errorf("%s: %s (%s)", name, c.State, c.Reason)
		}
	}
}
