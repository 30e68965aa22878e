package rescue

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/recovery/tell"
)

// Line is one channel in one line. Amounts are in sat.
type Line struct {
	Channel channel.ID     `json:"channel_id"`
	Peer    channel.PubKey `json:"peer_id"`
	// DBID is 0 while it is unknown.
	DBID  uint64             `json:"dbid,omitempty"`
	State model.ChannelState `json:"state"`
	// From says how the channel is known where the backup does not have it.
	From string `json:"known_from,omitempty"`
	Text string `json:"text"`
	// ClosingTxid spends the funding output.
	ClosingTxid string `json:"closing_txid,omitempty"`
	// PaidSat is at the destination, 6 blocks deep, after FeeSat.
	PaidSat uint64 `json:"paid_sat"`
	FeeSat  uint64 `json:"fee_sat"`
	// Sweeps are the txids of our own transactions.
	Sweeps []string `json:"sweeps,omitempty"`
	// Done says that there is nothing left to wait for, NeedsYou that nothing happens
	// until somebody decides.
	Done     bool `json:"done"`
	NeedsYou bool `json:"needs_you"`
}

// same reports whether a reader would see no difference.
func (l *Line) same(than *Line) bool {
	return l.State == than.State && l.Text == than.Text && l.Done == than.Done && l.NeedsYou == than.NeedsYou && l.DBID == than.DBID
}

// lineOf tells one channel.
func lineOf(st *state.State, c *state.Channel) Line {
	l := Line{Channel: c.Channel.ID(), Peer: c.Channel.Peer, State: c.State, From: c.Copy}
	if c.Channel.DBIDKnown() {
		l.DBID = c.Channel.DBID
	}
	if c.Close != nil {
		l.ClosingTxid = c.Close.Txid
	}
	for i := range c.Sweeps {
		l.Sweeps = append(l.Sweeps, c.Sweeps[i].Txid)
	}
	l.PaidSat = c.RecoveredMsat / 1000
	if l.PaidSat > 0 {
		l.FeeSat = fees(c)
	}
	l.Done, l.NeedsYou = standing(st, c)
	l.Text = onCommandLine(text(st, c, &l))
	return l
}

// onCommandLine is a text that names a parameter of the plugin's glrecover, as the
// command line has it.
func onCommandLine(text string) string {
	return strings.NewReplacer("override=", "--override ", "since=", "--since ").Replace(text)
}

// fees are what the sweeps paid that are in a block. Of a channel that is resolved
// nothing is looked at any more: then the record has what was sent last.
func fees(c *state.Channel) (sat uint64) {
	if len(c.Settled) == 0 {
		for i := range c.Sweeps {
			sat += c.Sweeps[i].FeeSat
		}
		return sat
	}
	counted := map[string]bool{}
	for i := range c.Settled {
		o := &c.Settled[i]
		if o.Standing != claims.Swept || counted[o.By] {
			continue
		}
		counted[o.By] = true
		for _, w := range c.Sweeps {
			if w.Txid == o.By {
				sat += w.FeeSat
			}
			for _, e := range w.Earlier {
				if e.Txid == o.By {
					sat += e.FeeSat
				}
			}
		}
	}
	return sat
}

// standing says whether anything of a channel is left to wait for, and whether it
// waits for a person.
func standing(st *state.State, c *state.Channel) (done, needsYou bool) {
	switch c.State {
	case model.Credited, model.LeftOut, model.Resolved:
		return true, false
	case model.PeerStale, model.HostedAlive:
		return false, true
	case model.NeedsOperator:
		return false, !c.FundingMissing || st.LookBack.Done
	case model.Forgotten:
		// It was asked again in this call, which the record does not count.
		return false, c.Tries > c.TriesKept && c.Spend != nil && c.Spend.Place == chain.Unspent && st.Behind == 0 && st.Trouble == ""
	case model.CloseRequested:
		// It was asked again in this call.
		return false, c.Tries > c.TriesKept && inVain(st, c)
	case model.OutputsWaiting, model.Cheated:
		done = st.Finished(c) || (beyondReach(st, c, false) && !untold(c))
		return done, !done && beyondReach(st, c, true)
	case model.FundingUnconfirmed, model.ImportDeferred, model.AskFirst, model.Imported, model.CloseSeen, model.NeedsAddress, model.NeedsSecret, model.LostTo:
	}
	return false, false
}

