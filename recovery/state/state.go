package state

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/claims"
	"github.com/glrecover/glrecover/recovery/model"
)

// Config is what stays the same while the program runs.
type Config struct {
	// Stubs says that there is a lightningd that gets stubs.
	Stubs bool
	// Sweeps says that BuildSweep is served.
	Sweeps bool
	// Mark names the run of lightningd, "" if unknown.
	Mark string
	// AllowAll and Allowed are the peers with which the operator allows openings.
	AllowAll bool
	Allowed  []channel.PubKey
}

// State is everything that is known of a recovery. Only core.Step changes it.
type State struct {
	Config Config
	// Now is the time of the last Tick. Started says that there was a Started.
	Now     time.Time
	Started bool
	// Run is nil while there is no recovery.
	Run      *model.Run
	Channels map[channel.Key]*Channel
	// Call is the user's call under way, nil if none.
	Call *Call

	// Tip, LookBack, Trouble, Behind and MempoolSeen are the Watcher's last word;
	// Cursor is its cursor, nil where it has not moved since it was saved.
	Tip         chain.Tip
	LookBack    chain.LookBack
	Trouble     string
	Behind      uint32
	MempoolSeen bool
	Cursor      *chain.Cursor
	// Watched are the outpoints that the Watcher follows.
	Watched map[wire.OutPoint]channel.Key
	// LookBackAsked is the lowest height that the Watcher was asked for, at the tip
	// LookBackAskedAt.
	LookBackAsked, LookBackAskedAt uint32

	// Listed says that lightningd was looked at; Wallet is what its wallet has,
	// WalletSpends who spent what is spent there, and Coins sums up what it can spend.
	// NodeHeight is the block that it has processed.
	Listed       bool
	Wallet       map[wire.OutPoint]api.WalletOutput
	WalletSpends map[wire.OutPoint]claims.Spend
	Coins        WalletCoins
	NodeHeight   uint32
	// KeepsMsat is what lightningd's wallet keeps back while it has a channel with
	// anchors.
	KeepsMsat uint64
	// Listing says that lightningd is being looked at, ListWanted that something has
	// changed since it was last, at ListedAt; that took ListTook.
	Listing, ListWanted bool
	ListedAt            time.Time
	ListTook            time.Duration

	// SecretTried says that the secret was tried, TriedAt when; SecretTrouble is why it
	// cannot be read. Trying says that it is being tried.
	SecretTried, Trying bool
	TriedAt             time.Time
	SecretTrouble       string

	// Importing says that lightningd is making the stubs of a batch. After it has stopped
	// answering, the next batch goes to it at ImportAgain; BeforeImport is the run as it
	// was before the last batch.
	Importing    bool
	ImportAgain  time.Time
	BeforeImport *model.Run

	// Talking are the peers with a session under way. ReadUntil is until when an import
	// waits for what peers say; zero while it waits for nobody.
	Talking   map[channel.PubKey]bool
	ReadUntil time.Time

	// Sweeping are the channels of which a sweep is being made, and whether it needs
	// coins of the wallet. Preimages counts those that are known.
	Sweeping  map[channel.Key]bool
	Preimages int

	// SaveTrouble is why the record cannot be written; it is tried again at SaveAgain.
	SaveTrouble string
	SaveAgain   time.Time

	// order are all channels, byPeer those with each peer, contested those that go by
	// one id, where there are several, working those that are not done: what an event
	// costs depends on the last three alone. They are replaced and never changed in
	// place, since snapshots share them.
	order     []channel.Key
	byPeer    map[channel.PubKey][]channel.Key
	contested map[channel.ID][]channel.Key
	working   []channel.Key
	// mates are what byPeer names; a Snapshot has none.
	mates map[channel.PubKey][]*Channel
	// unsorted says that order and byPeer are not up to date, moved that working is
	// not; retired are the channels that became done in this step.
	unsorted, moved bool
	retired         []channel.Key
	// effects and tells are those of the step under way.
	effects, tells []model.Effect
	// views are the channels of the last Snapshot, changed those that it has not.
	views   map[channel.Key]*Channel
	changed map[channel.Key]bool
	// What is not on record yet: touched channels may have changed.
	touched  map[channel.Key]bool
	savedRun *model.Run
	deleted  []channel.Key
	dropRun  bool
}

// Call is a call of the user's that is being carried out.
type Call struct {
	ID uint64
	// Keys are the channels that it waits for; nil while it is planned.
	Keys []channel.Key
	// Fresh are those that came with it; Another says that a recovery was under way
	// before.
	Fresh   []channel.Key
	Another bool
	// StaleAllowed is the user's override for the peers that are stale now.
	StaleAllowed bool
	// Alive is the alarm about the hosted node when the call began, "" for none: an
	// override is for no later one.
	Alive string
	// Total counts the channels to import, for progress.
	Total uint32
}

