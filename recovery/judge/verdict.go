package judge

import (
	"fmt"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
)

// Keys is what of the node's secret is needed to read a close, and to check what a
// peer claims. The secret stays in keychain.
type Keys interface {
	// Basepoints are our own public keys of a channel.
	Basepoints(k channel.Key) (channel.Basepoints, error)
	// PerCommitmentPoint is the point of our commitment n, PerCommitmentSecret
	// its secret. It is never sent.
	PerCommitmentPoint(k channel.Key, n uint64) (channel.PubKey, error)
	PerCommitmentSecret(k channel.Key, n uint64) ([32]byte, error)
	// InWallet reports whether the script is one of the first of the wallet
	// that lightningd has with this secret.
	InWallet(pkScript []byte) bool
}

// Kind is what a closing transaction is, as told to users.
type Kind string

// The kinds.
const (
	Mutual   Kind = "mutual"
	Ours     Kind = "our_commitment"
	OursOld  Kind = "our_revoked_commitment"
	Theirs   Kind = "their_commitment"
	Revoked  Kind = "revoked_commitment"
	Splice   Kind = "splice"
	Unknown  Kind = "unknown"
	NoSecret Kind = "unknown_without_secret"
)

// Names of outputs from the user's side, whoever published the commitment. The
// other names are onchain's roles: to_local, to_remote, closing.
const (
	PaymentSent     = "payment_sent"
	PaymentReceived = "payment_received"
)

// Claimant is who turns an output into a coin of the wallet.
type Claimant string

// The claimants.
const (
	// ByLightningd: its wallet takes the output.
	ByLightningd Claimant = "lightningd"
	// ByRescan: its wallet finds it in the one restart with Plan.Rescan.
	ByRescan Claimant = "rescan"
	// BySweep: a transaction of ours takes it.
	BySweep Claimant = "sweep"
	// ByElsewhere: it pays to an address of the lost node that this node's
	// wallet does not have.
	ByElsewhere Claimant = "elsewhere"
	// ByNobody: nothing in hand can take it.
	ByNobody Claimant = "nobody"
	// Listed: the wallet lists it already.
	Listed Claimant = "listed"
)

// Owed is one output of a close that is ours, or can become ours.
type Owed struct {
	OutPoint wire.OutPoint
	Sat      uint64
	// What is to_local, to_remote, closing, payment_sent or payment_received.
	What string
	// Wallet says that lightningd's wallet takes it; without, we have to.
	Wallet bool
	// Elsewhere says that it pays to an address of the lost node's user that is
	// not in this wallet.
	Elsewhere bool
	// From is the first height at which it can be spent, 0 if at once.
	From uint32
}

// Verdict is what a closing transaction is for us.
type Verdict struct {
	Kind Kind
	Owed []Owed
	// Number is that of a peer's commitment, nil where it cannot be told.
	Number *uint64
	// ByReestablish says that only the peer's own numbers prove the commitment
	// revoked: the backup is older and has no secret of it.
	ByReestablish bool
	// Claim is, on a peer's commitment that is revoked, the value in sat that a
	// penalty can take, and Delay the blocks after the close that are left.
	Claim uint64
	Delay uint32
	// Unnamed counts the outputs of a commitment that the backup cannot name,
	// because it is newer: the peer's own, and payments that were under way.
	Unnamed int
	// Unsure says that of some output nobody can tell whose it is.
	Unsure bool
	// Why is what the kind rests on.
	Why string
	// Close is onchain's own account; nil where it could give none.
	Close *onchain.Close `json:"-"`
}

// NothingOurs reports whether it is sure that no output can be ours.
func (v *Verdict) NothingOurs() bool {
	switch v.Kind {
	case Mutual, Theirs, Ours:
		return len(v.Owed) == 0 && !v.Unsure
	case OursOld, Revoked, Splice, Unknown, NoSecret:
	}
	return false
}

// Public are the public keys with which a close of the channel is read, the zero
// value where keys is nil. hashes are the payments whose preimages are known.
func Public(k channel.Key, keys Keys, hashes ...[32]byte) onchain.Keys {
	if keys == nil {
		return onchain.Keys{}
	}
	ours, err := keys.Basepoints(k)
	if err != nil {
		return onchain.Keys{}
	}
	return onchain.Keys{
		Ours:   ours,
		Point:  func(n uint64) (channel.PubKey, error) { return keys.PerCommitmentPoint(k, n) },
		IsOurs: keys.InWallet,
		Hashes: hashes,
	}
}

