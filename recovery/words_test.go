package recovery

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/failure"
	"github.com/glrecover/glrecover/peer"
	"github.com/glrecover/glrecover/recovery/api"
	"github.com/glrecover/glrecover/recovery/backup"
	"github.com/glrecover/glrecover/recovery/decision"
	"github.com/glrecover/glrecover/recovery/model"
	"github.com/glrecover/glrecover/recovery/plan"
)

// onlyWords is a call without a backup: the peer's address is all that the user has.
func (s *story) onlyWords() api.RecoverParams {
	return api.RecoverParams{Decommissioned: true, Peers: map[channel.PubKey]string{s.ch.Peer: "127.0.0.1:9735"}}
}

// signed is the peer's commitment with the witness that shows the funding keys.
func (s *story) signed() *bolt3.CommitTx {
	s.t.Helper()
	c := s.theirCommitment()
	ours, err := s.keys.Basepoints(s.ch.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	script, err := bolt3.FundingScript(ours.Funding, s.ch.Remote.Funding)
	if err != nil {
		s.t.Fatal(err)
	}
	c.Tx.TxIn[0].Witness = wire.TxWitness{nil, {1}, {1}, script}
	return c
}

// speaks makes the peer speak of its channel when it is connected.
func (s *story) speaks(r peer.Reestablish) {
	s.peers.mu.Lock()
	defer s.peers.mu.Unlock()
	s.peers.speaks = map[channel.PubKey][]peer.Reestablish{s.ch.Peer: {r}}
}

// TestTheWordsAloneBringACoinHome: no backup, with and without lightningd, whatever
// the peer shows of the channel's age. The dbid comes from our own secret that the
// peer shows; where it shows none, or a wrong one, from the close.
func TestTheWordsAloneBringACoinHome(t *testing.T) {
	for name, numbers := range map[string]func(s *story) peer.Reestablish{
		"used": (*story).current,
		"never used": func(s *story) peer.Reestablish {
			return peer.Reestablish{Channel: s.ch.ID(), NextCommitment: 1, DataLossProtection: true}
		},
		"a lie": func(s *story) peer.Reestablish {
			r := s.current()
			r.YourLastSecret[5] ^= 1
			return r
		},
	} {
		for _, stubs := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s := newStory(t, "used-both-ways")
				s.deps.Stubs = stubs
				s.start()
				r := numbers(s)
				s.speaks(r)
				commit := s.signed()
				s.peers.mu.Lock()
				s.peers.ask = func(_ peer.Target, a peer.Ask) *peer.Outcome {
					if ok, why := a.Decide(r); !ok {
						return &peer.Outcome{Result: peer.Withheld, Reason: why}
					}
					s.chain.AddMempool(commit.Tx)
					return &peer.Outcome{Result: peer.Asked}
				}
				s.peers.mu.Unlock()
				a, err := s.recover(s.onlyWords())
				if err != nil {
					t.Fatal(err)
				}
				if len(a.Extra) != 1 || a.Extra[0].Source != backup.FromReestablish || a.Extra[0].Result != decision.Import {
					t.Fatalf("extra channels: %+v", a.Extra)
				}
				if len(a.Warnings) == 0 || a.Warnings[0] != plan.WordsLimits {
					t.Errorf("what cannot be had is not said first: %q", a.Warnings)
				}
				if lies := slices.ContainsFunc(a.Channels[0].Warnings, func(w string) bool { return strings.Contains(w, "do not trust") }); lies != (name == "a lie") {
					t.Errorf("warnings: %q", a.Channels[0].Warnings)
				}
				known := channel.Key{Peer: s.ch.Peer, DBID: s.ch.DBID}
				want := uint64(0)
				if name == "used" {
					want = s.ch.DBID
				}
				if got := a.Extra[0].DBID; got != want {
					t.Errorf("dbid %d before the close, want %d", got, want)
				}
				s.until("the close", func() bool { return s.stateOf(known) == model.CloseSeen })
				if s.Service.seen.Load().Channels[known].Channel.CapacitySat != s.ch.CapacitySat {
					t.Error("the capacity is wrong")
				}
				s.start() // it goes on from the record
				s.mine(1)
				tx := s.untilSwept(output(commit, bolt3.ToRemoteOutput))
				s.mine(6)
				if stubs {
					s.credit(tx, 0) // lightningd's wallet got it
				}
				s.until("the coin", func() bool { return s.stateOf(known) == model.Credited })
				if n := len(s.seen.Load().Channels); n != 1 {
					t.Errorf("%d channels on record", n)
				}
				if slices.Contains(s.node.calls(), "recoverchannel") {
					t.Error("a stub was made of a channel of which only the id is known")
				}
			})
		}
	}
}

// TestPeersThatACopyNamesAreHeardToo: the user knows one peer; the copy that it
// returns names the others, some with their addresses; gossip has the rest.
func TestPeersThatACopyNamesAreHeardToo(t *testing.T) {
	w := newWorld(t, "three-peers", true)
	b := readCorpus(t, "three-peers")
	w.deps.Stubs = false
	w.start()
	raw, err := os.ReadFile("../testdata/emergency_recover.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ File string }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if w.peers.storage, err = hex.DecodeString(file.File); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Channels {
		w.node.gossip[c.Peer] = &api.GossipNode{Addresses: []string{"127.0.0.1:9736"}}
	}
	first := b.Channels[0].Peer
	a, err := w.recover(api.RecoverParams{Decommissioned: true, Peers: map[channel.PubKey]string{first: "127.0.0.1:9735"}})
	if err != nil {
		t.Fatal(err)
	}
	heard := map[channel.PubKey]int{}
	for _, id := range w.peers.heardOf() {
		heard[id]++
	}
	for _, c := range b.Channels {
		if heard[c.Peer] != 1 {
			t.Errorf("peer %s was heard %d times", c.Peer, heard[c.Peer])
		}
	}
	if len(a.Extra) != len(b.Channels) {
		t.Errorf("%d channels, the copy has %d", len(a.Extra), len(b.Channels))
	}
	for _, x := range a.Extra {
		if x.Source != backup.FromPeer || x.From == nil {
			t.Errorf("%s is from %s", x.ChannelID, x.Source)
		}
	}
}

