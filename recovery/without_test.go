package recovery

import (
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/recovery/model"
)

// TestWithoutALightningdACoinIsSwept: the same loop with a node that has nothing
// but its id. The peer is asked at once, and what its close pays is taken by a sweep
// of ours.
func TestWithoutALightningdACoinIsSwept(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.deps.Stubs = false
	s.start()
	commit := s.closed(1)
	var tx *wire.MsgTx
	for range 2 {
		tx = s.untilSwept(output(commit, bolt3.ToRemoteOutput))
		s.start() // whatever is killed here goes on from the record
	}
	s.mine(1)
	s.chain.MineN(5)
	s.BlockAdded()
	s.untilState(model.Credited)
	st := s.status().Channels[0]
	if want := 1000 * uint64(tx.TxOut[0].Value); st.RecoveredMsat != want {
		t.Errorf("recovered %d msat, want %d", st.RecoveredMsat, want)
	}
	for _, call := range s.node.calls() {
		if call == "recoverchannel" {
			t.Error("a stub was made")
		}
	}
}
