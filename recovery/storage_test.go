package recovery

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/answer"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/record"
	"github.com/glrecover/glrecover/recovery/tell"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/testdata"
)

// storedCopy is what the three-peers node left with its peers.
func storedCopy(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile("../testdata/emergency_recover.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		File string `json:"file"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	blob, err := hex.DecodeString(file.File)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

// TestWhatAPeerKeptIsCapturedAndCompared: the three-peers node left its own
// backup with its peers, with five channels; the signer's backup here lacks one.
func TestWhatAPeerKeptIsCapturedAndCompared(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	w.peers.storage = storedCopy(t)
	b := readCorpus(t, "three-peers")
	for _, c := range b.Channels {
		w.peers.numbers[c.ID()] = peer.Reestablish{Channel: c.ID(), NextCommitment: c.State.NextCounterpartyCommitNum}
	}
	// The entry of the last channel gets another name in the signer's backup.
	last := b.Channels[4]
	text := strings.Replace(string(testdata.Read(t, "three-peers", "backup.json")), hexOf(last.Funding.Hash[:]), strings.Repeat("ab", 32), 1)
	a, err := w.recover(inline(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Extra) != 1 || a.Extra[0].ChannelID != last.ID() || a.Extra[0].SCB == "" {
		t.Fatalf("extra channels: %+v", a.Extra)
	}
	if strings.Contains(a.Extra[0].SCB, "0000ffffffffff") {
		t.Error("the SCB still holds the revealed secrets")
	}
	stored, err := record.Copies(t.Context(), w.node)
	if err != nil || len(stored) == 0 {
		t.Errorf("nothing was captured: %v", err)
	}
}

func TestABlobOfAnotherNodeIsKeptAndNamed(t *testing.T) {
	w := newWorld(t, "used-both-ways", true)
	w.peers.storage = make([]byte, 500)
	c := readCorpus(t, "used-both-ways").Channels[0]
	w.peers.numbers[c.ID()] = peer.Reestablish{Channel: c.ID(), NextCommitment: c.State.NextCounterpartyCommitNum}
	a, err := w.recover(pathOf(t, "used-both-ways"))
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Extra) != 0 || !strings.Contains(strings.Join(a.Warnings, "\n"), "cannot be decrypted") {
		t.Errorf("extra %v, warnings %q", a.Extra, a.Warnings)
	}
}

// TestAChannelOfACopyIsInStatusAndGuardedAndImportedWhenAskedFor: it is not
// forgotten between the call that names it and the one that asks for it.
func TestAChannelOfACopyIsInStatusAndGuardedAndImportedWhenAskedFor(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	w.peers.storage = storedCopy(t)
	b := readCorpus(t, "three-peers")
	for _, c := range b.Channels {
		w.peers.numbers[c.ID()] = peer.Reestablish{Channel: c.ID(), NextCommitment: c.State.NextCounterpartyCommitNum}
	}
	// The signer's backup is from before the last channel was opened.
	last := b.Channels[4]
	p := inline(withoutChannel(t, testdata.Read(t, "three-peers", "backup.json"), last))
	a, err := w.recover(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Extra) != 1 || a.Extra[0].Result != decision.NotAsked || len(a.Channels) != 4 {
		t.Fatalf("%d channels, extra %+v", len(a.Channels), a.Extra)
	}
	state := func() model.ChannelState {
		for _, c := range w.status().Channels {
			if c.ChannelID == last.ID().String() {
				return c.State
			}
		}
		return ""
	}
	if got := state(); got != model.LeftOut {
		t.Errorf("in status: %q", got)
	}
	w.start() // lightningd has restarted
	if err := w.OpeningAllowed(t.Context(), &last.Peer, "fundchannel"); failure.NameOf(err) != failure.OpeningRefused {
		t.Errorf("an opening with its peer: %v", err)
	}
	w.peers.storage = nil // the peer has overwritten it meanwhile
	p.Extra = true
	if a, err = w.recover(p); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(a.Channels, func(c answer.Channel) bool { return c.ChannelID == last.ID().String() })
	if i < 0 || a.Channels[i].Result != answer.DidImport || !a.Extra[0].Result.Imports() {
		t.Fatalf("%+v, extra %+v", a.Channels, a.Extra)
	}
	if got := state(); !got.Asks() {
		t.Errorf("after the import: %q", got)
	}
	raw, err := w.node.StaticBackup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e, err := scbconv.Decode(raw[len(raw)-1])
	if err != nil || e.ChannelID != last.ID() || !e.TLVs.Shachain.Sentinel() {
		t.Errorf("imported %+v, %v", e, err)
	}
}

// TestACopyThatComesAfterTheCallIsUsedAtOnce: its peer was away while the call was
// at work, and is read when it is back.
func TestACopyThatComesAfterTheCallIsUsedAtOnce(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	b := readCorpus(t, "three-peers")
	last := b.Channels[4]
	for _, c := range b.Channels {
		w.peers.numbers[c.ID()] = peer.Reestablish{Channel: c.ID(), NextCommitment: c.State.NextCounterpartyCommitNum, NextRevocation: c.State.NextHolderCommitNum - 1}
	}
	if _, err := w.recover(inline(withoutChannel(t, testdata.Read(t, "three-peers", "backup.json"), last))); err != nil {
		t.Fatal(err)
	}
	if n := len(w.status().Channels); n != 4 {
		t.Fatalf("%d channels", n)
	}
	w.peers.storage = storedCopy(t)
	first := b.Channels[0]
	w.send(w.readReestablish(t.Context(), model.ReadReestablish{Peer: first.Peer, Address: "192.0.2.1:9735", Channels: []*channel.Channel{first}}))
	w.until("the channel of the copy", func() bool {
		return slices.ContainsFunc(w.status().Channels, func(c tell.ChannelStatus) bool {
			return c.ChannelID == last.ID().String() && c.State == model.LeftOut && strings.Contains(c.Reason, "extra=true")
		})
	})
	if err := w.OpeningAllowed(t.Context(), &last.Peer, "fundchannel"); failure.NameOf(err) != failure.OpeningRefused {
		t.Errorf("an opening with its peer: %v", err)
	}
}

// TestAChannelOfACopyOfThisVeryCallIsHeardBeforeItIsImported: its peer is read
// like the rest, and one that says 1/0 is asked first.
func TestAChannelOfACopyOfThisVeryCallIsHeardBeforeItIsImported(t *testing.T) {
	for _, awaits := range []bool{false, true} {
		w := newWorld(t, "three-peers", true)
		w.peers.storage = storedCopy(t)
		b := readCorpus(t, "three-peers")
		for _, c := range b.Channels {
			w.peers.numbers[c.ID()] = peer.Reestablish{Channel: c.ID(), NextCommitment: c.State.NextCounterpartyCommitNum, NextRevocation: c.State.NextHolderCommitNum - 1}
		}
		last := b.Channels[4]
		want := answer.DidImport
		if awaits {
			w.peers.numbers[last.ID()] = peer.Reestablish{Channel: last.ID(), NextCommitment: 1}
			want = answer.AskedFirst
		}
		p := inline(withoutChannel(t, testdata.Read(t, "three-peers", "backup.json"), last))
		p.Extra = true
		p.Addresses = map[channel.PubKey]string{last.Peer: "192.0.2.1:9735"}
		a, err := w.recover(p)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(a.Channels, func(c answer.Channel) bool { return c.ChannelID == last.ID().String() })
		if i < 0 || a.Channels[i].Result != want || a.Channels[i].Peer == nil {
			t.Errorf("1/0 %v: %+v", awaits, a.Channels)
		}
	}
}

// withoutChannel takes a channel's entry out of a backup.
func withoutChannel(t *testing.T, backup []byte, c *channel.Channel) string {
	t.Helper()
	var file map[string]json.RawMessage
	var state struct {
		Values map[string]json.RawMessage `json:"values"`
	}
	if err := json.Unmarshal(backup, &file); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file["state"], &state); err != nil {
		t.Fatal(err)
	}
	var node channel.PubKey
	if err := json.Unmarshal(file["node_id"], &node); err != nil {
		t.Fatal(err)
	}
	before := len(state.Values)
	delete(state.Values, scbconv.ChannelKey(node, c.Key))
	if len(state.Values) != before-1 {
		t.Fatalf("the backup has no entry of channel %s", c.Key)
	}
	var err error
	if file["state"], err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
