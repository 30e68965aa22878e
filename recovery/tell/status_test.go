package tell

import (
	"strings"
	"testing"
	"time"

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

// TestAHeldChannelNamesWhatItWaitsFor: the day for a peer that is away is not all, while
// another channel with the peer may still be forgotten.
func TestAHeldChannelNamesWhatItWaitsFor(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	held, other := model.Record{State: model.AskFirst, Held: now}, model.Record{State: model.FundingUnconfirmed, Since: now}
	held.Channel.DBID, other.Channel.DBID, other.Channel.Funding.Index = 1, 2, 1
	of := func() (first, second string) {
		st := state.New(state.Config{Stubs: true, Sweeps: true}, &model.Run{}, []model.Record{held, other})
		st.Now = now
		st = st.Snapshot()
		_, first = advice(st, st.Channels[held.Channel.Key])
		_, second = advice(st, st.Channels[other.Channel.Key])
		return first, second
	}
	id := other.Channel.ID().String()
	if got, _ := of(); !strings.Contains(got, "but not before channel "+id+" with the same peer has 3 confirmations") {
		t.Errorf("beside a young one: %q", got)
	}
	other.HoldOver = true
	if got, _ := of(); strings.Contains(got, "not before") {
		t.Errorf("with the override: %q", got)
	}
	other = model.Record{State: model.LeftOut, Held: now, Copy: "peer", Channel: other.Channel}
	if got, extra := of(); !strings.Contains(got, "awaits channel "+id) || !strings.Contains(extra, "before 2026-12-02T00:00:00Z") {
		t.Errorf("beside one that was left out: %q, %q", got, extra)
	}
}

// TestACloseThatNeedsTheSecretSaysSo: lightningd had no stub of it, so that only a sweep
// brings it.
func TestACloseThatNeedsTheSecretSaysSo(t *testing.T) {
	c := &state.Channel{Settled: []claims.Output{{Standing: claims.Waiting, Claimant: judge.ByNobody, Unnamed: true}}}
	c.State, c.Close, c.Verdict = model.OutputsWaiting, &model.Close{Height: 100}, &judge.Verdict{Kind: judge.NoSecret}
	st := &state.State{Config: state.Config{Stubs: true, Sweeps: true}, SecretTrouble: "encrypted"}
	if waits, todo := advice(st, c); waits != "secret" || todo == "" {
		t.Errorf("waits for %q, and the user is told %q", waits, todo)
	}
}

// TestAFundingThatIsNowhereIsNotSaidToBeOnItsWay: it may wait for ever.
func TestAFundingThatIsNowhereIsNotSaidToBeOnItsWay(t *testing.T) {
	st := &state.State{MempoolSeen: true}
	for place, want := range map[chain.Place]string{chain.Unknown: "neither in a block nor in its mempool", chain.Unspent: "not in a block yet"} {
		c := &state.Channel{Spend: &chain.Sighting{Place: place}}
		c.State = model.FundingUnconfirmed
		if got := reason(st, c); !strings.Contains(got, want) {
			t.Errorf("%v: %q", place, got)
		}
	}
}
