package recovery

import (
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
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
	if v.Kind == kindRevoked {
		for i := range found.Outputs {
			switch found.Outputs[i].Role {
			case onchain.ToLocal, onchain.OfferedHTLC, onchain.ReceivedHTLC, onchain.Unnamed:
				// Without the peer's revealed secrets, which are in the backup and
				// not on record, its scripts cannot be named; the revocation key
				// takes all of them.
				v.Claim += found.Outputs[i].ValueSat
			case onchain.ToRemote, onchain.ToLocalAnchor, onchain.ToRemoteAnchor, onchain.Closing, onchain.NewFunding:
			}
		}
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
