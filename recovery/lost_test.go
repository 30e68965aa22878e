package recovery

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/model"
)

// spend marks an output of the wallet as spent, as listfunds and listchainmoves
// show it.
func (s *story) spend(tx *wire.MsgTx, vout int, by claims.Spend) {
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	op := wire.OutPoint{Hash: tx.TxHash(), Index: uint32(vout)}
	for i := range s.node.wallet {
		if s.node.wallet[i].OutPoint == op {
			s.node.wallet[i].Status = claims.StatusSpent
		}
	}
	s.node.spends = nil
	if by.Txid != "" {
		s.node.spends = map[wire.OutPoint]claims.Spend{op: by}
	}
}

// creditedStory is a channel whose to_remote has come to the wallet.
func creditedStory(t *testing.T) (s *story, commit *wire.MsgTx, vout int, sat uint64) {
	t.Helper()
	s = newStory(t, "used-both-ways")
	built := s.theirCommitment()
	s.closes(built.Tx)
	s.begin()
	s.untilState(model.CloseSeen)
	s.mine(1)
	s.untilState(model.OutputsWaiting)
	vout = bolt3test.Output(built, bolt3.ToRemoteOutput)
	s.credit(built.Tx, vout)
	s.untilState(model.Credited)
	return s, built.Tx, vout, uint64(built.Tx.TxOut[vout].Value)
}

// TestACoinThatSomebodyElseSweptIsNotRecovered: another machine with the same
// secret takes it. It is lost to that transaction, by name, and stays so.
func TestACoinThatSomebodyElseSweptIsNotRecovered(t *testing.T) {
	s, commit, vout, sat := creditedStory(t)
	thief := strings.Repeat("ab", 32)
	s.spend(commit, vout, claims.Spend{Txid: thief})
	s.untilState(model.LostTo)
	check := func() {
		t.Helper()
		st := s.status()
		c := st.Channels[0]
		if c.RecoveredMsat != 0 || st.Totals.RecoveredMsat != 0 || c.ExpectedMsat != 0 || c.LostMsat != channel.Msat(sat) || len(c.LostTo) != 1 || c.LostTo[0] != thief {
			t.Errorf("status %+v", c)
		}
		if !strings.Contains(c.Reason, thief) || c.WaitsFor != "operator" || strings.Contains(c.Todo, "can be spent already") {
			t.Errorf("waits for %s, todo %q, reason %q", c.WaitsFor, c.Todo, c.Reason)
		}
		if len(st.Alarms) != 1 || !strings.Contains(st.Alarms[0], thief) {
			t.Errorf("alarms %q", st.Alarms)
		}
		for _, n := range st.Notes {
			if strings.Contains(n, "Everything is done") {
				t.Errorf("note %q", n)
			}
		}
	}
	check()
	s.mine(model.FinalConfs + 20)
	s.looked()
	check()
	s.start()
	s.looked()
	check()
	// A reorganisation takes the other spend out.
	s.node.mu.Lock()
	s.node.wallet[0].Status = "confirmed"
	s.node.mu.Unlock()
	s.untilState(model.Resolved)
	if c := s.status().Channels[0]; c.RecoveredMsat != channel.Msat(sat) || c.LostMsat != 0 {
		t.Errorf("status %+v", c)
	}
}

// TestACoinThatTheWalletItselfSpentStaysRecovered.
func TestACoinThatTheWalletItselfSpentStaysRecovered(t *testing.T) {
	s, commit, vout, sat := creditedStory(t)
	s.spend(commit, vout, claims.Spend{Txid: strings.Repeat("cd", 32), Ours: true})
	s.until("the spend to be told", func() bool {
		s.look()
		return strings.Contains(s.status().Channels[0].Reason, "which has spent")
	})
	if c := s.status().Channels[0]; c.State != model.Credited || c.RecoveredMsat != channel.Msat(sat) || c.LostMsat != 0 {
		t.Errorf("status %+v", c)
	}
	s.mine(model.FinalConfs)
	s.untilState(model.Resolved)
}

// TestACoinThatTheWalletHadSetAsideStaysRecovered: a transaction that was made by
// hand (fundpsbt, sendpsbt) is in no list of what was sent, but its coins were
// reserved before.
func TestACoinThatTheWalletHadSetAsideStaysRecovered(t *testing.T) {
	s, commit, vout, sat := creditedStory(t)
	s.node.mu.Lock()
	s.node.wallet[0].Reserved = true
	s.node.mu.Unlock()
	s.looked()
	s.lookTwice()
	s.start()
	s.spend(commit, vout, claims.Spend{Txid: strings.Repeat("cd", 32)})
	s.until("the spend to be told", func() bool {
		s.look()
		return strings.Contains(s.status().Channels[0].Reason, "which has spent")
	})
	if c := s.status().Channels[0]; c.State != model.Credited || c.RecoveredMsat != channel.Msat(sat) {
		t.Errorf("status %+v", c)
	}
}

// TestASpendThatNobodyCanExplainIsNeitherRecoveredNorLost: lightningd before
// v25.09 does not tell who spent.
func TestASpendThatNobodyCanExplainIsNeitherRecoveredNorLost(t *testing.T) {
	s, commit, vout, _ := creditedStory(t)
	s.spend(commit, vout, claims.Spend{})
	s.untilState(model.NeedsOperator)
	if c := s.status().Channels[0]; c.RecoveredMsat != 0 || !strings.Contains(c.Reason, "too old to tell who spent") {
		t.Errorf("status %+v", c)
	}
}