// vainTime is how long a peer that was asked has for its close to come into a block,
// before somebody is told to look.
const vainTime = 24 * time.Hour

// inVain reports whether a peer was asked that long ago, and the chain shows no close
// and no funding output either: it may have invented the channel.
func inVain(st *state.State, c *state.Channel) bool {
	return c.FundingMissing && c.Close == nil && st.LookBack.Done && st.Now.Sub(c.Since) > vainTime
}

// untold reports whether nobody can tell what a close is, so that coins of ours may be
// among its outputs.
func untold(c *state.Channel) bool {
	v := c.Verdict
	return c.RecoveredMsat == 0 && (v.Kind == judge.Unknown || v.Kind == judge.NoSecret || (v.Unsure && len(v.Owed) == 0))
}

// beyondReach reports whether the close is deep and every output that is left is one
// that this program cannot take, or cannot tell whose it is. stuck counts the outputs
// too of which no sweep can be made while the fees, or the user, stay as they are.
func beyondReach(st *state.State, c *state.Channel, stuck bool) bool {
	if !st.Told(c) || c.Close.Height == 0 || st.Tip.Height+1 < c.Close.Height+claims.SweptConfs {
		return false
	}
	return !slices.ContainsFunc(c.Settled, func(o claims.Output) bool {
		if stuck && o.By == "" && c.Troubles[o.OutPoint].Stuck {
			return false
		}
		return o.Standing == claims.Waiting && !o.Unnamed && (o.By != "" || (o.Claimant != judge.ByNobody && o.Claimant != judge.ByElsewhere))
	})
}

// text says where a channel is.
func text(st *state.State, c *state.Channel, l *Line) string {
	switch c.State {
	case model.FundingUnconfirmed:
		return "the opening has too few confirmations; the peer is asked to close when it has 3"
	case model.ImportDeferred, model.AskFirst, model.Imported, model.CloseRequested, model.NeedsAddress, model.NeedsSecret:
		return openText(st, c)
	case model.CloseSeen:
		return closedText(st, c)
	case model.OutputsWaiting:
		return waitingText(st, c)
	case model.Credited, model.Resolved:
		return paidText(st, c, l)
	case model.HostedAlive:
		return "THE HOSTED NODE SEEMS TO BE ALIVE: " + c.Reason + ". Make sure that it is dead for good; then run the command again with --override hosted_node_alive"
	case model.Forgotten:
		return forgottenText(c)
	case model.NeedsOperator:
		if numbersMoved(c) {
			return c.Reason + ". Make sure that the hosted node is dead for good; then run the command again with --override " + NumbersMoved
		}
	case model.LeftOut, model.Cheated, model.LostTo, model.PeerStale:
	}
	if told, err := tell.Of(st, c.Channel.ID().String()); err == nil {
		for i := range told.Channels {
			if x := &told.Channels[i]; x.PeerID == c.Channel.Peer && x.Reason != "" {
				return x.Reason
			}
		}
	}
	return c.Reason
}

// numbersMoved reports whether a channel waits because its peer's numbers moved.
func numbersMoved(c *state.Channel) bool {
	return c.State == model.NeedsOperator && peer.Result(c.Heard.Result) == peer.Withheld && c.Close == nil
}

// forgottenText is for a channel that its peer has forgotten.
func forgottenText(c *state.Channel) string {
	share := "your coins"
	if s := c.Channel.LastKnownShare(); s.From != channel.ShareUnknown {
		share = fmt.Sprintf("%d sat of yours", s.Sat)
	}
	return fmt.Sprintf("THE PEER HAS FORGOTTEN THIS CHANNEL: it no longer mentions it, and the funding output %s is unspent. %s stay locked in it until the peer signs a close: "+
		"ask its operator to restore the channel from a copy of the database. Keep the words and the backup. Run the same command again to ask the peer again", c.Channel.Funding, share)
}

