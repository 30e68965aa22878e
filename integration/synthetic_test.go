package integration

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	h "github.com/glrecover/glrecover/integration/harness"
	"github.com/glrecover/glrecover/integration/synthetic"
)

// The stand-in for the signer is only of use if it says what the
// signer says: both are asked about one and the same node.
func TestSyntheticBackupSaysWhatTheGenuineSignerSays(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD, h.GLSigner)
	n := h.New(t)
	peer := n.CLN("peer", h.CLNConfig{})
	node := n.CLN("node", h.CLNConfig{Signer: &h.Signer{}})
	var ours []h.Outpoint
	for _, o := range []h.OpenOptions{{Sat: 1_000_000}, {Sat: 500_000, StaticRemoteKey: true}, {Sat: 400_000}} {
		funding := n.Open(node, peer, o)
		n.Use(node, peer, funding, o.Sat)
		ours = append(ours, funding)
	}
	theirs := n.Open(peer, node, h.OpenOptions{Sat: 700_000, PushSat: 200_000})
	n.Pay(peer, node, 10_000_000)
	n.WaitSettled(theirs, node, peer)
	node.MutualClose(ours[2])
	n.Mine(1, node, peer)
	genuine := h.Source{Genuine: true}.Lose(node)

	raw, err := synthetic.Backup(filepath.Join(node.Dir, "regtest", "lightningd.sqlite3"),
		synthetic.Options{NodeID: node.ID, CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	want, got := channelEntries(t, genuine.Bytes(t)), channelEntries(t, raw)
	if len(want) != 4 {
		t.Fatalf("the genuine backup has %d channels, want 4", len(want))
	}
	for key, w := range want {
		g := got[key]
		if g == nil {
			t.Errorf("synthetic: no entry %s", key)
			continue
		}
		for _, part := range []string{"channel_setup", "enforcement_state"} {
			ws, gs := w[part].(map[string]any), g[part].(map[string]any)
			for name := range ws {
				if name == "current_counterparty_signatures" && ws["channel_closed"] == true {
					// lightningd keeps the closing transaction's instead.
					if gs[name] != nil {
						t.Errorf("synthetic has signatures for a closed channel: %v", gs[name])
					}
					continue
				}
				if !reflect.DeepEqual(ws[name], gs[name]) {
					t.Errorf("%s %s.%s: genuine %v, synthetic %v", key[len(key)-16:], part, name, ws[name], gs[name])
				}
			}
			if len(ws) != len(gs) {
				t.Errorf("%s: genuine has %d fields, synthetic %d", part, len(ws), len(gs))
			}
		}
	}
}

func channelEntries(t *testing.T, raw []byte) map[string]map[string]any {
	t.Helper()
	var file struct {
		State struct {
			Values map[string][]json.RawMessage `json:"values"`
		} `json:"state"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for key, v := range file.State.Values {
		if !strings.HasPrefix(key, "channels/") {
			continue
		}
		var value map[string]any
		if err := json.Unmarshal(v[1], &value); err != nil {
			t.Fatal(err)
		}
		out[key] = value
	}
	return out
}
