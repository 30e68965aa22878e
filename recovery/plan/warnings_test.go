package plan_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/scbconv"
	"github.com/glrecover/glrecover/testdata"
	"github.com/glrecover/glrecover/vlsstate"
)

// TestWhatIsWrongWithManyChannelsIsOneWarning, in the answer as on the command
// line: a backup has thousands.
func TestWhatIsWrongWithManyChannelsIsOneWarning(t *testing.T) {
	text := testdata.Read(t, "three-peers", "backup.json")
	b, err := vlsstate.Read(bytes.NewReader(regexp.MustCompile(`"next_holder_commit_num": \d+`).ReplaceAll(text, []byte(`"next_holder_commit_num": "x"`))))
	if err != nil || len(b.Problems) < 5 {
		t.Fatalf("%v; problems %v", err, b.Problems)
	}
	w := newWorld(t, "three-peers")
	w.in.Backup = &backup.Loaded{Backup: b}
	var said []string
	for _, warning := range w.plan().Warnings {
		if strings.Contains(warning, "next_holder_commit_num") {
			said = append(said, warning)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "and 2 more") {
		t.Errorf("warnings %q", said)
	}
}

// TestAGuessedAddressIsSaidToBeOne: where a peer once called from may lead
// nowhere, and what helps is the same as without any.
func TestAGuessedAddressIsSaidToBeOne(t *testing.T) {
	w := newWorld(t, "three-peers")
	var guessed channel.PubKey
	for id, p := range w.backup.Peers {
		if p.Direction == vlsstate.In {
			p.Addr = "198.51.100.7:40000"
			w.backup.Peers[id], guessed = p, id
		}
	}
	for _, c := range w.plan().Channels {
		if (c.PeerID == guessed) != slices.ContainsFunc(c.Warnings, func(text string) bool {
			return strings.Contains(text, "called from") && strings.Contains(text, scbconv.NoAddressHelp)
		}) {
			t.Errorf("channel with %s at %s (%s): %q", c.PeerID, c.Address.Address, c.Address.Source, c.Warnings)
		}
	}
}
