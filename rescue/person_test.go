package rescue

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glrecover/glrecover/chain"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/state"
)

// TestAChannelThatItsPeerHasForgottenIsLeftToThePerson: it ends, says where the coins
// are and who can help, and the next call asks the peer again, as often as it is made.
func TestAChannelThatItsPeerHasForgottenIsLeftToThePerson(t *testing.T) {
	s := newStory(t)
	s.forgets = true
	for range 2 {
		was := s.met
		end, err := s.call(s.withBackup(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !end.Done || !end.NeedsYou || len(end.Channels) != 1 || end.Channels[0].State != model.Forgotten {
			t.Fatalf("the end: %+v", end)
		}
		if text := end.Channels[0].Text; !strings.Contains(text, s.ch.Funding.String()) || !strings.Contains(text, "operator") {
			t.Errorf("it is not said where the coins are: %s", text)
		}
		if s.met == was || !s.unspent() {
			t.Errorf("the peer was asked %d times", s.met-was)
		}
	}
	s.forgets = false // its operator has restored it
	end, err := s.call(s.withBackup(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.paid(end)
}

// TestMovedNumbersAreLeftToThePerson: the peer's numbers go on and it shows no proof.
// Calling again asks it again; the person's word is needed to close all the same.
func TestMovedNumbersAreLeftToThePerson(t *testing.T) {
	s := newStory(t)
	s.moved = 1
	for range 2 {
		was := s.met
		end, err := s.call(s.withBackup(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !end.Done || !end.NeedsYou || len(end.Channels) != 1 || !strings.Contains(end.Channels[0].Text, "--override numbers_moved") {
			t.Fatalf("the end: %+v", end)
		}
		if s.met == was || s.asked > 0 || !s.unspent() {
			t.Errorf("met %d times, asked %d times", s.met-was, s.asked)
		}
	}
	p := s.withBackup()
	p.Override = []string{NumbersMoved}
	end, err := s.call(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.paid(end)
}

// TestAnOverrideOfNothingIsNoMatter: it may be said from the first call on.
func TestAnOverrideOfNothingIsNoMatter(t *testing.T) {
	s := newStory(t)
	p := s.withBackup()
	p.Override = []string{NumbersMoved}
	end, err := s.call(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.paid(end)
}

// TestAPeerThatLostItsStateIsHeardAgain: it is not asked, as often as the command is
// called, until it has its state back; then the same command brings the coin.
func TestAPeerThatLostItsStateIsHeardAgain(t *testing.T) {
	s := newStory(t)
	s.stale = true
	for range 2 {
		was := s.heard
		end, err := s.call(s.withBackup(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !end.Done || !end.NeedsYou || len(end.Channels) != 1 || end.Channels[0].State != model.PeerStale || !strings.Contains(end.Channels[0].Text, "--override peer_stale") {
			t.Fatalf("the end: %+v", end)
		}
		if s.heard == was || s.asked > 0 || !s.unspent() {
			t.Errorf("heard %d times, asked %d times", s.heard-was, s.asked)
		}
	}
	s.stale = false
	end, err := s.call(s.withBackup(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.paid(end)
}

// TestAnOverrideIsForNoLaterAlarm: the user accepted a sign of life, and then the peer
// proves that the hosted node runs. A peer that could not be heard before takes nothing
// of that back, and is not met.
func TestAnOverrideIsForNoLaterAlarm(t *testing.T) {
	s := newStory(t)
	s.alive = true
	missing := other(t)
	s.away = map[channel.PubKey]int{missing: 1}
	p := s.withBackup()
	p.Override = []string{"hosted_node_alive"}
	p.Peers = s.at()
	p.Peers[missing] = "127.0.0.1:9736"
	end, err := s.call(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(end.Channels) != 1 || end.Channels[0].State != model.HostedAlive || !end.NeedsYou {
		t.Errorf("the end: %+v", end)
	}
	if s.met != 1 || s.asked > 0 || s.away[missing] != 0 {
		t.Errorf("met %d times, asked %d times, the missing peer dialled %d times more", s.met, s.asked, -s.away[missing])
	}
}

// TestALiarIsHeardBeforeThePeer: it says that the channel is its own. The peer that has
// it is named with a second call, before the liar was asked in vain or after; with it
// comes the coin, and nothing is left to a person.
func TestALiarIsHeardBeforeThePeer(t *testing.T) {
	for _, closed := range []bool{false, true} {
		s := newStory(t)
		s.liar = other(t)
		lie := api.RecoverParams{Decommissioned: true, Peers: map[channel.PubKey]string{s.liar: "127.0.0.1:9736"}}
		if closed {
			s.chain.Mine(s.commit.Tx)
			lie.Since = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
		}
		_, err := s.call(lie, func(e Event) bool {
			return e.Channel != nil && (e.Channel.State == model.CloseRequested || e.Channel.State == model.OutputsWaiting)
		})
		if err != nil {
			t.Fatal(err)
		}
		end, err := s.call(s.words(), nil)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(end.Channels, func(l Line) bool { return l.Peer == s.liar })
		if i < 0 || len(end.Channels) != 2 || end.Channels[i].State != model.LeftOut || !strings.Contains(end.Channels[i].Text, s.ch.Peer.String()) {
			t.Fatalf("closed %v, the liar's channel: %+v", closed, end.Channels)
		}
		end.Channels = slices.Delete(end.Channels, i, i+1)
		s.paid(end)
	}
}

// TestWhatWasAskedForADayInVainIsLeftToThePerson: a peer that invents a channel says
// that it closes it, for ever.
func TestWhatWasAskedForADayInVainIsLeftToThePerson(t *testing.T) {
	asked := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	r := model.Record{
		Channel: channel.Channel{Key: channel.Key{DBID: 1}}, State: model.CloseRequested, Since: asked, Asked: asked, FundingMissing: true,
	}
	for _, x := range []struct {
		what     string
		after    time.Duration
		lookBack bool
		missing  bool
		tries    int
		needs    bool
	}{
		{"an hour", time.Hour, true, true, 1, false},
		{"two days", 48 * time.Hour, true, true, 1, true},
		{"two days, and this call has not asked yet", 48 * time.Hour, true, true, 0, false},
		{"two days, and old blocks are still looked at", 48 * time.Hour, false, true, 1, false},
		{"two days, and the funding output is there", 48 * time.Hour, true, false, 1, false},
	} {
		r.FundingMissing = x.missing
		st := state.New(state.Config{}, &model.Run{Destination: home1}, []model.Record{r})
		st.Now, st.LookBack = asked.Add(x.after), chain.LookBack{Done: x.lookBack}
		st.Channels[r.Channel.Key].Tries = x.tries
		l := lineOf(st, st.Channels[r.Channel.Key])
		if l.Done || l.NeedsYou != x.needs || (x.tries > 0 && strings.Contains(l.Text, "invented") != x.needs) {
			t.Errorf("%s: %+v", x.what, l)
		}
	}
}

// TestNoLineSpeaksOfLightningd: there is none.
func TestNoLineSpeaksOfLightningd(t *testing.T) {
	for _, stopAt := range []model.ChannelState{model.CloseSeen, ""} {
		s := newStory(t)
		_, err := s.call(s.withBackup(), func(e Event) bool { return e.Channel != nil && e.Channel.State == stopAt })
		if err != nil {
			t.Fatal(err)
		}
		dry := s.withBackup()
		dry.DryRun, dry.Addresses = true, nil
		if _, err := s.call(dry, nil); err != nil {
			t.Fatal(err)
		}
		for _, e := range s.events {
			texts := []string{e.Text}
			if e.Channel != nil {
				texts = append(texts, e.Channel.Text)
			}
			if e.Plan != nil {
				texts = append(texts, e.Plan.Warnings...)
				for i := range e.Plan.Channels {
					c := &e.Plan.Channels[i]
					texts = append(append(texts, c.Reason, c.Cure), c.Warnings...)
				}
			}
			for _, text := range texts {
				for _, word := range []string{"lightningd", "lightning-cli", "listfunds", "glrecover-"} {
					if strings.Contains(text, word) {
						t.Errorf("%s: %s", e.Event, text)
					}
				}
			}
		}
	}
}

// TestACloseThatNoBlockTakesIsSaidToHaveNoFee: nobody pays for it here.
func TestACloseThatNoBlockTakesIsSaidToHaveNoFee(t *testing.T) {
	r := model.Record{
		Channel: channel.Channel{Key: channel.Key{DBID: 1}}, State: model.CloseSeen, Close: &model.Close{Txid: "aa", FirstSeen: 100},
	}
	for tip, said := range map[uint32]bool{100: false, 105: false, 106: true, 500: true} {
		st := state.New(state.Config{}, &model.Run{Destination: home1}, []model.Record{r})
		st.Tip.Height = tip
		if l := lineOf(st, st.Channels[r.Channel.Key]); strings.Contains(l.Text, "no wallet") != said {
			t.Errorf("at height %d: %s", tip, l.Text)
		}
	}
}
