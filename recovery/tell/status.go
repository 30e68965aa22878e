package tell

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// Status is what glrecover-status says.
type Status struct {
	// Alarms come first: whoever reads one line reads this.
	Alarms []string `json:"alarms,omitempty"`
	// Summary is one line for each channel, for people.
	Summary  []string        `json:"summary"`
	Backup   *StatusBackup   `json:"backup,omitempty"`
	Channels []ChannelStatus `json:"channels"`
	// Unread are entries of the backup that could not be read.
	Unread []string `json:"unread_entries,omitempty"`
	// MaxFeePercent bounds what is paid for a close that no block takes.
	MaxFeePercent uint64 `json:"max_fee_percent"`
	// Chain says how far the chain was looked at, and what cannot be asked.
	Chain  *StatusChain `json:"chain,omitempty"`
	Totals StatusTotals `json:"totals"`
	Notes  []string     `json:"notes"`
}

// line is a channel in one line: where it is, what came back, what it waits for,
// and what the user can do.
func (c *ChannelStatus) line() string {
	s := fmt.Sprintf("%s %s", c.ChannelID[:12], c.State)
	if c.RecoveredMsat > 0 {
		s += fmt.Sprintf(", %d sat in the wallet", c.RecoveredMsat/1000)
	}
	if c.Reason != "" {
		s += ": " + c.Reason
	}
	if c.WaitsFor != "" && c.WaitsFor != "nothing" {
		s += ". Waits for: " + c.WaitsFor
	}
	if c.Todo != "" {
		s += ". You: " + c.Todo
	}
	return s
}

// StatusBackup names the backup that was used.
type StatusBackup struct {
	SHA256    string `json:"sha256"`
	CreatedAt string `json:"created_at,omitempty"`
}

// ChannelStatus is one channel, on its way or arrived.
type ChannelStatus struct {
	PeerID    channel.PubKey     `json:"peer_id"`
	ChannelID string             `json:"channel_id"`
	DBID      uint64             `json:"dbid"`
	State     model.ChannelState `json:"state"`
	Since     string             `json:"since"`
	// WaitsFor is peer, blocks, fee, secret, address, operator or nothing.
	WaitsFor string `json:"waits_for"`
	Reason   string `json:"reason,omitempty"`
	// Todo is what the user can do, if anything.
	Todo    string `json:"todo,omitempty"`
	NextTry string `json:"next_try,omitempty"`
	Asked   string `json:"asked_at,omitempty"`
	Said    string `json:"peer_said,omitempty"`
	Address string `json:"address,omitempty"`
	// Freshness is what the peer's first numbers said of the backup.
	Freshness string `json:"freshness,omitempty"`

	CapacityMsat uint64 `json:"capacity_msat"`
	// LastKnownShareMsat is null where it is unknown.
	LastKnownShareMsat *uint64 `json:"last_known_share_msat"`

	ClosingTxid   string     `json:"closing_txid,omitempty"`
	ClosingKind   judge.Kind `json:"closing_kind,omitempty"`
	ClosingHeight uint32     `json:"closing_height,omitempty"`
	// FinalHeight is the block at which the close, and what has swept its outputs so far,
	// will be final; 0 where it is, or nobody can tell yet.
	FinalHeight uint32 `json:"final_height,omitempty"`
	// ClosingTx is the close in hex while no block has it, for whoever wants to
	// send it by other means; never a commitment of our own.
	ClosingTx string `json:"closing_tx,omitempty"`
	// RecoveredMsat came to the wallet and is there, or was spent by it;
	// ExpectedMsat is still to come from the close that was seen.
	RecoveredMsat uint64   `json:"recovered_msat"`
	RecoveredTo   []string `json:"recovered_outpoints,omitempty"`
	ExpectedMsat  uint64   `json:"expected_msat,omitempty"`
	// LostMsat was spent by somebody else, by the transactions in LostTo.
	LostMsat uint64   `json:"lost_msat,omitempty"`
	LostTo   []string `json:"lost_to_txids,omitempty"`
	// Outputs are those of the close that are ours or may be, with who brings each.
	Outputs []StatusOutput `json:"outputs,omitempty"`
	// UnclaimedMsat is ours in a close, or may be, and cannot be claimed with what is at
	// hand; Outputs say what is missing.
	UnclaimedMsat uint64 `json:"unclaimed_msat,omitempty"`
	ClaimMsat     uint64 `json:"claimable_by_penalty_msat,omitempty"`
	DeadlineBlock uint32 `json:"deadline_block,omitempty"`
}

