package recovery

import (
	"reflect"
	"testing"

	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/rehearsal"
	"github.com/glrecover/glrecover/testdata"
)

// TestCheckDryRunAndRealRunAgree: for each genuine backup, on a fresh node,
// channel by channel. What check calls recoverable is what the dry run would
// import and the real run imports, with the same description and address.
func TestCheckDryRunAndRealRunAgree(t *testing.T) {
	compared := 0
	for _, name := range testdata.Cases(t) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, name, true)
			p := pathOf(t, name)
			p.DryRun = true
			dry, err := w.recover(p)
			if err != nil {
				t.Fatal(err)
			}
			if calls := w.node.calls(); len(calls) > 0 {
				t.Fatalf("the dry run called %v", calls)
			}
			p.DryRun = false
			done, err := w.recover(p)
			if err != nil {
				t.Fatal(err)
			}
			check := rehearsal.Rehearse(rehearsal.Input{Backup: readCorpus(t, name), Now: w.deps.Now()})
			if len(dry.Channels) != len(done.Channels) {
				t.Fatalf("the dry run has %d channels, the real run %d", len(dry.Channels), len(done.Channels))
			}
			at := 0
			for i := range dry.Channels {
				d, r := &dry.Channels[i], &done.Channels[i]
				if !reflect.DeepEqual(d.Description, r.Description) || d.Address != r.Address || d.AddressSource != r.AddressSource {
					t.Errorf("channel %d: the dry run says %+v, the real run %+v", d.DBID, d, r)
				}
				// Without a session nobody knows which peers may forget a channel.
				imports := r.Result == answer.DidImport || r.Result == answer.AskedFirst
				if (d.Result == answer.WouldImport) != imports || (d.Result != answer.WouldImport && d.Result != r.Result) {
					t.Errorf("channel %d: dry run %s, real run %s", d.DBID, d.Result, r.Result)
				}
				if d.Result == answer.NeverOpened || d.Result == answer.BadEntry {
					continue
				}
				c := &check.Channels[at]
				at++
				if !reflect.DeepEqual(c.Description, d.Description) || c.Address.String() != d.Address || string(c.AddressSource) != d.AddressSource {
					t.Errorf("channel %d: check says %+v, the dry run %+v", d.DBID, c, d)
				}
				if c.Recoverable != (d.Result == answer.WouldImport) {
					t.Errorf("channel %d: check says recoverable %v, the dry run %s", d.DBID, c.Recoverable, d.Result)
				}
				compared++
			}
			if at != len(check.Channels) {
				t.Errorf("check has %d channels, the dry run %d", len(check.Channels), at)
			}
		})
	}
	if compared < 20 {
		t.Errorf("%d channels were compared", compared)
	}
}
