package recovery

import (
	"slices"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/record"
	"github.com/glrecover/glrecover/recovery/tell"
)

// TestAChannelThatWasLeftOutIsNeitherDoneNorForgotten: its coins are still in
// the channel.
func TestAChannelThatWasLeftOutIsNeitherDoneNorForgotten(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	c := readCorpus(t, "used-both-ways").Channels[0]
	w.node.taken[c.DBID] = true
	if _, err := w.recover(pathOf(t, "used-both-ways")); err != nil {
		t.Fatal(err)
	}
	st := w.status()
	if st.Channels[0].State != model.LeftOut || st.Channels[0].Todo == "" {
		t.Errorf("%+v", st.Channels[0])
	}
	for _, n := range st.Notes {
		if strings.Contains(n, "Everything is done") {
			t.Errorf("note %q", n)
		}
	}
	for _, which := range []string{"", c.ID().String()} {
		if _, err := w.Forget(t.Context(), which); failure.NameOf(err) != failure.Unclaimed {
			t.Errorf("forget %q: %v", which, err)
		}
	}
}

// TestForgetWithoutAChannelTakesTheResolvedOnes, and one channel's end is not
// the end of all.
func TestForgetWithoutAChannelTakesTheResolvedOnes(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	if _, err := w.recover(pathOf(t, "three-peers")); err != nil {
		t.Fatal(err)
	}
	done := readCorpus(t, "three-peers").Channels[0]
	w.stop()
	resolved := w.seen.Load().Channels[done.Key].Record
	resolved.State = model.Resolved
	if err := record.Open(w.node).Write(t.Context(), model.Save{Channels: []model.Record{resolved}}); err != nil {
		t.Fatal(err)
	}
	w.start()
	one, err := w.Status(t.Context(), done.Funding.String())
	if err != nil {
		t.Fatal(err)
	}
	if s := one.(*tell.Status); len(s.Channels) != 1 || slices.ContainsFunc(s.Notes, func(n string) bool { return strings.Contains(n, "Everything is done") }) {
		t.Errorf("%d channels, notes %q", len(s.Channels), s.Notes)
	}
	d, err := w.Forget(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.(*Done).Channels; len(got) != 1 || got[0] != done.ID().String() {
		t.Errorf("forgotten: %q", got)
	}
	if n := len(w.status().Channels); n != 4 {
		t.Errorf("%d channels are left", n)
	}
}

// TestWhoStartedThePluginByCommandIsToldToConfigureIt: the first step is a
// restart, and it would end the recovery.
func TestWhoStartedThePluginByCommandIsToldToConfigureIt(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	w.facts.AtStartup = false
	w.start()
	a, err := w.recover(pathOf(t, "used-both-ways"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(a.NextSteps[0], "plugin=") || !strings.HasPrefix(a.NextSteps[1], "Restart lightningd") {
		t.Errorf("next steps %q", a.NextSteps)
	}
}