// StatusTotals sum the channels.
type StatusTotals struct {
	Channels int                        `json:"channels"`
	ByState  map[model.ChannelState]int `json:"by_state"`
	// LastKnownShareMsat sums the shares that are known, SharesUnknown counts the
	// channels whose share is not.
	LastKnownShareMsat uint64 `json:"last_known_share_msat"`
	SharesUnknown      int    `json:"shares_unknown,omitempty"`
	RecoveredMsat      uint64 `json:"recovered_msat"`
	ExpectedMsat       uint64 `json:"expected_msat"`
	UnclaimedMsat      uint64 `json:"unclaimed_msat"`
}

// StatusOutput is one output of a close.
type StatusOutput struct {
	OutPoint string `json:"outpoint"`
	Msat     uint64 `json:"amount_msat"`
	// What names it from the user's side.
	What     string          `json:"what"`
	Claimant judge.Claimant  `json:"brought_by"`
	Standing claims.Standing `json:"standing"`
	// By is the transaction that spent it.
	By string `json:"spent_by_txid,omitempty"`
	// From is the lowest height of a block that can hold a claim, 0 if any; Deadline
	// the first of one in which somebody else can take it, 0 if nobody can.
	From     uint32 `json:"spendable_from,omitempty"`
	Deadline uint32 `json:"deadline_block,omitempty"`
	// Needs is what a claim lacks: preimage, peer_signature, revocation_secret, or
	// fee_input (a coin of the wallet). PaymentHash is that of an HTLC.
	Needs       string `json:"needs,omitempty"`
	PaymentHash string `json:"payment_hash,omitempty"`
	// Sweep is our transaction that claims it; Trouble is why there is none, or no
	// dearer one.
	Sweep   string `json:"sweep_txid,omitempty"`
	Trouble string `json:"trouble,omitempty"`
}

// outputOf tells one output.
func outputOf(c *state.Channel, o *claims.Output) StatusOutput {
	out := StatusOutput{
		OutPoint: o.OutPoint.String(), Msat: channel.Msat(o.Sat), What: o.What, Claimant: o.Claimant, Standing: o.Standing, By: o.By,
		From: o.From, Deadline: o.Deadline, Needs: string(o.Needs), Trouble: c.Troubles[o.OutPoint].Text,
	}
	if o.Hash != nil {
		out.PaymentHash = hex.EncodeToString(o.Hash[:])
	}
	if w := SweepOf(c, out.OutPoint); w != nil {
		out.Sweep = w.Txid
	}
	return out
}

// StatusChain is what is known of the chain.
type StatusChain struct {
	Height uint32 `json:"height"`
	// Trouble says what cannot be asked, LookBack how far the old blocks are looked
	// at, Missing what was not.
	Trouble  string `json:"trouble,omitempty"`
	LookBack string `json:"look_back,omitempty"`
}

