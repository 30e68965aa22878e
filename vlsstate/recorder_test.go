package vlsstate

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/glrecover/glrecover/failure"
)

// kind of a channel's value as far as the rules see it.
const (
	stub  = `{"channel_setup":null}`
	ready = `{"channel_setup":{"funding_outpoint":{"txid":"00","vout":0}}}`
	bare  = `{"id":null}`
)

// state makes entries of key, version and value.
func state(list ...Entry) Entries { sortEntries(list); return list }

func ch(name string, version uint64, value string) Entry {
	return Entry{Key: "channels/" + name, Version: version, Value: []byte(value)}
}

func gone(name string) Entry {
	return Entry{Key: "channels/" + name, Version: TombstoneVersion, Value: []byte("null")}
}

func other(key string, version uint64) Entry {
	return Entry{Key: key, Version: version, Value: []byte(`{}`)}
}

func signed(e Entry, sig byte) Entry {
	e.Signature = bytes.Repeat([]byte{sig}, SignatureSize)
	return e
}

// update is one update of the signer; before is the state after the last one
// unless set.
type update struct {
	what   string
	before Entries
	after  Entries
	fail   bool
	due    bool
}

func TestTheRecorderFollowsTheSignersRules(t *testing.T) {
	newOnly, every3 := Strategy{Kind: NewChannelsOnly}, Strategy{Kind: Periodic, Updates: 3}
	a1, a2, a3, a4, a5 := ch("a", 1, ready), ch("a", 2, ready), ch("a", 3, ready), ch("a", 4, ready), ch("a", 5, ready)
	for _, c := range []struct {
		name     string
		strategy Strategy
		steps    []update
	}{
		{"never", Strategy{}, []update{
			{what: "a channel", after: state(a1)},
			{what: "and another", after: state(a1, ch("b", 1, ready))},
		}},
		{"new channels only", newOnly, []update{
			{what: "nothing yet", after: state(other("nodes/x", 0))},
			{what: "an opening", after: state(ch("a", 0, stub))},
			{what: "it becomes a channel", after: state(a1), due: true},
			{what: "it is used", after: state(a2)},
			{what: "and again", after: state(a3)},
			{what: "a second opening", after: state(a3, ch("b", 0, stub))},
			{what: "a second channel", after: state(a3, ch("b", 1, ready)), due: true},
			{what: "a peer's address", after: state(a3, ch("b", 1, ready), other("peers/x", 4))},
			{what: "the first is deleted", after: state(gone("a"), ch("b", 1, ready))},
			{what: "and back", after: state(a5, ch("b", 1, ready)), due: true},
		}},
		{"a value without setup is no channel", newOnly, []update{
			{what: "no setup", after: state(ch("a", 0, bare))},
			{what: "a setup", after: state(ch("a", 1, ready)), due: true},
			{what: "another prefix", after: state(ch("a", 1, ready), Entry{Key: "channel/b", Version: 1, Value: []byte(ready)})},
		}},
		{"channels that were there before the recorder", newOnly, []update{
			{what: "used", before: state(a1), after: state(a2)},
			{what: "a second one", after: state(a2, ch("b", 0, ready)), due: true},
		}},
		{"a failed write stays pending", newOnly, []update{
			{what: "a channel, the disk is full", after: state(a1), due: true, fail: true},
			{what: "nothing changes, still full", after: state(a1), due: true, fail: true},
			{what: "used, room again", after: state(a2), due: true},
			{what: "used", after: state(a3)},
		}},
		{"periodic", every3, []update{
			{what: "a channel", after: state(a1), due: true},
			{what: "1", after: state(a2)},
			{what: "not an update: a peer", after: state(a2, other("peers/x", 0))},
			{what: "not an update: an opening", after: state(a2, ch("b", 0, stub))},
			{what: "not an update: a tombstone", after: state(a2, gone("b"))},
			{what: "2", after: state(a3)},
			{what: "3", after: state(a4), due: true},
			{what: "1", after: state(a5)},
		}},
		{"periodic counts a new signature on the same version", Strategy{Kind: Periodic, Updates: 2}, []update{
			{what: "a channel", after: state(a1), due: true},
			{what: "signed", after: state(signed(a1, 1))},
			{what: "signed again", after: state(signed(a1, 2)), due: true},
			{what: "the same", after: state(signed(a1, 2))},
		}},
		{"periodic, one update with two channels is one", every3, []update{
			{what: "two channels", after: state(a1, ch("b", 1, ready)), due: true},
			{what: "1", after: state(a2, ch("b", 2, ready))},
			{what: "2", after: state(a3, ch("b", 3, ready))},
			{what: "3", after: state(a4, ch("b", 4, ready)), due: true},
		}},
		{"a periodic write that fails is tried with each update, the count goes on", every3, []update{
			{what: "a channel", after: state(a1), due: true},
			{what: "1", after: state(a2)},
			{what: "2", after: state(a3)},
			{what: "3, full", after: state(a4), due: true, fail: true},
			{what: "no update, full", after: state(a4, other("peers/x", 0)), due: true, fail: true},
			{what: "no update, room", after: state(a4), due: true},
			{what: "1 of the next three", after: state(a5)},
		}},
		{"periodic, an older version is no update", Strategy{Kind: Periodic, Updates: 1}, []update{
			{what: "a channel", after: state(a2), due: true},
			{what: "an older one", after: state(a1)},
			{what: "the same again is newer than before, but it is on disk", after: state(a2)},
			{what: "newer than the disk", after: state(a3), due: true},
		}},
		{"every update", Strategy{Kind: Periodic, Updates: 1}, []update{
			{what: "a channel", after: state(a1), due: true},
			{what: "used", after: state(a2), due: true},
			{what: "used", after: state(a3), due: true},
			{what: "no change", after: state(a3)},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewRecorder(c.strategy)
			if err != nil {
				t.Fatal(err)
			}
			var last Entries
			failed := 0
			for i, u := range c.steps {
				if u.before == nil {
					u.before = last
				}
				r.Observe(u.before, u.after)
				due := r.Due(u.after)
				if due != u.due {
					t.Fatalf("step %d (%s): due %v, want %v", i, u.what, due, u.due)
				}
				if due != r.Due(u.after) {
					t.Fatalf("step %d (%s): the decision is not pure", i, u.what)
				}
				if due {
					var err error
					if u.fail {
						failed++
						err = errors.New("disk full")
					} else {
						failed = 0
					}
					r.Written(u.after, err)
				}
				if n, err := r.Failures(); n != failed || (err != nil) != (failed > 0) {
					t.Errorf("step %d (%s): %d failures, %v; want %d", i, u.what, n, err, failed)
				}
				last = u.after
			}
		})
	}
}

