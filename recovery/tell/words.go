package tell

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
	"github.com/glrecover/glrecover/sweep"
)

// reason says in plain words what is so with a channel.
func reason(st *state.State, c *state.Channel) string {
	switch c.State {
	case model.LeftOut, model.HostedAlive:
		return c.Reason
	case model.NeedsOperator:
		if text := lostText(c); text != "" {
			return text
		}
		return c.Reason
	case model.PeerStale:
		return c.Reason + decision.StaleAdvice
	case model.NeedsSecret:
		return "glrecover cannot ask any peer to close: " + c.Reason
	case model.FundingUnconfirmed:
		return fundingText(st, c)
	case model.ImportDeferred:
		return "glrecover hands this channel to lightningd next" + importTrouble(c)
	case model.AskFirst:
		return join(decision.AskFirstReason, heardText(c))
	case model.Forgotten:
		return forgottenText(&c.Channel)
	case model.Imported, model.CloseRequested, model.NeedsAddress:
		return openText(st, c)
	case model.CloseSeen:
		return unconfirmedText(st, c)
	case model.Cheated:
		return cheatedText(st, c)
	case model.LostTo:
		return lostText(c)
	case model.OutputsWaiting:
		return waitingText(st, c)
	case model.Credited:
		return join(settledText(c), finalText(st, c))
	case model.Resolved:
		return settledText(c)
	}
	return c.Reason
}