// openText is for a channel whose close is not seen.
func openText(st *state.State, c *state.Channel) string {
	text := "the peer is asked to close"
	if !c.Asked.IsZero() {
		text = "the peer was asked to close; no closing transaction has been seen yet"
	}
	if inVain(st, c) {
		return text + " after a day, and the chain has no funding output for this channel: the peer may have invented it, or its close is stuck. Run the same command again to ask again"
	}
	switch peer.Result(c.Heard.Result) {
	case "", peer.Asked, peer.ClosedSaid, peer.Read:
		if c.Address == "" && c.Asked.IsZero() {
			text += "; no address of it is known: give one with --peer " + c.Channel.Peer.String() + "@HOST:PORT"
		}
	default:
		text += fmt.Sprintf("; last attempt: %s", c.Heard.Result)
		if c.Heard.Text != "" {
			text += " (" + c.Heard.Text + ")"
		}
	}
	return text
}

// closedText is for a close that no block has yet.
func closedText(st *state.State, c *state.Channel) string {
	text := fmt.Sprintf("closed: %s waits for a block", c.Close.Txid)
	waited := st.Tip.Height - min(c.Close.FirstSeen, st.Tip.Height)
	if waited < model.StuckBlocks {
		return text
	}
	text += fmt.Sprintf(", and has for %d blocks: its fee may be too low now, and this command has no wallet to pay for it from", waited)
	if c.Resends() {
		text += "; glrecover sends it again with each block"
	}
	return text
}

// waitingText is for a close that is confirmed.
func waitingText(st *state.State, c *state.Channel) string {
	var parts []string
	unnamed, unnamedSat := 0, uint64(0)
	for i := range c.Settled {
		o := &c.Settled[i]
		switch {
		case o.Standing == claims.Swept:
			parts = append(parts, fmt.Sprintf("%d sat are paid", o.Got))
		case o.Standing != claims.Waiting:
		case o.Unnamed:
			unnamed, unnamedSat = unnamed+1, unnamedSat+o.Sat
		default:
			parts = append(parts, fmt.Sprintf("%d sat (%s): %s", o.Sat, o.What, outputText(st, c, o)))
		}
	}
	if unnamed > 0 {
		parts = append(parts, fmt.Sprintf("glrecover cannot tell who owns %d outputs (%d sat): the peer's own output and any payments that were under way", unnamed, unnamedSat))
	}
	if len(parts) == 0 && st.Told(c) && untold(c) {
		parts = append(parts, fmt.Sprintf("closed by %s, and glrecover cannot tell what it pays to this node: keep the words, and look for a backup", c.Close.Txid))
	}
	if len(parts) == 0 {
		parts = append(parts, "the close is in a block, and glrecover is examining its outputs")
	}
	return strings.Join(parts, "; ")
}

// outputText says what brings an output.
func outputText(st *state.State, c *state.Channel, o *claims.Output) string {
	switch {
	case o.By != "":
		confs := uint32(0)
		if st.Tip.Height >= o.SpentAt {
			confs = st.Tip.Height - o.SpentAt + 1
		}
		return fmt.Sprintf("taken by %s, %d of %d confirmations", o.By, confs, claims.SweptConfs)
	case o.Claimant == judge.ByElsewhere:
		return "it pays to the address that the lost node had agreed on for closing"
	case o.Claimant == judge.ByNobody:
		if o.Needs != "" {
			return "it cannot be claimed without: " + string(o.Needs)
		}
		return "nothing here can claim it"
	case o.From > st.Tip.Height+1:
		return fmt.Sprintf("it can be claimed at block %d", o.From)
	}
	if t, failed := c.Troubles[o.OutPoint]; failed && t.Text != "" {
		if t.Stuck && t.Text != claims.ErrNoWallet.Error() {
			return "no sweep yet: " + t.Text + "; run the command again when fees are lower, or with another --feerate"
		}
		return "no sweep yet: " + t.Text
	}
	for _, w := range c.Sweeps {
		if slices.Contains(w.OutPoints, o.OutPoint.String()) {
			return fmt.Sprintf("the sweep %s waits for a block (fee %d sat)", w.Txid, w.FeeSat)
		}
	}
	return "a sweep is being made"
}

// paidText says what came of a close.
func paidText(st *state.State, c *state.Channel, l *Line) string {
	switch {
	case l.PaidSat > 0:
		return fmt.Sprintf("%d sat are at %s (%d sat of fee)", l.PaidSat, st.Run.Destination, l.FeeSat)
	case c.Verdict != nil && c.Verdict.Unnamed > 0:
		return "closed, and none of the outputs that glrecover can identify is ours"
	}
	return "closed, and none of its outputs is ours"
}