// TestNobodyIsMetWithoutTheStatement, nor where there is neither a backup nor a
// peer, nor under the name of another node.
func TestNobodyIsMetWithoutTheStatement(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.deps.Stubs = false
	s.start()
	words := s.onlyWords()
	for what, x := range map[string]struct {
		p    api.RecoverParams
		want failure.Name
	}{
		"no statement":          {api.RecoverParams{Peers: words.Peers}, failure.NotDecommissioned},
		"no statement, dry run": {api.RecoverParams{Peers: words.Peers, DryRun: true}, failure.NotDecommissioned},
		"nothing":               {api.RecoverParams{Decommissioned: true}, failure.InvalidParameter},
		"a bad address":         {api.RecoverParams{Decommissioned: true, Peers: map[channel.PubKey]string{s.ch.Peer: "::::"}}, failure.InvalidParameter},
	} {
		if _, err := s.recover(x.p); failure.NameOf(err) != x.want {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.node.info.Network = "bitcoin"
	if _, err := s.recover(s.params()); failure.NameOf(err) != failure.WrongNetwork {
		t.Errorf("another network: %v", err)
	}
	if n := len(s.peers.heardOf()); n > 0 || s.peers.asked() > 0 {
		t.Errorf("%d peers were met", n)
	}
}

// TestAStaleBackupAndThePeersTogether: a channel that was opened after the backup is
// found by what its peer says, and the backup's own channel stays as the backup has
// it.
func TestAStaleBackupAndThePeersTogether(t *testing.T) {
	s := newStory(t, "used-both-ways")
	s.deps.Stubs = false
	s.start()
	later := peer.Reestablish{Channel: channel.ID{1, 2, 3}, NextCommitment: 4, NextRevocation: 3, DataLossProtection: true}
	secret, err := s.keys.PerCommitmentSecret(channel.Key{Peer: s.ch.Peer, DBID: 77}, 2)
	if err != nil {
		t.Fatal(err)
	}
	later.YourLastSecret = secret
	s.peers.mu.Lock()
	s.peers.speaks = map[channel.PubKey][]peer.Reestablish{s.ch.Peer: {s.current(), later}}
	s.peers.mu.Unlock()
	p := s.params()
	p.Peers = s.onlyWords().Peers
	a, err := s.recover(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Channels) != 2 || a.Channels[0].Peer == nil || a.Channels[0].Peer.Verdict != string(peer.NotRefuted) {
		t.Fatalf("channels: %+v", a.Channels)
	}
	st := s.seen.Load()
	if c := st.Channels[channel.Key{Peer: s.ch.Peer, DBID: 77}]; c == nil || !c.Channel.ByID || !c.FundingMissing {
		t.Errorf("the later channel: %+v", c)
	}
	if c := st.Channels[s.ch.Key]; c == nil || c.Channel.ByID || c.First == nil || c.FirstLater {
		t.Errorf("the backup's channel: %+v", c)
	}
}

// TestAPeerThatNamesAnothersChannel: anybody can say the id of a public channel. Both
// peers are asked, whoever is heard first, and the close shows whose it is.
func TestAPeerThatNamesAnothersChannel(t *testing.T) {
	for _, text := range []string{
		"020000000000000000000000000000000000000000000000000000000000000001",
		"03fff97bd5755eeea420453a14355235d382f6472f8568a18b2f057a1460297556",
	} {
		s := newStory(t, "used-both-ways")
		s.deps.Stubs = false
		s.start()
		liar, err := channel.ParsePubKey(text)
		if err != nil {
			t.Fatal(err)
		}
		lie := peer.Reestablish{Channel: s.ch.ID(), NextCommitment: 9, NextRevocation: 8, DataLossProtection: true}
		s.peers.mu.Lock()
		s.peers.speaks = map[channel.PubKey][]peer.Reestablish{s.ch.Peer: {s.current()}, liar: {lie}}
		s.peers.mu.Unlock()
		p := s.onlyWords()
		p.Peers[liar] = "127.0.0.1:9999"
		a, err := s.recover(p)
		if err != nil {
			t.Fatal(err)
		}
		c := s.seen.Load().Channels[channel.Key{Peer: s.ch.Peer, DBID: s.ch.DBID}]
		if len(a.Extra) != 2 || c == nil {
			t.Fatalf("extra channels: %+v", a.Extra)
		}
		if !strings.HasPrefix(c.Address, "127.0.0.1:9735") {
			t.Errorf("the peer is looked for at %s", c.Address)
		}
		if !slices.ContainsFunc(a.Warnings, func(w string) bool { return strings.HasPrefix(w, "two peers say") && strings.Contains(w, text) }) {
			t.Errorf("warnings: %q", a.Warnings)
		}
		commit := s.signed()
		s.chain.AddMempool(commit.Tx)
		lies := channel.Key{Peer: liar, DBID: channel.UnknownDBID(s.ch.ID())}
		s.until("the liar's channel to be left out", func() bool { return s.stateOf(lies) == model.LeftOut })
		if got := s.stateOf(channel.Key{Peer: s.ch.Peer, DBID: s.ch.DBID}); got != model.CloseSeen {
			t.Errorf("the peer's channel: %s", got)
		}
	}
}