// count writes a number with its noun.
func count[N int | uint32](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

func depth(st *state.State, c *state.Channel) uint32 {
	if c.Close == nil || c.Close.Height == 0 || st.Tip.Height < c.Close.Height {
		return 0
	}
	return st.Tip.Height - c.Close.Height + 1
}

func finalText(st *state.State, c *state.Channel) string {
	if now := depth(st, c); now < model.FinalConfs || c.FinalAt() <= st.Tip.Height {
		return fmt.Sprintf("final at %d confirmations (%d now)", model.FinalConfs, now)
	}
	return fmt.Sprintf("final at block %d, when what was swept has %d confirmations", c.FinalAt(), claims.SweptConfs)
}

func importTrouble(c *state.Channel) string {
	if c.ImportTries > 0 {
		return fmt.Sprintf("; lightningd stopped %s when it was given this channel", count(c.ImportTries, "time"))
	}
	return ""
}

// fundingText says why a young funding waits.
func fundingText(st *state.State, c *state.Channel) string {
	const why = "a peer may forget the channel if it is asked to close before the funding transaction has %d confirmations"
	switch sp := c.Spend; {
	case sp == nil:
		return fmt.Sprintf(why+"; glrecover is checking the chain", decision.MinFundingConfs)
	case sp.CreatedAt > 0:
		confs := uint32(0)
		if st.Tip.Height >= sp.CreatedAt {
			confs = st.Tip.Height - sp.CreatedAt + 1
		}
		return fmt.Sprintf("the funding transaction has %s; "+why, count(confs, "confirmation"), decision.MinFundingConfs)
	case st.MempoolSeen && sp.Place == chain.Unknown && sp.Created == chain.Unknown:
		return fmt.Sprintf("bitcoind shows the funding transaction neither in a block nor in its mempool: it may have been replaced, or never confirm, and then the channel holds no coins; "+why, decision.MinFundingConfs)
	case st.MempoolSeen:
		return fmt.Sprintf("the funding transaction is not in a block yet; "+why, decision.MinFundingConfs)
	}
	return fmt.Sprintf("the channel may have been opened less than %v ago, and glrecover cannot tell whether the opening is confirmed, because bitcoind does not answer. %s", decision.Youngest, youngCure(st, c))
}

// youngCure is what helps a funding whose age nobody tells.
func youngCure(st *state.State, c *state.Channel) string {
	return "Make sure that bitcoind runs and that lightningd has its port, user and password (bitcoin-* in listconfigs). glrecover keeps asking bitcoind, and if it gets no answer imports the channel at " + st.YoungUntil(c).UTC().Format(time.RFC3339)
}

// heardText says how the last session with the peer ended.
func heardText(c *state.Channel) string {
	at := c.Heard.At
	if at == "" {
		at = "the peer"
	}
	said := ""
	if c.Heard.Text != "" {
		said = ": " + c.Heard.Text
	}
	switch result := peer.Result(c.Heard.Result); result {
	case "":
		return ""
	case peer.ClosedSaid, peer.Asked:
		return at + " was asked to close and has answered" + said
	case peer.Evicted:
		text := fmt.Sprintf("%s ended the last session early%s; glrecover will ask it again", at, said)
		if c.ManyEvictions() {
			text += ". This keeps happening: make sure that no other machine runs with this node's key"
		}
		return text
	case peer.WrongKey:
		return at + " is not this peer" + said
	case peer.Unreachable:
		return at + " cannot be reached" + said
	case peer.NoReestablish:
		return at + " does not mention this channel: it may have closed or forgotten it"
	case peer.Refused:
		return at + " refuses" + said
	case peer.Silent:
		return at + " accepts the connection and says nothing" + said
	case peer.Garbage:
		return at + " sends something that is not a Lightning message" + said
	case peer.Read:
		return ""
	case peer.Withheld:
		return "nothing was sent to " + at + said
	}
	if c.Heard.Result == model.NoAddressKnown {
		return "no address of the peer is known"
	}
	return ""
}

// openText is for a channel whose peer has not closed it.
func openText(st *state.State, c *state.Channel) string {
	text := heardText(c)
	if !c.Asked.IsZero() {
		text = fmt.Sprintf("the peer was asked to close at %s, and no closing transaction has been seen yet", c.Asked.UTC().Format(time.RFC3339))
		if c.Said != "" {
			text += "; it said: " + c.Said
		}
		if last := peer.Result(c.Heard.Result); last != peer.Asked && last != peer.ClosedSaid {
			text = join(text, heardText(c))
		}
	}
	if c.FundingMissing && c.Spend != nil && c.Spend.Tx == nil {
		text = join(text, "the funding output has been spent, and glrecover is searching the blocks since the backup for the close")
	}
	if c.Close != nil && c.Close.Height == 0 {
		text = join("the close "+c.Close.Txid+" is no longer in the mempool or the chain"+again(c)+feeText(st, c), text)
	}
	return text
}

// again says whether the close is sent again: our own commitment never is.
func again(c *state.Channel) string {
	if c.Resends() {
		return "; glrecover sends it again with each block"
	}
	return ""
}

func unconfirmedText(st *state.State, c *state.Channel) string {
	kind := kindText(c.Close)
	text := fmt.Sprintf("%s %s waits for its first confirmation", kind, c.Close.Txid)
	if waited := st.Tip.Height - min(c.Close.FirstSeen, st.Tip.Height); waited >= model.StuckBlocks {
		text += fmt.Sprintf("; unconfirmed for %d blocks", waited) + again(c)
	}
	return text + feeText(st, c)
}

// feeText says what is done about the fee of an unconfirmed close.
func feeText(st *state.State, c *state.Channel) string {
	further, text := "", ""
	switch child := c.Fee.Child; {
	case child == nil && c.Fee.Trouble == "" && st.MayPay(c) && c.Fee.Announced > 0:
		text = fmt.Sprintf("; if it is still unconfirmed at block %d, glrecover adds up to %d sat of this wallet's coins to its fee (max_fee_percent %d)",
			c.PaidFrom(), c.Fee.MaxSat, st.Run.MaxFeePercent)
	case child == nil:
	case child.Refused != "":
		further, text = " further", fmt.Sprintf("; a transaction that adds %d sat to its fee (%s) was not accepted: %s", child.FeeSat, child.Txid, child.Refused)
	default:
		further, text = " further", fmt.Sprintf("; %d sat were added to its fee through our anchor (%s)", child.FeeSat, child.Txid)
	}
	if c.Fee.Trouble != "" {
		text += "; its fee cannot be raised" + further + ": " + c.Fee.Trouble
	}
	stuck := c.Close.Kind == judge.Theirs && c.Channel.Type.HasAnchors() && st.Tip.Height >= c.Close.FirstSeen+model.StuckBlocks
	switch {
	case text != "" || !stuck || c.Paid() == 0:
	case st.Run.MaxFeePercent == 0:
		text = "; glrecover does not raise its fee, because max_fee_percent is 0"
	case !st.Unconfirmed(c):
		text = "; glrecover does not raise its fee until it knows whether the close is confirmed"
	}
	return text
}

func cheatedText(st *state.State, c *state.Channel) string {
	v := c.Verdict
	if v == nil {
		return "CHEATED: THE PEER PUBLISHED A REVOKED COMMITMENT. Get help at once, with the backup file"
	}
	until := ""
	if c.Close.Height > 0 {
		until = fmt.Sprintf(" UNTIL BLOCK %d", c.Close.Height+v.Delay)
	}
	if v.ByReestablish {
		return fmt.Sprintf("CHEATED: THE PEER PUBLISHED COMMITMENT %d, WHICH IT HAD REVOKED: IT HAD ITSELF REPORTED COMMITMENT %d AS ITS NEWEST. %d SAT COULD BE CLAIMED%s",
			*v.Number, c.First.NextCommitment-1, v.Claim, until) +
			" WITH ITS SECRET, which this backup is too old to hold: look for a newer copy of the backup at once, and get help"
	}
	text := fmt.Sprintf("CHEATED: THE PEER PUBLISHED A REVOKED COMMITMENT. %d SAT CAN BE CLAIMED%s", v.Claim, until)
	switch {
	case c.Lacks != "":
		return text + ", ONCE THE BACKUP CAN BE READ: " + c.Lacks
	case c.Close.Height == 0:
		return text + ". glrecover claims it when the commitment is in a block"
	case !penalises(c):
		return text + " WITH ITS SECRET, which is not in this backup: look for a newer copy of the backup at once, and get help"
	}
	return text + ". glrecover claims it: " + waitingText(st, c)
}

// penalises reports whether we have the secret of the revoked commitment.
func penalises(c *state.Channel) bool {
	return slices.ContainsFunc(c.Found, func(f claims.Found) bool { return f.Path == onchain.PathPenalty })
}

// lostOf are the coins that came to the wallet and that somebody else spent: as the
// record has them, also before the close is looked at again after a start.
func lostOf(c *state.Channel) []model.Taken {
	return slices.DeleteFunc(slices.Clone(c.Taken), func(x model.Taken) bool { return !x.FromWallet })
}

// lostText is for whoever reads one line; "" where nothing is lost.
func lostText(c *state.Channel) string {
	var parts []string
	for _, o := range lostOf(c) {
		if o.Txid == "" {
			parts = append(parts, fmt.Sprintf("%d sat (%s) came to the wallet and have been spent since; this lightningd is too old to tell who spent them (v25.09 and later can): "+
				"if it was not you, somebody else has this node's secret", o.Sat, o.OutPoint))
		} else {
			parts = append(parts, fmt.Sprintf("LOST: %d SAT (%s) WERE SPENT BY %s, AND LIGHTNINGD HAS NO RECORD OF HAVING SENT IT: if it was not you, "+
				"somebody else has this node's secret, or another machine of yours runs with it", o.Sat, o.OutPoint, o.Txid))
		}
	}
	if found := claims.Sum(c.Settled, claims.InWallet, claims.Spent); len(parts) > 0 && found > 0 {
		parts = append(parts, fmt.Sprintf("%d sat of the same close did come to the wallet", found))
	}
	return strings.Join(parts, "; ")
}

func forgottenText(c *channel.Channel) string {
	share := "YOUR COINS"
	if s := c.LastKnownShare(); s.From != channel.ShareUnknown {
		share = fmt.Sprintf("%d SAT OF YOURS", s.Sat)
	}
	return fmt.Sprintf("THE PEER HAS FORGOTTEN THIS CHANNEL: IT NO LONGER MENTIONS IT, AND THE FUNDING OUTPUT IS UNSPENT. "+
		"%s STAY LOCKED IN IT until the peer has the channel again: ask its operator to restore it from a copy of the database, or to sign a closing transaction by hand. "+
		"Keep the words and the backup file. glrecover asks the peer again every few minutes", share)
}

// waitingText says of each output that is waited for what brings it.
func waitingText(st *state.State, c *state.Channel) string {
	v := c.Verdict
	switch {
	case c.Close == nil:
		return "glrecover is looking for the closing transaction"
	case v == nil:
		return "the close is confirmed, and glrecover is examining its outputs"
	case len(c.Settled) == 0:
		return untoldText(v)
	}
	var parts []string
	unnamed, unnamedSat := 0, uint64(0)
	for _, o := range c.Settled {
		if o.Standing != claims.Waiting {
			continue
		}
		if o.Unnamed {
			unnamed, unnamedSat = unnamed+1, unnamedSat+o.Sat
			continue
		}
		parts = append(parts, fmt.Sprintf("%d sat (%s, output %d): %s", o.Sat, o.What, o.OutPoint.Index, bringer(st, c, &o)))
	}
	switch {
	case unnamed > 0 && v.Kind == judge.Revoked:
		parts = append(parts, fmt.Sprintf("%s (%d sat) of payments that were under way at that commitment, whose details the backup no longer has: when the peer takes one, "+
			"glrecover takes it from the peer's transaction", count(unnamed, "output"), unnamedSat))
	case unnamed > 0:
		why := "because the commitment is newer than the backup"
		if v.Kind == judge.NoSecret {
			why = "without the hsm_secret"
		}
		parts = append(parts, fmt.Sprintf("glrecover cannot tell who owns %s (%d sat) %s: the peer's own output and any payments that were under way; it watches who spends them", count(unnamed, "output"), unnamedSat, why))
	}
	if c.Verdict.Kind == judge.NoSecret {
		parts = append(parts, "without the hsm_secret glrecover cannot tell whether any of its other outputs are payments that were under way")
	}
	if c.Lacks != "" {
		parts = append(parts, c.Lacks)
	}
	if c.RecoveredMsat > 0 {
		return strings.Join(append([]string{cameText(c) + takenText(c)}, parts...), "; ")
	}
	return strings.TrimPrefix(strings.Join(parts, "; ")+takenText(c), "; ")
}

// bringer says what brings an output.
func bringer(st *state.State, c *state.Channel, o *claims.Output) string {
	switch {
	case o.By != "":
		return "spent by " + o.By + ", which does not have enough confirmations yet"
	case o.Claimant == judge.ByElsewhere:
		return "it pays to the closing address that the lost node had agreed on, which is not in this wallet"
	case o.Claimant == judge.ByNobody:
		return lackText(o)
	case o.Claimant == judge.BySweep:
		return sweepText(st, c, o)
	case o.From > st.Tip.Height:
		return fmt.Sprintf("spendable from block %d on", o.From)
	case o.Claimant == judge.ByRescan:
		return fmt.Sprintf("lightningd does not list it; restart lightningd once with rescan=-%d", rescanFrom(st))
	case !st.Config.Sweeps && st.Tip.Height >= c.Close.Height+model.StuckBlocks:
		return fmt.Sprintf("lightningd does not list it; if the close is older than the import, restart lightningd once with rescan=-%d", c.Close.Height-1)
	case st.Tip.Height >= c.Close.Height+model.StuckBlocks:
		return fmt.Sprintf("lightningd does not list it yet; if that has not changed at block %d, glrecover claims it itself", c.Close.Height+claims.PatienceBlocks)
	}
	return "lightningd is about to list it"
}

// lackText says what is missing to claim an output.
func lackText(o *claims.Output) string {
	switch o.Needs {
	case sweep.NeedPreimage:
		text := fmt.Sprintf("it is yours with the preimage of %x; without it the peer takes it back", *o.Hash)
		if o.Deadline > 1 {
			text += fmt.Sprintf(" from block %d on", o.Deadline)
		}
		return text + ". Whoever the payment was for, or your own invoice, may have the preimage: give it with glrecover-sweep preimage=HEX"
	case sweep.NeedPeerSignature:
		return "an HTLC of one of our own commitments that is not in the backup: it can be claimed only with the peer's signature"
	case sweep.NeedSecret:
		return "the peer revoked this commitment after the backup was written, and claiming it needs the secret that the peer revealed then: a newer copy of the backup has it"
	case sweep.NeedNothing, sweep.NeedFeeInput, sweep.NeedName, sweep.NeedLightningd, sweep.NeedOtherWallet:
	}
	return "nothing here can claim it; keep the backup file"
}

// sweepText says how far our own claim of an output is.
func sweepText(st *state.State, c *state.Channel, o *claims.Output) string {
	text := "glrecover claims it with a transaction of its own"
	w, trouble := SweepOf(c, o.OutPoint.String()), c.Troubles[o.OutPoint]
	switch {
	case w == nil && o.From > st.Tip.Height+1:
		return fmt.Sprintf("glrecover claims it at height %d", o.From)
	case w == nil && trouble.Text != "":
		return "no claim yet: " + trouble.Text
	case w == nil:
		return text
	case w.Refused != "":
		text += fmt.Sprintf(" (%s), which it sends again with each block and which was not accepted: %s", w.Txid, w.Refused)
	default:
		text += fmt.Sprintf(" (%s, fee %d sat), which waits for its first confirmation", w.Txid, w.FeeSat)
	}
	if trouble.Text != "" {
		text += "; its fee cannot be raised: " + trouble.Text
	}
	if w.Deadline > 0 && o.Path != onchain.PathTimeout {
		text += fmt.Sprintf("; from block %d on somebody else can take it", w.Deadline)
	}
	return text
}

// SweepOf is our sweep on record that claims an output, nil if there is none.
func SweepOf(c *state.Channel, op string) *model.Sweep {
	for i := len(c.Sweeps) - 1; i >= 0; i-- {
		if slices.Contains(c.Sweeps[i].OutPoints, op) {
			return &c.Sweeps[i]
		}
	}
	return nil
}

func untoldText(v *judge.Verdict) string {
	switch v.Kind {
	case judge.NoSecret:
		return "the channel is closed; without the hsm_secret glrecover cannot tell which outputs are yours"
	case judge.Mutual:
		return "closed by agreement; glrecover cannot tell whether an output is yours. If one is, a restart of lightningd with rescan finds it"
	}
	return "the funding output was spent by a transaction that glrecover does not recognise; ask somebody who knows Lightning to look at it: " + v.Why
}

// kindText is what a close is, in plain words.
func kindText(c *model.Close) string {
	if c != nil {
		switch c.Kind {
		case judge.Mutual:
			return "the close by agreement"
		case judge.Ours:
			return "the close by our own commitment"
		case judge.OursOld:
			return "the close by a revoked commitment of our own"
		case judge.Theirs:
			return "the peer's close"
		case judge.Revoked:
			return "the peer's close by a revoked commitment"
		case judge.Splice, judge.Unknown, judge.NoSecret:
		}
	}
	return "the close"
}

// settledText says what came of a close, and what stays unknown.
func settledText(c *state.Channel) string {
	text := cameText(c)
	if v := c.Verdict; v != nil && v.Unnamed > 0 {
		text += fmt.Sprintf("; it is newer than the backup, so glrecover cannot tell who owns %s of it: the peer's own output and any payments that were under way", count(v.Unnamed, "output"))
	}
	return text + takenText(c)
}

// takenText names what somebody else took.
func takenText(c *state.Channel) (text string) {
	for _, x := range c.Taken {
		text += fmt.Sprintf("; lost to %s: %d sat (%s)", x.Txid, x.Sat, x.What)
	}
	return text
}

// cameText says what came of a close.
func cameText(c *state.Channel) string {
	kind := kindText(c.Close)
	spent, paid := claims.Sum(c.Settled, claims.Spent), claims.Sum(c.Settled, claims.Swept)
	var text string
	switch {
	case paid > 0 && paid*1000 == c.RecoveredMsat:
		text = fmt.Sprintf("%d sat of %s were paid to your destination", paid, kind)
	case paid > 0:
		text = fmt.Sprintf("%d sat of %s came back, %d sat of them to your destination", c.RecoveredMsat/1000, kind, paid)
	case c.RecoveredMsat > 0 && spent > 0:
		text = fmt.Sprintf("%d sat of %s came to the wallet, which has spent %d sat of them since", c.RecoveredMsat/1000, kind, spent)
	case c.RecoveredMsat > 0:
		text = fmt.Sprintf("%d sat of %s are in the wallet", c.RecoveredMsat/1000, kind)
	case c.Verdict != nil && c.Verdict.Unnamed > 0:
		text = kind + ": none of the outputs that glrecover can identify is ours"
	default:
		text = kind + ": none of its outputs is ours"
	}
	return text
}

// advice is what a state waits for, and what the user can do.
func advice(st *state.State, c *state.Channel) (waitsFor, todo string) {
	switch c.State {
	case model.LeftOut:
		switch {
		case c.NothingOurs:
			return "nothing", ""
		case c.Copy != "":
			todo = "call glrecover again with extra=true to have it imported, and keep the words and the backup file"
			if st.Awaited(c) {
				todo += ". Do so before " + c.HeldUntil().UTC().Format(time.RFC3339) + ": its peer awaits it, and may forget it when lightningd connects after that"
			}
			return "operator", todo
		}
		return "operator", "read the reason; the channel still holds coins, so keep the words and the backup file"
	case model.FundingUnconfirmed:
		if c.Spend != nil && c.Spend.CreatedAt == 0 && !st.MempoolSeen {
			return "blocks", youngCure(st, c)
		}
		return "blocks", "nothing; do not connect to its peer. glrecover imports it once the funding is confirmed"
	case model.ImportDeferred:
		return "nothing", ""
	case model.AskFirst:
		return "peer", holdAdvice(st, c)
	case model.Forgotten:
		return "peer", "ask the peer's operator; keep the words and the backup file"
	case model.Imported, model.CloseRequested:
		// A close that fell out of the mempool for lack of fee.
		if waitsFor, todo := feeAdvice(c); waitsFor != "" {
			return waitsFor, todo
		}
		if !c.Held.IsZero() {
			return "peer", holdAdvice(st, c)
		}
		return "peer", "nothing; glrecover keeps trying, and glrecover-retry tries at once"
	case model.CloseSeen:
		if waitsFor, todo := feeAdvice(c); waitsFor != "" {
			return waitsFor, todo
		}
		return "blocks", ""
	case model.Cheated:
		if st.Config.Sweeps && penalises(c) && c.Lacks == "" {
			if waitsFor, todo := waitingAdvice(st, c); waitsFor != "blocks" {
				return waitsFor, todo
			}
			return "blocks", "keep lightningd and glrecover running: there is a deadline"
		}
		return "operator", "get help at once: there is a deadline. Keep the words and the backup file at hand, and give them to nobody"
	case model.OutputsWaiting:
		return waitingAdvice(st, c)
	case model.Credited:
		return "blocks", "nothing; the coins can be spent already"
	case model.LostTo:
		return "operator", "send all other coins to a wallet with a new seed at once; make sure that no other machine runs with this secret, " +
			"and find out who sent the transaction that the reason names"
	case model.Resolved:
		return "nothing", ""
	case model.NeedsAddress:
		return "address", "call glrecover again with addresses=" + c.Channel.Peer.String() + "@HOST:PORT, or wait: the address may become known from gossip"
	case model.NeedsSecret:
		return "secret", secretAdvice
	case model.PeerStale:
		return "operator", "ask the peer's operator; only if its data is lost for good, call glrecover again with override=peer_stale"
	case model.HostedAlive:
		return "operator", "make sure that the hosted node is dead, then call glrecover again with override=hosted_node_alive"
	case model.NeedsOperator:
		return "operator", operatorAdvice(st, c)
	}
	return "", ""
}

const secretAdvice = "make the hsm_secret readable by lightningd's user, or set glrecover-hsm-secret"

func waitingAdvice(st *state.State, c *state.Channel) (waitsFor, todo string) {
	claim, rescan, preimage := false, false, false
	for i := range c.Settled {
		o := &c.Settled[i]
		if o.Standing != claims.Waiting || o.By != "" {
			continue
		}
		preimage = preimage || o.Needs == sweep.NeedPreimage
		claim = claim || o.Claimant == judge.ByNobody && !o.Unnamed && o.Needs != sweep.NeedPreimage
		if t := c.Troubles[o.OutPoint]; t.NeedsSat > 0 {
			return "fee", fmt.Sprintf("send at least %d sat to %s (this node's wallet): an HTLC transaction pays no fee itself, and glrecover uses the coin once it is confirmed", t.NeedsSat, t.Address)
		}
		overdue := !st.Config.Sweeps && o.Claimant == judge.ByLightningd && st.Tip.Height >= c.Close.Height+model.StuckBlocks && o.From <= st.Tip.Height
		rescan = rescan || o.Claimant == judge.ByRescan || overdue
	}
	switch {
	case c.Lacks != "":
		return "operator", c.Lacks
	case st.Config.Sweeps && st.SecretTrouble != "" && c.Verdict != nil && c.Verdict.Kind == judge.NoSecret && !c.HadStub():
		return "secret", secretAdvice // lightningd does not take it, and a sweep needs the secret
	case rescan:
		return "operator", "restart lightningd once with the rescan option that the reason names"
	case preimage:
		return "operator", "if you have the preimage that the reason names, give it: glrecover-sweep preimage=HEX"
	case claim:
		return "operator", "keep the backup file and the seed: a later version, or an expert, can claim these outputs"
	case c.Verdict != nil && len(c.Settled) == 0:
		return "operator", "look at the transaction that the reason names; keep the backup file and the seed"
	}
	return "blocks", ""
}

func operatorAdvice(st *state.State, c *state.Channel) string {
	switch {
	case c.Close != nil && c.Close.Kind == judge.Splice:
		return "find out who uses this channel: no other machine may run with this node's secret"
	case c.FundingMissing:
		text := "if the channel was closed, glrecover shows what the close paid once it has found the close"
		if l := chainOf(st).LookBack; l != "" {
			text += " (" + l + ")"
		}
		return text + "; keep the words and the backup file. glrecover-retry asks the peer again"
	case c.Stub == state.ForgottenStub:
		return "nothing while glrecover scans the blocks; keep the words and the backup file"
	}
	return "if you are sure that the hosted node is dead, glrecover-retry with this channel's id asks the peer all the same"
}

// holdAdvice says what is waited for while lightningd does not have the channel.
func holdAdvice(st *state.State, c *state.Channel) string {
	after := "after " + c.HeldUntil().UTC().Format(time.RFC3339) + " if the peer cannot be reached by then"
	for _, k := range st.With(c.Channel.Peer) {
		o := st.Channels[k]
		switch {
		case !st.Awaited(o):
			continue
		case o.State == model.LeftOut:
			after += fmt.Sprintf(", but not before %s: this peer still awaits channel %s, which was left out", o.HeldUntil().UTC().Format(time.RFC3339), o.Channel.ID())
		case o.Unseen():
			after += fmt.Sprintf(", but not before %s, or before channel %s with the same peer has %d confirmations", o.Since.Add(state.HoldTime).UTC().Format(time.RFC3339), o.Channel.ID(), decision.MinFundingConfs)
		default:
			after += fmt.Sprintf(", but not before channel %s with the same peer has %d confirmations", o.Channel.ID(), decision.MinFundingConfs)
		}
		break
	}
	return "nothing; keep lightningd offline and do not connect to any peer. The channel is imported once every channel with this peer is closing, or " + after +
		". glrecover-retry with this channel's id and override=ask_first imports it now; but a peer that is still waiting for the opening to complete may then forget the channel, and its coins would be stuck"
}

// feeAdvice is what a close waits for whose fee cannot be raised, and what the
// user can do; "" where there is no such trouble.
func feeAdvice(c *state.Channel) (waitsFor, todo string) {
	switch {
	case !c.FeeTrouble():
		return "", ""
	case c.NeedsCoin():
		return "fee", "send the amount that the reason names to " + c.Fee.Address + " (this node's wallet); glrecover uses it once it is confirmed"
	}
	return "fee", "nothing; glrecover tries again with each block"
}
