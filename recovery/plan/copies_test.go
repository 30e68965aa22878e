package plan_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/judge"
	"github.com/glrecover/glrecover/scbconv"
)

// storedCopy is the copy that the three-peers node left with its peers: five
// channels.
func storedCopy(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile("../../testdata/emergency_recover.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ File string }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	return hexBytes(t, file.File)
}

// lacking is a world whose backup lacks the last channel of the copy.
func lacking(t *testing.T) (*world, *channel.Channel) {
	t.Helper()
	w := newWorld(t, "three-peers")
	last := w.backup.Channels[len(w.backup.Channels)-1]
	w.backup.Channels = w.backup.Channels[:len(w.backup.Channels)-1]
	return w, last
}

// TestAChannelOfAStoredCopyIsNamedAndImportedOnlyWhenAskedFor: from a peer, which
// kept it encrypted, and from lightningd's datastore, where it is open already
// (read in CLN's plugins/chanbackup.c) and might be encrypted one day.
func TestAChannelOfAStoredCopyIsNamedAndImportedOnlyWhenAskedFor(t *testing.T) {
	blob := storedCopy(t)
	for what, put := range map[string]func(w *world, plain []byte){
		"from a peer": func(w *world, _ []byte) {
			w.in.Copies = []backup.Copy{{Source: backup.FromPeer, Peer: w.backup.Channels[0].Peer, Blob: blob}}
		},
		"in the datastore": func(w *world, plain []byte) {
			w.node.records = []api.Record{{Key: []string{"chanbackup", "latestscb"}, Value: string(plain)}}
		},
		"in the datastore, encrypted": func(w *world, _ []byte) {
			w.node.records = []api.Record{{Key: []string{"chanbackup", "latestscb"}, Value: string(blob)}}
		},
	} {
		for _, extra := range []bool{false, true} {
			w, last := lacking(t)
			plain, err := w.keys.OpenPeerStorage(blob)
			if err != nil {
				t.Fatal(err)
			}
			put(w, plain)
			w.in.Extra = extra
			p := w.plan()
			if len(p.Extra) != 1 || len(p.Channels) != len(w.backup.Channels)+len(w.backup.Openings) {
				t.Fatalf("%s: %d channels and %d extra ones", what, len(p.Channels), len(p.Extra))
			}
			x := p.Extra[0]
			want := decision.NotAsked
			if extra {
				want = decision.Import
			}
			if x.Decision != want || x.ChannelID != last.ID().String() || x.CapacityMsat != 1000*last.CapacitySat || x.ShareFrom != channel.ShareUnknown {
				t.Errorf("%s: %s (%s), %+v", what, x.Decision, x.Reason, x.Description)
			}
			if !extra && (!strings.Contains(x.Cure, "extra=true") || !strings.Contains(x.Reason, string(x.Copy.Source)) && !strings.Contains(x.Reason, x.Copy.Peer.String())) {
				t.Errorf("%s: %s; %s", what, x.Reason, x.Cure)
			}
			if (x.Copy.Source == backup.FromDatastore) != strings.HasPrefix(what, "in") || x.Copy.Written.IsZero() {
				t.Errorf("%s: %+v", what, x.Copy)
			}
			// The copy's own secrets never go to lightningd, the sentinel always does.
			f, err := scbconv.DecodeFile(plain)
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(f.Entries, func(e *scbconv.Entry) bool { return e.ChannelID == last.ID() })
			if x.SCB == nil || !x.SCB.TLVs.Shachain.Sentinel() || f.Entries[at].TLVs.Shachain.Sentinel() {
				t.Fatalf("%s: SCB %+v", what, x.SCB)
			}
			if *x.SCB.TLVs.Basepoints != *f.Entries[at].TLVs.Basepoints || x.SCB.DBID != last.DBID || x.SCB.NodeID != last.Peer || x.SCB.Funding != last.Funding {
				t.Errorf("%s: SCB %+v", what, x.SCB)
			}
		}
	}
}

// TestACopyThatIsNotOursIsAWarning, with its size and where it was, and nothing
// else changes.
func TestACopyThatIsNotOursIsAWarning(t *testing.T) {
	w, _ := lacking(t)
	w.in.Copies = []backup.Copy{{Source: backup.FromPeer, Peer: w.backup.Channels[0].Peer, Blob: make([]byte, 500)}}
	w.node.records = []api.Record{{Key: []string{"chanbackup", "latestscb"}, Value: "nonsense"}}
	p := w.plan()
	text := strings.Join(p.Warnings, "\n")
	if len(p.Extra) != 0 || !strings.Contains(text, "500 bytes") || !strings.Contains(text, "chanbackup/latestscb") {
		t.Errorf("%d extra channels, warnings %q", len(p.Extra), text)
	}
	if p.Channels[0].Decision != decision.Import {
		t.Errorf("the backup's own channel: %s", p.Channels[0].Decision)
	}
}

// TestACopyNeverTakesThePlaceOfTheBackup: an entry with the dbid of a channel of
// the backup is refused, and the backup's channel stays.
func TestACopyNeverTakesThePlaceOfTheBackup(t *testing.T) {
	w := newWorld(t, "three-peers")
	w.in.Extra = true
	w.in.Copies = []backup.Copy{{Source: backup.FromPeer, Blob: storedCopy(t)}}
	last := w.backup.Channels[len(w.backup.Channels)-1]
	last.Funding.Hash[0] ^= 1 // now it is another channel than the copy's
	p := w.plan()
	if len(p.Extra) != 1 || p.Extra[0].Decision != decision.Refused || !strings.Contains(p.Extra[0].Reason, "dbid_conflict") {
		t.Fatalf("%+v", p.Extra)
	}
	for _, c := range p.Channels {
		if c.Channel != nil && c.Decision != decision.Import {
			t.Errorf("channel %d: %s (%s)", c.DBID, c.Decision, c.Reason)
		}
	}
}

// TestTheNewestCopyCounts.
func TestTheNewestCopyCounts(t *testing.T) {
	w, last := lacking(t)
	plain, err := w.keys.OpenPeerStorage(storedCopy(t))
	if err != nil {
		t.Fatal(err)
	}
	f, err := scbconv.DecodeFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration, sat uint64) backup.Copy {
		g := *f
		g.Written = f.Written.Add(d)
		g.Entries = nil
		for _, e := range f.Entries {
			c := *e
			if c.ChannelID == last.ID() {
				c.FundingSat = sat
			}
			g.Entries = append(g.Entries, &c)
		}
		raw, err := g.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return backup.Copy{Source: backup.FromDatastore, Blob: raw}
	}
	copies := []backup.Copy{at(0, 1000), at(time.Hour, 3000), at(-time.Hour, 2000)}
	for range 3 {
		copies = append(copies[1:], copies[0])
		w.in.Copies = copies
		if p := w.plan(); len(p.Extra) != 1 || p.Extra[0].CapacityMsat != 3_000_000 {
			t.Errorf("%d extra, %d msat", len(p.Extra), p.Extra[0].CapacityMsat)
		}
	}
}

