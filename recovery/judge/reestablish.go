package judge

import (
	"errors"
	"fmt"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
)

// Reestablish is a peer's channel_reestablish (BOLT 2), compared with the
// backup's.
type Reestablish struct {
	NextCommitment uint64    `json:"next_commitment_number"`
	NextRevocation uint64    `json:"next_revocation_number"`
	At             time.Time `json:"at,omitzero"`
	// Verdict is peer.Freshness's, Reason its sentence.
	Verdict peer.VerdictKind `json:"verdict"`
	Reason  string           `json:"-"`
	// Proof says whether our own secrets prove NextRevocation.
	Proof peer.Proof `json:"proof,omitempty"`
}

// CompareReestablish compares one channel's numbers, as its peer said them at a
// time, with the backup's. What the peer shows as proof is checked with our own
// secrets where there are keys.
func CompareReestablish(c *channel.Channel, r peer.Reestablish, at time.Time, keys Keys) *Reestablish {
	if !c.DBIDKnown() {
		keys = nil // nobody knows yet which secrets are the channel's
	}
	v := freshness(c, r, keys)
	return &Reestablish{
		NextCommitment: r.NextCommitment, NextRevocation: r.NextRevocation, At: at,
		Verdict: v.Kind, Reason: v.Reason, Proof: v.Proof,
	}
}

func freshness(c *channel.Channel, r peer.Reestablish, keys Keys) peer.Verdict {
	if keys == nil {
		return peer.Freshness(c, r, nil)
	}
	var failed error
	v := peer.Freshness(c, r, func(n uint64) [32]byte {
		secret, err := keys.PerCommitmentSecret(c.Key, n)
		failed = errors.Join(failed, err)
		return secret
	})
	if failed != nil {
		return peer.Freshness(c, r, nil)
	}
	return v
}

// believable reports whether numbers may be used against their peer.
func (n *Reestablish) believable() bool { return n != nil && n.Verdict != peer.FalseProof }

// NeverUsed reports whether these are the numbers, 1/0, of a peer that may still
// await our channel_ready: a CLN peer then forgets the channel at an error, and
// lightningd's own connection of a stub sends one, and so does lightningd for a
// channel that it does not know (measured on v26.06.6). Nobody can tell such a
// channel from one that is ready and was never used.
func (n *Reestablish) NeverUsed() bool {
	return n != nil && n.NextCommitment == 1 && n.NextRevocation == 0
}

// Motion says how a peer's numbers moved between two sessions.
type Motion uint8

// The motions.
const (
	// Still: they did not go on.
	Still Motion = iota
	// Unproven: they went on, and nothing but the peer's word says so. It is
	// this peer's trouble alone.
	Unproven
	// Proven: our own secrets show that something with this node's key has
	// revoked a commitment since: the hosted node is alive.
	Proven
	// Back: they went back.
	Back
)

// Moved compares numbers of one peer with the first that it said. A peer that
// was behind the backup and has its state back has not moved.
func Moved(c *channel.Channel, first, now *Reestablish) (m Motion, why string) {
	if first == nil || now == nil {
		return Still, ""
	}
	st := &c.State
	commitments := now.NextCommitment > max(first.NextCommitment, st.NextCounterpartyCommitNum)
	revocations := now.NextRevocation > max(first.NextRevocation, max(st.NextHolderCommitNum, 1)-1)
	if commitments || revocations {
		why = fmt.Sprintf("the peer's numbers for channel %s moved from %d/%d to %d/%d",
			c.ID(), first.NextCommitment, first.NextRevocation, now.NextCommitment, now.NextRevocation)
		if revocations && now.Proof == peer.ProofValid {
			return Proven, why + ", and it shows our own secret of a commitment that was revoked since: something else with this node's key uses the channel"
		}
		return Unproven, why + ", and it shows nothing that only this node's key can make"
	}
	if now.NextCommitment < first.NextCommitment || now.NextRevocation < first.NextRevocation {
		return Back, fmt.Sprintf("the peer's numbers went back from %d/%d to %d/%d",
			first.NextCommitment, first.NextRevocation, now.NextCommitment, now.NextRevocation)
	}
	return Still, ""
}
