package answer

import (
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/find"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/plan"
	"github.com/glrecover/glrecover/recovery/state"
)

// Answer is what glrecover says. Amounts are in msat, hashes in hex lower case,
// txids in display order.
type Answer struct {
	DryRun         bool           `json:"dry_run"`
	Decommissioned bool           `json:"decommissioned"`
	NodeID         channel.PubKey `json:"node_id"`
	Network        string         `json:"network"`
	Backup         backup.Facts   `json:"backup"`
	// MaxFeePercent bounds what is paid for a close that no block takes.
	MaxFeePercent uint64 `json:"max_fee_percent"`
	// Channels has one entry for each channel entry of the backup, good or bad.
	Channels []Channel `json:"channels"`
	// Extra are channels that only a peer's stored copy of the lost node's own
	// backup has.
	Extra []Extra `json:"extra_channels,omitempty"`
	// Unheard are peers that were to be heard before the plan and were not: channels
	// of theirs that nobody else names are missing in it.
	Unheard []backup.Unheard `json:"unheard_peers,omitempty"`
	// OldWallet is what the lost node's on-chain wallet holds; Rescan the one
	// restart that brings it, and the closes that pay to it.
	OldWallet *find.OldWallet `json:"old_wallet,omitempty"`
	Rescan    *find.Rescan    `json:"rescan,omitempty"`
	Totals    Totals          `json:"totals"`
	Warnings  []string        `json:"warnings"`
	// NextSteps are for a person, in order.
	NextSteps []string `json:"next_steps"`
}

// Totals count the channels by what was done.
type Totals struct {
	Channels     int    `json:"channels"`
	Imported     int    `json:"imported"`
	WouldImport  int    `json:"would_import,omitempty"`
	AlreadyThere int    `json:"already_there"`
	Waiting      int    `json:"waiting"`
	NotImported  int    `json:"not_imported"`
	CapacityMsat uint64 `json:"capacity_msat"`
	// LastKnownShareMsat sums the shares that are known, SharesUnknown counts the
	// channels whose share is not.
	LastKnownShareMsat uint64 `json:"last_known_share_msat"`
	SharesUnknown      int    `json:"shares_unknown,omitempty"`
}

func totalsOf(channels []Channel) Totals {
	t := Totals{Channels: len(channels)}
	for i := range channels {
		c := &channels[i]
		t.CapacityMsat = channel.Sum(t.CapacityMsat, c.CapacityMsat)
		if c.LastKnownShareMsat != nil {
			t.LastKnownShareMsat = channel.Sum(t.LastKnownShareMsat, *c.LastKnownShareMsat)
		} else {
			t.SharesUnknown++
		}
		switch c.Result {
		case DidImport:
			t.Imported++
		case WouldImport, WouldAsk:
			t.WouldImport++
		case AlreadyImported, AlreadyResolved:
			t.AlreadyThere++
		case NotYetConfirmed, StalePeer, AskedFirst, FollowedClosed, Deferred:
			t.Waiting++
		case ClosedBefore, DBIDTaken, RefusedEntry, BadEntry, NeverOpened, NoAddress, ImportFailed, NotAsked:
			t.NotImported++
		}
	}
	return t
}

// Call is what the user asked for, and under which circumstances.
type Call struct {
	api.RecoverParams
	// MaxFee is max_fee_percent as it holds from now on.
	MaxFee uint64
	// Heard are the peers that were heard before the plan.
	Heard []backup.Heard
	// Stubs says that there is a lightningd that takes stubs, AtStartup that
	// glrecover starts with it.
	Stubs, AtStartup bool
}

// Of shows a plan of which nothing was done: the backup's channels in its order, and
// those of stored copies that are followed.
func Of(p *plan.Plan, c Call) *Answer {
	a := &Answer{
		DryRun: c.DryRun, Decommissioned: c.Decommissioned, NodeID: p.NodeID, Network: p.Node.Info.Network,
		Backup: p.Backup, MaxFeePercent: c.MaxFee, Warnings: p.Warnings,
		Channels: make([]Channel, 0, len(p.Channels)), Extra: extraOf(p.Extra), OldWallet: &p.Wallet, Rescan: p.Rescan,
		NextSteps: []string{"Nothing of this backup can be imported, and nothing was changed: the channels' reasons say why. Keep the words and the backup file."},
	}
	for _, ch := range p.Channels {
		a.Channels = append(a.Channels, channelOf(ch))
	}
	for _, ch := range p.Extra {
		if ch.Channel != nil && ch.Decision.Follows() {
			a.Channels = append(a.Channels, channelOf(ch))
		}
	}
	for i := range c.Heard {
		if u, is := c.Heard[i].Unheard(); is {
			a.Unheard = append(a.Unheard, u)
		}
	}
	a.Totals = totalsOf(a.Channels)
	return a
}

// DryRun shows a plan that is not carried out, or not yet.
func DryRun(p *plan.Plan, c Call) *Answer {
	a := Of(p, c)
	for i := range a.Channels {
		switch ch := &a.Channels[i]; {
		case ch.Result != "":
		case !c.Stubs || ch.byID:
			ch.Result = WouldAsk
		default:
			ch.Result = WouldImport
		}
	}
	a.Totals = totalsOf(a.Channels)
	a.NextSteps = dryRunSteps(c.Decommissioned, a.MaxFeePercent)
	return a
}

// RealRun shows what became of a plan; st is the state after it.
func RealRun(p *plan.Plan, c Call, st *state.State) *Answer {
	a := Of(p, c)
	for i := range a.Channels {
		a.Channels[i].outcome(st)
	}
	a.Totals = totalsOf(a.Channels)
	a.NextSteps = nextSteps(a)
	if !c.AtStartup {
		a.NextSteps = append([]string{configureStep}, a.NextSteps...)
	}
	return a
}