// Of tells every channel's state, or one's. The failure is unknown_channel.
func Of(state *state.State, which string) (*Status, error) {
	st := &Status{
		Summary: []string{}, Channels: []ChannelStatus{},
		Totals: StatusTotals{ByState: map[model.ChannelState]int{}}, Notes: []string{},
	}
	if state.Run == nil {
		st.Notes = append(st.Notes, "No recovery was started on this node.")
		return st, nil
	}
	keys, err := Select(state, which)
	if err != nil {
		return nil, err
	}
	st.Backup = &StatusBackup{SHA256: state.Run.BackupSHA256}
	if !state.Run.BackupCreated.IsZero() {
		st.Backup.CreatedAt = state.Run.BackupCreated.UTC().Format(time.RFC3339)
	}
	st.Unread, st.MaxFeePercent = state.Run.Unread, uint64(state.Run.MaxFeePercent)
	st.Alarms = append(st.Alarms, state.Run.Alarms...)
	if state.Run.Alive != "" {
		st.Alarms = append(st.Alarms, "THE HOSTED NODE SEEMS TO BE ALIVE: "+state.Run.Alive+". lightningd itself still connects to these peers: stop lightningd until you know whether the hosted node runs")
	}
	if state.SaveTrouble != "" {
		st.Alarms = append(st.Alarms, "THE RECORD OF THIS RECOVERY CANNOT BE SAVED, SO THE RECOVERY IS PAUSED: "+state.SaveTrouble)
	}
	for _, k := range keys {
		c := statusOf(state, state.Channels[k])
		if c.State == model.Cheated || c.State == model.LostTo || c.State == model.Forgotten {
			st.Alarms = append(st.Alarms, c.ChannelID+": "+c.Reason)
		}
		st.Totals.add(&c)
		st.Channels = append(st.Channels, c)
		st.Summary = append(st.Summary, c.line())
	}
	st.Chain = chainOf(state)
	st.Notes = notes(state)
	return st, nil
}

// chainOf says how far the chain was looked at.
func chainOf(st *state.State) *StatusChain {
	c := &StatusChain{Height: st.Tip.Height, Trouble: st.Trouble}
	if st.Behind > 0 && c.Trouble == "" {
		c.Trouble = count(st.Behind, "new block") + " could not be read yet"
	}
	switch l := st.LookBack; {
	case !l.Done && l.Left > 0:
		c.LookBack = fmt.Sprintf("%d of the blocks from %d to %d have not been scanned yet", l.Left, l.From, l.To)
	case l.Missing > 0:
		c.LookBack = fmt.Sprintf("%s up to %d could not be scanned", count(l.Missing, "block"), l.MissingTo)
	}
	if st.LookBack.Reason != "" {
		c.LookBack = strings.TrimPrefix(c.LookBack+": "+st.LookBack.Reason, ": ")
	}
	// Once the close is found, how far it was looked for is of no interest.
	if from := st.Run.LookBackFrom; from > 0 && vanished(st) {
		older := fmt.Sprintf("glrecover searches for a close older than the backup, back to block %d", from)
		if from > 1 && from <= st.LookBackEnd() {
			older += " and no further"
		}
		c.LookBack = strings.TrimPrefix(c.LookBack+"; "+older, "; ")
	}
	return c
}

// vanished reports whether a funding output is gone and its spend is not found.
func vanished(st *state.State) bool {
	for _, c := range st.Channels {
		if c.Vanished() {
			return true
		}
	}
	return false
}

func (t *StatusTotals) add(c *ChannelStatus) {
	t.Channels++
	t.ByState[c.State]++
	if c.LastKnownShareMsat != nil {
		t.LastKnownShareMsat = channel.Sum(t.LastKnownShareMsat, *c.LastKnownShareMsat)
	} else {
		t.SharesUnknown++
	}
	t.RecoveredMsat = channel.Sum(t.RecoveredMsat, c.RecoveredMsat)
	t.ExpectedMsat = channel.Sum(t.ExpectedMsat, c.ExpectedMsat)
	t.UnclaimedMsat = channel.Sum(t.UnclaimedMsat, c.UnclaimedMsat)
}

