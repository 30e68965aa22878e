package record

import (
	"encoding/json"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/recovery/model"
)

// Version 1, as far as it is carried over. How far the blocks were looked at is
// not: the Watcher looks again, which costs time and no coin.

type runV1 struct {
	NodeID        channel.PubKey   `json:"node_id"`
	Network       string           `json:"network"`
	BackupSHA256  string           `json:"backup_sha256"`
	BackupPath    string           `json:"backup_path"`
	BackupCreated time.Time        `json:"backup_created_at"`
	Imported      time.Time        `json:"imported_at"`
	Mark          string           `json:"lightningd_run"`
	Restarted     bool             `json:"restarted"`
	Alive         string           `json:"hosted_node_alive"`
	MaxFeePercent *uint64          `json:"max_fee_percent"`
	Unread        []string         `json:"unread"`
	UnreadPeers   []channel.PubKey `json:"unread_peers"`
	Alarms        []string         `json:"alarms"`
}

type channelV1 struct {
	Channel      channel.Channel    `json:"channel"`
	State        model.ChannelState `json:"state"`
	Since        time.Time          `json:"since"`
	Reason       string             `json:"reason"`
	Address      string             `json:"address"`
	Source       string             `json:"address_source"`
	Gone         bool               `json:"funding_not_found"`
	NothingOurs  bool               `json:"nothing_ours"`
	Numbers      *judge.Reestablish `json:"numbers"`
	Later        *judge.Reestablish `json:"later_numbers"`
	StaleSeen    bool               `json:"stale_seen"`
	StaleAllowed bool               `json:"stale_allowed"`
	Tries        int                `json:"import_tries"`
	Held         time.Time          `json:"held_since"`
	Reached      time.Time          `json:"peer_reached_at"`
	Asked        time.Time          `json:"asked_at"`
	Said         string             `json:"peer_said"`
	Close        *struct {
		Txid   string     `json:"txid"`
		Raw    string     `json:"raw"`
		Kind   judge.Kind `json:"kind"`
		Height uint32     `json:"height"`
		Block  string     `json:"block"`
		SeenAt uint32     `json:"seen_at"`
	} `json:"close"`
	Bump          *model.Child  `json:"bump"`
	BumpTrouble   string        `json:"bump_trouble"`
	BumpAddress   string        `json:"bump_address"`
	Reserved      []string      `json:"reserved_outpoints"`
	RecoveredMsat uint64        `json:"recovered_msat"`
	RecoveredTo   []string      `json:"recovered_outpoints"`
	Taken         []model.Taken `json:"taken_outputs"`
}

// maxFeeV1 is what version 1 paid at most where the user had not said.
const maxFeeV1 = 10

func runOfV1(raw string) (*model.Run, error) {
	var r runV1
	if err := json.Unmarshal([]byte(raw), &r); err != nil {
		return nil, err
	}
	percent := uint32(maxFeeV1)
	if r.MaxFeePercent != nil {
		percent = uint32(min(*r.MaxFeePercent, 100))
	}
	return &model.Run{
		NodeID: r.NodeID, Network: r.Network, BackupSHA256: r.BackupSHA256, BackupPath: r.BackupPath,
		BackupCreated: r.BackupCreated, Imported: r.Imported, Mark: r.Mark, Restarted: r.Restarted, Alive: r.Alive,
		Unread: r.Unread, UnreadPeers: r.UnreadPeers, Alarms: r.Alarms, MaxFeePercent: percent,
	}, nil
}

func channelOfV1(raw string) (*model.Record, error) {
	var c channelV1
	if err := json.Unmarshal([]byte(raw), &c); err != nil {
		return nil, err
	}
	out := &model.Record{
		Channel: c.Channel, State: c.State, Since: c.Since, Address: c.Address, Source: c.Source,
		FundingMissing: c.Gone, NothingOurs: c.NothingOurs, First: c.Numbers, StaleSeen: c.StaleSeen, StaleAllowed: c.StaleAllowed,
		ImportTries: c.Tries, Held: c.Held, Reached: c.Reached, Asked: c.Asked, Said: c.Said,
		Fee:           model.Fee{Child: c.Bump, Trouble: c.BumpTrouble, Address: c.BumpAddress},
		RecoveredMsat: c.RecoveredMsat, Recovered: c.RecoveredTo, Taken: c.Taken, Reserved: c.Reserved,
	}
	if out.First == nil && c.Later != nil {
		out.First, out.FirstLater = c.Later, true
	}
	switch c.State {
	case model.LeftOut, model.NeedsOperator, model.PeerStale, model.HostedAlive, model.NeedsSecret:
		// Of the other states the reason is said anew.
		out.Reason = c.Reason
	}
	switch c.State {
	case model.LeftOut, model.FundingUnconfirmed, model.AskFirst, model.PeerStale:
	default:
		// Version 1 did not keep the height of the import: its stub was there before
		// whatever closed the channel since.
		if c.Held.IsZero() {
			out.ImportedAt = 1
		}
	}
	if k := c.Close; k != nil {
		out.Close = &model.Close{Txid: k.Txid, Kind: k.Kind, Height: k.Height, Block: k.Block, FirstSeen: k.SeenAt}
		s := model.Sighted{OutPoint: c.Channel.Funding.String(), Place: chain.Unknown.String(), Raw: k.Raw, FirstSeen: k.SeenAt}
		if k.Height > 0 {
			s.Place, s.Height, s.Block = chain.InBlock.String(), k.Height, k.Block
		}
		out.Seen = []model.Sighted{s}
		out.WatchFrom = k.Height
	}
	return out, nil
}
