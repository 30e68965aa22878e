package rehearsal

import (
	"fmt"
	"strconv"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/vlsstate"
)

// channel adds the findings of one channel; errSCB is why no entry can be made
// of it.
func (r *rehearsal) channel(ch *channel.Channel, out *Channel, errSCB error) {
	if r.compare(ch, out) {
		return
	}
	s := &ch.State
	if errSCB != nil {
		r.about(ch.Key, Problem, NotRecoverable, "", "this channel would be lost: %s", failure.FoundIn(errSCB))
	}
	if s.Closed {
		r.closed(ch, out)
		return
	}
	if r.birth(ch, out) {
		r.about(ch.Key, Loss, BirthSnapshot, "",
			"the backup has only the opening of this channel: your share is the one from then, and later payments and revoked states are unknown")
	}
	offered, received, offeredSat, receivedSat := ch.PendingHTLCs()
	if offered+received > 0 {
		r.about(ch.Key, Loss, HTLCsPending, "",
			"%s pending: %s out and %s in; if the channel closes with these, lightningd does not recover their outputs; glrecover claims outgoing ones once they expire",
			plural(offered+received, "payment was", "payments were"), sat(offeredSat), sat(receivedSat))
	}
	r.penalties(ch)
}

// closed reports a channel of which the signer signed the close: VLS marks it the
// same way for a mutual close and for our own commitment (vls-core channel.rs,
// channel_closed), and lightningd does not find what the latter leaves.
func (r *rehearsal) closed(ch *channel.Channel, out *Channel) {
	level := Note
	if out.Node != nil && (out.Node.State == "AWAITING_UNILATERAL" || out.Node.State == "ONCHAIN" || out.Node.State == "FUNDING_SPEND_SEEN") {
		level = Loss
	}
	share := "unknown"
	if s := ch.LastKnownShare(); s.From != channel.ShareUnknown {
		share = sat(s.Sat)
	}
	r.about(ch.Key, level, SignerClosed, "",
		"the signer has signed a close of this channel. After a mutual close there is nothing to recover; but if it was your own commitment, your share (%s) still waits on the chain: lightningd does not recover that from a backup, but glrecover claims it. Only the chain can tell which", share)
}

// birth reports a channel of which only the opening is known, where that may
// not be the whole truth.
func (r *rehearsal) birth(ch *channel.Channel, out *Channel) bool {
	b := r.in.Backup
	if ch.Used() || len(ch.State.Unread) > 0 || b.Source == vlsstate.FromBackup && b.Strategy.Kind == vlsstate.Periodic {
		return false
	}
	return out.Node == nil || out.Node.Relation != Current && out.Node.Relation != SameNumbers
}

// penalties reports revoked states that could not be punished.
func (r *rehearsal) penalties(ch *channel.Channel) {
	s := &ch.State
	if s.NextCounterpartyRevokeNum == 0 && len(s.Secrets) == 0 {
		return
	}
	if _, err := bolt3.CheckSecrets(s.Secrets, s.NextCounterpartyRevokeNum); err != nil {
		r.about(ch.Key, Loss, SecretsMissing, doSnapshot,
			"the peer has revoked %s, and the backup does not hold all of the secrets for these: if it cheats with one of them, it cannot be punished",
			plural64(s.NextCounterpartyRevokeNum, "state", "states"))
	}
}

func plural64(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// sat writes an amount with thousands separators.
func sat(amount uint64) string {
	s := strconv.FormatUint(amount, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s + " sat"
}