// notes are what every reader of the status should know.
func notes(st *state.State) []string {
	notes := []string{"listfunds shows each channel under recovery with a balance of 0, as CHANNELD_NORMAL. That is expected: recovered coins are listed under outputs."}
	if !st.Run.Imported.IsZero() && !st.Run.Restarted {
		notes = append(notes, "Restart lightningd once. Open no channel before that.")
	}
	if from := rescanFrom(st); from > 0 {
		notes = append(notes, fmt.Sprintf("Restart lightningd once with rescan=-%d: it then finds the outputs that need a rescan.", from))
	}
	notes = append(notes, keptBack(st)...)
	left, open := 0, 0
	for _, c := range st.Channels {
		switch {
		case !c.State.Done():
			open++
		case !st.Finished(c):
			left++
		}
	}
	switch {
	case left > 0:
		notes = append(notes, fmt.Sprintf("%s left out, with coins that were not recovered: the reason beside each says why. Keep the words and the backup file.", count(left, "channel")))
	case open == 0 && len(st.Channels) > 0:
		notes = append(notes, "Everything is done. Send the coins to a wallet with a new seed, never run a Lightning node with this key again, and keep the backup file.")
	}
	return notes
}

// leastEmergencySat is the least that min-emergency-msat can be: the dust limit
// (CLN v26.06.6 lightningd/options.c, opt_set_sat_nondust).
const leastEmergencySat = 546

// keptBack says what `withdraw all` leaves in the wallet once a coin is there:
// lightningd keeps min-emergency-msat while it has a channel with anchors,
// closed or not, and forgets a closed one when all its outputs are resolved 100
// blocks deep (CLN v26.06.6 lightningd/channel.c, have_anchor_channel;
// onchaind/onchaind.c, all_irrevocably_resolved).
func keptBack(st *state.State) []string {
	coin := false
	for _, o := range st.Wallet {
		coin = coin || (o.Status != claims.StatusSpent && o.Height > 0)
	}
	stubs, open, until := 0, 0, uint32(0)
	for _, c := range st.Channels {
		if c.Stub != state.LiveStub || c.Channel.Type != channel.AnchorsZeroFeeHTLC {
			continue
		}
		stubs++
		if c.Close == nil || c.Close.Height == 0 {
			open++
			continue
		}
		until = max(until, c.Close.Height+model.FinalConfs-1)
	}
	if !coin || stubs == 0 || st.KeepsMsat <= channel.Msat(leastEmergencySat) {
		return nil
	}
	keeps := fmt.Sprintf("While lightningd has a channel with anchors, it keeps %d sat (min-emergency-msat) in the wallet, and `withdraw all` leaves that amount behind or is refused",
		st.KeepsMsat/1000)
	if open > 0 {
		return []string{fmt.Sprintf("%s: until about 100 blocks after the last channel has closed. Leave these coins there until then: a stuck close may need them for its fee.", keeps)}
	}
	when := fmt.Sprintf("until block %d at the earliest", until)
	if st.NodeHeight >= until {
		when = "until lightningd forgets the last of these channels, which takes longer while one of its outputs is unspent"
	}
	return []string{fmt.Sprintf("%s: %s. After that you can withdraw these coins too. To withdraw all but %d sat now, restart lightningd with min-emergency-msat=%dsat.",
		keeps, when, leastEmergencySat, leastEmergencySat)}
}

// rescanFrom is the one height from which on a rescan brings every output that
// waits for one; 0 if none does.
func rescanFrom(st *state.State) (from uint32) {
	for _, c := range st.Channels {
		for _, o := range c.Settled {
			if o.Standing == claims.Waiting && o.Claimant == judge.ByRescan && (from == 0 || c.Close.Height-1 < from) {
				from = c.Close.Height - 1
			}
		}
	}
	if old := st.Run.RescanFrom; from > 0 && old > 0 {
		return min(from, old) // one restart for the old coins too
	}
	return from
}

