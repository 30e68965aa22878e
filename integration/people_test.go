package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

// A person looks with doctor before, and with status on the way and after.
func TestDoctorAndStatusLookAtARealRecovery(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		node, peer, funding, backup := lostNode(n, src)

		bare := node.Heir("bare", h.CLNConfig{})
		bare.Start()
		run := n.Command("", "doctor", "--lightning-dir", bare.Dir, backup.Path)
		t.Logf("doctor without the plugin:\n%s", run.Text())
		if run.Code != 1 || !strings.Contains(run.Stdout, "MISSING  plugin") || !strings.Contains(run.Stdout, "  1. plugin: ") {
			t.Errorf("exit code %d", run.Code)
		}
		if run := n.Command("", "status", "--lightning-dir", bare.Dir); run.Code != 1 || !strings.Contains(run.Stderr, "without the plugin glrecover") {
			t.Errorf("exit code %d: %s", run.Code, run.Text())
		}
		bare.StartPlugin()
		run = n.Command("", "doctor", "--lightning-dir", bare.Dir, backup.Path)
		t.Logf("doctor:\n%s", run.Text())
		for _, want := range []string{"ok       lightningd", "ok       node id", "ok       hsm secret", "ok       bitcoind", "ok       sync", "ok       backup reach", "Nothing is missing."} {
			if !strings.Contains(run.Stdout, want) {
				t.Errorf("doctor does not say %q", want)
			}
		}
		if run.Code != 0 {
			t.Errorf("doctor ended with %d", run.Code)
		}

		if run := n.Command("", "status", "--lightning-dir", bare.Dir); run.Code != 0 || !strings.Contains(run.Stdout, "No recovery was started") {
			t.Errorf("exit code %d: %s", run.Code, run.Text())
		}
		answer := bare.Recover(backup)
		run = n.Command("", "status", "--lightning-dir", bare.Dir)
		t.Logf("status after the import:\n%s", run.Text())
		if run.Code != 0 || !strings.Contains(run.Stdout, "0% is in the wallet") || !strings.Contains(run.Stdout, peer.ID[:8]) {
			t.Errorf("exit code %d", run.Code)
		}
		recovered(t, n, bare, n.WaitSpent(funding))
		h.Wait(t, "the state to follow the coin", func() error {
			if c := bare.Status().Of(answer.Of(funding).ChannelID); c == nil || c.State != "credited" {
				return fmt.Errorf("the status says %+v", c)
			}
			return nil
		})
		run = n.Command("", "status", "--lightning-dir", bare.Dir)
		t.Logf("status at the end:\n%s", run.Text())
		if run.Code != 0 || !strings.Contains(run.Stdout, "coins are here") || strings.Contains(run.Stdout, " 0% is") {
			t.Errorf("exit code %d", run.Code)
		}
		var raw struct {
			Totals struct {
				Recovered uint64 `json:"recovered_msat"`
			} `json:"totals"`
		}
		run = n.Command("", "status", "--json", "--lightning-dir", bare.Dir)
		if err := json.Unmarshal([]byte(run.Stdout), &raw); err != nil || raw.Totals.Recovered == 0 {
			t.Errorf("status --json: %v\n%s", err, run.Stdout)
		}
	})
}
