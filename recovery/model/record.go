package model

import (
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/judge"
)

// Run is what is kept of the whole recovery. Values that are on record are never
// changed in place: what changes is replaced, so that copies can be compared.
type Run struct {
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
	// Alive is why nobody is asked to close any more, "" where nothing speaks of
	// a hosted node that is alive.
	Alive string `json:"hosted_node_alive,omitempty"`
	// Unread are the channel entries of the backup that could not be read, and
	// UnreadPeers their peers as far as they can be told: a new channel with one
	// of them could get the old one's keys.
	Unread      []string         `json:"unread,omitempty"`
	UnreadPeers []channel.PubKey `json:"unread_peers,omitempty"`
	// Alarms are openings that appeared although they must not.
	Alarms []string `json:"alarms,omitempty"`
	// MaxFeePercent is how much of what a stuck close brings to this wallet may
	// be paid as fee; 0 pays none.
	MaxFeePercent uint32 `json:"max_fee_percent"`
	// LookBackFrom is the lowest height at which a close from before the backup's
	// date was or is looked for; 0 if that was not needed.
	LookBackFrom uint32 `json:"look_back_from,omitempty"`
	// Destination is where every sweep pays to: the user's, or an address of the
	// wallet; "" before the first sweep. Given says that the user named it. Change is
	// the wallet's address for what is left of its coins.
	Destination string `json:"destination,omitempty"`
	Given       bool   `json:"destination_given,omitempty"`
	Change      string `json:"change_address,omitempty"`
	// Feerate is the user's for sweeps as typed, "" for the estimate.
	Feerate string `json:"feerate,omitempty"`
	// RescanFrom is the height of the restart that brings what the last call found
	// for the wallet, the lost node's own coins too; 0 if nothing needs one.
	RescanFrom uint32 `json:"rescan_from,omitempty"`
}

// Clone copies a run, nil too; what it points to is never changed in place.
func (r *Run) Clone() *Run {
	if r == nil {
		return nil
	}
	out := *r
	return &out
}

// Record is what is kept of one channel.
type Record struct {
	Channel channel.Channel `json:"channel"`
	State   ChannelState    `json:"state"`
	Since   time.Time       `json:"since"`
	// Reason says why a channel is left out or needs somebody.
	Reason string `json:"reason,omitempty"`
	// Copy says whose copy of the lost node's own backup the channel is known
	// from; "" for a channel of the signer's backup.
	Copy string `json:"known_from_copy_of,omitempty"`
	// Address is where the peer was dialled or can be, Source who said so.
	Address string `json:"address,omitempty"`
	Source  string `json:"address_source,omitempty"`
	// FundingScript is the scriptPubKey of the funding output, nil where it is
	// not known; WatchFrom the lowest height of its spend, 0 if unknown.
	FundingScript []byte `json:"funding_script,omitempty"`
	WatchFrom     uint32 `json:"watch_from,omitempty"`
	// YoungAt is when the funding was last seen with too few confirmations; zero if
	// it never was.
	YoungAt time.Time `json:"young_at,omitzero"`
	// FundingMissing says that the funding output was not among the unspent ones
	// at the time of the plan, and no spend of it was found.
	FundingMissing bool `json:"funding_missing,omitempty"`
	// NothingOurs says that the channel was left out because it was closed before
	// and none of it was ours; other left out channels still hold coins.
	NothingOurs bool `json:"nothing_ours,omitempty"`

	// First is what the peer said first: before anything was imported, or, with
	// FirstLater, in the first session after it.
	First      *judge.Reestablish `json:"reestablish,omitempty"`
	FirstLater bool               `json:"reestablish_after_import,omitempty"`
	// Held is since when lightningd must not meet the peer for this channel,
	// because our own session comes first (money rule 4b); zero if it may. Reached
	// is when the peer last answered a session meanwhile.
	Held    time.Time `json:"held_since,omitzero"`
	Reached time.Time `json:"reached_at,omitzero"`
	// HoldOver says that an operator gave the channel to lightningd all the same.
	HoldOver bool `json:"hold_overridden,omitempty"`
	// StaleSeen says that the peer once stood behind the backup, StaleAllowed
	// that an operator has allowed to ask it all the same, MoveAllowed that
	// numbers which moved without proof are accepted.
	StaleSeen bool `json:"stale_seen,omitempty"`
	// Stale is why the peer stands behind the backup now, "" where it does not or an
	// operator has allowed it: a close that is dropped again leads back to that.
	Stale        string `json:"stale_reason,omitempty"`
	StaleAllowed bool   `json:"stale_allowed,omitempty"`
	MoveAllowed  bool   `json:"move_allowed,omitempty"`

	// ImportTries counts the imports of this channel that got no answer:
	// lightningd stopped, ImportTriedAt is the height of the first. ImportedAt is the
	// height from which on lightningd may have had the stub, 0 if it has none.
	ImportTries   int    `json:"import_tries,omitempty"`
	ImportTriedAt uint32 `json:"import_tried_at_height,omitempty"`
	ImportedAt    uint32 `json:"imported_at_height,omitempty"`

	// Asked is when the peer last got the whole request to close, and Said what
	// it answered. TriesKept is how often it was tried in vain, as far as something
	// follows from it; Heard is how the last session ended.
	Asked     time.Time `json:"asked_at,omitzero"`
	Said      string    `json:"peer_said,omitempty"`
	TriesKept int       `json:"tries,omitempty"`
	// CloseHeard says that the peer has spoken of the channel as closed since it was
	// asked.
	CloseHeard bool `json:"close_heard,omitempty"`
	// Ignored counts the sessions in a row in which the peer did not speak of it.
	Ignored int   `json:"ignored,omitempty"`
	Heard   Heard `json:"last_session,omitzero"`

	// Close is the transaction that spends the funding output, as seen last.
	Close *Close `json:"close,omitempty"`
	// Seen is what the Watcher said last of the funding output and of the outputs
	// of the close.
	Seen []Sighted `json:"seen,omitempty"`
	// Fee is what is paid for a stuck close.
	Fee Fee `json:"fee,omitzero"`
	// Sweeps are our own transactions that claim outputs of the close.
	Sweeps []Sweep `json:"sweeps,omitempty"`
	// StubDied is lightningd's word that onchaind for this channel has died, "" if it
	// has not.
	StubDied string `json:"onchaind_died,omitempty"`
	// RecoveredMsat is what of the close the wallet has or has itself spent, at
	// Recovered ("txid:vout"). It stays when lightningd has forgotten the channel.
	RecoveredMsat uint64   `json:"recovered_msat,omitempty"`
	Recovered     []string `json:"recovered_outpoints,omitempty"`
	// Reserved are outputs of the close that the wallet has set aside for a
	// transaction of its own, as it listed them last: what spends them is the
	// wallet's.
	Reserved []string `json:"reserved_outpoints,omitempty"`
	// Taken are outputs of the close that somebody else has spent.
	Taken []Taken `json:"taken_by_others,omitempty"`
}

