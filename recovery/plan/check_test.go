package plan_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/rehearsal"
	"github.com/glrecover/glrecover/testdata"
)

// TestCheckShowsWhatAPlanOnAFreshNodeDecides: for each genuine backup, channel by
// channel. The dry run shows this plan, and the real run carries it out.
func TestCheckShowsWhatAPlanOnAFreshNodeDecides(t *testing.T) {
	found, err := filepath.Glob(testdata.Corpus("*", "backup.json"))
	if err != nil || len(found) < 14 {
		t.Fatalf("%d cases (%v)", len(found), err)
	}
	compared := 0
	for _, path := range found {
		name := filepath.Base(filepath.Dir(path))
		w := newWorld(t, name)
		check := rehearsal.Rehearse(rehearsal.Input{Backup: w.backup, Now: w.in.Now})
		at := 0
		for _, c := range w.plan().Channels {
			if c.Channel == nil {
				continue // an opening, or an entry that cannot be read
			}
			if at == len(check.Channels) {
				t.Fatalf("%s: check has %d channels", name, at)
			}
			shown := &check.Channels[at]
			at++
			if !reflect.DeepEqual(shown.Description, c.Description) || shown.Address != c.Address.Address || shown.AddressSource != c.Address.Source {
				t.Errorf("%s: check shows %+v, the plan has %+v at %s", name, shown, c.Description, c.Address.Address)
			}
			if shown.Recoverable != (c.Decision == decision.Import) {
				t.Errorf("%s: channel %d is recoverable: %v, and the plan says %s (%s)", name, c.DBID, shown.Recoverable, c.Decision, c.Reason)
			}
			compared++
		}
		if at != len(check.Channels) {
			t.Errorf("%s: check has %d channels, the plan %d", name, len(check.Channels), at)
		}
	}
	if compared < 20 {
		t.Errorf("%d channels were compared", compared)
	}
}
