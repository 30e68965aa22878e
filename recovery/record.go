package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

// The record in the node's datastore: one entry for the run, one per channel.
// It outlives the backup file, the plugin and lightningd. No secret and no
// preimage is in it: the counterparty's revealed secrets and its signatures stay
// in the backup.
var (
	recordRoot    = []string{"glrecover"}
	recordRun     = []string{"glrecover", "run"}
	recordChannel = []string{"glrecover", "channel"}
)

// recordVersion changes when an older glrecover could misread the record.
const recordVersion = 1

// run is what is true of the whole recovery.
type run struct {
	Version int            `json:"version"`
	NodeID  channel.PubKey `json:"node_id"`
	Network string         `json:"network"`
	// BackupSHA256 names the file, BackupCreated dates it.
	BackupSHA256  string    `json:"backup_sha256"`
	BackupPath    string    `json:"backup_path,omitempty"`
	BackupCreated time.Time `json:"backup_created_at"`
	// Imported is when recoverchannel was last called with an effect, Mark which
	// run of lightningd that was; Restarted says that lightningd has been started
	// since, so that its counter of channels is past the imported ones.
	Imported  time.Time `json:"imported_at,omitzero"`
	Mark      string    `json:"lightningd_run,omitempty"`
	Restarted bool      `json:"restarted,omitempty"`
	// ScanFrom is the first height that our own look at the blocks has to start
	// at, ScannedTo the last block that was looked at, with its hash.
	ScanFrom    uint32 `json:"scan_from,omitempty"`
	ScannedTo   uint32 `json:"scanned_to,omitempty"`
	ScannedHash string `json:"scanned_hash,omitempty"`
	// scan counts how often the start was set: a look that began before does not
	// count for the channels that came since.
	scan int
	// Alive is why all nudges have stopped, "" where nothing speaks of a hosted
	// node that is alive.
	Alive string `json:"hosted_node_alive,omitempty"`
	// Unread are the channel entries of the backup that could not be read.
	Unread []string `json:"unread,omitempty"`
	// UnreadPeers are the peers of those, as far as they can be told: a new
	// channel with one of them could get the old one's keys.
	UnreadPeers []channel.PubKey `json:"unread_peers,omitempty"`
	// Alarms are openings that appeared although they must not.
	Alarms []string `json:"alarms,omitempty"`
}

// track is what is kept of one channel.
type track struct {
	Channel channel.Channel `json:"channel"`
	State   State           `json:"state"`
	Since   time.Time       `json:"since"`
	Reason  string          `json:"reason,omitempty"`
	// Address is where the peer was dialled or can be, and Source who said so.
	Address string `json:"address,omitempty"`
	Source  string `json:"address_source,omitempty"`
	// Gone says that the funding output was not among the unspent ones at the
	// time of the import, and no spend of it was found.
	Gone bool `json:"funding_not_found,omitempty"`
	// NothingOurs says that the channel was left out because it was closed before
	// and none of it was ours; other left out channels still hold coins.
	NothingOurs bool `json:"nothing_ours,omitempty"`
	// Numbers is what the peer said before anything was imported: the only
	// numbers that it gave without knowing that we lost our state.
	Numbers *numbers `json:"numbers,omitempty"`
	// Later stands in where it could not be asked then: the numbers of the first
	// session after the import, to see whether they move.
	Later *numbers `json:"later_numbers,omitempty"`
	// StaleSeen says that the peer once stood behind the backup.
	StaleSeen bool `json:"stale_seen,omitempty"`
	// Tries counts the late imports of this channel that got no answer: lightningd
	// stopped.
	Tries int `json:"import_tries,omitempty"`
	// Asked is when the peer was last asked to close, Said what it answered.
	Asked time.Time `json:"asked_at,omitzero"`
	Said  string    `json:"peer_said,omitempty"`
	// Close is the transaction that spends the funding output, as seen last.
	Close *closing `json:"close,omitempty"`
	// Bump is the last child that pays for a stuck close, recorded before it was
	// sent; BumpTrouble is why there is none, if one is needed.
	Bump        *bump  `json:"bump,omitempty"`
	BumpTrouble string `json:"bump_trouble,omitempty"`
	// BumpAddress is the wallet's, used for each child of this channel.
	BumpAddress string `json:"bump_address,omitempty"`
	// RecoveredMsat is what of it the wallet listed when last looked, at
	// RecoveredTo ("txid:vout"). It stays when lightningd has forgotten the
	// channel.
	RecoveredMsat uint64   `json:"recovered_msat,omitempty"`
	RecoveredTo   []string `json:"recovered_outpoints,omitempty"`
	// Taken are outputs of the close that lightningd's wallet does not claim and
	// that somebody else has spent.
	Taken []taken `json:"taken_outputs,omitempty"`
	// StaleAllowed is true once an operator has allowed to ask a stale peer.
	StaleAllowed bool `json:"stale_allowed,omitempty"`
}

