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
		node, _, funding, backup := lostNode(n, src)

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
// stubs, and nothing else. A channel whose peer is asked first becomes one when
// its close is seen.
func wantImported(t *testing.T, node *h.CLN, a *h.Answer, fundings ...h.Outpoint) {
	t.Helper()
	for _, f := range fundings {
		c := a.Of(f)
		if c == nil {
			t.Fatalf("the answer does not name the channel funded by %s:\n%s", f, a.Raw)
		}
		switch c.Result {
		case "asked_first":
			waitStub(t, node, f)
		case "imported":
			if node.Channel(f) == nil {
				t.Errorf("lightningd has no stub of %s", f)
			}
		default:
			t.Errorf("channel %s is %q: %s\n%s", f, c.Result, c.Reason, a.Raw)
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
		wantImported(t, me, answer, fundings...)
		// Its peer was not heard, and could forget a channel that was never used.
		if c := answer.Of(hidden); c == nil || c.Result != "asked_first" || me.Channel(hidden) != nil {
			t.Errorf("the channel whose peer has no address: %+v", c)
		}
		if full := "\r# 3/3 |" + strings.Repeat("=", 60) + "|\n"; !strings.Contains(answer.Printed, full) {
			t.Errorf("no progress bar in %s", answer.Printed)
		}
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
		// The user finds the address and says it.
		if _, err := me.Glrecover(h.Params{"backup": backup.Path, "decommissioned": true, "addresses": map[string]string{lone.ID: lone.Address()}}); err != nil {
			t.Fatal(err)
		}
		spent := n.WaitSpent(hidden)
		waitStub(t, me, hidden)
		recovered(t, n, me, spent)
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
		// It is followed and not imported: a stub of a closed channel means nothing.
		if stub := me.Channel(closed); c.Result != "follow_closed" || stub != nil || c.Funding.State != "spent" || c.Funding.SpendTxid != closing {
			t.Errorf("closed channel (by %s): result %q, stub %v, funding %+v, reason %q, warnings %q", closing, c.Result, stub != nil, c.Funding, c.Reason, c.Warnings)
		}
		if o := answer.Of(open); o == nil || (o.Result != "imported" && o.Result != "asked_first") {
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
		node, peer, funding, backup := lostNode(n, src)
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
		node, peer, funding, backup := lostNode(n, src)

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
