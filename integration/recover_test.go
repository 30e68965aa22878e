package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	h "github.com/glrecover/glrecover/integration/harness"
)

func TestLostNodeWithNeverUsedChannelGetsItsCoinBack(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		src = src.AtBirth()
		peer := n.CLN("peer", h.CLNConfig{})
		node := n.CLN("node", src.Config())
		funding := n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
		backup := src.Lose(node)

		me := heir(node)
		answer := me.Recover(backup)
		wantImported(t, me, answer, funding)
		closing := n.WaitSpent(funding)
		if got := recovered(t, n, me, closing); got < 990_000 || got > 1_000_000 {
			t.Errorf("%d sat came back of 1,000,000", got)
		}
	})
}

func TestLostNodeWithUsedChannelGetsItsCoinBack(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		peer := n.CLN("peer", h.CLNConfig{})
		node := n.CLN("node", src.Config())
		funding := n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
		n.Use(node, peer, funding, 1_000_000)
		backup := src.Lose(node)

		me := heir(node)
		answer := me.Recover(backup)
		wantImported(t, me, answer, funding)
		closing := n.WaitSpent(funding)
		// 1,000,000 less 350,000 and 30,000 paid, plus 40,000 received, less
		// the commitment's fee and anchors.
		if got := recovered(t, n, me, closing); got < 650_000 || got > 660_000 {
			t.Errorf("%d sat came back of 660,000", got)
		}
		wantCredited(t, me, answer.Of(funding).ChannelID)
	})
}

// wantImported checks that the answer and lightningd both have the channels as
// stubs, and nothing else.
func wantImported(t *testing.T, node *h.CLN, a *h.Answer, fundings ...h.Outpoint) {
	t.Helper()
	for _, f := range fundings {
		c := a.Of(f)
		if c == nil {
			t.Fatalf("the answer does not name the channel funded by %s:\n%s", f, a.Raw)
		}
		if c.Result != "imported" {
			t.Errorf("channel %s is %q: %s\n%s", f, c.Result, c.Reason, a.Raw)
		}
		if node.Channel(f) == nil {
			t.Errorf("lightningd has no stub of %s", f)
		}
	}
	if got := len(node.Channels()); got != len(fundings) {
		t.Errorf("lightningd has %d channels, want %d", got, len(fundings))
	}
}

// wantCredited waits until the status says that the coin is in the wallet.
func wantCredited(t *testing.T, node *h.CLN, channelID string) {
	t.Helper()
	h.Wait(t, "the status to say that the coin is there", func() error {
		c := node.Status().Of(channelID)
		if c == nil {
			return errors.New("not in the status")
		}
		if c.Recovered == 0 {
			return fmt.Errorf("%s: %s", c.State, c.Reason)
		}
		return nil
	})
}

func TestLostNodeWithSeveralChannelsOneWithoutAddress(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		src = src.AtBirth()
		two := n.CLN("two", h.CLNConfig{})
		lone := n.CLN("lone", h.CLNConfig{})
		node := n.CLN("node", src.Config())
		node.OmitPeer(lone.ID)
		fundings := n.OpenSeveral(node, two, h.OpenOptions{Sat: 300_000}, h.OpenOptions{Sat: 400_000})
		hidden := n.Open(node, lone, h.OpenOptions{Sat: 500_000})
		backup := src.Lose(node)

		me := heir(node)
		answer := me.Recover(backup)
		wantImported(t, me, answer, append(fundings, hidden)...)
		if c := answer.Of(hidden); c.AddressSource == "backup" {
			t.Errorf("the answer has an address for the peer without one: %s", answer.Raw)
		}
		for _, f := range fundings {
			if c := answer.Of(f); c.Address != two.Address() {
				t.Errorf("address %q from %q, want %s", c.Address, c.AddressSource, two.Address())
			}
			recovered(t, n, me, n.WaitSpent(f))
		}
		if err := n.StillUnspent(hidden); err != nil {
			t.Error(err)
		}
		// The user finds the address.
		me.Connect(lone)
		recovered(t, n, me, n.WaitSpent(hidden))
	})
}

func TestLostNodeWithChannelThatWasMutuallyClosedBefore(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		peer := n.CLN("peer", h.CLNConfig{})
		other := n.CLN("other", h.CLNConfig{})
		node := n.CLN("node", src.Config())
		closed := n.Open(node, peer, h.OpenOptions{Sat: 400_000})
		n.Use(node, peer, closed, 400_000)
		open := n.Open(node, other, h.OpenOptions{Sat: 500_000})
		closing := node.MutualClose(closed)
		n.Mine(6, node, peer)
		backup := src.Lose(node)

		me := heir(node)
		answer := me.Recover(backup)
		c := answer.Of(closed)
		if c == nil {
			t.Fatalf("the answer does not name the closed channel:\n%s", answer.Raw)
		}
		stub := me.Channel(closed)
		switch {
		case c.Result == "closed_before" && stub == nil:
		case c.Result == "imported" && stub != nil && c.Funding.State == "spent" && c.Funding.SpendTxid == closing && len(c.Warnings) > 0:
			// Its output is ours and lightningd has not seen it: a stub that
			// is said to be of a spent channel, with what to do.
		default:
			t.Errorf("closed channel (by %s): result %q, stub %v, reason %q, warnings %q", closing, c.Result, stub != nil, c.Reason, c.Warnings)
		}
		if o := answer.Of(open); o == nil || o.Result != "imported" || me.Channel(open) == nil {
			t.Errorf("the open channel was not imported:\n%s", answer.Raw)
		}
	})
}