// Heard is how a session with the peer ended.
type Heard struct {
	// Result is peer.Result, "" before the first session.
	Result string `json:"result"`
	Text   string `json:"text,omitempty"`
	// At is the address that was dialled.
	At string `json:"at,omitempty"`
}

// Close is a transaction that spends a funding output.
type Close struct {
	Txid string     `json:"txid"`
	Kind judge.Kind `json:"kind,omitempty"`
	// Height is 0 while unconfirmed; Block is the hash of its block.
	Height uint32 `json:"height,omitempty"`
	Block  string `json:"block,omitempty"`
	// FirstSeen is the tip's height when it was seen first.
	FirstSeen uint32 `json:"first_seen"`
}

// Sighted is a chain.Sighting on record.
type Sighted struct {
	// OutPoint is "txid:vout".
	OutPoint string `json:"outpoint"`
	// Place and Created are chain.Place's names.
	Place string `json:"place"`
	// Raw is the transaction that spends it, hex; "" where none was seen.
	Raw       string `json:"raw,omitempty"`
	Input     uint32 `json:"input,omitempty"`
	Height    uint32 `json:"height,omitempty"`
	Block     string `json:"block,omitempty"`
	FirstSeen uint32 `json:"first_seen,omitempty"`
	Created   string `json:"created,omitempty"`
	CreatedAt uint32 `json:"created_at_height,omitempty"`
	LookBack  uint32 `json:"look_back,omitempty"`
}

// Fee is what is done about the fee of a close that stays unconfirmed.
type Fee struct {
	// Announced is the height at which status said that a fee will be paid, and
	// MaxSat the most that it said; a child is made after that height.
	Announced uint32 `json:"announced_at_height,omitempty"`
	MaxSat    uint64 `json:"max_sat,omitempty"`
	// Child is the last child, recorded before it was sent.
	Child *Child `json:"child,omitempty"`
	// Trouble is why there is none, if one is needed; NeedsSat is what coin the
	// wallet lacks, at Address. Address is the wallet's, used for each child of
	// this channel.
	Trouble  string `json:"trouble,omitempty"`
	NeedsSat uint64 `json:"needs_sat,omitempty"`
	Address  string `json:"address,omitempty"`
}

