package recovery

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
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
// may be payments to us, and the user must not read that all came back.
func TestACommitmentNewerThanTheBackupSaysWhatItHides(t *testing.T) {
	s := newStory(t, "htlc-in-flight")
	tx := s.futureCommitment(func(*channel.Commitment) {})
	v := judge(s.ch, tx, 200, s.keys)
	if v.Kind != kindTheirs || len(v.Owed) != 1 || v.Unnamed < 2 {
		t.Fatalf("%+v", v)
	}
	if text := settled(v, []WalletOutput{{Sat: v.Owed[0].Sat}}); !strings.Contains(text, "cannot be named") {
		t.Errorf("with to_remote: %q", text)
	}
	// Without to_remote and with payments nobody can tell anything: such a
	// channel is not left out.
	tx = s.futureCommitment(func(c *channel.Commitment) { c.ToCountersignerSat = 0 })
	if v := judge(s.ch, tx, 200, s.keys); v.nothingOurs() {
		t.Errorf("surely not ours: %+v", v)
	}
	s.chain.Mine(tx)
	if a := s.begin(); a.Channels[0].Result != DidImport {
		t.Errorf("result %s", a.Channels[0].Result)
	}
}

// TestWithoutTheSecretPendingPaymentsAreNotForgotten: to_remote is in the
// wallet, and the channel is not resolved, however deep.
func TestWithoutTheSecretPendingPaymentsAreNotForgotten(t *testing.T) {
	s := newStory(t, "htlc-in-flight")
	commit := s.theirCommitment()
	v := judge(s.ch, commit.Tx, 100, nil)
	if v.Kind != kindNoSecret {
		t.Fatalf("kind %s", v.Kind)
	}
	tr := &track{Channel: *s.ch, State: OutputsWaiting, Close: &closing{Txid: commit.Tx.TxHash().String(), Height: 100}}
	found := []WalletOutput{{Sat: 1000}}
	f := &facts{tip: 100 + finalConfs + 5}
	if to, reason := next(tr, v, found, f); to != OutputsWaiting || !strings.Contains(reason, "hsm_secret") {
		t.Errorf("with payments under way: %s (%s)", to, reason)
	}
	for _, c := range []**channel.Commitment{
		&tr.Channel.State.HolderCommit, &tr.Channel.State.NextHolderCommit,
		&tr.Channel.State.CounterpartyCommit, &tr.Channel.State.PrevCounterpartyCommit,
	} {
		if *c != nil {
			bare := **c
			bare.Offered, bare.Received = nil, nil
			*c = &bare
		}
	}
	if to, _ := next(tr, v, found, f); to != Resolved {
		t.Errorf("without: %s", to)
	}
}
