package onchain_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/bolt3/bolt3test"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
)

// build makes commitment n out of a stored one's values.
func build(t testing.TB, g *golden, stored *channel.Commitment, n uint64, point channel.PubKey) *bolt3.CommitTx {
	t.Helper()
	tx, err := bolt3.BuildCommitment(g.ch, g.keys.Ours, stored, n, point)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// strangePoint is a per-commitment point that no backup knows.
func strangePoint(b byte) channel.PubKey { return bolt3.PointOf([32]byte{31: b, 7: 0x55}) }

// checkBuilt compares roles and scripts with what bolt3 put there.
func checkBuilt(t *testing.T, c *onchain.Close, built *bolt3.CommitTx) {
	t.Helper()
	for i, want := range built.Outputs {
		o := c.Outputs[i]
		if string(o.Role) != want.Kind.String() || string(o.WitnessScript) != string(want.WitnessScript) {
			t.Errorf("output %d is %s, want %s", i, o.Role, want.Kind)
		}
		if want.HTLC != nil && (o.HTLC == nil || *o.HTLC != *want.HTLC) {
			t.Errorf("output %d: HTLC %+v, want %+v", i, o.HTLC, want.HTLC)
		}
	}
}

// clone is a channel whose state can be changed.
func clone(ch *channel.Channel) *channel.Channel {
	c := *ch
	return &c
}

func TestEveryRevokedCommitmentIsCheating(t *testing.T) {
	revoked := 0
	for _, g := range goldens(t) {
		s := &g.ch.State
		for n := range s.NextCounterpartyRevokeNum {
			secret, ok := bolt3.SecretAt(s.Secrets, n)
			if !ok {
				t.Fatalf("%s: no secret %d", g.name, n)
			}
			revoked++
			built := build(t, g, s.CounterpartyCommit, n, bolt3.PointOf(secret))
			c := classify(t, g.ch, g.keys, built.Tx)
			if c.Kind != onchain.TheirsRevoked || !c.Cheated() || c.Number != n || c.Evidence != onchain.EvidencePoint || !c.HasSecret {
				// A first commitment that pays us all has no output that
				// commits to the point.
				if bolt3test.Output(built, bolt3.ToLocalOutput) < 0 && c.Kind == onchain.TheirsRevoked && c.Evidence == onchain.EvidenceToRemote {
					continue
				}
				t.Fatalf("%s, %d: %s by %s: %s", g.name, n, c.Kind, c.Evidence, c.Reason)
			}
			checkBuilt(t, c, built)
			var penalty, wallet uint64
			for _, o := range built.Outputs {
				switch o.Kind {
				case bolt3.ToLocalOutput, bolt3.OfferedHTLC, bolt3.ReceivedHTLC:
					penalty += o.ValueSat
				case bolt3.ToRemoteOutput:
					wallet += o.ValueSat
				case bolt3.BroadcasterAnchor, bolt3.CountersignerAnchor:
				}
			}
			if c.ClaimSat(onchain.PathPenalty) != penalty || c.ClaimSat(onchain.PathPayment) != wallet {
				t.Errorf("%s, %d: penalty %d, want %d; to_remote %d, want %d", g.name, n,
					c.ClaimSat(onchain.PathPenalty), penalty, c.ClaimSat(onchain.PathPayment), wallet)
			}
			for _, o := range c.Mine() {
				if o.Path == onchain.PathPenalty && (o.Claimant != onchain.BySweep || o.CSV != 0 || o.CLTV != 0 || o.SecondStage) {
					t.Errorf("%s: penalty output %+v", g.name, o)
				}
			}
			if got, want := c.PenaltyDeadline(1000), 1000+uint32(g.ch.HolderDelay); got != want {
				t.Errorf("%s: deadline %d, want %d", g.name, got, want)
			}
		}
	}
	if revoked < 100 {
		t.Errorf("only %d revoked commitments built", revoked)
	}
}

func TestNoCommitmentOfTheSnapshotIsCalledCurrentWithoutADoubt(t *testing.T) {
	seen := 0
	for _, g := range goldens(t) {
		s := &g.ch.State
		if s.CounterpartyCommit == nil || s.NextCounterpartyCommitNum == 0 {
			continue
		}
		n := s.NextCounterpartyCommitNum - 1
		c := classify(t, g.ch, g.keys, build(t, g, s.CounterpartyCommit, n, *s.CounterpartyPoint).Tx)
		if c.Kind != onchain.TheirsCurrent || !strings.Contains(c.Reason, "may have revoked it after the backup was written") {
			t.Errorf("%s: %s: %s", g.name, c.Kind, c.Reason)
		}
		seen++
	}
	if seen < 5 {
		t.Errorf("only %d commitments", seen)
	}
}

func TestRevokedWithoutItsSecretIsStillCheatingButNoPenaltyIsPromised(t *testing.T) {
	g := goldenOf(t, "htlc-in-flight-1")
	ch := clone(g.ch)
	n := ch.State.NextCounterpartyRevokeNum - 1
	secret, _ := bolt3.SecretAt(ch.State.Secrets, n)
	built := build(t, g, ch.State.CounterpartyCommit, n, bolt3.PointOf(secret))
	ch.State.Secrets = nil
	c := classify(t, ch, g.keys, built.Tx)
	// The backup's previous point is that of this very commitment.
	if c.Kind != onchain.TheirsRevoked || c.HasSecret || c.ClaimSat(onchain.PathPenalty) != 0 || c.ClaimSat(onchain.PathPayment) == 0 {
		t.Errorf("%s, penalty %d: %s", c.Kind, c.ClaimSat(onchain.PathPenalty), c.Reason)
	}
	if !strings.Contains(c.Reason, "secret is not in the backup") {
		t.Errorf("reason %q", c.Reason)
	}
	checkBuilt(t, c, built)
}

func TestPeersCommitmentFromAfterTheSnapshot(t *testing.T) {
	for _, name := range []string{"htlc-in-flight-1", "srk-htlcs-1"} {
		g := goldenOf(t, name)
		n := g.ch.State.NextCounterpartyCommitNum + 3
		point := strangePoint(1)
		built := build(t, g, g.ch.State.CounterpartyCommit, n, point)

		c := classify(t, g.ch, g.keys, built.Tx)
		if c.Kind != onchain.TheirsFuture || c.Evidence != onchain.EvidenceToRemote || c.Number != n || c.Point != nil {
			t.Fatalf("%s: %s by %s, number %d", name, c.Kind, c.Evidence, c.Number)
		}
		mine := c.Mine()
		if len(mine) != 1 || mine[0].Role != onchain.ToRemote || mine[0].Claimant != onchain.ByWallet {
			t.Errorf("%s: ours is %+v", name, mine)
		}
		unnamed := 1 + len(built.HTLCVouts()) // to_local and the HTLCs
		if len(c.Unnamed()) != unnamed {
			t.Errorf("%s: %d unnamed outputs", name, len(c.Unnamed()))
		}
		if !strings.Contains(c.Reason, fmt.Sprintf("%d of its outputs cannot be identified", unnamed)) || !strings.Contains(c.Reason, "newer than the backup") {
			t.Errorf("%s: reason %q", name, c.Reason)
		}

		// A peer that tells its point makes the rest readable.
		keys := g.keys
		keys.PeerPoints = []channel.PubKey{strangePoint(2), point}
		c = classify(t, g.ch, keys, built.Tx)
		if c.Kind != onchain.TheirsFuture || c.Evidence != onchain.EvidencePoint || len(c.Unnamed()) != 0 || *c.Point != point {
			t.Errorf("%s with its point: %s by %s, %d unnamed", name, c.Kind, c.Evidence, len(c.Unnamed()))
		}
		checkBuilt(t, c, built)
		checkClaims(t, c, g.ch, false)
	}
}

func TestSnapshotFromBirthAgainstTheStateAfterwards(t *testing.T) {
	after := goldenOf(t, "stale.signer_state_after-1")
	var birth *channel.Channel
	for _, ch := range channelsOf(t, "stale", "backup.json") {
		if ch.Funding == after.ch.Funding {
			birth = ch
		}
	}
	if birth == nil || birth.State.NextHolderCommitNum != 0 {
		t.Fatal("no snapshot from birth")
	}
	ours := classify(t, birth, after.keys, parseTx(t, after.Holder.Tx))
	if ours.Kind != onchain.OursFuture || ours.Evidence != onchain.EvidencePoint || ours.Number != 40 {
		t.Errorf("ours: %s by %s, number %d", ours.Kind, ours.Evidence, ours.Number)
	}
	checkOutputs(t, ours, after.Holder, true)
	if ours.ClaimSat(onchain.PathDelayed) != after.Holder.LocalSat {
		t.Errorf("to_local %d", ours.ClaimSat(onchain.PathDelayed))
	}
	theirs := classify(t, birth, after.keys, parseTx(t, after.Theirs.Tx))
	if theirs.Kind != onchain.TheirsFuture || theirs.ClaimSat(onchain.PathPayment) != after.Theirs.RemoteSat || len(theirs.Unnamed()) != 1 {
		t.Errorf("theirs: %s, to_remote %d, %d unnamed", theirs.Kind, theirs.ClaimSat(onchain.PathPayment), len(theirs.Unnamed()))
	}
}

func TestAgeOfOurOwnCommitment(t *testing.T) {
	for _, name := range []string{"htlc-in-flight-1", "srk-htlcs-1", "anchor-ties-1"} {
		g := goldenOf(t, name)
		ch := clone(g.ch)
		h := ch.State.NextHolderCommitNum
		tests := []struct {
			n    uint64
			next *channel.Commitment
			kind onchain.Kind
			ev   onchain.Evidence
		}{
			{0, nil, onchain.OursOld, onchain.EvidencePoint},
			{h - 2, nil, onchain.OursOld, onchain.EvidencePoint},
			{h - 1, nil, onchain.OursCurrent, onchain.EvidenceExact},
			{h, nil, onchain.OursFuture, onchain.EvidencePoint},
			{h, ch.State.HolderCommit, onchain.OursNext, onchain.EvidenceExact},
			{h - 1, ch.State.HolderCommit, onchain.OursCurrent, onchain.EvidenceExact},
			{h + 1, ch.State.HolderCommit, onchain.OursFuture, onchain.EvidencePoint},
			{1<<48 - 1, nil, onchain.OursFuture, onchain.EvidencePoint},
		}
		for _, tt := range tests {
			ch.State.NextHolderCommit = tt.next
			point, err := g.keys.Point(tt.n)
			if err != nil {
				t.Fatal(err)
			}
			built := build(t, g, ch.State.HolderCommit, tt.n, point)
			c := classify(t, ch, g.keys, built.Tx)
			if c.Kind != tt.kind || c.Evidence != tt.ev || c.Number != tt.n {
				t.Errorf("%s, %d: %s by %s, want %s", name, tt.n, c.Kind, c.Evidence, tt.kind)
			}
			checkBuilt(t, c, built)
			known := tt.kind == onchain.OursCurrent || tt.kind == onchain.OursNext
			if known {
				checkClaims(t, c, ch, true)
			}
			// HTLC transactions of ours need the peer's signatures.
			if got := c.ClaimSat(onchain.PathTimeout) > 0; got != known {
				t.Errorf("%s, %d: timeout claim %v", name, tt.n, got)
			}
			if c.ClaimSat(onchain.PathDelayed) != ch.State.HolderCommit.ToBroadcasterSat {
				t.Errorf("%s, %d: to_local %d", name, tt.n, c.ClaimSat(onchain.PathDelayed))
			}
		}
	}
}

func TestWithoutTheSecretOnlyTheFormIsTold(t *testing.T) {
	g := goldenOf(t, "htlc-in-flight-1")
	for _, v := range []*vectorCommit{g.Holder, g.Theirs} {
		c := classify(t, g.ch, onchain.Keys{}, parseTx(t, v.Tx))
		if c.Kind != onchain.Unknown || !c.Form || c.HasNumber || len(c.Mine()) != 0 {
			t.Errorf("%+v", c)
		}
	}
}

func TestPublicKeysWithoutPointsStillTellTheSide(t *testing.T) {
	g := goldenOf(t, "used-both-ways-1")
	keys := g.keys
	keys.Point = nil
	c := classify(t, g.ch, keys, parseTx(t, g.Holder.Tx))
	if c.Kind != onchain.OursCurrent || c.Evidence != onchain.EvidenceToRemote || len(c.Mine()) != 0 || len(c.Unnamed()) != 1 {
		t.Errorf("%s by %s, %d unnamed", c.Kind, c.Evidence, len(c.Unnamed()))
	}
}

func TestPointOutweighsTheHiddenNumber(t *testing.T) {
	g := goldenOf(t, "htlc-in-flight-1")
	tx := parseTx(t, g.Theirs.Tx)
	tx.LockTime ^= 0x40 // another number, the same outputs
	c := classify(t, g.ch, g.keys, tx)
	if c.Kind != onchain.TheirsCurrent || c.Number != g.Theirs.Number || c.Evidence != onchain.EvidencePoint {
		t.Errorf("%s %d by %s", c.Kind, c.Number, c.Evidence)
	}
	if !strings.Contains(c.Reason, "hidden number reads") {
		t.Errorf("reason %q", c.Reason)
	}
	checkOutputs(t, c, g.Theirs, true)
}

func TestNumberAloneProvesNothing(t *testing.T) {
	g := goldenOf(t, "srk-htlcs-1")
	for name, n := range map[string]uint64{
		"revoked": 1, "current": g.Theirs.Number, "future": g.Theirs.Number + 9,
	} {
		lock, seq := bolt3.HideNumber(n, bolt3.ChannelObscurer(g.ch, g.keys.Ours))
		tx := wire.NewMsgTx(2)
		tx.LockTime = lock
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: g.ch.Funding, Sequence: seq})
		tx.AddTxOut(wire.NewTxOut(990_000, append([]byte{0, 32}, make([]byte, 32)...)))
		c := classify(t, g.ch, g.keys, tx)
		if c.Kind != onchain.Unknown || c.Evidence != onchain.EvidenceNone || c.Number != n || !c.HasNumber {
			t.Errorf("%s: %s by %s", name, c.Kind, c.Evidence)
		}
	}
}