// numbers are those of a channel_reestablish (BOLT 2).
type numbers struct {
	NextCommitment uint64    `json:"next_commitment_number"`
	NextRevocation uint64    `json:"next_revocation_number"`
	At             time.Time `json:"at"`
	Verdict        string    `json:"verdict"`
}

// closing is a transaction that spends a funding output.
type closing struct {
	Txid string `json:"txid"`
	// Raw is kept until the transaction is buried, to send it again.
	Raw  string `json:"raw,omitempty"`
	Kind string `json:"kind"`
	// Height is 0 while unconfirmed; Block is the hash of its block.
	Height uint32 `json:"height,omitempty"`
	Block  string `json:"block,omitempty"`
	// SeenAt is the height at which it was seen first.
	SeenAt uint32 `json:"seen_at"`
}

// taken is an output that another transaction spent.
type taken struct {
	// OutPoint is "txid:vout"; Txid spent it at Height.
	OutPoint string `json:"outpoint"`
	Sat      uint64 `json:"sat"`
	What     string `json:"what"`
	Txid     string `json:"txid"`
	Height   uint32 `json:"height"`
}

// bump is a child that pays for a close.
type bump struct {
	Txid   string `json:"txid"`
	Raw    string `json:"raw"`
	FeeSat uint64 `json:"fee_sat"`
	// PerKW is the feerate of close and child together, in sat per 1000 weight.
	PerKW uint32 `json:"feerate_per_kw"`
	// At is the height at which it was made.
	At uint32 `json:"at_height"`
	// Refused is why it was not taken when it was sent last.
	Refused string `json:"refused,omitempty"`
}

func (t *track) key() []string {
	return append(append([]string{}, recordChannel...), fmt.Sprintf("%s-%d", t.Channel.Peer, t.Channel.DBID))
}

// first are the first numbers of the peer, nil if there are none.
func (t *track) first() *numbers {
	if t.Numbers != nil {
		return t.Numbers
	}
	return t.Later
}

// finished reports whether nothing of the channel can still be ours.
func (t *track) finished(tip uint32) bool {
	return t.State == Resolved || (t.State == LeftOut && t.NothingOurs) || t.outOfTime(tip)
}

// outOfTime reports whether a peer that cheated has had all the time to take
// what a penalty could have taken.
func (t *track) outOfTime(tip uint32) bool {
	return t.State == Cheated && t.Close != nil && t.Close.Height > 0 &&
		tip > t.Close.Height+finalConfs && tip > t.Close.Height+uint32(t.Channel.HolderDelay)+finalConfs
}

// stripped returns a copy of the channel without what the record must not or
// need not hold.
func stripped(c *channel.Channel) channel.Channel {
	out := *c
	out.State.Secrets = nil
	out.State.HolderSigs = nil
	out.State.NextHolderSigs = nil
	return out
}

// unreadable is a record that this glrecover must not act on.
func unreadable(found string, args ...any) *failure.Error {
	return failure.New(failure.RecordUnreadable,
		"Keep the node as it is: a newer glrecover may read it. Nothing is done until then, and openings are refused", found, args...)
}

func loadRecord(ctx context.Context, n Node) (*run, []*track, error) {
	recs, err := n.Records(ctx, recordRoot)
	if err != nil {
		return nil, nil, err
	}
	channels, err := n.Records(ctx, recordChannel)
	if err != nil {
		return nil, nil, err
	}
	recs = append(recs, channels...)
	var r *run
	var tracks []*track
	for _, rec := range recs {
		switch {
		case len(rec.Key) == 2 && rec.Key[1] == recordRun[1]:
			r = new(run)
			if err := json.Unmarshal([]byte(rec.Value), r); err != nil {
				return nil, nil, unreadable("the record of the recovery is damaged").Wrap(err)
			}
			if r.Version != recordVersion {
				return nil, nil, unreadable("the record of the recovery has version %d, this glrecover knows %d", r.Version, recordVersion)
			}
		case len(rec.Key) == 3 && rec.Key[1] == recordChannel[1]:
			k := new(track)
			if err := json.Unmarshal([]byte(rec.Value), k); err != nil {
				return nil, nil, unreadable("the record of channel %s is damaged", rec.Key[2]).Wrap(err)
			}
			tracks = append(tracks, k)
		}
	}
	return r, tracks, nil
}

func save(ctx context.Context, n Node, key []string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return n.SaveRecord(ctx, key, string(raw))
}
