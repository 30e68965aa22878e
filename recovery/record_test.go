package recovery

import (
	"context"
	"errors"
	"testing"

	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/model"
)

// TestARecordThatFailsHalfwayLeavesNothingToTheEngine: the user is told that
// nothing was imported, so nothing may be imported behind his back.
func TestARecordThatFailsHalfwayLeavesNothingToTheEngine(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	left := 3 // the run and two channels
	w.node.onEffect = func(call string) error {
		if call != "datastore" {
			return nil
		}
		if left--; left < 0 {
			return errors.New("database is full")
		}
		return nil
	}
	if _, err := w.recover(pathOf(t, "three-peers")); failure.NameOf(err) != failure.Internal {
		t.Fatalf("got %v", err)
	}
	w.node.mu.Lock()
	w.node.onEffect = nil
	records := len(w.node.store)
	w.node.mu.Unlock()
	if records > 0 {
		t.Errorf("%d records are left", records)
	}
	if n := len(w.status().Channels); n > 0 {
		t.Errorf("%d channels are followed", n)
	}
	other := readCorpus(t, "stale").Channels[0].Peer
	if err := w.OpeningAllowed(t.Context(), &other, "fundchannel"); err != nil {
		t.Errorf("the guard stands although nothing was imported: %v", err)
	}
	w.start() // and not after a restart either
	w.look()
	if n := count(w.node.calls(), "recoverchannel"); n > 0 {
		t.Error("something was imported")
	}
	a, err := w.recover(pathOf(t, "three-peers"))
	if err != nil || a.Totals.Imported != 5 {
		t.Errorf("the next try: %+v, %v", a, err)
	}
}

// TestABetterBackupReplacesAnOlderState: the numbers that sessions and closes
// are judged by must be the newest that are known.
func TestABetterBackupReplacesAnOlderState(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.begin()
	numbers := func() (holder, counterparty uint64) {
		st := &s.seen.Load().Channels[s.ch.Key].Channel.State
		return st.NextHolderCommitNum, st.NextCounterpartyCommitNum
	}
	h, c := numbers()
	give := func(change func(*channel.Channel)) {
		t.Helper()
		ch := *s.ch
		change(&ch)
		n := s.calls.begin(nil)
		defer s.calls.end(n)
		for _, e := range []model.Event{
			model.CallBegun{Call: n.id},
			model.Planned{Call: n.id, Run: *s.seen.Load().Run, Channels: []model.PlannedChannel{{Channel: &ch, Decision: decision.HasStub}}},
		} {
			s.send(e)
			if _, err := n.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	give(func(ch *channel.Channel) { ch.State.NextHolderCommitNum -= 2 })
	if a, b := numbers(); a != h || b != c {
		t.Errorf("an older backup was taken: %d, %d", a, b)
	}
	give(func(ch *channel.Channel) { ch.State.NextHolderCommitNum++; ch.State.NextCounterpartyCommitNum-- })
	if a, b := numbers(); a != h || b != c {
		t.Errorf("one that is newer on one side only was taken: %d, %d", a, b)
	}
	give(func(ch *channel.Channel) { ch.State.NextHolderCommitNum++; ch.State.NextCounterpartyCommitNum += 3 })
	if a, b := numbers(); a != h+1 || b != c+3 {
		t.Errorf("a newer one was not: %d, %d", a, b)
	}
	s.start()
	if a, b := numbers(); a != h+1 || b != c+3 {
		t.Errorf("it was not recorded: %d, %d", a, b)
	}
	if st := &s.seen.Load().Channels[s.ch.Key].Channel.State; len(st.Secrets) > 0 {
		t.Error("the record holds revealed secrets")
	}
}

// TestTheOverrideOfAStalePeerIsForNoOther: the user accepted one loss that he
// was shown.
func TestTheOverrideOfAStalePeerIsForNoOther(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.peers.numbers[s.ch.ID()] = s.current()
	p := s.params()
	p.Override = []string{string(failure.PeerStale)}
	for range 2 {
		if _, err := s.recover(p); err != nil {
			t.Fatal(err)
		}
	}
	if s.seen.Load().Channels[s.ch.Key].StaleAllowed {
		t.Error("a peer that was not stale may be asked when it is")
	}
}

// TestADamagedRecordStopsEverythingByName: nothing is done, and openings stay
// refused.
func TestADamagedRecordStopsEverythingByName(t *testing.T) {
	for story, value := range map[string]string{"no JSON": "{", "a newer version": `{"version":99}`} {
		w := newWorld(t, "used-both-ways", true)
		if err := w.node.SaveRecord(t.Context(), []string{"glrecover", "run"}, value); err != nil {
			t.Fatal(err)
		}
		s := New(w.deps)
		if err := s.Start(t.Context(), w.facts); failure.NameOf(err) != failure.RecordUnreadable {
			t.Errorf("%s: %v", story, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.OpeningAllowed(ctx, nil, "fundchannel"); failure.NameOf(err) != failure.OpeningRefused {
			t.Errorf("%s: an opening: %v", story, err)
		}
	}
}