func TestAnchorAloneTellsTheSide(t *testing.T) {
	g := goldenOf(t, "used-both-ways-1")
	all := *g.ch.State.CounterpartyCommit
	all.ToBroadcasterSat += all.ToCountersignerSat
	all.ToCountersignerSat = 0
	n := g.ch.State.NextCounterpartyCommitNum + 1
	c := classify(t, g.ch, g.keys, build(t, g, &all, n, strangePoint(1)).Tx)
	if c.Kind != onchain.TheirsFuture || c.Evidence != onchain.EvidenceAnchor || len(c.Mine()) != 0 || len(c.Unnamed()) != 1 {
		t.Errorf("peer has all: %s by %s, mine %v", c.Kind, c.Evidence, c.Mine())
	}

	// HTLCs only: both anchors are there and name nobody.
	htlcs := channel.Commitment{Broadcaster: channel.Remote, Offered: []channel.HTLC{{ValueSat: 900_000, CLTVExpiry: 7}}}
	c = classify(t, g.ch, g.keys, build(t, g, &htlcs, n, strangePoint(1)).Tx)
	if c.Kind != onchain.Unknown || c.Number != n {
		t.Errorf("HTLCs only: %s by %s", c.Kind, c.Evidence)
	}
}

func TestHTLCThatIsStillPendingIsKnownInOlderAndNewerCommitments(t *testing.T) {
	g := goldenOf(t, "htlc-in-flight-1")
	s := &g.ch.State
	more := *s.CounterpartyCommit
	more.Received = append([]channel.HTLC{{ValueSat: 1234, CLTVExpiry: 300}}, more.Received...)
	secret, _ := bolt3.SecretAt(s.Secrets, 2)
	built := build(t, g, &more, 2, bolt3.PointOf(secret))
	c := classify(t, g.ch, g.keys, built.Tx)
	if c.Kind != onchain.TheirsRevoked || len(c.Unnamed()) != 1 || c.Unnamed()[0].ValueSat != 1234 {
		t.Errorf("%s, unnamed %+v", c.Kind, c.Unnamed())
	}
	if got, want := c.ClaimSat(onchain.PathPenalty), s.CounterpartyCommit.ToBroadcasterSat+68_000; got != want {
		t.Errorf("penalty %d, want %d", got, want)
	}
}