func TestTheCountOfUpdatesDoesNotOverflow(t *testing.T) {
	r, err := NewRecorder(Strategy{Kind: Periodic, Updates: math.MaxUint32})
	if err != nil {
		t.Fatal(err)
	}
	r.updates = math.MaxUint32
	r.Observe(state(ch("a", 1, ready)), state(ch("a", 2, ready)))
	if r.updates != math.MaxUint32 || !r.Due(state(ch("a", 2, ready))) {
		t.Errorf("%d updates", r.updates)
	}
}

func TestARecorderNeedsAStrategy(t *testing.T) {
	for _, s := range []Strategy{{Kind: Periodic}, {Kind: 7}} {
		if _, err := NewRecorder(s); failure.NameOf(err) != failure.InvalidParameter {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestASnapshotOfAGenuineStateHasTheGenuineBytes(t *testing.T) {
	path := filepath.Join(corpus, "force-closed", "backup.json")
	b := parsed(t, path)
	withTombstone := append(Entries{gone("deleted")}, b.Entries...)
	got, err := Encode(Snapshot(b.NodeID, b.CreatedAt.Add(999), b.Strategy, withTombstone))
	if err != nil || !bytes.Equal(got, load(t, path)) {
		t.Errorf("other bytes (%v)", err)
	}
}

func ExampleRecorder() {
	r, _ := NewRecorder(Strategy{Kind: Periodic, Updates: 2})
	before := Entries{{Key: "channels/a", Version: 1, Value: []byte(`{"channel_setup":{}}`)}}
	for version := uint64(2); version < 6; version++ {
		after := Entries{{Key: "channels/a", Version: version, Value: []byte(`{"channel_setup":{}}`)}}
		r.Observe(before, after)
		if r.Due(after) {
			fmt.Println("write version", version)
			r.Written(after, nil)
		}
		before = after
	}
	// Output:
	// write version 3
	// write version 5
}
