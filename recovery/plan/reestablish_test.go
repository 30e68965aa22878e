package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/plan"
)

// current are the numbers of a peer for which the backup is not refuted.
func (w *world) current(c *channel.Channel) peer.Reestablish {
	st := &c.State
	return w.proven(c, peer.Reestablish{
		Channel: c.ID(), NextCommitment: st.NextCounterpartyCommitNum, NextRevocation: st.NextHolderCommitNum - 1, DataLossProtection: true,
	})
}

// proven fills in our secret, as an honest peer does.
func (w *world) proven(c *channel.Channel, r peer.Reestablish) peer.Reestablish {
	w.t.Helper()
	secret, err := w.keys.PerCommitmentSecret(c.Key, r.NextRevocation-1)
	if err != nil {
		w.t.Fatal(err)
	}
	r.YourLastSecret = secret
	return r
}

// TestOnlyAMoveThatOurOwnSecretsProveIsAnAlarm: made-up numbers are the trouble
// of the peer that made them up.
func TestOnlyAMoveThatOurOwnSecretsProveIsAnAlarm(t *testing.T) {
	w := newWorld(t, "used-both-ways")
	c := w.backup.Channels[0]
	first := w.current(c)
	for _, x := range []struct {
		what string
		move func(r *peer.Reestablish)
		want judge.Motion
	}{
		{"nothing", func(*peer.Reestablish) {}, judge.Still},
		{"a commitment more, on its word", func(r *peer.Reestablish) { r.NextCommitment += 10 }, judge.Unproven},
		{"a revocation more, with the old secret", func(r *peer.Reestablish) { r.NextRevocation++ }, judge.Unproven},
		{"a revocation more, with zeros", func(r *peer.Reestablish) { r.NextRevocation++; r.YourLastSecret = peer.Secret{} }, judge.Unproven},
		{"a revocation more, without proof", func(r *peer.Reestablish) { r.NextRevocation++; r.DataLossProtection = false }, judge.Unproven},
		{"a revocation more, with our secret of it", func(r *peer.Reestablish) { r.NextRevocation++; *r = w.proven(c, *r) }, judge.Proven},
		{"a commitment more, with the secret that it had", func(r *peer.Reestablish) { r.NextCommitment++ }, judge.Unproven},
		{"one commitment less", func(r *peer.Reestablish) { r.NextCommitment-- }, judge.Back},
	} {
		now := first
		x.move(&now)
		at := time.Now()
		got, why := judge.Moved(c, judge.CompareReestablish(c, first, at, w.keys), judge.CompareReestablish(c, now, at, w.keys))
		if got != x.want || (why == "") != (got == judge.Still) {
			t.Errorf("%s: %d (%s), want %d", x.what, got, why, x.want)
		}
		// Without the secret nothing can be proven, so nothing is an alarm.
		if got, _ := judge.Moved(c, judge.CompareReestablish(c, first, at, nil), judge.CompareReestablish(c, now, at, nil)); got == judge.Proven {
			t.Errorf("%s: proven without the secret", x.what)
		}
	}
	// A peer that was behind the backup and has its state back has not moved.
	behind := first
	behind.NextCommitment, behind.NextRevocation = 1, 0
	if got, _ := judge.Moved(c, judge.CompareReestablish(c, behind, time.Now(), w.keys), judge.CompareReestablish(c, first, time.Now(), w.keys)); got != judge.Still {
		t.Errorf("its state is back: %d", got)
	}
}

// TestWhatAPeerSaysChangesTheDecision.
func TestWhatAPeerSaysChangesTheDecision(t *testing.T) {
	for _, x := range []struct {
		what  string
		name  string
		says  func(r *peer.Reestablish)
		stale bool
		want  decision.Decision
		warns string
	}{
		{"the backup is not refuted", "used-both-ways", func(*peer.Reestablish) {}, false, decision.Import, ""},
		{"the peer is ahead", "used-both-ways", func(r *peer.Reestablish) { r.NextCommitment += 3 }, false, decision.Import, "out of date"},
		{"a false proof", "used-both-ways", func(r *peer.Reestablish) { r.YourLastSecret[0] ^= 1 }, false, decision.Import, "do not trust"},
		{"the peer lost its state", "used-both-ways", func(r *peer.Reestablish) { r.NextCommitment = 0 }, false, decision.StalePeer, ""},
		{"the peer lost its state, and the user accepts it", "used-both-ways", func(r *peer.Reestablish) { r.NextCommitment = 0 }, true, decision.Import, "override"},
		{"the peer says 1/0 of a channel that was used", "used-both-ways", func(r *peer.Reestablish) { r.NextCommitment, r.NextRevocation = 1, 0 }, false, decision.StalePeer, ""},
		{"the peer says 1/0", "fresh-outbound", func(*peer.Reestablish) {}, false, decision.Import, ""}, // core holds it back
	} {
		w := newWorld(t, x.name)
		p := w.plan()
		c := p.Channels[0]
		if c.Decision != decision.Import {
			t.Fatalf("%s before: %s", x.name, c.Decision)
		}
		r := peer.Reestablish{Channel: c.Channel.ID(), NextCommitment: 1, DataLossProtection: true}
		if x.name == "used-both-ways" {
			r = w.current(c.Channel)
		}
		x.says(&r)
		heard := &peer.Reading{Heard: peer.Heard{Channels: []peer.Reestablish{r, {Channel: channel.ID{7}, NextCommitment: 9}}}}
		before := len(p.Warnings)
		p.Hear(c.PeerID, heard, w.keys, time.Now(), x.stale)
		warnings := p.Warnings[before:]
		if c.Decision != x.want || c.Peer == nil || c.SCB == nil {
			t.Errorf("%s: %s (%s), %+v", x.what, c.Decision, c.Reason, c.Peer)
		}
		if said := strings.Join(c.Warnings, "\n"); x.warns != "" && !strings.Contains(said, x.warns) {
			t.Errorf("%s: warnings %q", x.what, said)
		}
		if len(warnings) != 1 || !strings.Contains(warnings[0], channel.ID{7}.String()) {
			t.Errorf("%s: an unknown channel is told as %q", x.what, warnings)
		}
	}
}

// TestAChannelThatNobodyKnowsIsTold, and that its peer may forget it.
func TestAChannelThatNobodyKnowsIsTold(t *testing.T) {
	for next, want := range map[uint64]bool{1: true, 2: false} {
		p := &plan.Plan{}
		heard := &peer.Reading{Heard: peer.Heard{Channels: []peer.Reestablish{{Channel: channel.ID{7}, NextCommitment: next}}}}
		p.Hear(channel.PubKey{2}, heard, nil, time.Now(), false)
		if len(p.Warnings) != 1 || strings.Contains(p.Warnings[0], "channel_ready") != want {
			t.Errorf("it says %d/0: %q", next, p.Warnings)
		}
	}
}
