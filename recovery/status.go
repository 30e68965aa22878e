package recovery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
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
	Unread []string     `json:"unread_entries,omitempty"`
	Totals StatusTotals `json:"totals"`
	Notes  []string     `json:"notes"`
	// FormatHint makes lightning-cli print lines instead of JSON; with -J it
	// prints JSON.
	FormatHint string `json:"format-hint"`
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
	PeerID    channel.PubKey `json:"peer_id"`
	ChannelID string         `json:"channel_id"`
	DBID      uint64         `json:"dbid"`
	State     State          `json:"state"`
	Since     string         `json:"since"`
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

	CapacityMsat       uint64 `json:"capacity_msat"`
	LastKnownShareMsat uint64 `json:"last_known_share_msat"`

	ClosingTxid   string `json:"closing_txid,omitempty"`
	ClosingKind   string `json:"closing_kind,omitempty"`
	ClosingHeight uint32 `json:"closing_height,omitempty"`
	// RecoveredMsat is in the wallet (listfunds, spent outputs included);
	// ExpectedMsat is still to come from the close that was seen.
	RecoveredMsat uint64   `json:"recovered_msat"`
	RecoveredTo   []string `json:"recovered_outpoints,omitempty"`
	ExpectedMsat  uint64   `json:"expected_msat,omitempty"`
	// UnclaimedMsat is ours in a close and out of this version's reach.
	UnclaimedMsat uint64 `json:"unclaimed_msat,omitempty"`
	ClaimMsat     uint64 `json:"claimable_by_penalty_msat,omitempty"`
	DeadlineBlock uint32 `json:"deadline_block,omitempty"`
}

// StatusTotals sum the channels.
type StatusTotals struct {
	Channels           int           `json:"channels"`
	ByState            map[State]int `json:"by_state"`
	LastKnownShareMsat uint64        `json:"last_known_share_msat"`
	RecoveredMsat      uint64        `json:"recovered_msat"`
	ExpectedMsat       uint64        `json:"expected_msat"`
	UnclaimedMsat      uint64        `json:"unclaimed_msat"`
}

// Status tells every channel's state, or one's. It answers from memory: the
// engine keeps it up to date.
func (s *Service) Status(_ context.Context, which string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &Status{FormatHint: "simple", Summary: []string{}, Channels: []ChannelStatus{}, Totals: StatusTotals{ByState: map[State]int{}}, Notes: []string{}}
	if s.run == nil {
		st.Notes = append(st.Notes, "No recovery was started on this node.")
		return st, nil
	}
	keys, err := s.selectChannels(which)
	if err != nil {
		return nil, err
	}
	st.Backup = &StatusBackup{SHA256: s.run.BackupSHA256}
	if !s.run.BackupCreated.IsZero() {
		st.Backup.CreatedAt = s.run.BackupCreated.UTC().Format(time.RFC3339)
	}
	st.Unread = s.run.Unread
	st.Alarms = append(st.Alarms, s.run.Alarms...)
	if s.run.Alive != "" {
		st.Alarms = append(st.Alarms, "THE HOSTED NODE SEEMS TO BE ALIVE: "+s.run.Alive+". lightningd's own stubs still speak to their peers: stop this lightningd until you know")
	}
	for _, k := range keys {
		c := s.statusOf(s.tracks[k])
		if c.State == Cheated {
			st.Alarms = append(st.Alarms, c.ChannelID+": "+c.Reason)
		}
		st.Totals.add(&c)
		st.Channels = append(st.Channels, c)
		st.Summary = append(st.Summary, c.line())
	}
	st.Notes = s.notes()
	return st, nil
}

func (t *StatusTotals) add(c *ChannelStatus) {
	t.Channels++
	t.ByState[c.State]++
	t.LastKnownShareMsat += c.LastKnownShareMsat
	t.RecoveredMsat += c.RecoveredMsat
	t.ExpectedMsat += c.ExpectedMsat
	t.UnclaimedMsat += c.UnclaimedMsat
}

// notes are what every reader of the status should know.
func (s *Service) notes() []string {
	notes := []string{"listfunds shows each channel under recovery with 0 and as CHANNELD_NORMAL: that is only the stub. Recovered coins are under its outputs."}
	if !s.run.Imported.IsZero() && !s.run.Restarted {
		notes = append(notes, "Restart lightningd once, and open no channel before.")
	}
	left, open := 0, 0
	for _, c := range s.tracks {
		switch {
		case !c.State.Done():
			open++
		case !c.finished(s.tip):
			left++
		}
	}
	switch {
	case left > 0:
		notes = append(notes, fmt.Sprintf("%d channels were left out, and what they hold did not come back: their reasons say why. Keep the words and the backup file.", left))
	case open == 0 && len(s.tracks) > 0:
		notes = append(notes, "All is done. Move the coins to a new seed, retire this node id, and keep the backup file.")
	}
	return notes
}

