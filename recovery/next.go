package recovery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/wire"
)

// Kinds of a closing transaction, as told to users.
const (
	kindMutual   = "mutual"
	kindOurs     = "our_commitment"
	kindOursOld  = "our_revoked_commitment"
	kindTheirs   = "their_commitment"
	kindRevoked  = "revoked_commitment"
	kindSplice   = "splice"
	kindUnknown  = "unknown"
	kindNoSecret = "unknown_without_secret"
)

// owed is one output of a close that is ours.
type owed struct {
	OutPoint wire.OutPoint
	Sat      uint64
	// What is to_local, to_remote, htlc_offered, htlc_received or closing.
	What string
	// Wallet says that lightningd's wallet takes it; without, this version
	// cannot claim it.
	Wallet bool
	// Elsewhere says that it pays to an address of the lost node's user that is
	// not in this wallet.
	Elsewhere bool
	// From is the first height at which it can be spent, 0 if at once.
	From uint32
}

// verdict is what a closing transaction is for us.
type verdict struct {
	Kind string
	Owed []owed
	// Number is that of a peer's commitment, nil where it cannot be told.
	Number *uint64
	// ByNumbers says that only the peer's own numbers prove the commitment
	// revoked: the backup is older and has no secret of it.
	ByNumbers bool
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
}

// next is the state of a channel given what is known. It is pure: the same
// facts give the same state, whatever was before, but for the states that only
// a person or the engine's asking leads out of.
func next(t *track, v *verdict, found []WalletOutput, f *facts) (State, string) {
	c := t.Close
	if t.State == LeftOut || t.State == Resolved {
		return t.State, t.Reason
	}
	if c == nil || (c.Height == 0 && v == nil) {
		return notClosed(t, c)
	}
	switch {
	case v == nil:
		return OutputsWaiting, "the close is confirmed, but its transaction cannot be read again yet"
	case v.Kind == kindRevoked:
		return Cheated, cheatedReason(t, v)
	case v.Kind == kindSplice:
		return NeedsOperator, "the funding output was spent into a new channel output (a splice): somebody goes on using this channel"
	case c.Height == 0:
		reason := fmt.Sprintf("%s %s waits for its first confirmation", v.Kind, c.Txid)
		if t.stuck(f.tip) {
			reason += fmt.Sprintf("; unconfirmed for %d blocks", f.tip-c.SeenAt) + c.again() + t.bumpReason()
		}
		return CloseSeen, reason
	}
	depth := f.tip - min(c.Height, f.tip) + 1
	waiting := v.missing(found, t.gone(f.tip))
	if v.Kind == kindUnknown || v.Kind == kindNoSecret || (v.Unsure && len(v.Owed) == 0) {
		if len(found) == 0 {
			return OutputsWaiting, unknownReason(v)
		}
		if offered, received, _, _ := t.Channel.PendingHTLCs(); v.Kind != kindMutual && offered+received > 0 {
			return OutputsWaiting, settled(v, found) + "; whether payments that were under way are among its other outputs cannot be told without the hsm_secret"
		}
		waiting = nil
	}
	switch {
	case len(waiting) > 0:
		return OutputsWaiting, waitingReason(t, waiting, f.tip)
	case depth >= finalConfs:
		return Resolved, settled(v, found) + t.lost(f.tip)
	default:
		return Credited, settled(v, found) + t.lost(f.tip) + fmt.Sprintf("; final at %d confirmations (%d now)", finalConfs, depth)
	}
}

// again says whether the close is sent again: our own commitment never is.
func (c *closing) again() string {
	if c.resendable() {
		return "; it is sent again with each block"
	}
	return ""
}

// notClosed is the state while no close is in sight.
func notClosed(t *track, c *closing) (State, string) {
	switch t.State {
	case CloseSeen, OutputsWaiting, Credited, Cheated:
		if c != nil {
			return CloseRequested, "the close " + c.Txid + " is neither in the mempool nor in the chain any more" + c.again() + t.bumpReason()
		}
		return CloseRequested, ""
	case LeftOut, FundingUnconfirmed, Imported, CloseRequested, Resolved, NeedsAddress,
		NeedsSecret, PeerStale, HostedAlive, NeedsOperator:
	}
	return t.State, t.Reason
}

// deadline is, on a revoked commitment in a block at height, until when a penalty
// can be first (onchain.Close.PenaltyDeadline).
func (v *verdict) deadline(height uint32) uint32 { return height + v.Delay }

// nothingOurs reports whether it is sure that no output can be ours.
func (v *verdict) nothingOurs() bool {
	switch v.Kind {
	case kindMutual, kindTheirs, kindOurs:
		return len(v.Owed) == 0 && !v.Unsure
	}
	return false
}

