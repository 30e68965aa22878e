package plan_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/chain/chaintest"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/plan"
)

// TestAYoungFundingWaitsWhereNobodyCanTell: bitcoind that is configured and does
// not answer tells no more than none. The reason and the cure are said, and a day
// later the channel is imported.
func TestAYoungFundingWaitsWhereNobodyCanTell(t *testing.T) {
	w := newWorld(t, "used-both-ways")
	w.fund(w.backup.Channels[0])
	w.in.Now = w.backup.CreatedAt.Add(time.Hour)
	if got := w.plan().Channels[0]; got.Decision != decision.AwaitFunding || got.Evidence.Confirmations != 1 {
		t.Errorf("one confirmation: %s, %+v", got.Decision, got.Evidence)
	}
	w.chain.MineN(5)
	if got := w.plan().Channels[0]; got.Decision != decision.Import {
		t.Errorf("six confirmations: %s", got.Decision)
	}
	for what, configured := range map[string]bool{"bitcoind itself cannot be asked": true, "bitcoind itself is not configured": false} {
		w.in.Chain = chain.Join(w.chain.Backend(), nil)
		if configured {
			w.bitcoin.SetDown(true)
			w.in.Chain = chain.Join(w.chain.Backend(), w.bitcoin)
		}
		w.in.Now = w.backup.CreatedAt.Add(time.Hour)
		got := w.plan().Channels[0]
		at := w.backup.CreatedAt.Add(decision.Youngest).UTC().Format(time.RFC3339)
		if got.Decision != decision.AwaitFunding || !strings.Contains(got.Reason, what) || !strings.Contains(got.Cure, at) {
			t.Errorf("%s (%s; %s)", got.Decision, got.Reason, got.Cure)
		}
		w.in.Now = w.backup.CreatedAt.Add(25 * time.Hour)
		if got := w.plan().Channels[0]; got.Decision != decision.Import {
			t.Errorf("a day later: %s (%s)", got.Decision, got.Reason)
		}
	}
}

// TestAFundingThatWasSeenYoungIsNotOldByTheBackupsDate.
func TestAFundingThatWasSeenYoungIsNotOldByTheBackupsDate(t *testing.T) {
	e := &chain.FundingEvidence{State: chain.FundingUnspent, Confirmations: chain.ConfirmationsUnknown}
	now := time.Now()
	for age, want := range map[time.Duration]bool{time.Hour: false, 25 * time.Hour: true} {
		if ready, why, _ := decision.FundingReady(e, now.Add(-age), now); ready != want {
			t.Errorf("seen %v ago: %v (%s)", age, ready, why)
		}
	}
}

// noHeaders is a bitcoind that does not give the times of its blocks.
type noHeaders struct{ *chaintest.Node }

func (noHeaders) HeaderAt(context.Context, uint32) (*wire.BlockHeader, error) {
	return nil, errors.New("work queue depth exceeded")
}

// noTip is a backend that answers nothing.
type noTip struct{ chain.Source }

func (noTip) Best(context.Context) (height uint32, hash chainhash.Hash, err error) {
	return 0, hash, chain.ErrUnavailable
}

// TestTheLookBackIsBoundedAndSaidWhateverFails: never the whole chain, never
// nothing, and asked again where the answer may still come.
func TestTheLookBackIsBoundedAndSaidWhateverFails(t *testing.T) {
	w := newWorld(t, "used-both-ways")
	w.chain.MineN(2000) // 2400 in all
	tip := w.chain.Height()
	recent := tip - chain.KeptBlocks + 1
	written := w.backup.CreatedAt.Add(-95 * 24 * time.Hour) // 720 blocks after the first
	down := w.chain.Node()
	down.SetDown(true)
	pruned := newWorld(t, "used-both-ways")
	pruned.chain.MineN(2000)
	pruned.chain.Prune(1500)
	for _, c := range []struct {
		what    string
		chain   chain.Source
		written time.Time
		low     uint32
		high    uint32
		reason  string
	}{
		{"all answers", chain.Join(w.chain.Backend(), w.bitcoin), written, 600, 720, ""},
		{"pruned", chain.Join(pruned.chain.Backend(), pruned.bitcoin), written, 1500, 1500, "below 1500 are pruned"},
		{"no times of blocks", chain.Join(w.chain.Backend(), noHeaders{w.bitcoin}), written, recent, recent, "work queue"},
		{"bitcoind is away", chain.Join(w.chain.Backend(), down), written, recent, recent, "cannot be asked"},
		{"no bitcoind", chain.Join(w.chain.Backend(), nil), written, recent, recent, "not configured"},
		{"no date", chain.Join(w.chain.Backend(), w.bitcoin), time.Time{}, recent, recent, "date of the backup is unknown"},
		{"nothing answers", noTip{}, written, recent, recent, "unknown"},
	} {
		from, why := plan.LookBackFrom(t.Context(), c.chain, c.written, tip)
		if from < c.low || from > c.high || (c.reason == "") != (why == "") || !strings.Contains(why, c.reason) {
			t.Errorf("%s: from %d on, %q; want %d to %d", c.what, from, why, c.low, c.high)
		}
	}
}

// TestWhatIsNotLookedAtIsSaid.
func TestWhatIsNotLookedAtIsSaid(t *testing.T) {
	w := newWorld(t, "used-both-ways")
	w.bitcoin.SetDown(true)
	p := w.plan()
	if !strings.Contains(strings.Join(p.Warnings, "\n"), "1 funding outputs are gone; glrecover searches for what spent them from block 113 on") {
		t.Errorf("warnings %q", p.Warnings)
	}
}
