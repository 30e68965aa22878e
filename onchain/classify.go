package onchain

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
)

// Keys are the public data besides the backup that a classification uses. The
// zero value is allowed: then only what needs no key of ours is recognised.
type Keys struct {
	// Ours are our basepoints and funding key of this channel; zero where the
	// secret is not at hand.
	Ours channel.Basepoints
	// Point gives our per-commitment point of a commitment number; nil where
	// the secret is not at hand.
	Point func(number uint64) (channel.PubKey, error)
	// PeerPoints are per-commitment points of the peer that are known from
	// elsewhere (channel_reestablish of a peer that tells the truth there);
	// they are tried on commitments that the backup does not know.
	PeerPoints []channel.PubKey
	// Hashes are payment hashes whose preimages are known. HTLCs of the peer
	// with them are recognised on commitments of the peer that the backup does
	// not hold.
	Hashes [][32]byte
	// IsOurs reports whether this node's wallet has a script; nil where that
	// cannot be told, then our shutdown script counts as the wallet's.
	IsOurs func(pkScript []byte) bool
}

// ErrNotASpend says that a transaction does not spend the channel's funding
// output.
var ErrNotASpend = errors.New("transaction does not spend the funding output")

// Classify says what a transaction that spends the channel's funding output is.
// The error matches ErrNotASpend, or channel.ErrPubKey where a key of the
// channel or of ours is none; what cannot be told is no error but Unknown with a
// reason.
func Classify(ch *channel.Channel, keys Keys, tx *wire.MsgTx) (*Close, error) {
	spends := false
	for _, in := range tx.TxIn {
		spends = spends || in.PreviousOutPoint == ch.Funding
	}
	if !spends {
		return nil, ErrNotASpend
	}
	c := &Close{Kind: Unknown, Evidence: EvidenceNone, TxID: tx.TxHash(), Outputs: make([]Output, len(tx.TxOut))}
	for i, out := range tx.TxOut {
		c.Outputs[i] = Output{
			OutPoint: wire.OutPoint{Hash: c.TxID, Index: uint32(i)},
			ValueSat: uint64(out.Value), PkScript: out.PkScript,
			Role: Unnamed, Owner: OwnerUnknown, Claimant: ByNobody, Path: PathNone,
		}
	}
	// The marks can be seen without our keys, the number cannot.
	hidden, err := bolt3.CommitNumber(tx, 0)
	c.Form = err == nil
	if !c.Form {
		return c, c.other(ch, keys, len(tx.TxIn))
	}
	if keys.Ours == (channel.Basepoints{}) {
		c.Reason = "a commitment; without our keys it is unknown whose and which one"
		return c, nil
	}
	c.Number, c.HasNumber = hidden^bolt3.ChannelObscurer(ch, keys.Ours), true
	return c, c.commitment(ch, keys)
}

// commitment looks for the side and age of a transaction that has the marks of
// a commitment.
func (c *Close) commitment(ch *channel.Channel, keys Keys) error {
	m, err := newMatcher(ch, keys)
	if err != nil {
		return err
	}
	number := c.Number
	candidates, err := m.candidates(keys, number)
	if err != nil {
		return err
	}
	// A script that commits to a per-commitment point settles side and number.
	for _, cand := range candidates {
		tmpl, err := m.template(cand.side, cand.number, cand.point)
		if err != nil {
			return err
		}
		if !tmpl.byPoint(c.Outputs) {
			continue
		}
		c.Number = cand.number
		c.accept(m, cand.side, cand.point, tmpl, EvidencePoint)
		c.Reason = fmt.Sprintf("an output uses the per-commitment point of %s commitment %d", whose(cand.side), cand.number)
		if cand.number != number {
			c.Reason += fmt.Sprintf(", though the hidden number reads %d", number)
		}
		c.checkExact(m)
		c.finish()
		return nil
	}
	// Without one: to_remote has a fixed key, and then the anchors.
	for _, ev := range []Evidence{EvidenceToRemote, EvidenceAnchor} {
		for _, side := range []channel.Side{channel.Remote, channel.Local} {
			tmpl, err := m.template(side, number, nil)
			if err != nil {
				return err
			}
			if !tmpl.has(c.Outputs, ev) {
				continue
			}
			point := candidates.point(side, number)
			if point != nil {
				if tmpl, err = m.template(side, number, point); err != nil {
					return err
				}
			}
			c.accept(m, side, point, tmpl, ev)
			c.Reason = fmt.Sprintf("%s names %s commitment, the hidden number its age (%d)", ev, whose(side), number)
			c.checkExact(m)
			c.finish()
			return nil
		}
	}
	c.Reason = fmt.Sprintf("it looks like commitment %d, but none of its outputs can be identified", number)
	return nil
}

