package recovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/tell"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

func pathOf(t *testing.T, name string) api.RecoverParams {
	return api.RecoverParams{Backup: api.Backup{Path: testdata.Corpus(name, "backup.json")}, Decommissioned: true}
}

func inline(text string) api.RecoverParams {
	return api.RecoverParams{Backup: api.Backup{Inline: []byte(text)}, Decommissioned: true}
}

// resultsOf counts the results of an answer.
func resultsOf(a *answer.Answer) map[answer.Result]int {
	out := map[answer.Result]int{}
	for _, c := range a.Channels {
		out[c.Result]++
	}
	return out
}

// TestEachGateRefusesBeforeAnythingHappens: whatever is wrong, the call fails
// with the stable name and no call with an effect was made.
func TestEachGateRefusesBeforeAnythingHappens(t *testing.T) {
	const name = "used-both-ways"
	b := readCorpus(t, name)
	c := b.Channels[0]
	other := readCorpus(t, "stale").NodeID
	for _, tt := range []struct {
		story  string
		node   func(*fakeNode)
		params func(*api.RecoverParams)
		want   failure.Name
	}{
		{"without the statement", nil, func(p *api.RecoverParams) { p.Decommissioned = false }, failure.NotDecommissioned},
		{"relative path", nil, func(p *api.RecoverParams) { p.Backup.Path = "backup.json" }, failure.InvalidParameter},
		{"no such file", nil, func(p *api.RecoverParams) { p.Backup.Path = "/nowhere/backup.json" }, failure.BackupUnreadable},
		{"a directory", nil, func(p *api.RecoverParams) { p.Backup.Path = t.TempDir() }, failure.BackupUnreadable},
		{"not a backup", nil, func(p *api.RecoverParams) { p.Backup = api.Backup{Inline: []byte(`{"scb":[]}`)} }, failure.NotABackup},
		{"another node", func(n *fakeNode) { n.info.ID = other }, nil, failure.WrongNode},
		{"another network", func(n *fakeNode) { n.info.Network = "bitcoin" }, nil, failure.WrongNetwork},
		{"node still syncing", func(n *fakeNode) { n.info.Syncing = "Still loading latest blocks" }, nil, failure.NodeSyncing},
		{"dbid of an open channel", func(n *fakeNode) { n.static = [][]byte{entryWithDBID(t, c, other)} }, nil, failure.DBIDConflict},
		{"own channel with a peer of the backup", func(n *fakeNode) {
			n.channels = []api.PeerChannel{{Peer: c.Peer, ID: channel.ID{9}, State: "CHANNELD_NORMAL"}}
		}, nil, failure.ForeignChannel},
		{"younger gossip", func(n *fakeNode) {
			n.gossip[b.NodeID] = &api.GossipNode{LastTimestamp: b.CreatedAt.Add(time.Hour)}
		}, nil, failure.HostedNodeAlive},
		{"younger channel_update", func(n *fakeNode) { n.update = b.CreatedAt.Add(time.Minute) }, nil, failure.HostedNodeAlive},
		{"a date that is still to come, and any gossip", func(n *fakeNode) {
			n.update = b.CreatedAt.Add(-time.Hour)
		}, func(p *api.RecoverParams) {
			p.Backup = api.Backup{Inline: []byte(strings.Replace(string(testdata.Read(t, name, "backup.json")), `"created_at": "2026-`, `"created_at": "3026-`, 1))}
		}, failure.HostedNodeAlive},
		{"override of nothing", nil, func(p *api.RecoverParams) { p.Override = []string{"wrong_node"} }, failure.InvalidParameter},
		{"address that is none", nil, func(p *api.RecoverParams) { p.Addresses = map[channel.PubKey]string{c.Peer: "0.0.0.0:9735"} }, failure.InvalidParameter},
		{"destination", nil, func(p *api.RecoverParams) { p.Destination = "bcrt1q" }, failure.InvalidParameter},
		{"feerate", nil, func(p *api.RecoverParams) { p.Feerate = "quick" }, failure.InvalidParameter},
	} {
		t.Run(tt.story, func(t *testing.T) {
			w := newWorld(t, name, true)
			if tt.node != nil {
				tt.node(w.node)
			}
			p := pathOf(t, name)
			if tt.params != nil {
				tt.params(&p)
			}
			_, err := w.recover(p)
			if got := failure.NameOf(err); got != tt.want {
				t.Fatalf("got %q (%v), want %q", got, err, tt.want)
			}
			if calls := w.node.calls(); len(calls) > 0 {
				t.Errorf("calls with an effect: %v", calls)
			}
			if w.peers.asked() > 0 {
				t.Error("a peer was contacted")
			}
		})
	}
}