// selectChannels are the channels that a selector means, in the order of peer
// and dbid: "" means all, else a channel id, a funding outpoint or its
// txid, or a peer id.
func (s *Service) selectChannels(which string) ([]channel.Key, error) {
	var keys []channel.Key
	for k, t := range s.tracks {
		if which == "" || which == t.Channel.ID().String() || which == k.Peer.String() || which == t.Channel.Funding.Hash.String() || which == t.Channel.Funding.String() {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 && which != "" {
		return nil, failure.New(failure.UnknownChannel,
			"Give a channel id, a funding txid or a peer id as glrecover-status lists them", "no channel under recovery is called %q", clip(which))
	}
	slices.SortFunc(keys, func(a, b channel.Key) int {
		if c := slices.Compare(a.Peer[:], b.Peer[:]); c != 0 {
			return c
		}
		return int(a.DBID) - int(b.DBID) // dbids are below 2^31
	})
	return keys, nil
}

// statusOf tells one channel.
func (s *Service) statusOf(t *tracked) ChannelStatus {
	share, _ := t.Channel.LastKnownShare()
	c := ChannelStatus{
		PeerID: t.Channel.Peer, ChannelID: t.Channel.ID().String(), DBID: t.Channel.DBID,
		State: t.State, Since: t.Since.UTC().Format(time.RFC3339), Reason: t.Reason,
		Said: t.Said, Address: t.Address,
		CapacityMsat: msat(t.Channel.CapacitySat), LastKnownShareMsat: msat(share),
	}
	c.WaitsFor, c.Todo = advice(&t.track, t.verdict)
	if !t.Asked.IsZero() {
		c.Asked = t.Asked.UTC().Format(time.RFC3339)
	}
	if t.State.Asks() && !t.next.IsZero() {
		c.NextTry = t.next.UTC().Format(time.RFC3339)
	}
	if t.Numbers != nil {
		c.Freshness = t.Numbers.Verdict
	}
	if t.Close != nil {
		c.ClosingTxid, c.ClosingHeight, c.ClosingKind = t.Close.Txid, t.Close.Height, t.Close.Kind
	}
	c.RecoveredMsat, c.RecoveredTo = t.RecoveredMsat, t.RecoveredTo
	if v := t.verdict; v != nil {
		for _, o := range v.missing(t.found, t.gone(s.tip)) {
			if o.Wallet {
				c.ExpectedMsat += msat(o.Sat)
			} else {
				c.UnclaimedMsat += msat(o.Sat)
			}
		}
		if v.Kind == kindRevoked {
			c.ClaimMsat = msat(v.Claim)
			if t.Close.Height > 0 {
				c.DeadlineBlock = v.deadline(t.Close.Height)
			}
		}
	}
	return c
}

// advice is what a state waits for, and what the user can do.
func advice(t *track, v *verdict) (waitsFor, todo string) {
	switch t.State {
	case LeftOut:
		if t.NothingOurs {
			return "nothing", ""
		}
		return "operator", "read the reason; the channel still holds coins, so keep the words and the backup file"
	case FundingUnconfirmed:
		return "blocks", "nothing; it is imported by itself once the funding is confirmed"
	case Imported, CloseRequested:
		// A close that fell out of the mempool for lack of fee.
		if waitsFor, todo := t.bumpAdvice(); waitsFor != "" {
			return waitsFor, todo
		}
		return "peer", "nothing while the peer is expected back; glrecover-retry tries at once"
	case CloseSeen:
		if waitsFor, todo := t.bumpAdvice(); waitsFor != "" {
			return waitsFor, todo
		}
		return "blocks", ""
	case Cheated:
		return "operator", "get help at once"
	case OutputsWaiting:
		if v != nil && slices.ContainsFunc(v.Owed, func(o owed) bool { return !o.Wallet }) {
			return "operator", "keep the backup file and the seed: a later version, or an expert, can claim these outputs"
		}
		if strings.Contains(t.Reason, "rescan") {
			return "operator", "restart lightningd once with the rescan option that the reason names"
		}
		return "blocks", ""
	case Credited:
		return "blocks", "nothing; the coins can be spent already"
	case Resolved:
		return "nothing", ""
	case NeedsAddress:
		return "address", "call glrecover again with addresses={\"" + t.Channel.Peer.String() + "\": \"host:port\"}, or wait for gossip"
	case NeedsSecret:
		return "secret", "make the hsm_secret readable for lightningd's user, or set glrecover-hsm-secret"
	case PeerStale:
		return "operator", "ask the peer's operator; override with peer_stale only if its state is lost for good"
	case HostedAlive:
		return "operator", "make sure that the hosted node is dead, then call glrecover again with override hosted_node_alive"
	case NeedsOperator:
		return "operator", ""
	}
	return "", ""
}
