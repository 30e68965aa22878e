package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/failure"
	h "github.com/glrecover/glrecover/integration/harness"
)

// One channel, and a person who types every command of glrecover at a terminal:
// what lightning-cli prints and how it ends is the product.
func TestAPersonWithOneChannelTypesEveryCommandAtLightningCLI(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		node, peer, funding, backup := lostNode(n, src)
		// The peer stays away at first, so that there is something to retry.
		peer.Stop()
		me := heir(node)
		path := "backup=" + backup.Path

		wantTyped(t, me.CLI("help"), "glrecover [backup] [decommissioned] [dry_run]", "glrecover-inspect backup", "glrecover-status [channel]", "glrecover-retry [channel] [override]", "glrecover-report")
		wantTyped(t, me.CLI("glrecover-status"), "No recovery was started on this node.")
		wantTyped(t, me.CLI("glrecover-inspect", path), fmt.Sprintf("%q: %q", "funding_txid", funding.Txid), peer.ID)
		wantTyped(t, me.CLI("glrecover-inspect", backup.Path), peer.ID)
		wantTypedRefusal(t, me.CLI("glrecover-inspect", "backup=/nonexistent.json"), failure.BackupUnreadable)
		wantTypedRefusal(t, me.CLI("glrecover", path), failure.NotDecommissioned)
		wantTypedRefusal(t, me.CLI("glrecover", backup.Path), failure.NotDecommissioned)
		wantTypedRefusal(t, me.CLI("-k", "glrecover", path, "decomissioned=true"), failure.InvalidParameter, `Did you mean \"decommissioned\"?`)
		for _, args := range [][]string{
			{"-k", "glrecover", path, "dry_run=true"},
			{"glrecover", path, "decommissioned=true", "dry_run=true"},
			{"glrecover", backup.Path, "true", "true"},
		} {
			wantTyped(t, me.CLI(args...), `"result": "would_import"`, `"dry_run": true`)
		}
		if got := len(me.Channels()); got != 0 {
			t.Errorf("%d channels were imported by refusals and dry runs", got)
		}

		wantTyped(t, me.CLI("-k", "glrecover", path, "decommissioned=true"), "# 1 of 1 channels imported", `"result": "imported"`, `"next_steps": [`)
		stub := me.Channel(funding)
		if stub == nil {
			t.Fatal("lightningd has no stub of the channel")
		}
		channelID := stub.ChannelID
		wantTyped(t, me.CLI("-k", "glrecover", path, "decommissioned=true"), `"result": "already_imported"`)
		wantTypedRefusal(t, me.CLI("glrecover-status", "02"), failure.UnknownChannel)
		wantTyped(t, me.CLI("-k", "glrecover-retry", "channel="+channelID), channelID)
		peer.Start()
		wantTyped(t, me.CLI("glrecover-retry"), "see glrecover-status")
		closing := n.WaitSpent(funding)
		wantTypedRefusal(t, me.CLI("glrecover-forget"), failure.Unclaimed)
		got := recovered(t, n, me, closing)
		wantCredited(t, me, channelID)
		inWallet := fmt.Sprintf("%s credited, %d sat in the wallet", channelID[:12], got)
		for _, which := range [][]string{nil, {channelID}, {peer.ID}, {"channel=" + funding.Txid}} {
			wantTyped(t, me.CLI(append([]string{"glrecover-status"}, which...)...),
				inWallet, `"state": "credited"`, fmt.Sprintf(`"recovered_msat": %d`, got*1000))
		}
	})
}

// wantTyped checks that lightning-cli ended well and printed all of this.
func wantTyped(t *testing.T, run h.Run, says ...string) {
	t.Helper()
	if run.Code != 0 || run.Stderr != "" {
		t.Errorf("exit code %d, stderr %q:\n%s", run.Code, run.Stderr, run.Screen())
		return
	}
	for _, s := range says {
		if !strings.Contains(run.Screen(), s) {
			t.Errorf("%q is not in:\n%s", s, run.Screen())
		}
	}
}

// wantTypedRefusal checks that lightning-cli ended with 1 and printed an error
// of this name and its code, and all of this.
func wantTypedRefusal(t *testing.T, run h.Run, name failure.Name, says ...string) {
	t.Helper()
	says = append(says, fmt.Sprintf(`"code": %d`, name.Code()), fmt.Sprintf(`"message": "%s: `, name))
	if run.Code != 1 || run.Stderr != "" {
		t.Errorf("exit code %d, stderr %q, want a refusal %s:\n%s", run.Code, run.Stderr, name, run.Screen())
		return
	}
	for _, s := range says {
		if !strings.Contains(run.Screen(), s) {
			t.Errorf("%q is not in:\n%s", s, run.Screen())
		}
	}
}