func TestOpeningsAreRefusedFromTheImportUntilTheRestart(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		peer := n.CLN("peer", h.CLNConfig{})
		stranger := n.CLN("stranger", h.CLNConfig{})
		node := n.CLN("node", src.Config())
		funding := n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
		n.Use(node, peer, funding, 1_000_000)
		stranger.FundWallet(2_000_000)
		backup := src.Lose(node)

		me := heir(node)
		me.FundWallet(2_000_000)
		me.Recover(backup)
		me.Connect(stranger)
		err := me.Call("fundchannel", h.Params{"id": stranger.ID, "amount": 500_000}, nil)
		wantRefusal(t, err, "opening_refused", 3120)
		if err := stranger.Call("fundchannel", h.Params{"id": me.ID, "amount": 500_000}, nil); err == nil {
			t.Error("a stranger could open a channel to us right after the import")
		}
		if !me.Running() {
			t.Fatal("lightningd died")
		}

		me.Restart()
		me.Connect(stranger)
		before := len(me.Channels())
		me.Must("fundchannel", h.Params{"id": stranger.ID, "amount": 500_000}, nil)
		if got := len(me.Channels()); got != before+1 || !me.Running() {
			t.Errorf("after the restart: %d channels, want %d; lightningd runs: %v", got, before+1, me.Running())
		}
	})
}

func TestRunningItAgainChangesNothingAndSaysSo(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		peer := n.CLN("peer", h.CLNConfig{})
		node := n.CLN("node", src.Config())
		funding := n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
		n.Use(node, peer, funding, 1_000_000)
		backup := src.Lose(node)
		// The peer stays away, so that the stub stays a stub.
		peer.Stop()

		me := heir(node)
		wantImported(t, me, me.Recover(backup), funding)
		stubs := me.StaticBackup()
		for _, when := range []string{"in the same run", "after a restart"} {
			again := me.Recover(backup)
			if c := again.Of(funding); c == nil || c.Result != "already_imported" {
				t.Errorf("%s: %s", when, again.Raw)
			}
			if got := me.StaticBackup(); fmt.Sprint(got) != fmt.Sprint(stubs) {
				t.Errorf("%s: lightningd's channels changed: %v, before %v", when, got, stubs)
			}
			if when == "in the same run" {
				me.Restart()
			}
		}
	})
}

func TestWithoutTheFlagAndInDryRunsNothingHappens(t *testing.T) {
	story(t, func(t *testing.T, n *h.Net, src h.Source) {
		peer := n.CLN("peer", h.CLNConfig{})
		node := n.CLN("node", src.Config())
		funding := n.Open(node, peer, h.OpenOptions{Sat: 1_000_000})
		n.Use(node, peer, funding, 1_000_000)
		backup := src.Lose(node)

		me := heir(node)
		before := me.Snapshot()
		_, err := me.Glrecover(h.Params{"backup": backup.Path})
		wantRefusal(t, err, "not_decommissioned", 3100)
		for _, p := range []h.Params{
			{"backup": backup.Path, "dry_run": true},
			{"backup": backup.Path, "dry_run": true, "decommissioned": true},
		} {
			answer, err := me.Glrecover(p)
			if err != nil {
				t.Fatal(err)
			}
			c := answer.Of(funding)
			if c == nil || c.Result != "would_import" || c.Funding.State != "unspent" || !answer.DryRun {
				t.Errorf("dry run: %s", answer.Raw)
			}
		}
		if after := me.Snapshot(); after != before {
			t.Errorf("the node changed:\n%s\nbefore:\n%s", after, before)
		}
		if peer.Connected(me) {
			t.Error("there was a session with the peer")
		}
	})
}

// wantRefusal checks that err is a refusal with this stable name and code.
func wantRefusal(t *testing.T, err error, name string, code int) {
	t.Helper()
	e := h.AsRPCError(err)
	if e == nil || !strings.HasPrefix(e.Message, name+":") || e.Code != code {
		t.Errorf("got %v, want a refusal %s (%d)", err, name, code)
	}
}

func TestPluginStartedByCommandAnswersAndStopsByCommand(t *testing.T) {
	t.Parallel()
	h.Need(t, h.Lightningd, h.BitcoindD)
	n := h.New(t)
	own := openCorpus(t, "three-peers")
	node := n.CLN("node", h.CLNConfig{Secret: own.secret})
	node.StartPlugin()
	answer, err := node.Glrecover(h.Params{"backup": own.path, "dry_run": true})
	if err != nil || answer.Results()["would_import"] != 5 {
		t.Fatalf("dry run: %v %v", answer, err)
	}
	pids := node.PluginPIDs()
	node.Must("plugin", h.Params{"subcommand": "stop", "plugin": "glrecover"}, nil)
	h.Wait(t, "the plugin to end", func() error {
		if now := node.PluginPIDs(); len(now) > 0 {
			return fmt.Errorf("%v of %v", now, pids)
		}
		return nil
	})
	if !node.Running() {
		t.Error("lightningd died")
	}
}