// entryWithDBID is a channel of this node with another peer and the dbid of c.
func entryWithDBID(t *testing.T, c *channel.Channel, peer channel.PubKey) []byte {
	t.Helper()
	foreign := *c
	foreign.Peer = peer
	foreign.Funding.Index = 7
	e, err := scbconv.From(&foreign, scbconv.Placeholder)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestGossipOlderThanTheBackupIsNoSignOfLife(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	b := readCorpus(t, "used-both-ways")
	w.node.update = b.CreatedAt.Add(-time.Hour)
	if _, err := w.recover(pathOf(t, "used-both-ways")); err != nil {
		t.Fatal(err)
	}
}

func TestAnAliveHostedNodeCanBeOverriddenByName(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	w.node.update = readCorpus(t, "used-both-ways").CreatedAt.Add(time.Hour)
	p := pathOf(t, "used-both-ways")
	p.Override = []string{string(failure.HostedNodeAlive)}
	a, err := w.recover(p)
	if err != nil {
		t.Fatal(err)
	}
	if a.Totals.Imported != 1 {
		t.Errorf("imported %d, want 1", a.Totals.Imported)
	}
}

// TestADryRunShowsEverythingAndDoesNothing for each genuine backup.
func TestADryRunShowsEverythingAndDoesNothing(t *testing.T) {
	for _, name := range []string{"fresh-outbound", "used-both-ways", "three-peers", "closed-one", "htlc-in-flight", "static-remotekey", "lnd-dust"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, name, false)
			p := pathOf(t, name)
			p.DryRun, p.Decommissioned = true, false
			a, err := w.recover(p)
			if err != nil {
				t.Fatal(err)
			}
			if calls := w.node.calls(); len(calls) > 0 {
				t.Errorf("calls with an effect: %v", calls)
			}
			b := readCorpus(t, name)
			if len(a.Channels) != len(b.Channels) || a.Totals.WouldImport != len(b.Channels) {
				t.Errorf("%d channels, %d would be imported; the backup has %d", len(a.Channels), a.Totals.WouldImport, len(b.Channels))
			}
			for _, c := range a.Channels {
				if c.Evidence == nil || c.Evidence.State != "unknown" {
					t.Errorf("channel %d: evidence %+v; an absent output is unknown, never spent", c.DBID, c.Evidence)
				}
			}
		})
	}
}

func TestEveryChannelIsImportedAndASecondCallSaysSo(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	a, err := w.recover(pathOf(t, "three-peers"))
	if err != nil {
		t.Fatal(err)
	}
	if got := resultsOf(a); got[answer.DidImport] != 5 || len(a.Channels) != 5 {
		t.Fatalf("results %v", got)
	}
	sources := map[string]int{}
	for _, c := range a.Channels {
		sources[c.AddressSource]++
		if c.State == "" {
			t.Errorf("channel %d has no state", c.DBID)
		}
	}
	// localhost is an inbound peer's, one peer has no entry.
	if want := map[string]int{"backup": 3, "placeholder": 2}; fmt.Sprint(sources) != fmt.Sprint(want) {
		t.Errorf("address sources %v, want %v", sources, want)
	}
	stubs := len(w.node.channels)
	for range 2 {
		a, err = w.recover(pathOf(t, "three-peers"))
		if err != nil {
			t.Fatal(err)
		}
		if got := resultsOf(a); got[answer.AlreadyImported] != 5 {
			t.Fatalf("second call: %v", got)
		}
		w.start() // and after a restart of lightningd
	}
	if n := count(w.node.calls(), "recoverchannel"); n != 1 {
		t.Errorf("recoverchannel was called %d times", n)
	}
	if len(w.node.channels) != stubs {
		t.Errorf("%d channels, before %d", len(w.node.channels), stubs)
	}
}

