package recovery

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/peer"
)

// TestWhatAPeerKeptIsCapturedAndCompared: the three-peers node left its own
// backup with its peers, with five channels; the signer's backup here lacks one.
func TestWhatAPeerKeptIsCapturedAndCompared(t *testing.T) {
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
	w := newWorld(t, "three-peers", true)
	if w.peers.storage, err = hex.DecodeString(file.File); err != nil {
		t.Fatal(err)
	}
	b := readCorpus(t, "three-peers")
	for _, c := range b.Channels {
		w.peers.numbers[c.ID()] = peer.Reestablish{Channel: c.ID(), NextCommitment: c.State.NextCounterpartyCommitNum}
	}
	// The entry of the last channel gets another name in the signer's backup.
	last := b.Channels[4]
	text := strings.Replace(string(readCorpusText(t, "three-peers")), hexOf(last.Funding.Hash[:]), strings.Repeat("ab", 32), 1)
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
	stored, err := w.node.Records(t.Context(), recordStorage)
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
	if len(a.Extra) != 0 || !strings.Contains(strings.Join(a.Warnings, "\n"), "cannot be opened") {
		t.Errorf("extra %v, warnings %q", a.Extra, a.Warnings)
	}
}
