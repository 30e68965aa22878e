package tell

import (
	"strings"
	"testing"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// TestALookBackIsNamedUntilTheCloseIsFound.
func TestALookBackIsNamedUntilTheCloseIsFound(t *testing.T) {
	c := &state.Channel{Spend: &chain.Sighting{Place: chain.Unknown}}
	c.State = model.Imported
	st := &state.State{Run: &model.Run{LookBackFrom: 70}, Channels: map[channel.Key]*state.Channel{{DBID: 1}: c}}
	st.LookBack.Done = true
	if got := chainOf(st).LookBack; !strings.Contains(got, "back to block 70") {
		t.Errorf("while it is looked for: %q", got)
	}
	c.Close = &model.Close{Height: 80}
	if got := chainOf(st).LookBack; got != "" {
		t.Errorf("when it is found: %q", got)
	}
}

// TestOneRestartIsNamedForTheClosesAndTheOldCoins, and none where no output waits
// for it.
func TestOneRestartIsNamedForTheClosesAndTheOldCoins(t *testing.T) {
	for _, c := range []struct {
		old, close uint32
		claimant   judge.Claimant
		want       uint32
	}{
		{0, 101, judge.ByRescan, 100},
		{90, 101, judge.ByRescan, 90},
		{300, 101, judge.ByRescan, 100},
		{90, 101, judge.ByLightningd, 0},
	} {
		closed := &state.Channel{Settled: []claims.Output{{Standing: claims.Waiting, Claimant: c.claimant}}}
		closed.Close = &model.Close{Height: c.close}
		st := &state.State{Run: &model.Run{RescanFrom: c.old}, Channels: map[channel.Key]*state.Channel{{DBID: 1}: closed}}
		if got := rescanFrom(st); got != c.want {
			t.Errorf("%+v: rescan=-%d", c, got)
		}
	}
}

// TestALateSweepIsFinalLaterThanItsClose, and the reason names the block.
func TestALateSweepIsFinalLaterThanItsClose(t *testing.T) {
	for _, x := range []struct {
		tip, swept uint32
		final      uint32
		want       string
	}{
		{109, 0, 208, "final at 100 confirmations (1 now)"},
		{208, 206, 211, "final at block 211, when what was swept has 6 confirmations"},
		{150, 120, 208, "final at 100 confirmations (42 now)"},
	} {
		c := &state.Channel{Settled: []claims.Output{
			{Standing: claims.InWallet, Claimant: judge.BySweep, SpentAt: x.swept},
			{Standing: claims.InWallet, Claimant: judge.ByLightningd},
		}}
		c.State, c.Close = model.Credited, &model.Close{Height: 109}
		st := &state.State{Run: &model.Run{}, Tip: chain.Tip{Height: x.tip}}
		if got := reason(st, c); !strings.HasSuffix(got, x.want) || c.FinalAt() != x.final {
			t.Errorf("swept in %d, seen at %d: final at %d: %s", x.swept, x.tip, c.FinalAt(), got)
		}
	}
}