func TestEqualHTLCsAreToldApartByTheirOrder(t *testing.T) {
	g := goldenOf(t, "anchor-ties-1")
	// In the current commitment, and in one that the backup does not hold.
	for _, n := range []uint64{g.Holder.Number, g.Holder.Number + 5} {
		point, err := g.keys.Point(n)
		if err != nil {
			t.Fatal(err)
		}
		built := build(t, g, g.ch.State.HolderCommit, n, point)
		checkBuilt(t, classify(t, g.ch, g.keys, built.Tx), built)
	}
}

func TestLegacyToRemoteCommitsToThePoint(t *testing.T) {
	g := goldenOf(t, "static-remotekey-1")
	g.ch = clone(g.ch)
	g.ch.Type = channel.Legacy
	s := &g.ch.State
	built := build(t, g, s.CounterpartyCommit, s.NextCounterpartyCommitNum-1, *s.CounterpartyPoint)
	c := classify(t, g.ch, g.keys, built.Tx)
	if c.Kind != onchain.TheirsCurrent || c.Evidence != onchain.EvidenceExact || c.ClaimSat(onchain.PathPayment) == 0 {
		t.Errorf("%s by %s", c.Kind, c.Evidence)
	}
	checkBuilt(t, c, built)
	c = classify(t, g.ch, g.keys, build(t, g, s.CounterpartyCommit, 999, strangePoint(3)).Tx)
	if c.Kind != onchain.Unknown || len(c.Mine()) != 0 {
		t.Errorf("with a strange point: %s", c.Kind)
	}
}