// TestTheCloseOfAChannelOfACopyIsJudged, although a copy does not have the peer's
// funding key: the spending witness shows it.
func TestTheCloseOfAChannelOfACopyIsJudged(t *testing.T) {
	w, last := lacking(t)
	tx := w.theirCommitment(last)
	f := &scbconv.File{Version: 1, Written: w.backup.CreatedAt}
	e, err := scbconv.From(last, scbconv.Placeholder)
	if err != nil {
		t.Fatal(err)
	}
	f.Entries = []*scbconv.Entry{e}
	raw, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w.node.records = []api.Record{{Key: []string{"chanbackup", "latestscb"}, Value: string(raw)}}
	w.chain.SetTime(w.backup.CreatedAt.Add(time.Hour))
	w.chain.Mine(tx.Tx)
	p := w.plan()
	if len(p.Extra) != 1 || p.Extra[0].Evidence.State != chain.FundingSpent {
		t.Fatalf("%+v", p.Extra)
	}
	x := p.Extra[0]
	if x.Close.Kind != judge.Theirs || x.Decision != decision.FollowClosed || len(x.Outputs) == 0 || x.Outputs[0].AmountMsat != 1000*last.State.CounterpartyCommit.ToCountersignerSat {
		t.Errorf("%s, %+v, %+v", x.Decision, x.Close, x.Outputs)
	}
}

// TestAChannelOfACopyIsAsYoungAsTheCopy: it was opened after the backup, so that
// one's date says nothing of its funding.
func TestAChannelOfACopyIsAsYoungAsTheCopy(t *testing.T) {
	w, last := lacking(t)
	w.in.Extra = true
	e, err := scbconv.From(last, scbconv.Placeholder)
	if err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]decision.Decision{time.Hour: decision.AwaitFunding, 25 * time.Hour: decision.Import} {
		f := &scbconv.File{Version: 1, Written: w.in.Now.Add(-age), Entries: []*scbconv.Entry{e}}
		raw, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		w.in.Chain = unspent{chain.Join(w.chain.Backend(), nil)}
		w.in.Copies = []backup.Copy{{Source: backup.FromDatastore, Blob: raw}}
		if p := w.plan(); len(p.Extra) != 1 || p.Extra[0].Decision != want {
			t.Errorf("a copy of %v ago: %s (%s)", age, p.Extra[0].Decision, p.Extra[0].Reason)
		}
	}
}

// unspent is a chain that has every funding output and does not tell for how
// long.
type unspent struct{ chain.Source }

func (unspent) Output(context.Context, wire.OutPoint) (*chain.UTXO, error) {
	return &chain.UTXO{Confirmations: chain.ConfirmationsUnknown}, nil
}