// New takes up what is on record. Send Started next.
func New(cfg Config, run *model.Run, records []model.Record) *State {
	s := &State{
		Config: cfg, Run: run, savedRun: run.Clone(), unsorted: true,
		Channels: map[channel.Key]*Channel{}, Watched: map[wire.OutPoint]channel.Key{}, Talking: map[channel.PubKey]bool{}, Sweeping: map[channel.Key]bool{},
		touched: map[channel.Key]bool{}, views: map[channel.Key]*Channel{}, changed: map[channel.Key]bool{},
	}
	for i := range records {
		c := &Channel{Record: records[i], saved: records[i], Tries: records[i].TriesKept}
		s.Channels[c.Channel.Key], s.changed[c.Channel.Key] = c, true
	}
	return s
}

// Add takes a channel up under its key.
func (s *State) Add(c *Channel) {
	s.Channels[c.Channel.Key], s.unsorted = c, true
	s.Touch(c.Channel.Key)
}

// Remove takes a channel off the record.
func (s *State) Remove(k channel.Key) {
	delete(s.Channels, k)
	s.changed[k], s.unsorted, s.deleted = true, true, append(s.deleted, k)
}

// ForgetRun takes the recovery itself off the record.
func (s *State) ForgetRun() { s.Run, s.savedRun, s.dropRun = nil, nil, true }

// sort brings order and byPeer up to date.
func (s *State) sort() {
	if !s.unsorted {
		return
	}
	s.order = slices.SortedFunc(maps.Keys(s.Channels), CompareKeys)
	s.byPeer, s.contested, s.unsorted, s.moved = map[channel.PubKey][]channel.Key{}, nil, false, true
	s.mates = map[channel.PubKey][]*Channel{}
	for _, k := range s.order {
		s.byPeer[k.Peer] = append(s.byPeer[k.Peer], k)
		s.mates[k.Peer] = append(s.mates[k.Peer], s.Channels[k])
	}
}

// Contested are the channels that go by an id, where there are several; any says
// whether there is such an id at all.
func (s *State) Contested(id channel.ID) (keys []channel.Key, any bool) {
	if s.sort(); s.contested == nil {
		s.contested = map[channel.ID][]channel.Key{}
		for _, k := range s.order {
			id := s.Channels[k].Channel.ID()
			s.contested[id] = append(s.contested[id], k)
		}
		maps.DeleteFunc(s.contested, func(_ channel.ID, keys []channel.Key) bool { return len(keys) < 2 })
	}
	return s.contested[id], len(s.contested) > 0
}

// Keys are the channels in the order of peer and dbid.
func (s *State) Keys() []channel.Key {
	s.sort()
	return s.order
}

// With are the channels with a peer.
func (s *State) With(p channel.PubKey) []channel.Key {
	s.sort()
	return s.byPeer[p]
}

// Any reports whether there is such a channel with a peer. It is asked for each channel of
// a peer in each step, so it looks none up. Not for a Snapshot.
func (s *State) Any(p channel.PubKey, is func(*Channel) bool) bool {
	s.sort()
	return slices.ContainsFunc(s.mates[p], is)
}

// AtWork are the channels that are not done, in the order of Keys.
func (s *State) AtWork() []channel.Key {
	if s.sort(); s.moved {
		s.working, s.moved = nil, false
		for _, k := range s.order {
			if !s.Channels[k].State.Done() {
				s.working = append(s.working, k)
			}
		}
	}
	return s.working
}

// BecameDone are the channels that became done in this step.
func (s *State) BecameDone() (done []*Channel) {
	for _, k := range s.retired {
		if c := s.Channels[k]; c != nil {
			done = append(done, c)
		}
	}
	s.retired = nil
	return done
}

// Editable is a copy of a map that may be written to: the map itself is shared with
// snapshots.
func Editable[K comparable, V any](m map[K]V) map[K]V {
	out := make(map[K]V, len(m)+1)
	maps.Copy(out, m)
	return out
}

// CompareKeys orders channels by peer and dbid.
func CompareKeys(a, b channel.Key) int {
	if c := slices.Compare(a.Peer[:], b.Peer[:]); c != 0 {
		return c
	}
	return cmp.Compare(a.DBID, b.DBID)
}

// HasSecret reports whether the node's secret can be read.
func (s *State) HasSecret() bool { return s.SecretTried && s.SecretTrouble == "" }

// Active reports whether any channel is not done.
func (s *State) Active() bool { return len(s.AtWork()) > 0 }

// Touch returns a channel that is about to change.
func (s *State) Touch(k channel.Key) *Channel {
	c := s.Channels[k]
	if c != nil {
		s.touched[k], s.changed[k] = true, true
	}
	return c
}

// Snapshot is a copy that Step does not change any more. Channels that have not
// changed since the last one are shared with it.
func (s *State) Snapshot() *State {
	s.AtWork() // a reader may not bring it up to date
	out := *s
	if out.Run = s.Run.Clone(); s.Call != nil {
		call := *s.Call
		out.Call = &call
	}
	for k := range s.changed {
		if c := s.Channels[k]; c != nil {
			copied := *c
			s.views[k] = &copied
		} else {
			delete(s.views, k)
		}
	}
	clear(s.changed)
	out.Channels = maps.Clone(s.views)
	out.Watched, out.effects, out.tells, out.touched, out.Talking, out.Sweeping, out.views, out.changed, out.mates = nil, nil, nil, nil, nil, nil, nil, nil, nil
	return &out
}
