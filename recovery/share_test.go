package recovery

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/testdata"
)

// The answer, the status and the record of a channel whose share nobody can tell
// say "unknown", and never 0.
func TestAnUnknownShareIsNeverZero(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	raw := bytes.Replace(testdata.Read(t, "used-both-ways", "backup.json"), []byte(`"enforcement_state": {`), []byte(`"enforcement_state": 1, "was": {`), 1)
	a, err := w.recover(inline(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Channels[0]; got.LastKnownShareMsat != nil || got.ShareFrom != channel.ShareUnknown || a.Totals.SharesUnknown != 1 {
		t.Errorf("%+v, totals %+v", got, a.Totals)
	}
	if !strings.Contains(strings.Join(a.Warnings, "\n"), "enforcement_state") {
		t.Errorf("warnings %q", a.Warnings)
	}
	st := w.status()
	for _, v := range []any{a, st} {
		text, err := json.Marshal(v)
		if err != nil || !bytes.Contains(text, []byte(`"last_known_share_msat":null`)) {
			t.Errorf("%v: %s", err, text)
		}
	}
	if st.Totals.SharesUnknown != 1 {
		t.Errorf("totals %+v", st.Totals)
	}
}