// Close says what a transaction that spends a channel's funding output is for
// us; keys may be nil. height is that of its block, 0 while unconfirmed. hashes
// are the payments whose preimages are known.
func Close(c *channel.Channel, tx *wire.MsgTx, height uint32, keys Keys, hashes ...[32]byte) *Verdict {
	if c.ByID {
		full := Identify(c, tx, keys)
		if full == nil {
			return &Verdict{Kind: Unknown, Why: fmt.Sprintf("none of this node's first %d channels with the peer has a key in it", SearchedDBIDs)}
		}
		c = full
	}
	pub := Public(c.Key, keys, hashes...)
	c = withFundingKey(c, tx, pub.Ours.Funding)
	found, err := onchain.Classify(c, pub, tx)
	if err != nil {
		return &Verdict{Kind: Unknown}
	}
	v := &Verdict{Kind: kindOf(found, keys != nil), Delay: uint32(found.Delay), Why: found.Reason, Close: found}
	for _, o := range found.Mine() {
		from, _ := o.SpendableFrom(height)
		if height == 0 {
			from = 0
		}
		v.Owed = append(v.Owed, Owed{
			OutPoint: o.OutPoint, Sat: o.ValueSat, What: NameOf(o),
			Wallet: o.Claimant == onchain.ByWallet, Elsewhere: o.Claimant == onchain.ByElsewhere, From: from,
		})
	}
	if v.Kind == Theirs || v.Kind == Ours {
		v.Unnamed = len(found.Unnamed())
	}
	if v.Kind == Mutual {
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
	if c.ByID {
		// Without the peer's keys the number cannot be read, and an output of ours on our
		// own commitment cannot be told.
		v.Number, v.Claim, v.Unsure = nil, 0, v.Unsure || len(v.Owed) == 0
		v.Why = fmt.Sprintf("it spends the funding output with our key of dbid %d", c.DBID)
	}
	return v
}

// withFundingKey fills in the peer's funding key where the channel is known from
// a stored copy only: the witness that spends the funding output shows both
// (BOLT 3, "Funding Transaction Output").
func withFundingKey(c *channel.Channel, tx *wire.MsgTx, ours channel.PubKey) *channel.Channel {
	theirs, ok := theirFundingKey(tx, c.Funding, ours)
	if !c.Remote.Funding.IsZero() || !ok {
		return c
	}
	full := *c
	full.Remote.Funding = theirs
	return &full
}

// NameOf is an output's name from the user's side: what the peer's commitment has
// received, we have sent.
func NameOf(o *onchain.Output) string {
	switch o.Direction {
	case onchain.Sent:
		return PaymentSent
	case onchain.Received:
		return PaymentReceived
	}
	return string(o.Role)
}

// claimable sums what a penalty takes of a peer's commitment, if it is revoked.
// Without the peer's revealed secrets its scripts cannot be named; the revocation
// key takes all of them.
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

// WithReestablish adds to the verdict what the peer said before the import: a
// commitment far below the one at which it then stood is revoked by its own
// numbers, though the backup is too old to hold the secret. The one right below
// may still have been unrevoked. n may be nil.
func (v *Verdict) WithReestablish(n *Reestablish) *Verdict {
	if v.Kind == Theirs && v.Number != nil && n.believable() && *v.Number+2 < n.NextCommitment {
		v.Kind, v.ByReestablish = Revoked, true
	}
	return v
}

// kindOf is the name that users see.
func kindOf(c *onchain.Close, haveKeys bool) Kind {
	switch {
	case c.Kind == onchain.Mutual:
		return Mutual
	case c.Kind == onchain.Splice:
		return Splice
	case c.Kind == onchain.OursOld:
		return OursOld
	case c.Kind.Ours():
		return Ours
	case c.Cheated():
		return Revoked
	case c.Kind.Theirs():
		return Theirs
	case !haveKeys:
		return NoSecret
	}
	return Unknown
}
