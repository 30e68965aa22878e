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