func TestTransactionThatSpendsSomethingElse(t *testing.T) {
	g := goldenOf(t, "used-both-ways-1")
	tx := parseTx(t, g.Holder.Tx)
	tx.TxIn[0].PreviousOutPoint.Index++
	if _, err := onchain.Classify(g.ch, g.keys, tx); !errors.Is(err, onchain.ErrNotASpend) {
		t.Errorf("error %v", err)
	}
	if _, err := onchain.Classify(g.ch, g.keys, wire.NewMsgTx(2)); !errors.Is(err, onchain.ErrNotASpend) {
		t.Errorf("no input: %v", err)
	}
}

func TestBadKeysAreAnError(t *testing.T) {
	g := goldenOf(t, "used-both-ways-1")
	tx := parseTx(t, g.Holder.Tx)
	keys := g.keys
	keys.Ours.HTLC = channel.PubKey{}
	if _, err := onchain.Classify(g.ch, keys, tx); !errors.Is(err, channel.ErrPubKey) {
		t.Errorf("our key: %v", err)
	}
	ch := clone(g.ch)
	ch.Remote.Delayed = channel.PubKey{2}
	if _, err := onchain.Classify(ch, g.keys, tx); !errors.Is(err, channel.ErrPubKey) {
		t.Errorf("peer's key: %v", err)
	}
	keys = g.keys
	keys.Point = func(uint64) (channel.PubKey, error) { return channel.PubKey{}, errors.New("wiped") }
	if _, err := onchain.Classify(g.ch, keys, tx); err == nil || !strings.Contains(err.Error(), "wiped") {
		t.Errorf("point: %v", err)
	}
}

