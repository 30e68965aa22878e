package vlsstate

import (
	"path/filepath"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
)

func TestASetPeerIsWrittenAsTheSignerWritesOne(t *testing.T) {
	for _, path := range genuine(t) {
		b := parsed(t, path)
		for id, p := range b.Peers {
			old := *b.Entries.Get("peers/" + id.String())
			if err := b.SetPeer(id, p); err != nil {
				t.Fatal(err)
			}
			e := b.Entries.Get("peers/" + id.String())
			if string(e.Value) != string(old.Value) || e.Version != old.Version+1 || e.Signature != nil {
				t.Errorf("%s: %s @ %d, want %s @ %d", path, e.Value, e.Version, old.Value, old.Version+1)
			}
		}
	}
}

func TestASetPeerSurvivesAMergeWithTheOldState(t *testing.T) {
	path := filepath.Join(corpus, "three-peers", "backup.json")
	b := parsed(t, path)
	var stranger channel.PubKey
	for _, c := range b.Channels {
		if _, known := b.Peers[c.Peer]; !known {
			stranger = c.Peer
		}
	}
	var inbound channel.PubKey
	for id, p := range b.Peers {
		if p.Direction == In {
			inbound = id
		}
	}
	for _, id := range []channel.PubKey{stranger, inbound} {
		if err := b.SetPeer(id, Peer{Addr: "peer.example:9735", Direction: Out, Features: []byte{0x80}}); err != nil {
			t.Fatal(err)
		}
	}
	data, err := Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(data)
	if err != nil || len(again.Problems) != 0 {
		t.Fatal(err, again.Problems)
	}
	merged, err := Merge(parsed(t, path), again)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []channel.PubKey{stranger, inbound} {
		if p := merged.Peers[id]; p.Addr != "peer.example:9735" || p.Direction != Out || len(p.Features) != 1 {
			t.Errorf("%s: %+v", id, p)
		}
	}
	if len(merged.Problems) != 0 {
		t.Error(merged.Problems)
	}
}

func TestAPeerThatCouldNotBeReadAgainIsRefused(t *testing.T) {
	b := parsed(t, filepath.Join(corpus, "three-peers", "backup.json"))
	for _, p := range []Peer{{Addr: "a b:1", Direction: Out}, {Addr: "a:1"}, {Addr: "\n", Direction: In}} {
		if err := b.SetPeer(b.NodeID, p); failure.NameOf(err) != failure.InvalidParameter {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestADeletedPeerStaysDeleted(t *testing.T) {
	b := parsed(t, filepath.Join(corpus, "three-peers", "backup.json"))
	id := b.Channels[0].Peer
	e := b.Entries.Get("peers/" + id.String())
	if e == nil {
		t.Fatal("the first channel's peer has no entry")
	}
	e.Version, e.Value = TombstoneVersion, []byte("null")
	if err := b.SetPeer(id, Peer{Addr: "a:1", Direction: Out}); err != nil || !b.Entries.Get(e.Key).Tombstone() {
		t.Error(err)
	}
}