// missing are the outputs of ours that neither the wallet lists nor somebody
// else has taken for good.
func (v *verdict) missing(found []WalletOutput, gone map[string]bool) []owed {
	have := map[wire.OutPoint]bool{}
	for _, w := range found {
		have[w.OutPoint] = true
	}
	var out []owed
	for _, o := range v.Owed {
		if !have[o.OutPoint] && !gone[o.OutPoint.String()] {
			out = append(out, o)
		}
	}
	return out
}

// deepEnough is how many confirmations make a spend by somebody else count.
const deepEnough = 6

// gone are the outputs that somebody else has taken, deep enough to count.
func (t *track) gone(tip uint32) map[string]bool {
	gone := map[string]bool{}
	for _, x := range t.Taken {
		if x.Height > 0 && tip+1 >= x.Height+deepEnough {
			gone[x.OutPoint] = true
		}
	}
	return gone
}

// lost says what somebody else has taken.
func (t *track) lost(tip uint32) string {
	gone := t.gone(tip)
	s := ""
	for _, x := range t.Taken {
		if gone[x.OutPoint] {
			s += fmt.Sprintf("; lost to %s: %d sat (%s)", x.Txid, x.Sat, x.What)
		}
	}
	return s
}

// noteTaken records who spent the outputs that this version cannot claim.
func (t *tracked) noteTaken(f *facts) (changed bool) {
	if t.verdict == nil {
		return false
	}
	known := map[string]bool{}
	for _, x := range t.Taken {
		known[x.OutPoint] = true
	}
	for _, o := range t.verdict.Owed {
		spend := f.spends[o.OutPoint]
		if o.Wallet || spend == nil || spend.Height == 0 || known[o.OutPoint.String()] {
			continue
		}
		// A new slice: copies of the track share the old one.
		t.Taken = append(slices.Clone(t.Taken), taken{o.OutPoint.String(), o.Sat, o.What, spend.TxID.String(), spend.Height})
		changed = true
	}
	return changed
}

func settled(v *verdict, found []WalletOutput) string {
	text := fmt.Sprintf("%s: none of its outputs is ours", v.Kind)
	if len(found) > 0 {
		var sum uint64
		for _, w := range found {
			sum += w.Sat
		}
		text = fmt.Sprintf("%d sat of %s are in the wallet", sum, v.Kind)
	} else if v.Unnamed > 0 {
		text = fmt.Sprintf("%s: none of the outputs that can be named is ours", v.Kind)
	}
	if v.Unnamed > 0 {
		text += fmt.Sprintf("; it is newer than the backup, so %d outputs cannot be named: the peer's own, and any payment that was under way", v.Unnamed)
	}
	return text
}

func waitingReason(t *track, waiting []owed, tip uint32) string {
	var parts []string
	rescan := false
	for _, o := range waiting {
		p := fmt.Sprintf("%d sat (%s, output %d)", o.Sat, o.What, o.OutPoint.Index)
		switch {
		case o.Elsewhere:
			p += ": it pays to the address that the lost node had agreed on for closing, which is not in this wallet"
		case !o.Wallet:
			p += ": this version cannot claim it; keep the backup file"
		case o.From > tip:
			p += fmt.Sprintf(": spendable at height %d", o.From)
		case tip >= t.Close.Height+stuckBlocks:
			p += ": lightningd does not list it"
			rescan = true
		default:
			p += ": lightningd is about to list it"
		}
		parts = append(parts, p)
	}
	s := strings.Join(parts, "; ")
	if rescan {
		s += fmt.Sprintf("; if the close is older than the import, restart lightningd once with rescan=-%d", t.Close.Height-1)
	}
	return s
}

func unknownReason(v *verdict) string {
	switch v.Kind {
	case kindNoSecret:
		return "the channel is closed; which outputs are ours cannot be told without the hsm_secret"
	case kindMutual:
		return "closed by agreement; which output is ours cannot be told. If it is, a restart of lightningd with rescan finds it"
	}
	return "the funding output was spent by a transaction that cannot be classified; look at it by hand: " + v.Why
}

func cheatedReason(t *track, v *verdict) string {
	until := ""
	if t.Close.Height > 0 {
		until = fmt.Sprintf(" UNTIL BLOCK %d", v.deadline(t.Close.Height))
	}
	if v.ByNumbers {
		return fmt.Sprintf("CHEATED: THE PEER PUBLISHED COMMITMENT %d AND HAD REVOKED IT BY ITS OWN NUMBERS (IT STOOD AT %d). %d SAT COULD BE CLAIMED%s",
			*v.Number, t.Numbers.NextCommitment-1, v.Claim, until) +
			" WITH ITS SECRET, which this backup is too old to hold: look for a newer copy of the backup at once, and get help"
	}
	s := fmt.Sprintf("CHEATED: THE PEER PUBLISHED A REVOKED COMMITMENT. %d SAT CAN BE CLAIMED%s", v.Claim, until)
	return s + ". This version does not build the penalty transaction: get help at once, with the backup file"
}
