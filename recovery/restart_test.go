package recovery

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/testdata"
)

// The states that lead off the straight way survive the end of the plugin as
// well: what is on record is all that the next start knows.

// revokedCommitment is one that the peer has revoked, unsigned.
func (s *story) revokedCommitment(n uint64) *wire.MsgTx {
	s.t.Helper()
	ours, err := s.keys.Basepoints(s.ch.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	secret, ok := bolt3.SecretAt(s.ch.State.Secrets, n)
	if !ok {
		s.t.Fatalf("the case does not reveal commitment %d", n)
	}
	tx, err := bolt3.BuildCommitment(s.ch, ours, s.ch.State.CounterpartyCommit, n, bolt3.PointOf(secret))
	if err != nil {
		s.t.Fatal(err)
	}
	return tx.Tx
}

func TestCheatedIsStillCheatedAfterARestart(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.closes(s.revokedCommitment(3))
	s.begin()
	s.untilState(model.Cheated)
	s.start()
	s.until("the alarm", func() bool {
		st := s.status()
		return s.state() == model.Cheated && len(st.Alarms) == 1 && strings.Contains(st.Alarms[0], "CHEATED")
	})
	s.mine(1)
	s.start()
	s.until("the deadline", func() bool {
		return s.status().Channels[0].DeadlineBlock == s.chain.Height()+uint32(s.ch.HolderDelay)
	})
}

func TestAStalePeerIsNotAskedAfterARestartEither(t *testing.T) {
	s := newStory(t, "used-both-ways")
	stale := s.current()
	stale.NextCommitment = s.ch.State.NextCounterpartyRevokeNum - 3
	s.peers.numbers[s.ch.ID()] = stale
	s.begin()
	s.untilState(model.PeerStale)
	for range 2 {
		s.start()
		s.looked()
		if s.state() != model.PeerStale || s.peers.asked() > 0 || count(s.node.calls(), "recoverchannel") > 0 {
			t.Fatalf("%s, asked %d times, calls %q", s.state(), s.peers.asked(), s.node.calls())
		}
	}
}

// looked waits until the engine has looked at everything and gone on.
func (s *story) looked() {
	s.t.Helper()
	s.lookTwice()
}

func TestAYoungFundingIsImportedOnceAlsoAfterARestart(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	keys, err := w.deps.OpenKeys(w.facts, w.node.info.ID) // the engine wipes its own when idle
	if err != nil {
		t.Fatal(err)
	}
	c := readCorpus(t, "used-both-ways").Channels[0]
	text, _ := w.fund(testdata.Read(t, "used-both-ways", "backup.json"), c, keys)
	if _, err := w.recover(inline(string(text))); err != nil {
		t.Fatal(err)
	}
	w.start()
	if got := w.stateOf(c.Key); got != model.FundingUnconfirmed {
		t.Fatalf("after the restart: %s", got)
	}
	w.chain.MineN(decision.MinFundingConfs)
	w.BlockAdded()
	w.until("imported", func() bool { return w.stateOf(c.Key) == model.Imported })
	w.start()
	w.until("a try", func() bool { return w.peers.asked() > 0 })
	if n := count(w.node.calls(), "recoverchannel"); n != 1 {
		t.Errorf("imported %d times", n)
	}
}

func TestAMissingSecretIsNoticedAgainAfterARestartAndWhenItIsThere(t *testing.T) {
	w := newWorld(t, "used-both-ways", false)
	if _, err := w.recover(pathOf(t, "used-both-ways")); err != nil {
		t.Fatal(err)
	}
	k := readCorpus(t, "used-both-ways").Channels[0].Key
	w.until("needs_secret", func() bool { return w.stateOf(k) == model.NeedsSecret })
	w.start()
	if got := w.stateOf(k); got != model.NeedsSecret {
		t.Fatalf("after the restart: %s", got)
	}
	w.peers.ask = func(peer.Target, peer.Ask) *peer.Outcome {
		return &peer.Outcome{Result: peer.Unreachable, Reason: "connection refused"}
	}
	with := newWorld(t, "used-both-ways", true)
	w.deps.OpenKeys = with.deps.OpenKeys
	w.start()
	w.until("the state of a peer that is away", func() bool { return w.stateOf(k) == model.Imported })
}
