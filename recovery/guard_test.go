package recovery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/tell"
)

// TestAHoldThatIsOverRefusesNobodysOpenings: a channel that closed before
// lightningd got it keeps the date of its hold on record, and nothing is left to
// import of it.
func TestAHoldThatIsOverRefusesNobodysOpenings(t *testing.T) {
	for in, refused := range map[model.ChannelState]bool{
		model.Resolved: false, model.LeftOut: false, model.AskFirst: true, model.CloseSeen: true, model.OutputsWaiting: true,
	} {
		s := New(Deps{})
		close(s.started)
		now := time.Now()
		r := model.Record{State: in, Held: now, Channel: channel.Channel{Key: channel.Key{Peer: channel.PubKey{2, 1}, DBID: 1}}}
		s.seen.Store(state.New(state.Config{}, &model.Run{Imported: now, Restarted: true}, []model.Record{r}).Snapshot())
		if err := s.OpeningAllowed(t.Context(), &channel.PubKey{2, 2}, "fundchannel"); (err != nil) != refused {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// TestARefusalSaysThatTheOptionIsMistyped, and so does the status.
func TestARefusalSaysThatTheOptionIsMistyped(t *testing.T) {
	s := New(Deps{})
	s.facts.Options.OpeningsTrouble = "it is mistyped"
	close(s.started)
	r := model.Record{State: model.Imported, Channel: channel.Channel{Key: channel.Key{Peer: channel.PubKey{2, 1}, DBID: 1}}}
	s.seen.Store(state.New(state.Config{}, &model.Run{Imported: time.Now()}, []model.Record{r}).Snapshot())
	if err := s.OpeningAllowed(t.Context(), &channel.PubKey{2, 2}, "fundchannel"); failure.NameOf(err) != failure.OpeningRefused || !strings.Contains(err.Error(), "it is mistyped") {
		t.Errorf("%v", err)
	}
	st, err := s.Status(t.Context(), "")
	if err != nil || !slices.Contains(st.(*tell.Status).Alarms, "it is mistyped") {
		t.Errorf("%+v, %v", st, err)
	}
}

// TestAnOverrideOfARetryIsCheckedFirst.
func TestAnOverrideOfARetryIsCheckedFirst(t *testing.T) {
	s := New(Deps{})
	for _, x := range []struct {
		channel  string
		override []string
	}{{"", []string{"ask_first"}}, {"ab", []string{"peer_stale"}}, {"ab", []string{"ask_first", "all"}}} {
		if _, err := s.Retry(t.Context(), x.channel, x.override); failure.NameOf(err) != failure.InvalidParameter {
			t.Errorf("%+v: %v", x, err)
		}
	}
}

// TestAChannelThatWaitsForADecisionKeepsItsDBID: the operator may still have it
// imported, and lightningd would skip it without a word if another had its dbid.
func TestAChannelThatWaitsForADecisionKeepsItsDBID(t *testing.T) {
	for _, in := range []model.ChannelState{model.PeerStale, model.HostedAlive, model.NeedsOperator, model.ImportDeferred, model.FundingUnconfirmed} {
		for _, importedAt := range []uint32{0, 100} {
			s := New(Deps{})
			close(s.started)
			r := model.Record{State: in, ImportedAt: importedAt, Channel: channel.Channel{Key: channel.Key{Peer: channel.PubKey{2, 1}, DBID: 1}}}
			s.seen.Store(state.New(state.Config{}, &model.Run{Imported: time.Now(), Restarted: true}, []model.Record{r}).Snapshot())
			if err := s.OpeningAllowed(t.Context(), &channel.PubKey{2, 2}, "fundchannel"); (err != nil) != (importedAt == 0) {
				t.Errorf("%s, imported at %d: %v", in, importedAt, err)
			}
		}
	}
}

// TestTheReportIsTheStatusAsAPage.
func TestTheReportIsTheStatusAsAPage(t *testing.T) {
	s := New(Deps{})
	r := model.Record{State: model.Imported, Channel: channel.Channel{Key: channel.Key{Peer: channel.PubKey{2, 1}, DBID: 1}, CapacitySat: 1}}
	s.seen.Store(state.New(state.Config{}, &model.Run{Imported: time.Now()}, []model.Record{r}).Snapshot())
	a, err := s.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if html := a.(*Page).HTML; !strings.HasPrefix(html, "<!") || !strings.Contains(html, r.Channel.ID().String()) {
		t.Errorf("%.200s", html)
	}
}