func count(list []string, want string) (n int) {
	for _, s := range list {
		if s == want {
			n++
		}
	}
	return n
}

// TestADBIDThatAForgottenChannelHadIsNamed: lightningd skips such an entry
// without a word.
func TestADBIDThatAForgottenChannelHadIsNamed(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	taken := readCorpus(t, "three-peers").Channels[2].DBID
	w.node.taken[taken] = true
	a, err := w.recover(pathOf(t, "three-peers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range a.Channels {
		switch {
		case c.DBID == taken && (c.Result != answer.DBIDTaken || c.State != model.LeftOut):
			t.Errorf("channel %d: %s, state %s", c.DBID, c.Result, c.State)
		case c.DBID != taken && c.Result != answer.DidImport:
			t.Errorf("channel %d: %s", c.DBID, c.Result)
		}
	}
}

// TestOneChannelThatLightningdRefusesStopsNoOther.
func TestOneChannelThatLightningdRefusesStopsNoOther(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	bad := readCorpus(t, "three-peers").Channels[1].DBID
	w.node.refuse[bad] = true
	a, err := w.recover(pathOf(t, "three-peers"))
	if err != nil {
		t.Fatal(err)
	}
	got := resultsOf(a)
	if got[answer.DidImport] != 4 || got[answer.ImportFailed] != 1 {
		t.Errorf("results %v", got)
	}
}

// TestOneBadEntryAmongFive: four imported, one named.
func TestOneBadEntryAmongFive(t *testing.T) {
	text := string(testdata.Read(t, "three-peers", "backup.json"))
	good := readCorpus(t, "three-peers")
	for _, tt := range []struct {
		story string
		edit  func(string) string
		want  answer.Result
	}{
		{"a point off the curve", func(s string) string {
			return strings.Replace(s, good.Channels[0].Remote.HTLC.String(), "02"+strings.Repeat("ff", 32), 1)
		}, answer.BadEntry},
		{"dbid 0", func(s string) string { return replaceDBID(s, good.Channels[0], 0) }, answer.BadEntry},
		{"dbid 2^31", func(s string) string { return replaceDBID(s, good.Channels[0], 1<<31) }, answer.BadEntry},
	} {
		t.Run(tt.story, func(t *testing.T) {
			w := newWorld(t, "three-peers", true)
			edited := tt.edit(text)
			if edited == text {
				t.Fatal("nothing was edited")
			}
			a, err := w.recover(inline(edited))
			if err != nil {
				t.Fatal(err)
			}
			got := resultsOf(a)
			if got[answer.DidImport] != 4 || got[answer.BadEntry]+got[answer.RefusedEntry] != 1 {
				t.Errorf("results %v", got)
			}
		})
	}
}

// replaceDBID renames a channel's entry.
func replaceDBID(text string, c *channel.Channel, dbid uint64) string {
	le := func(v uint64) string {
		var b [8]byte
		for i := range b {
			b[i] = byte(v >> (8 * i))
		}
		return hexOf(b[:])
	}
	return strings.Replace(text, c.Peer.String()+le(c.DBID), c.Peer.String()+le(dbid), 1)
}

func TestTwoChannelsWithOneDBIDAreBothRefused(t *testing.T) {
	good := readCorpus(t, "three-peers")
	text := replaceDBID(string(testdata.Read(t, "three-peers", "backup.json")), good.Channels[0], good.Channels[1].DBID)
	w := newWorld(t, "three-peers", true)
	a, err := w.recover(inline(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := resultsOf(a); got[answer.DidImport] != 3 || got[answer.RefusedEntry] != 2 {
		t.Errorf("results %v", got)
	}
}

func TestBitcoindDownMeansUnknownAndTheImportGoesOn(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	down := w.chain.Backend()
	down.SetDown(true)
	w.deps.Backend, w.deps.Bitcoind = down, nil
	w.start()
	a, err := w.recover(pathOf(t, "used-both-ways"))
	if err != nil {
		t.Fatal(err)
	}
	if c := a.Channels[0]; c.Result != answer.DidImport || c.Evidence.State != "unknown" {
		t.Errorf("result %s, evidence %+v", c.Result, c.Evidence)
	}
}

func TestSkipIncompleteLeavesOutWhatHasNoAddress(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	p := pathOf(t, "three-peers")
	p.SkipIncomplete = true
	a, err := w.recover(p)
	if err != nil {
		t.Fatal(err)
	}
	if got := resultsOf(a); got[answer.DidImport] != 3 || got[answer.NoAddress] != 2 {
		t.Errorf("results %v", got)
	}
}

func TestGivenAddressesAndGossipAreUsed(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	b := readCorpus(t, "three-peers")
	var without []channel.PubKey
	for _, c := range b.Channels {
		if p, ok := b.Peers[c.Peer]; !ok || p.Direction == "in" {
			without = append(without, c.Peer)
		}
	}
	p := pathOf(t, "three-peers")
	p.Addresses = map[channel.PubKey]string{without[0]: "192.0.2.1:9735"}
	w.node.gossip[without[1]] = &api.GossipNode{Addresses: []string{"not an address", "192.0.2.2:9735"}}
	a, err := w.recover(p)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range a.Channels {
		got[c.AddressSource] = c.Address
	}
	if got["parameter"] != "192.0.2.1:9735" || got["gossip"] != "192.0.2.2:9735" {
		t.Errorf("addresses %v", got)
	}
}

// TestAGuessedAddressReplacesNoneThatSomebodyGave: the second call names no
// address, and where an inbound peer called from counts less than what the user said.
func TestAGuessedAddressReplacesNoneThatSomebodyGave(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	b := readCorpus(t, "three-peers")
	var inbound channel.PubKey
	for id, p := range b.Peers {
		if p.Direction == vlsstate.In {
			inbound = id
		}
	}
	text := strings.Replace(string(testdata.Read(t, "three-peers", "backup.json")), b.Peers[inbound].Addr, "198.51.100.7:40000", 1)
	p := pathOf(t, "three-peers")
	p.Backup = api.Backup{Inline: []byte(text)}
	for _, want := range []string{"198.51.100.7:9735", "192.0.2.1:9735", "192.0.2.1:9735"} {
		if want == "192.0.2.1:9735" && p.Addresses == nil {
			p.Addresses = map[channel.PubKey]string{inbound: want}
		} else {
			p.Addresses = nil
		}
		if _, err := w.recover(p); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(w.status().Channels, func(c tell.ChannelStatus) bool { return c.PeerID == inbound })
		if i < 0 || w.status().Channels[i].Address != want {
			t.Errorf("channel %d, want %s in %+v", i, want, w.status().Channels)
		}
	}
}

// TestNothingIsImportedUnlessItIsOnRecord: the record comes first, so that a
// crash in between is seen at the next start.
func TestNothingIsImportedUnlessItIsOnRecord(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	w.node.onEffect = func(call string) error {
		if call == "datastore" {
			return errors.New("database is full")
		}
		return nil
	}
	if _, err := w.recover(pathOf(t, "used-both-ways")); err == nil {
		t.Fatal("no error")
	}
	if n := count(w.node.calls(), "recoverchannel"); n > 0 {
		t.Error("recoverchannel was called")
	}
}

// TestTheRecordHoldsNoSecret: neither ours nor what peers revealed.
func TestTheRecordHoldsNoSecret(t *testing.T) {
	w := newWorld(t, "htlc-in-flight", true)
	if _, err := w.recover(pathOf(t, "htlc-in-flight")); err != nil {
		t.Fatal(err)
	}
	b := readCorpus(t, "htlc-in-flight")
	secrets := b.Channels[0].State.Secrets
	if len(secrets) == 0 {
		t.Fatal("the case has no secrets to look for")
	}
	w.node.mu.Lock()
	defer w.node.mu.Unlock()
	if len(w.node.store) < 2 {
		t.Fatalf("only %d records", len(w.node.store))
	}
	for key, r := range w.node.store {
		for _, s := range secrets {
			asArray, err := json.Marshal(s.Secret)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(r.Value, hexOf(s.Secret[:])) || strings.Contains(r.Value, string(asArray)) {
				t.Errorf("record %s holds a revealed secret", key)
			}
		}
	}
}

func TestTheAnswerNamesTheNextSteps(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	a, err := w.recover(pathOf(t, "used-both-ways"))
	if err != nil {
		t.Fatal(err)
	}
	if len(a.NextSteps) == 0 || !strings.HasPrefix(a.NextSteps[0], "Restart lightningd") {
		t.Errorf("next steps %q", a.NextSteps)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(raw, []byte(`"last_known_share_msat":673960000`)) {
		t.Errorf("the answer has no last known share: %s", raw)
	}
}

func TestOnlyOneCallImportsAtATime(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	w.send(model.CallBegun{Call: 1 << 40})
	if _, err := w.recover(pathOf(t, "used-both-ways")); failure.NameOf(err) != failure.Busy {
		t.Errorf("got %v", err)
	}
}

// TestErrorsNeverEchoTheBackup: what is shown may be seen by anybody.
func TestErrorsNeverEchoTheBackup(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	const marker = "deadbeefcafe"
	for _, text := range []string{
		`{"version":1,"created_at":"` + marker + `"}`,
		`{"version":2,"` + marker + `":1}`,
		marker, `["` + marker + `"]`,
	} {
		_, err := w.recover(inline(text))
		if err == nil {
			t.Fatalf("%q was accepted", text)
		}
		if strings.Contains(err.Error(), marker) {
			t.Errorf("the error echoes the input: %v", err)
		}
	}
	if calls := w.node.calls(); slices.Contains(calls, "recoverchannel") {
		t.Error("something was imported")
	}
}

// TestAChangedEntryIsTold: no warning on a genuine file, one on a
// file that somebody changed.
func TestAChangedEntryIsTold(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	p := pathOf(t, "used-both-ways")
	p.DryRun = true
	a, err := w.recover(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Warnings) > 0 {
		t.Errorf("warnings about a genuine backup: %q", a.Warnings)
	}
	changed := strings.Replace(string(testdata.Read(t, "used-both-ways", "backup.json")),
		`"to_broadcaster_value_sat": 673960`, `"to_broadcaster_value_sat": 673961`, 1)
	p = inline(changed)
	p.DryRun = true
	if a, err = w.recover(p); err != nil {
		t.Fatal(err)
	}
	if len(a.Warnings) != 1 || len(a.Channels[0].Warnings) == 0 {
		t.Errorf("warnings %q, of the channel %q", a.Warnings, a.Channels[0].Warnings)
	}
}

// TestABackupOfWhichNothingCanBeImportedLeavesNoTrace.
func TestABackupOfWhichNothingCanBeImportedLeavesNoTrace(t *testing.T) {
	c := readCorpus(t, "used-both-ways").Channels[0]
	w := newWorld(t, "used-both-ways", true)
	a, err := w.recover(inline(replaceDBID(string(testdata.Read(t, "used-both-ways", "backup.json")), c, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if got := resultsOf(a); got[answer.RefusedEntry]+got[answer.BadEntry] != 1 || len(a.NextSteps) != 1 {
		t.Errorf("results %v, next steps %q", got, a.NextSteps)
	}
	if calls := w.node.calls(); len(calls) > 0 {
		t.Errorf("calls with an effect: %v", calls)
	}
}