// Child is a transaction that pays for a close through our anchor.
type Child struct {
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

// Sweep is a transaction of ours that claims outputs of a close, recorded before
// it was sent.
type Sweep struct {
	Txid string `json:"txid"`
	Raw  string `json:"raw"`
	// OutPoints are the outputs that it claims, "txid:vout", worth TotalSat.
	OutPoints []string `json:"outpoints"`
	TotalSat  uint64   `json:"total_sat"`
	FeeSat    uint64   `json:"fee_sat"`
	// PerKW is its feerate in sat per 1000 weight.
	PerKW uint32 `json:"feerate_per_kw"`
	// At is the height at which it was made, Deadline the first height of a block in
	// which somebody else can take one of the outputs, 0 for none.
	At       uint32 `json:"at_height"`
	Deadline uint32 `json:"deadline,omitempty"`
	// Second says that it is an HTLC transaction: what it pays is claimed later, by
	// another sweep. Coins are those of the wallet that pay for it, "txid:vout".
	Second bool     `json:"htlc_transaction,omitempty"`
	Coins  []string `json:"wallet_coins,omitempty"`
	// Earlier are the ones that it replaces: one of them may confirm all the same.
	Earlier []EarlierSweep `json:"replaces,omitempty"`
	// Refused is why it was not taken when it was sent last.
	Refused string `json:"refused,omitempty"`
}

// EarlierSweep is a sweep that another one replaces.
type EarlierSweep struct {
	Txid   string `json:"txid"`
	FeeSat uint64 `json:"fee_sat"`
}

// Taken is an output that somebody else's transaction spent.
type Taken struct {
	// OutPoint is "txid:vout"; Txid spent it at Height.
	OutPoint string `json:"outpoint"`
	Sat      uint64 `json:"sat"`
	What     string `json:"what"`
	Txid     string `json:"txid"`
	Height   uint32 `json:"height"`
	// FromWallet says that it had come to the wallet before.
	FromWallet bool `json:"from_wallet,omitempty"`
}

// NewSweep is a transaction that was made, for the record.
func NewSweep(made *claims.SweepTx) (Sweep, error) {
	raw, err := chain.EncodeTx(made.Tx.Tx)
	if err != nil {
		return Sweep{}, err
	}
	w := Sweep{Txid: made.Txid.String(), Raw: raw, FeeSat: made.Paid.FeeSat, PerKW: made.PerKW, Deadline: made.Deadline, Second: made.Second}
	for i := range made.Claims {
		w.OutPoints = append(w.OutPoints, made.Claims[i].Output.OutPoint.String())
	}
	for _, op := range made.WalletInputs {
		w.Coins = append(w.Coins, op.String())
	}
	return w, nil
}

// Tx is the transaction, nil where it cannot be read.
func (w *Sweep) Tx() *wire.MsgTx {
	tx, err := chain.DecodeTx(w.Raw)
	if err != nil {
		return nil
	}
	return tx
}

// Claimed are the outputs that it claims.
func (w *Sweep) Claimed() []wire.OutPoint { return OutPointsOf(w.OutPoints) }

// OutPointsOf reads "txid:vout"s; what cannot be read is left out.
func OutPointsOf(texts []string) []wire.OutPoint {
	var out []wire.OutPoint
	for _, text := range texts {
		if op, err := wire.NewOutPointFromString(text); err == nil {
			out = append(out, *op)
		}
	}
	return out
}

// Is reports whether a txid is that of the sweep, or of one that it replaces, and
// what that one pays.
func (w *Sweep) Is(txid string) (feeSat uint64, is bool) {
	if w.Txid == txid {
		return w.FeeSat, true
	}
	for _, e := range w.Earlier {
		if e.Txid == txid {
			return e.FeeSat, true
		}
	}
	return 0, false
}

// KeepBackup stays with the backup that was there where the new one is older or none:
// the peers' secrets, which are not on record, are read from it again.
func (r *Run) KeepBackup(was *Run) {
	older := r.BackupSHA256 != was.BackupSHA256 && r.BackupCreated.Before(was.BackupCreated) && !r.BackupCreated.IsZero()
	switch {
	case was.BackupSHA256 != "" && (r.BackupSHA256 == "" || older):
		r.BackupSHA256, r.BackupPath, r.BackupCreated = was.BackupSHA256, was.BackupPath, was.BackupCreated
	case r.BackupSHA256 == was.BackupSHA256 && r.BackupPath == "":
		r.BackupPath = was.BackupPath
	}
}