// accept names the outputs.
func (c *Close) accept(m *matcher, side channel.Side, point *channel.PubKey, tmpl *template, ev Evidence) {
	c.Kind, c.Evidence, c.Point = m.kind(side, c.Number), ev, point
	c.Delay = m.ch.CounterpartyDelay
	if side == channel.Remote {
		c.Delay = m.ch.HolderDelay
		_, c.HasSecret = bolt3.SecretAt(m.ch.State.Secrets, c.Number)
	}
	tmpl.name(c.Outputs)
	for i := range c.Outputs {
		c.Outputs[i].claim(c, m.ch.Type, side)
	}
}

// checkExact compares with the snapshot's own commitment of that number.
func (c *Close) checkExact(m *matcher) {
	stored := m.stored(c.Kind)
	if stored == nil || c.Point == nil {
		return
	}
	built, err := bolt3.BuildCommitment(m.ch, m.ours, stored, c.Number, *c.Point)
	if err == nil && built.Tx.TxHash() == c.TxID {
		c.Evidence = EvidenceExact
		c.Reason = fmt.Sprintf("it is %s commitment %d as the backup holds it", whose(built.Broadcaster), c.Number)
	}
}

// finish adds what stays in doubt.
func (c *Close) finish() {
	switch c.Kind {
	case TheirsRevoked:
		c.Reason += "; the peer has revoked it"
		if !c.HasSecret {
			c.Reason += ", but its secret is not in the backup"
		}
	case TheirsFuture:
		c.Reason += "; it is newer than the backup, so it is unknown whether the peer has revoked it since"
	case OursFuture:
		c.Reason += "; it is newer than the backup"
	case OursOld:
		c.Reason += "; we have revoked it, so the peer can take all of it"
	case TheirsCurrent, TheirsPrevious:
		c.Reason += "; the peer may have revoked it after the backup was written"
	case OursCurrent, OursNext:
		c.Reason += "; if it was revoked after the backup was written, the peer can take all of it"
	case Mutual, Splice, Unknown:
	}
	if n := len(c.Unnamed()); n > 0 {
		c.Reason += fmt.Sprintf("; %d of its outputs cannot be identified", n)
	}
}

func whose(side channel.Side) string {
	if side == channel.Local {
		return "our"
	}
	return "the peer's"
}

// claim says whose a named output is and how we take it. side is the
// publisher.
func (o *Output) claim(c *Close, typ channel.Type, side channel.Side) {
	ours := side == channel.Local
	if o.HTLC != nil {
		o.Direction = Received
		if ours == (o.Role == OfferedHTLC) {
			o.Direction = Sent
		}
	}
	wait := uint32(0)
	if typ.HasAnchors() {
		wait = 1
	}
	switch o.Role {
	case ToLocal:
		switch {
		case ours:
			o.take(OwnerUs, BySweep, PathDelayed)
			o.CSV = uint32(c.Delay)
		case c.Kind == TheirsRevoked && c.HasSecret:
			o.take(OwnerUs, BySweep, PathPenalty)
		default:
			o.Owner = OwnerPeer
		}
	case ToRemote:
		if ours {
			o.Owner = OwnerPeer
			return
		}
		o.take(OwnerUs, ByWallet, PathPayment)
		o.CSV = wait
	case ToLocalAnchor, ToRemoteAnchor:
		if ours == (o.Role == ToLocalAnchor) {
			o.take(OwnerUs, BySweep, PathAnchor)
		} else {
			o.Owner = OwnerPeer
		}
	case OfferedHTLC, ReceivedHTLC:
		switch c.Kind {
		case TheirsRevoked:
			if c.HasSecret {
				o.take(OwnerUs, BySweep, PathPenalty)
				return
			}
		case OursFuture, OursOld:
			// Their HTLC transactions need signatures of the peer that the
			// backup does not hold.
			o.Owner = OwnerEither
			return
		case OursCurrent, OursNext, TheirsCurrent, TheirsPrevious, TheirsFuture, Mutual, Splice, Unknown:
		}
		o.CSV, o.SecondStage = wait, ours
		if o.Direction == Sent {
			o.take(OwnerEither, BySweep, PathTimeout)
			o.CLTV = o.HTLC.CLTVExpiry
		} else {
			o.take(OwnerEither, BySweep, PathSuccess)
		}
	case HTLCTransaction, Closing, NewFunding, Unnamed:
	}
}

func (o *Output) take(owner Owner, by Claimant, path Path) {
	o.Owner, o.Claimant, o.Path = owner, by, path
}
