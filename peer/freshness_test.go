package peer

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"testing"

	"github.com/glrecover/glrecover/channel"
)

// testSecret stands for our per-commitment secret number n.
func testSecret(n uint64) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("commitment"), n))
}

func TestFreshness(t *testing.T) {
	type numbers struct{ h, c, r uint64 }
	for _, tc := range []struct {
		name     string
		backup   numbers
		nc, nr   uint64
		kind     VerdictKind
		theirs   uint64 // CounterpartyOlderBy
		ours     uint64 // HolderOlderBy
		revoked  bool
		proof    Proof
		proofNum uint64 // secret that the peer sends, if not nr
	}{
		{name: "in step", backup: numbers{7, 7, 6}, nc: 7, nr: 6, kind: NotRefuted, proof: ProofValid},
		{name: "our last signature was lost", backup: numbers{7, 7, 5}, nc: 6, nr: 6, kind: NotRefuted, proof: ProofValid},
		{name: "our last revocation was lost", backup: numbers{7, 7, 6}, nc: 7, nr: 5, kind: NotRefuted, proof: ProofValid},
		{name: "both were lost", backup: numbers{7, 7, 5}, nc: 6, nr: 5, kind: NotRefuted, proof: ProofValid},
		{name: "older on the counterparty's side alone", backup: numbers{7, 7, 6}, nc: 9, nr: 6, kind: Older, theirs: 2, proof: ProofValid},
		{name: "older on our side alone: our commitment is revoked", backup: numbers{7, 7, 6}, nc: 7, nr: 7, kind: Older, ours: 1, revoked: true, proof: ProofValid},
		{name: "older on both sides", backup: numbers{7, 7, 6}, nc: 27, nr: 26, kind: Older, theirs: 20, ours: 20, revoked: true, proof: ProofValid},
		{name: "birth snapshot of an unused channel", nc: 1, nr: 0, kind: NotRefuted, proof: ProofNone},
		{name: "birth snapshot of a used channel", nc: 21, nr: 20, kind: Older, theirs: 20, ours: 20, revoked: true, proof: ProofValid},
		{name: "first commitments, unused", backup: numbers{1, 1, 0}, nc: 1, nr: 0, kind: NotRefuted, proof: ProofNone},
		{name: "first commitments, one payment on", backup: numbers{1, 1, 0}, nc: 2, nr: 1, kind: Older, theirs: 1, ours: 1, revoked: true, proof: ProofValid},
		{name: "a peer that lost everything", backup: numbers{7, 7, 6}, nc: 0, nr: 0, kind: PeerStale, proof: ProofNone},
		{name: "a peer that lost everything, birth snapshot", nc: 0, nr: 0, kind: PeerStale, proof: ProofNone},
		{name: "a peer at a commitment that we hold the secret of", backup: numbers{7, 7, 6}, nc: 6, nr: 6, kind: PeerStale, proof: ProofValid},
		{name: "a peer restored from an old backup", backup: numbers{7, 7, 6}, nc: 3, nr: 2, kind: PeerStale, proof: ProofValid},
		{name: "a peer with too few revocations of ours", backup: numbers{7, 7, 6}, nc: 7, nr: 4, kind: PeerStale, proof: ProofValid},
		{name: "a peer behind on one side and ahead on the other", backup: numbers{7, 7, 6}, nc: 2, nr: 9, kind: PeerStale, ours: 3, revoked: true, proof: ProofValid},
		{name: "a lie: ahead, without the secret", backup: numbers{7, 7, 6}, nc: 9, nr: 8, kind: FalseProof, theirs: 2, ours: 2, revoked: true, proof: ProofFalse, proofNum: 3},
		{name: "a lie at numbers that fit", backup: numbers{7, 7, 6}, nc: 7, nr: 6, kind: FalseProof, proof: ProofFalse, proofNum: 4},
		{name: "numbers that no channel has", backup: numbers{7, 7, 6}, nc: math.MaxUint64, nr: math.MaxUint64, kind: FalseProof, theirs: math.MaxUint64 - 7, ours: math.MaxUint64 - 6, revoked: true, proof: ProofFalse},
		{name: "a commitment number that no channel has", backup: numbers{7, 7, 6}, nc: math.MaxUint64, nr: 6, kind: FalseProof, theirs: math.MaxUint64 - 7, proof: ProofFalse},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ch := &channel.Channel{State: channel.State{
				NextHolderCommitNum: tc.backup.h, NextCounterpartyCommitNum: tc.backup.c, NextCounterpartyRevokeNum: tc.backup.r,
			}}
			r := Reestablish{NextCommitment: tc.nc, NextRevocation: tc.nr, DataLossProtection: true}
			switch {
			case tc.proofNum > 0:
				r.YourLastSecret = testSecret(tc.proofNum)
			case tc.nr > 0:
				r.YourLastSecret = testSecret(tc.nr - 1)
			}
			v := Freshness(ch, r, testSecret)
			if v.Kind != tc.kind || v.CounterpartyOlderBy != tc.theirs || v.HolderOlderBy != tc.ours ||
				v.HolderRevoked != tc.revoked || v.Proof != tc.proof || v.Reason == "" {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestFreshnessCountsWhatTheSecretsProveRevoked(t *testing.T) {
	ch := &channel.Channel{State: channel.State{
		NextHolderCommitNum: 3, NextCounterpartyCommitNum: 3,
		// The field is one behind the secrets.
		NextCounterpartyRevokeNum: 1,
		Secrets:                   []channel.Secret{{Index: channel.ShachainIndex(1)}, {Index: channel.ShachainIndex(0)}},
	}}
	r := Reestablish{NextCommitment: 2, NextRevocation: 2, DataLossProtection: true, YourLastSecret: testSecret(1)}
	if v := Freshness(ch, r, testSecret); v.Kind != PeerStale {
		t.Errorf("commitment 1 is revoked and current: %+v", v)
	}
	r.NextCommitment = 3
	if v := Freshness(ch, r, testSecret); v.Kind != NotRefuted {
		t.Errorf("commitment 2 is not revoked: %+v", v)
	}
}

func TestFreshnessWithoutSecretsOrWithoutProofStillCompares(t *testing.T) {
	ch := &channel.Channel{State: channel.State{NextHolderCommitNum: 7, NextCounterpartyCommitNum: 7, NextCounterpartyRevokeNum: 6}}
	r := Reestablish{NextCommitment: 9, NextRevocation: 8, DataLossProtection: true, YourLastSecret: testSecret(7)}
	if v := Freshness(ch, r, nil); v.Kind != Older || v.Proof != ProofUnchecked {
		t.Errorf("%+v", v)
	}
	if v := Freshness(ch, Reestablish{NextCommitment: 9, NextRevocation: 8}, testSecret); v.Kind != Older || v.Proof != ProofMissing {
		t.Errorf("%+v", v)
	}
	zero := Reestablish{NextCommitment: 7, NextRevocation: 0, DataLossProtection: true, YourLastSecret: testSecret(7)}
	if v := Freshness(&channel.Channel{}, zero, testSecret); v.Proof != ProofFalse {
		t.Errorf("a secret where there can be none: %+v", v)
	}
}

func TestFreshnessNeverAsksForASecretThatNoCommitmentHas(t *testing.T) {
	for _, nr := range []uint64{0, 1, 1 << 48, 1<<48 + 1, math.MaxUint64} {
		Freshness(&channel.Channel{}, Reestablish{NextCommitment: 1, NextRevocation: nr, DataLossProtection: true}, func(n uint64) [32]byte {
			if n > channel.MaxShachainIndex {
				t.Errorf("asked for %d", n)
			}
			return testSecret(n)
		})
	}
}