func TestSpendableFromCountsConfirmationsAndExpiry(t *testing.T) {
	tests := map[string]struct {
		o    onchain.Output
		want uint32
		ok   bool
	}{
		"to_remote with anchors": {onchain.Output{Path: onchain.PathPayment, CSV: 1}, 101, true},
		"static to_remote":       {onchain.Output{Path: onchain.PathPayment}, 100, true},
		"to_local":               {onchain.Output{Path: onchain.PathDelayed, CSV: 144}, 244, true},
		"expiry to come":         {onchain.Output{Path: onchain.PathTimeout, CSV: 1, CLTV: 150}, 151, true},
		"expired":                {onchain.Output{Path: onchain.PathTimeout, CSV: 1, CLTV: 50}, 101, true},
		"not ours":               {onchain.Output{Path: onchain.PathNone}, 0, false},
	}
	for name, tt := range tests {
		if got, ok := tt.o.SpendableFrom(100); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %d, %v", name, got, ok)
		}
	}
}

func FuzzClassify(f *testing.F) {
	var all []*golden
	for _, name := range []string{"htlc-in-flight-1", "srk-htlcs-1", "static-remotekey-1", "force-closed-1"} {
		all = append(all, goldenOf(f, name))
	}
	for i, g := range all {
		for _, v := range []*vectorCommit{g.Holder, g.Theirs} {
			raw, err := hex.DecodeString(v.Tx)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(i), true, raw)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, withKeys bool, raw []byte) {
		tx := new(wire.MsgTx)
		if err := tx.Deserialize(strings.NewReader(string(raw))); err != nil {
			return
		}
		g := all[int(which)%len(all)]
		keys := g.keys
		if !withKeys {
			keys = onchain.Keys{}
		}
		if len(tx.TxIn) > 0 {
			tx.TxIn[0].PreviousOutPoint = g.ch.Funding
		}
		c, err := onchain.Classify(g.ch, keys, tx)
		if err != nil {
			if len(tx.TxIn) > 0 {
				t.Fatal(err)
			}
			return
		}
		if len(c.Outputs) != len(tx.TxOut) || (c.Kind == onchain.Unknown) != (c.Evidence == onchain.EvidenceNone) || c.Reason == "" {
			t.Errorf("%+v", c)
		}
		// Only the 81-odd genuine transactions may pass as exact ones.
		if c.Evidence == onchain.EvidenceExact {
			known := false
			for _, v := range []*vectorCommit{g.Holder, g.Theirs, g.TheirsPrev} {
				known = known || (v != nil && parseTx(t, v.Tx).TxHash() == tx.TxHash())
			}
			if !known {
				t.Errorf("%s passes as exact", c.TxID)
			}
		}
		for i := range c.Outputs {
			o := &c.Outputs[i]
			if (o.HTLC != nil) != (o.Role == onchain.OfferedHTLC || o.Role == onchain.ReceivedHTLC) {
				t.Errorf("output %d: %s, HTLC %v", i, o.Role, o.HTLC)
			}
			if o.Role == onchain.Unnamed && o.WitnessScript != nil {
				t.Errorf("output %d: script without a name", i)
			}
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	g := goldenOf(b, "anchor-ties-1")
	tx := parseTx(b, g.Theirs.Tx)
	for b.Loop() {
		if _, err := onchain.Classify(g.ch, g.keys, tx); err != nil {
			b.Fatal(err)
		}
	}
}