// Select are the channels that a selector means, in the order of peer
// and dbid: "" means all, else a channel id, a funding outpoint or its
// txid, or a peer id.
func Select(st *state.State, which string) ([]channel.Key, error) {
	var keys []channel.Key
	for _, k := range st.Keys() {
		c := &st.Channels[k].Channel
		if which == "" || which == c.ID().String() || which == k.Peer.String() || which == c.Funding.Hash.String() || which == c.Funding.String() {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 && which != "" {
		return nil, failure.New(failure.UnknownChannel,
			"Give a channel id, a funding txid or a peer id, as listed by glrecover-status", "no channel under recovery matches %q", clip(which))
	}
	return keys, nil
}

// statusOf tells one channel.
func statusOf(st *state.State, c *state.Channel) ChannelStatus {
	out := ChannelStatus{
		PeerID: c.Channel.Peer, ChannelID: c.Channel.ID().String(), DBID: c.Channel.DBID,
		State: c.State, Since: c.Since.UTC().Format(time.RFC3339), Reason: reason(st, c),
		Said: c.Said, Address: c.Address,
		CapacityMsat: channel.Msat(c.Channel.CapacitySat), LastKnownShareMsat: c.Channel.LastKnownShare().Msat(),
		RecoveredMsat: c.RecoveredMsat, RecoveredTo: c.Recovered,
	}
	if c.Copy != "" {
		out.LastKnownShareMsat = nil // a copy says nothing of balances
	}
	out.WaitsFor, out.Todo = advice(st, c)
	if !c.Asked.IsZero() {
		out.Asked = c.Asked.UTC().Format(time.RFC3339)
	}
	if c.State.Asks() && !c.Next.IsZero() {
		out.NextTry = c.Next.UTC().Format(time.RFC3339)
	}
	if c.First != nil && !c.FirstLater {
		out.Freshness = string(c.First.Verdict)
	}
	if c.Close != nil {
		out.ClosingTxid, out.ClosingHeight, out.ClosingKind = c.Close.Txid, c.Close.Height, c.Close.Kind
		if st.Listed && c.State != model.Resolved { // else nobody knows when its outputs were swept
			out.FinalHeight = c.FinalAt()
		}
	}
	if c.Resends() {
		out.ClosingTx = txHex(c.Tx())
	}
	if c.Settled == nil && c.Close != nil && c.State.Closed() && c.State != model.Resolved {
		out.ExpectedMsat = msat(c.Paid()) // unconfirmed, or not looked at yet
	}
	for i := range c.Settled {
		o := &c.Settled[i]
		out.Outputs = append(out.Outputs, outputOf(c, o))
		switch {
		case o.Standing != claims.Waiting || o.Unnamed:
		case o.Claimant == judge.ByLightningd, o.Claimant == judge.ByRescan, o.Claimant == judge.BySweep:
			out.ExpectedMsat = channel.Sum(out.ExpectedMsat, channel.Msat(o.Sat))
		default:
			out.UnclaimedMsat = channel.Sum(out.UnclaimedMsat, channel.Msat(o.Sat))
		}
	}
	for _, x := range lostOf(c) {
		out.LostMsat = channel.Sum(out.LostMsat, channel.Msat(x.Sat))
		if x.Txid != "" {
			out.LostTo = append(out.LostTo, x.Txid)
		}
	}
	if v := c.Verdict; v != nil && v.Kind == judge.Revoked {
		out.ClaimMsat = channel.Msat(v.Claim)
		if c.Close.Height > 0 {
			out.DeadlineBlock = c.Close.Height + v.Delay
		}
	}
	return out
}

// txHex is a transaction as sendrawtransaction takes it.
func txHex(tx *wire.MsgTx) string {
	var b strings.Builder
	if err := tx.Serialize(hex.NewEncoder(&b)); err != nil {
		return "" // a strings.Builder does not fail
	}
	return b.String()
}

// clip keeps what a user typed short enough to be shown to him.
func clip(s string) string {
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return s
}

// msat converts sat; the parsers have capped every amount at 21 million bitcoin.
func msat(sat uint64) uint64 { return sat * 1000 }
