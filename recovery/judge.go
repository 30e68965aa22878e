package recovery

import (
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/peer"
)

// judge says what a transaction that spends a channel's funding output is for
// us; keys may be nil. height is that of its block, 0 while unconfirmed.
func judge(c *channel.Channel, tx *wire.MsgTx, height uint32, keys Keys) *verdict {
	pub := onchain.Keys{}
	if keys != nil {
		ours, err := keys.Basepoints(c.Key)
		if err == nil {
			pub.Ours = ours
			pub.Point = func(n uint64) (channel.PubKey, error) { return keys.PerCommitmentPoint(c.Key, n) }
			pub.IsOurs = keys.InWallet
		}
	}
	found, err := onchain.Classify(c, pub, tx)
	if err != nil {
		return &verdict{Kind: kindUnknown}
	}
	v := &verdict{Kind: kindOf(found, keys != nil), Delay: uint32(found.Delay), Why: found.Reason}
	for _, o := range found.Mine() {
		from, _ := o.SpendableFrom(height)
		if height == 0 {
			from = 0
		}
		v.Owed = append(v.Owed, owed{
			OutPoint: o.OutPoint, Sat: o.ValueSat, What: string(o.Role), Wallet: o.Claimant == onchain.ByWallet,
			Elsewhere: o.Claimant == onchain.ByElsewhere, From: from,
		})
	}
	if v.Kind == kindTheirs || v.Kind == kindOurs {
		v.Unnamed = len(found.Unnamed())
	}
	if v.Kind == kindMutual {
		for i := range found.Outputs {
			v.Unsure = v.Unsure || found.Outputs[i].Owner == onchain.OwnerUnknown
		}
	}
	if found.Kind.Theirs() {
		if found.HasNumber {
			v.Number = &found.Number
		}
		v.Claim = claimable(found)
	}
	return v
}

// claimable sums what a penalty takes of a peer's commitment, if it is revoked.
// Without the peer's revealed secrets, which are in the backup and not on record,
// its scripts cannot be named; the revocation key takes all of them.
func claimable(found *onchain.Close) (sat uint64) {
	for i := range found.Outputs {
		switch found.Outputs[i].Role {
		case onchain.ToLocal, onchain.OfferedHTLC, onchain.ReceivedHTLC, onchain.Unnamed:
			sat += found.Outputs[i].ValueSat
		case onchain.ToRemote, onchain.ToLocalAnchor, onchain.ToRemoteAnchor, onchain.Closing, onchain.NewFunding:
		}
	}
	return sat
}

// judge adds to the verdict what the peer said before the import: a commitment
// far below the one at which it then stood is revoked by its own numbers, though
// the backup is too old to hold the secret. The one right below may still have
// been unrevoked.
func (t *track) judge(tx *wire.MsgTx, height uint32, keys Keys) *verdict {
	v := judge(&t.Channel, tx, height, keys)
	n := t.Numbers
	if v.Kind != kindTheirs || v.Number == nil || n == nil || n.Verdict == string(peer.FalseProof) {
		return v
	}
	if *v.Number+2 < n.NextCommitment {
		v.Kind, v.ByNumbers = kindRevoked, true
	}
	return v
}

// kindOf is the name that users see.
func kindOf(c *onchain.Close, haveKeys bool) string {
	switch {
	case c.Kind == onchain.Mutual:
		return kindMutual
	case c.Kind == onchain.Splice:
		return kindSplice
	case c.Kind == onchain.OursOld:
		return kindOursOld
	case c.Kind.Ours():
		return kindOurs
	case c.Cheated():
		return kindRevoked
	case c.Kind.Theirs():
		return kindTheirs
	case !haveKeys:
		return kindNoSecret
	}
	return kindUnknown
}
